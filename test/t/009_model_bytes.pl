# Every single-byte change of small models, through the bytea cast and the text
# form: an error or a model that is valid, never a crash.
#
# Not a regress test: it reads the server's log, and takes its time.
use strict;
use warnings;

use lib 'test/t';
use RecsysTest;
use Test::More;

my $node = new_server('main');
$node->safe_psql(
	'postgres', q{
	CREATE TABLE models AS
	SELECT * FROM (
		SELECT recsys.train_als(u, i, 1, '{"factors": 2}') AS als, recsys.train_ease(u, i) AS ease,
			recsys.train_item_knn(u, i) AS item_knn, recsys.train_popularity(u, 'item ' || i) AS popularity,
			recsys.train_sequence(u, md5(i::text)::uuid, now()) AS sequence
		FROM generate_series(1, 4) u, generate_series(1, 3) i WHERE (u + i) % 3 > 0) t;
	-- bytes with byte n replaced → 'valid' or the error's code; a valid one is also used
	CREATE FUNCTION try(bytes bytea, as_text boolean, known text) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		m recsys.model;
	BEGIN
		IF as_text THEN
			m := convert_from(bytes, 'LATIN1')::recsys.model;
		ELSE
			m := bytes::recsys.model;
		END IF;
		IF NOT as_text AND m::bytea <> bytes THEN
			RETURN 'changed';
		END IF;
		PERFORM count(*) FROM recsys.recommend_with(m, ARRAY[known], 5);
		PERFORM length(m::text);
		RETURN 'valid';
	EXCEPTION WHEN OTHERS THEN
		RETURN sqlstate;
	END $$});

my $values = q{(VALUES (0), (1), (34), (44), (48), (92), (125), (127), (128), (255)) v(b)};
foreach my $algorithm (qw(als ease item_knn popularity sequence))
{
	my $known = { popularity => q{'item 1'}, sequence => q{md5('1')::uuid::text} }->{$algorithm} // q{'1'};
	my $got = $node->safe_psql(
		'postgres', qq{
		SELECT answer, count(*) FROM (
			SELECT try(set_byte(bytes, n, b), false, $known) AS answer
			FROM (SELECT $algorithm\::bytea AS bytes FROM models) m,
				generate_series(0, length(bytes) - 1) n, $values
			UNION ALL
			SELECT try(set_byte(bytes, n, get_byte(bytes, n) # (1 << bit)), false, $known)
			FROM (SELECT $algorithm\::bytea AS bytes FROM models) m,
				generate_series(0, length(bytes) - 1) n, generate_series(0, 7) bit
			UNION ALL
			SELECT try(substr(bytes, 1, n), false, $known)
			FROM (SELECT $algorithm\::bytea AS bytes FROM models) m, generate_series(0, length(bytes) - 1) n
		) t GROUP BY 1 ORDER BY 1});
	my %count = $got =~ /^(\w+)\|(\d+)$/mg;
	note "$algorithm: " . $got =~ s/\n/, /gr;
	cmp_ok($count{'22P03'} // 0, '>', 500, "$algorithm: broken bytes are refused");
	cmp_ok($count{valid} // 0, '>', 20, "$algorithm: numbers may change");
	delete @count{qw(valid 22P03 0A000 22021)};
	is_deeply(\%count, {}, "$algorithm: no other answer");

	$got = $node->safe_psql(
		'postgres', qq{
		SELECT try(set_byte(bytes, n, b), true, $known) AS answer, count(*)
		FROM (SELECT convert_to($algorithm\::text, 'LATIN1') AS bytes FROM models) m,
			generate_series(0, length(bytes) - 1) n, (VALUES (32), (43), (61), (65), (122)) v(b)
		GROUP BY 1 ORDER BY 1});
	%count = $got =~ /^(\w+)\|(\d+)$/mg;
	cmp_ok($count{'22P02'} // 0, '>', 100, "$algorithm: broken text is refused");
	delete @count{qw(valid 22P02 22P03 0A000 22021)};
	is_deeply(\%count, {}, "$algorithm: no other answer to text");
}
unlike(server_log($node), qr/terminated by signal|PANIC|XX000/, 'nothing crashed');
$node->stop;
done_testing();
