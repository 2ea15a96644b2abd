# Ten seconds of sessions that train, deploy, drop, make anew and recommend at
# once: each answer comes from one committed version, and no error is other than
# that a model or its version is not there.
#
# Not a regress test: it runs pgbench.
use strict;
use warnings;

use lib 'test/t';
use PostgreSQL::Test::Utils;
use RecsysTest;
use Test::More;

my $seconds = $ENV{RECSYS_TEST_SECONDS} // 10;
my $node = new_server('main', conf => "recsys.threads = 1\nmax_connections = 60\n");

# Item i of generation g is named so that an answer tells which version gave it:
# every version is trained on items of one generation only.
$node->safe_psql(
	'postgres', q{
	CREATE TABLE generation (g integer);
	INSERT INTO generation VALUES (1);
	CREATE TABLE base AS
		SELECT u AS user_id, i AS item FROM generate_series(1, 60) u, generate_series(1, 40) i WHERE (u * i) % 7 < 3;
	CREATE VIEW events AS
		SELECT user_id, g * 1000::bigint + item AS item_id FROM base, generation;
	CREATE TABLE mistakes (what text);
	SELECT recsys.create_model('shop', 'events', 'item_knn');
	SELECT recsys.create_model('fleeting', 'events', 'als', '{"iterations": 2, "factors": 8}');
	SELECT recsys.train('shop'), recsys.train('fleeting');

	CREATE FUNCTION may_be_missing(sql text) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		answer text;
	BEGIN
		EXECUTE sql INTO answer;
		RETURN answer;
	EXCEPTION
		-- no such model, no version yet, made or dropped by another session meanwhile
		WHEN undefined_object OR object_not_in_prerequisite_state OR duplicate_object OR unique_violation THEN
			RETURN 'missing';
	END $$;
	-- anything odd about an answer is kept
	CREATE PROCEDURE look(model text, may_miss boolean) LANGUAGE plpgsql AS $$
	DECLARE
		answer text;
	BEGIN
		answer := may_be_missing(format($q$
			SELECT CASE WHEN count(DISTINCT item_id / 1000) > 1 THEN 'mixed generations ' || string_agg(item_id::text, ',')
				WHEN count(*) <> 5 THEN count(*) || ' rows'
				WHEN count(DISTINCT item_id) <> 5 THEN 'an item twice'
				WHEN bool_or((score IS NULL) = (source = 'model')) OR array_agg(rank ORDER BY rank) <> ARRAY[1, 2, 3, 4, 5] THEN 'ranks' END
			FROM recsys.recommend((random() * 60)::bigint, 5, %L, false)$q$, model));
		IF answer IS NOT NULL AND NOT (may_miss AND answer = 'missing') THEN
			INSERT INTO mistakes VALUES (model || ': ' || answer);
		END IF;
	END $$});

my %script = (
	recommend => q{CALL look('shop', false);},
	recommend_fleeting => q{CALL look('fleeting', true);},
	train => q{
		BEGIN;
		UPDATE generation SET g = g + 1;
		SELECT recsys.train('shop');
		END;},
	rollback => q{
		BEGIN;
		SELECT may_be_missing('SELECT recsys.train(''fleeting'')');
		ROLLBACK;},
	deploy => q{
		\set back random(0, 2)
		SELECT may_be_missing(format('SELECT recsys.deploy(''shop'', %s)',
			(SELECT greatest(1, max(version) - :back) FROM recsys.model_versions WHERE model = 'shop')));},
	drop => q{
		SELECT may_be_missing('SELECT recsys.drop_model(''fleeting'')');
		SELECT may_be_missing('SELECT recsys.create_model(''fleeting'', ''events'', ''als'', ''{"iterations": 2, "factors": 8}'')');
		SELECT may_be_missing('SELECT recsys.train(''fleeting'')');
		\sleep 20 ms});
my @files;
foreach my $name (sort keys %script)
{
	my $file = $node->basedir . "/$name.sql";
	append_to_file($file, $script{$name} =~ s/^\t+//mgr . "\n");
	my $weight = { recommend => 40, recommend_fleeting => 20, train => 1, drop => 2, rollback => 1, deploy => 4 }->{$name};
	push @files, '-f', "$file\@$weight";
}
my ($out, $err) = run_command(
	[
		'pgbench', '-n', '-c', '12', '-j', '2', '-T', $seconds, '-r', '-M', 'prepared', @files,
		$node->connstr('postgres')
	]);
unlike($err, qr/abort|ERROR/, 'no session ended by an error') or diag $err;
my ($done) = $out =~ /number of transactions actually processed: (\d+)/;
cmp_ok($done // 0, '>', 50, 'transactions: ' . ($done // $out));
is($node->safe_psql('postgres', 'SELECT what, count(*) FROM mistakes GROUP BY 1'), '', 'every answer from one version');
my ($versions, $read) = split /\|/, $node->safe_psql(
	'postgres', q{
	SELECT count(*), count(*) FILTER (WHERE length(recsys.load_model('shop', version)::bytea) = bytes)
	FROM recsys.model_versions WHERE model = 'shop'});
cmp_ok($versions, '>', 3, "versions of shop: $versions");
is($read, $versions, 'every version is complete');
is( $node->safe_psql(
		'postgres', q{
		SELECT count(*) FROM recsys.model_chunk c
		WHERE NOT EXISTS (SELECT FROM recsys.model_registry r JOIN recsys.model_version v ON v.model_id = r.id
			WHERE c.model_id = r.id AND c.version = v.version);
		SELECT count(*) FROM recsys.model_version v
		WHERE NOT EXISTS (SELECT FROM recsys.model_registry r WHERE v.model_id = r.id)}),
	"0\n0",
	'nothing is left of dropped models');
is($node->safe_psql('postgres', 'SELECT count(*) FROM recsys.training_progress'), 0, 'no training is left');
my @errors = grep { /(ERROR|FATAL|PANIC):|terminated by signal/ } split /\n/, server_log($node);
is(join("\n", @errors), '', 'nothing odd in the log');
$node->stop;
done_testing();
