# What SQL does to a stream that runs: changes wait for the batch and for nothing
# else, seeks write anew what they say, views tell each role its own.
#
# Not a regress test: it needs a broker and a worker.
use strict;
use warnings;

use lib 'test/t';
use KafkaTest;
use PostgreSQL::Test::Utils;
use RecsysTest;
use StreamTest;
use Test::More;
use Time::HiRes qw(time);

my $broker = start_broker(topics => [ 'events:4', 'more:1' ]);
my $node = stream_server('main');
as_shop($node, q{
	CREATE TABLE shop.events (partition int, n bigint, t timestamptz DEFAULT clock_timestamp());
	CREATE TABLE shop.others (n bigint);});

sub send_events
{
	my ($topic, $partition, $from, $to) = @_;
	return produce($broker->bootstrap, $topic, partition => $partition, lines => [ map { qq({"n": $_}) } $from .. $to ]);
}

# events of each partition: 1 .. 20
send_events('events', $_, 1, 20) foreach 0 .. 3;
create_stream($node, 'events', $broker->bootstrap, workers => 2, mapping => { n => 'n', partition => { from => 'partition' } });
ok(caught_up($node, 'events'), 'it runs and catches up');

# views
is( sql($node, q{SELECT state, partitions, lag, rows, rejected, error FROM recsys.streams}),
	'running|4|0|80|0|',
	'streams');
is( sql($node, q{SELECT metric, count(*), min(value), max(value) FROM recsys.stream_metrics
		WHERE metric !~ 'age' GROUP BY 1 ORDER BY 1}),
	join("\n",
		'recsys_stream_dead_letters|1|0|0', 'recsys_stream_end_offset|4|20|20', 'recsys_stream_lag|4|0|0',
		'recsys_stream_lost_offsets_total|1|0|0', 'recsys_stream_next_offset|4|20|20', 'recsys_stream_paused|1|0|0', 'recsys_stream_rejected_total|4|0|0',
		'recsys_stream_rows_total|4|20|20', 'recsys_stream_up|1|1|1'),
	'stream_metrics');
is( sql($node, q{SELECT count(*), bool_and(value BETWEEN 0 AND 600) FROM recsys.stream_metrics WHERE metric ~ 'age'}),
	'4|t',
	'age of the last event');
sql($node, 'CREATE ROLE monitor IN ROLE pg_read_all_stats; CREATE ROLE nobody');
my $see = q{SELECT count(*), (SELECT count(*) FROM recsys_support.stream_state_rows()) FROM recsys.stream_status};
is(sql($node, "SET ROLE monitor; $see"), '4|4', 'a monitor sees the workers');
is(sql($node, "SET ROLE nobody; $see"), '0|0', 'others do not');

# seek: one partition by offset, then all to the beginning
as_shop($node, q(SELECT recsys.seek_stream('events', '{"1": 15}')));
is( settled_rows($node, 'SELECT partition, count(*) FROM shop.events GROUP BY 1 ORDER BY 1', "0|20\n1|25\n2|20\n3|20"),
	"0|20\n1|25\n2|20\n3|20",
	'seek by offset: what is behind it comes again, of that partition');
ok(caught_up($node, 'events'), 'and the stream runs');
as_shop($node, q(BEGIN; DELETE FROM shop.events; SELECT recsys.seek_stream('events', 'earliest'); COMMIT));
is( settled_rows($node, 'SELECT count(*), count(DISTINCT (partition, n)) FROM shop.events', '80|80'),
	'80|80',
	'seek to the beginning with the rows deleted in one transaction: each event once');
as_shop($node, q(BEGIN; SELECT recsys.seek_stream('events', 'earliest'); ROLLBACK));
send_events('events', 0, 21, 21);
is(settled_rows($node, 'SELECT count(*) FROM shop.events', 81), 81, 'a seek that is rolled back is none');
is(sql($node, 'SELECT seek_to FROM recsys.streams'), '', 'no seek waits');

# what was a dead letter and is read again as a row is a dead letter no more
as_shop($node, q(ALTER TABLE shop.events ADD CONSTRAINT small CHECK (n < 100) NOT VALID));
produce($broker->bootstrap, 'events', partition => 2, lines => [ '{"n": 101}', '{"n": "x"}', '{"n": 21}' ]);
is(settled_rows($node, 'SELECT count(*) FROM recsys.dead_letters', 2), 2, 'two dead letters');
as_shop($node, q(ALTER TABLE shop.events DROP CONSTRAINT small; SELECT recsys.seek_stream('events', '{"2": 20}')));
is( settled_rows($node, 'SELECT count(*) FILTER (WHERE n = 21), count(*) FILTER (WHERE n = 101) FROM shop.events WHERE partition = 2',
		'2|1'),
	'2|1',
	'all are read again');
is(sql($node, q(SELECT string_agg(convert_from(payload, 'UTF8'), ' ') FROM recsys.dead_letters)),
	'{"n": "x"}', 'the one that is a row now is not written again by a retry');
as_shop($node, q(DELETE FROM shop.events WHERE n = 101 OR partition = 2 AND n = 21; DELETE FROM recsys.dead_letters));

# another target, another topic
as_shop($node, q(SELECT recsys.alter_stream('events', target => 'shop.others', mapping => 'null')));
send_events('events', 3, 21, 25);
is(settled_rows($node, 'SELECT count(*), min(n), max(n) FROM shop.others', '5|21|25'), '5|21|25', 'another target');
is(sql($node, 'SELECT count(*) FROM shop.events'), 81, 'and the old one no longer');
as_shop($node, q(SELECT recsys.alter_stream('events', topic => 'more')));
send_events('more', 0, 100, 102);
is(settled_rows($node, 'SELECT count(*), max(n) FROM shop.others', '8|102'), '8|102', 'another topic');
is(settled_rows($node, 'SELECT partition, next_offset, lag FROM recsys.stream_status', '0|3|0'), '0|3|0', 'with offsets of its own');

# a database that the launcher leaves out
sql($node, 'CREATE DATABASE aside');
$node->safe_psql('aside', 'CREATE EXTENSION recsys; GRANT INSERT ON recsys.stream TO shop; CREATE TABLE t (n int); GRANT INSERT ON t TO shop');
my ($ret, $out, $err) = $node->psql('aside', "SELECT recsys.create_stream('aside', 'kafka', 't', 't')", extra_params => [ '-U', 'shop' ]);
like($err, qr/WARNING:  no worker will read the stream\nDETAIL:  Database "aside" is not one of recsys\.databases/, 'a warning where no worker will come');
is($node->safe_psql('aside', 'SELECT state FROM recsys.streams'), 'not running', 'and a state that says so');
($ret, $out, $err) = $node->psql('postgres', "BEGIN; SELECT recsys.create_stream('quiet', 'kafka', 't', 'shop.others'); ROLLBACK", extra_params => [ '-U', 'shop' ]);
is($err, '', 'none elsewhere');

# what the server no longer allows is not read, and says so; then it goes on
sql($node, "LOAD 'recsys'; ALTER SYSTEM SET recsys.allowed_brokers = 'elsewhere'; SELECT pg_reload_conf()");
sql($node, q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type ~ 'recsys' AND usename = 'shop'});
ok(says($node, 'events', qr/^broker "127\.0\.0\.1:\d+" is not allowed$/), 'brokers that are no longer allowed');
is(sql($node, 'SELECT DISTINCT sqlstate FROM recsys.stream_status'), '42501', 'with its SQLSTATE');
send_events('more', 0, 103, 103);
sql($node, "LOAD 'recsys'; ALTER SYSTEM RESET recsys.allowed_brokers; SELECT pg_reload_conf()");
is(settled_rows($node, 'SELECT count(*), max(n) FROM shop.others', '9|103', 60), '9|103', 'allowed again, it goes on');
as_shop($node, q(SELECT recsys.drop_stream('events')));
is(sql($node, 'SELECT count(*) FROM recsys.stream_status'), 0, 'dropped');
ok(wait_until(5, sub { sql($node, 'SELECT count(*) FROM recsys_support.stream_state_rows()') == 0 }), 'its workers are gone');

# Four workers whose batches overlap all the time: the stream's row is never
# free, and still a pause gets its turn.
as_shop($node, q{
	TRUNCATE shop.events;
	CREATE FUNCTION shop.doze() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.1); RETURN NULL; END $$;
	CREATE TRIGGER doze AFTER INSERT ON shop.events EXECUTE FUNCTION shop.doze();});
send_events('events', $_, 101, 1100) foreach 0 .. 3;
create_stream($node, 'events', $broker->bootstrap, workers => 4, batch_rows => 10);
ok(wait_until(20, sub { sql($node, 'SELECT count(DISTINCT xmin::text) > 30 FROM shop.events') eq 't' }), 'four workers write small batches');
my $started = time;
as_shop($node, q(SELECT recsys.pause_stream('events')));
my $took = time - $started;
my $rows = sql($node, 'SELECT count(*) FROM shop.events');
cmp_ok($rows, '<', 4000, "there was more to write ($rows rows)");
cmp_ok($took, '<', 2, sprintf 'pause_stream among them: %.2f s', $took);
is(sql($node, 'SELECT pg_sleep(0.5); SELECT count(*) FROM shop.events'), "\n$rows", 'nothing is written after it');
is(sql($node, 'SELECT DISTINCT state FROM recsys.stream_status'), 'paused', 'state');
unlike(server_log($node), qr/terminated by signal|PANIC|TRAP/, 'nothing crashed');
$node->stop;
done_testing();
