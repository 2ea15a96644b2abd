# A transform that is replaced while its worker runs: rows are never read as what
# they are not, and none is lost.
#
# Not a regress test: only a worker keeps what it knows of a function from one batch
# to the next.
use strict;
use warnings;

use lib 'test/t';
use KafkaTest;
use PostgreSQL::Test::Utils;
use RecsysTest;
use StreamTest;
use Test::More;

my $broker = start_broker(topics => ['events']);
my $node = stream_server('main', "restart_after_crash = off\n");
my $sent = 0;

sub replace_transform
{
	my ($result, $value) = @_;
	# in one transaction, as a migration does it
	as_shop($node, qq{BEGIN;
		DROP FUNCTION IF EXISTS shop.shape(jsonb);
		CREATE FUNCTION shop.shape(event jsonb) RETURNS TABLE (seq bigint, what $result) LANGUAGE plpgsql AS \$\$
		BEGIN
			RETURN QUERY SELECT (event ->> 'seq')::bigint, $value;
		END\$\$;
		COMMIT});
	return;
}

sub send_ten
{
	my ($expected, $name) = @_;
	produce($broker->bootstrap, 'events', count => 10, first => $sent + 1);
	$sent += 10;
	is(settled_rows($node, 'SELECT count(*) FROM shop.events', $sent), $sent, "$name: all are there");
	is( sql($node, "SELECT string_agg(DISTINCT what, ',') FROM shop.events WHERE seq > $sent - 10"),
		$expected, "$name: as they are");
	return;
}

as_shop($node, 'CREATE TABLE shop.events (seq bigint, what text)');
replace_transform('text', "'a text'::text");
create_stream($node, 'events', $broker->bootstrap, transform => 'shop.shape');
send_ten('a text', 'text');
replace_transform('bigint', '7::bigint');
send_ten('7', 'text to bigint');
replace_transform('text', "repeat('x', 5)");
send_ten('xxxxx', 'bigint to text');
replace_transform('double precision', '1.5::float8');
send_ten('1.5', 'text to double precision');
replace_transform('numeric', '2.5::numeric');
send_ten('2.5', 'double precision to numeric');

# one that cannot be is said, and goes on when it is mended
as_shop($node, q{BEGIN;
	DROP FUNCTION shop.shape(jsonb);
	CREATE FUNCTION shop.shape(event jsonb) RETURNS TABLE (seq bigint, nosuch text) LANGUAGE sql AS 'SELECT 1::bigint, NULL::text';
	COMMIT});
produce($broker->bootstrap, 'events', count => 5, first => $sent + 1);
$sent += 5;
ok(says($node, 'events', qr/nosuch/), 'a result that the target has no column for is said');
replace_transform('text', "'mended'::text");
is(settled_rows($node, 'SELECT count(*) FROM shop.events', $sent), $sent, 'and goes on when it is mended');

# a composite type of the result that is altered
as_shop($node, q{CREATE TYPE shop.pair AS (seq bigint, what text);
	CREATE FUNCTION shop.pairs(event jsonb) RETURNS SETOF shop.pair LANGUAGE plpgsql AS $$
	BEGIN
		RETURN QUERY EXECUTE 'SELECT ($1 ->> ''seq'')::bigint, 3' USING event;
	EXCEPTION WHEN datatype_mismatch THEN
		RETURN QUERY EXECUTE 'SELECT ($1 ->> ''seq'')::bigint, ''three''::text' USING event;
	END$$;
	SELECT recsys.alter_stream('events', options => '{"transform": "shop.pairs"}')});
send_ten('three', 'a composite type');
as_shop($node, 'ALTER TYPE shop.pair ALTER ATTRIBUTE what TYPE integer');
send_ten('3', 'a composite type that was altered');
is(sql($node, 'SELECT count(*), count(DISTINCT seq) FROM shop.events'), "$sent|$sent", 'each once');
unlike(slurp_file($node->logfile), qr/terminated by signal/, 'nothing crashed');
done_testing();
