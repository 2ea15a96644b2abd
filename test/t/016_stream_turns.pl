# A stream's worker where two things come together: a stop that cannot be written
# yet, a target that moves and leaves its name to another table, messages with
# times beyond all calendars, a sequence at its end, a scout before a lock.
#
# Not a regress test: it needs a broker.
use strict;
use warnings;

use lib 'test/t';
use KafkaTest;
use PostgreSQL::Test::Utils;
use RecsysTest;
use StreamTest;
use Test::More;
use Time::HiRes qw(time usleep);

my $broker = start_broker(topics => [qw(again moved times inputs counted mended slow)]);
my $node = stream_server('turns', "recsys.worker_timeout = 0\nmax_prepared_transactions = 2\n");
my $columns = '(user_id bigint, item_id bigint, event_type text, ts timestamptz, weight real,
	partition_no integer, seq bigint)';

sub comes_to
{
	my ($stream, $pattern, $what, $seconds) = @_;
	my $last = '';
	ok( wait_until($seconds // 20, sub {
			$last = sql($node, "SELECT state, error, sqlstate FROM recsys.stream_status
				WHERE stream = '$stream' ORDER BY partition LIMIT 1");
			$last =~ $pattern;
		}), $what) or diag("last: $last");
	return;
}

sub is_count
{
	my ($table, $expected, $what) = @_;
	is(settled_rows($node, "SELECT count(*) FROM $table", $expected, 20), $expected, $what);
	return;
}

# another topic, and a stop that somebody delays: nothing of it is written
as_shop($node, "CREATE TABLE shop.again $columns");
produce($broker->bootstrap, 'again', count => 10);
create_stream($node, 'again', $broker->bootstrap, lock_timeout_ms => 200);
is_count('shop.again', 10, 'ten events');
as_shop($node, q{
	SELECT recsys.pause_stream('again');
	UPDATE recsys.stream_offset SET last_event_time = last_event_time - interval '1 hour'});
produce($broker->bootstrap, 'again', count => 10, first => 11);
my $session = session($node, 'shop');
my $starter = session($node, 'shop');
$starter->do('BEGIN; LOCK TABLE recsys.stream_offset'); # it does not start yet
as_shop($node, q{SELECT recsys.resume_stream('again')});
$session->do(q{BEGIN; SELECT FROM recsys.stream WHERE name = 'again' FOR SHARE});
$starter->do('COMMIT');
$starter->quit;
ok(wait_until(20, sub { server_log($node) =~ /STATEMENT:  stopping$/m }), 'the stop cannot be written');
$session->do('COMMIT');
comes_to('again', qr/^stopped\|topic "again" is not the one that was read before/, 'it stops all the same');
is(sql($node, 'SELECT count(*) FROM shop.again'), 10, 'and has written nothing');
as_shop($node, q{SELECT recsys.drop_stream('again')});

# the target goes to another schema, and another table takes its name
as_shop($node, "CREATE TABLE shop.moved $columns");
sql($node, 'CREATE SCHEMA attic AUTHORIZATION shop');
create_stream($node, 'moved', $broker->bootstrap);
produce($broker->bootstrap, 'moved', count => 10);
is_count('shop.moved', 10, 'ten events');
as_shop($node, "ALTER TABLE shop.moved SET SCHEMA attic; CREATE TABLE shop.moved $columns");
produce($broker->bootstrap, 'moved', count => 10, first => 11);
is_count('attic.moved', 20, 'a stream follows its target to another schema');
is(sql($node, 'SELECT count(*) FROM shop.moved'), 0, 'and leaves the table of its name alone');
as_shop($node, 'DROP TABLE shop.moved');
sql($node, 'ALTER SCHEMA attic RENAME TO loft; CREATE SCHEMA attic AUTHORIZATION shop');
as_shop($node, "CREATE TABLE attic.moved $columns");
produce($broker->bootstrap, 'moved', count => 10, first => 21);
is_count('loft.moved', 30, 'also when the schema is renamed');
as_shop($node, q{SELECT recsys.drop_stream('moved')});

# times that no timestamp has
as_shop($node, "CREATE TABLE shop.times $columns");
create_stream($node, 'times', $broker->bootstrap);
for my $ms (9_300_000_000_000_000, 9_223_372_036_854_775_807)
{
	produce($broker->bootstrap, 'times', count => 1, timestamp => $ms);
}
is_count('shop.times', 2, 'messages with times out of range');
is( eval { sql($node, q{SELECT next_offset, last_event_time IS NULL FROM recsys.stream_status WHERE stream = 'times'}) },
	'2|t', 'are shown without a time');
as_shop($node, q{SELECT recsys.pause_stream('times'); SELECT recsys.resume_stream('times')});
produce($broker->bootstrap, 'times', count => 1);
is_count('shop.times', 3, 'and are not taken for those of another topic');

# input functions that call it a syntax error
as_shop($node, 'CREATE TABLE shop.inputs (query tsquery, path jsonpath)');
create_stream($node, 'inputs', $broker->bootstrap);
produce($broker->bootstrap, 'inputs', lines => [
	'{"query": "a & b", "path": "$.a"}', '{"query": "a &", "path": "$.a"}',
	'{"query": "a", "path": "$."}', '{"query": "c", "path": "$.c"}' ]);
is_count('shop.inputs', 2, 'values with errors of syntax are rejected');
is( sql($node, q{SELECT string_agg(message_offset || ' ' || sqlstate, ', ' ORDER BY message_offset) FROM recsys.dead_letter}),
	'1 42601, 2 42601', 'and their neighbours are not');
as_shop($node, q{SELECT recsys.drop_stream('inputs')});

# a sequence at its end is no message's fault
as_shop($node, 'CREATE TABLE shop.counted (id integer GENERATED ALWAYS AS IDENTITY (MAXVALUE 2), user_id bigint)');
create_stream($node, 'counted', $broker->bootstrap, batch_rows => 1);
produce($broker->bootstrap, 'counted', lines => [ map { "{\"user_id\": $_}" } 1 .. 4 ]);
comes_to('counted', qr/retrying\|nextval: reached maximum value/, 'a sequence at its end: try again');
as_shop($node, 'ALTER TABLE shop.counted ALTER id SET NO MAXVALUE');
is_count('shop.counted', 4, 'all are written when it goes on');
is(sql($node, 'SELECT count(*) FROM recsys.dead_letter'), 0, 'none is rejected');
as_shop($node, q{SELECT recsys.drop_stream('counted')});

# waiting longer and longer, and then the stream is altered
as_shop($node, "CREATE TABLE shop.mended $columns; REVOKE INSERT ON shop.mended FROM shop");
as_shop($node, "CREATE TABLE shop.other $columns");
create_stream($node, 'mended', $broker->bootstrap, table => 'shop.other');
as_shop($node, 'REVOKE INSERT ON shop.other FROM shop; GRANT INSERT ON shop.mended TO shop');
produce($broker->bootstrap, 'mended', count => 5);
ok( wait_until(30, sub {
		sql($node, q{SELECT clock_timestamp() - error_at > interval '3.3 s' FROM recsys.stream_status WHERE stream = 'mended'}) eq 't';
	}), 'a worker waits more than three seconds for the next try'); # 6.4 it is
as_shop($node, q{SELECT recsys.alter_stream('mended', target => 'shop.mended')});
is(settled_rows($node, 'SELECT count(*) FROM shop.mended', 5, 2), 5, 'altered, it tries at once');
as_shop($node, q{SELECT recsys.drop_stream('mended')});

# who commits a prepared transaction would wake nobody
my ($code, undef, $error) = $node->psql('postgres',
	q{BEGIN; SELECT recsys.pause_stream('times'); PREPARE TRANSACTION 'paused'}, extra_params => [ '-U', 'shop' ]);
like($error, qr/ERROR:  cannot PREPARE a transaction that has changed a stream/, 'no change of a stream is prepared');
is(states($node, 'times'), 'running', 'and it goes on');
as_shop($node, q{SELECT recsys.drop_stream('times')});
is(($node->psql('postgres', q{BEGIN; ALTER ROLE shop LOGIN; PREPARE TRANSACTION 'role'; COMMIT PREPARED 'role'}))[0],
	0, 'other transactions are');

# a batch that takes longer than a statement may is split, not tried for ever
as_shop($node, "CREATE TABLE shop.slow $columns");
as_shop($node, q{
	CREATE FUNCTION shop.think() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.02); RETURN NEW; END $$;
	CREATE TRIGGER think BEFORE INSERT ON shop.slow FOR EACH ROW EXECUTE FUNCTION shop.think()});
produce($broker->bootstrap, 'slow', count => 200);
create_stream($node, 'slow', $broker->bootstrap, statement_timeout_ms => 1000);
is(settled_rows($node, 'SELECT count(*), count(DISTINCT seq) FROM shop.slow', '200|200', 60), '200|200',
	'200 rows of 20 ms each, a second at a time');
as_shop($node, q{SELECT recsys.drop_stream('slow')});

# a scout does not wait for ever: it would be in the way of other databases
$session->do('BEGIN; LOCK TABLE recsys.stream');
sql($node, 'ALTER ROLE shop LOGIN');
my $scout;
ok( wait_until(5, sub {
		$scout = sql($node, q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'recsys scout' AND wait_event = 'relation'});
	}), 'a scout waits for a lock');
ok(wait_until(15, sub { !-d "/proc/$scout" }), 'and gives up');
$session->do('COMMIT');

like(server_log($node), qr/STATEMENT:  writing \d+ messages$/m, 'the log says what a batch that failed was doing');
$session->quit;
$node->stop;
done_testing();
