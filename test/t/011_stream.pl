# A stream's life: events come in once each, whatever happens to its worker; a
# pause, a seek and a drop take effect at once; nobody is kept waiting.
#
# Not a regress test: it needs a broker, and kills processes of the server.
use strict;
use warnings;

use lib 'test/t';
use KafkaTest;
use PostgreSQL::Test::Utils;
use RecsysTest;
use StreamTest;
use Test::More;
use Time::HiRes qw(time usleep);

my $events = '(user_id bigint, item_id bigint, event_type text, ts timestamptz, weight real,
	partition_no integer, seq bigint)';
my $broker = start_broker(topics => [ 'events:4', 'timed', 'clocks', 'poison' ]);
my $node = stream_server('main', "restart_after_crash = on\n");
as_shop($node, "CREATE TABLE shop.events $events");
my $sent = 0; # of each partition

sub send_events
{
	my ($each) = @_;
	produce($broker->bootstrap, 'events', count => 4 * $each, partitions => 4, first => $sent + 1);
	$sent += $each;
	return;
}

# partitions, rows, different rows, largest number of each partition
sub all_once
{
	my ($what, $seconds) = @_;
	my $got = settled_rows($node, q{SELECT count(*), count(DISTINCT (partition_no, seq)), min(m), max(m)
		FROM (SELECT *, max(seq) OVER (PARTITION BY partition_no) m FROM shop.events) e},
		join('|', 4 * $sent, 4 * $sent, $sent, $sent), $seconds);
	return is($got, join('|', 4 * $sent, 4 * $sent, $sent, $sent), "$what: each event once");
}

sub worker_pids
{
	return split /\n/, sql($node,
		q{SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'recsys stream %' ORDER BY 1});
}

sub seconds_of
{
	my ($code) = @_;
	my $begin = time;
	$code->();
	return time - $begin;
}

sub says_stopped
{
	my ($stream, $pattern) = @_;
	return wait_until(20, sub {
		return sql($node, "SELECT state, error, sqlstate FROM recsys.stream_status WHERE stream = '$stream'") =~ $pattern;
	});
}

my ($postmaster) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
send_events(500);
create_stream($node, 'events', $broker->bootstrap);
all_once('first start');
is( sql($node, q{SELECT sum(rows), sum(next_offset), min(lag), max(lag), sum(rejected), min(state)
		FROM recsys.stream_status}),
	'2000|2000|0|0|0|running', 'status: rows, offsets, lag');
my ($worker) = worker_pids();
is( sql($node, "SELECT usename, backend_type, state, backend_xmin IS NULL FROM pg_stat_activity WHERE pid = $worker"),
	'shop|recsys stream events|idle|t', 'the worker is there as the owner, in no transaction');
ok( wait_until(10, sub { sql($node, "SELECT query FROM pg_stat_activity WHERE pid = $worker") eq 'idle: lag 0' }),
	'and says what it does');
unlike(server_log($node), qr/sasl/i, 'nor advises in the log on what nobody asked for');
sql($node, 'SELECT pg_reload_conf()'); # lets it look at its row
usleep(500_000);
is(sql($node, "SELECT state, query FROM pg_stat_activity WHERE pid = $worker"), 'idle|idle: lag 0',
	'also after a look at its row');

# librdkafka lives in the worker alone
like(maps($worker), qr/librdkafka/, 'librdkafka in the worker');
my $session = session($node);
for my $pid ($postmaster, $session->{pid},
	sql($node, q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'recsys launcher'}))
{
	unlike(maps($pid), qr/librdkafka/, "not in process $pid");
	is(tasks($pid), 1, "which has one thread");
}

# pause: nothing is written after it has committed, and nothing is lost
my $took = seconds_of(sub { as_shop($node, q{SELECT recsys.pause_stream('events')}) });
cmp_ok($took, '<', 2, "pause returns ($took s)");
my $before = sql($node, 'SELECT count(*) FROM shop.events');
ok(wait_until(2, sub { !worker_pids() }), 'its worker ends');
produce($broker->bootstrap, 'events', count => 400, partitions => 4, first => $sent + 1);
usleep(500_000);
is(sql($node, 'SELECT count(*) FROM shop.events'), $before, 'nothing comes while it is paused');
$sent += 100;
as_shop($node, q{SELECT recsys.resume_stream('events')});
all_once('resumed');

# back to the beginning, with the rows gone
as_shop($node, q{BEGIN; DELETE FROM shop.events; SELECT recsys.seek_stream('events', 'earliest'); COMMIT});
all_once('read again from the beginning');

# kill -9 in the middle: the whole server restarts
my $log = -s $node->logfile;
for my $round (1 .. 3)
{
	send_events(4000);
	usleep(50_000 * $round);
	wait_until(10, sub { ($worker) = worker_pids() });
	ok(kill_hard($node, $worker), "killed, round $round");
}
all_once('kill -9', 60);
like(substr(server_log($node), $log), qr/recsys stream events.*terminated by signal 9/, 'it was killed');

# pg_terminate_backend: started again by the launcher
($worker) = worker_pids();
sql($node, "SELECT pg_terminate_backend($worker)");
ok(wait_until(5, sub { my @p = worker_pids(); @p == 1 && $p[0] != $worker }), 'terminated: another one starts');
send_events(100);
all_once('terminated');

# several workers share the partitions
as_shop($node, q{SELECT recsys.alter_stream('events', options => '{"workers": 3}')});
ok(wait_until(10, sub { worker_pids() == 3 }), 'three workers');
send_events(1000);
all_once('three workers');
is( sql($node, q{SELECT count(*), count(DISTINCT pid) FROM recsys.stream_status}), '4|3',
	'each with partitions of its own');

# databases that are needed without sessions
$took = seconds_of(sub { $node->safe_psql('template1', 'CREATE DATABASE copied TEMPLATE postgres') });
cmp_ok($took, '<', 5, "CREATE DATABASE … TEMPLATE beside a running stream ($took s)");
ok(wait_until(5, sub { worker_pids() == 3 }), 'the stream runs again');
is($node->safe_psql('copied', 'SELECT DISTINCT state FROM recsys.stream_status'), 'cloned', 'its copy does not');
$node->append_conf('postgresql.conf', "recsys.databases = '*'\n");
$node->reload;
$node->safe_psql('copied', q{SELECT recsys.resume_stream('events')}, extra_params => [ '-U', 'shop' ]);
ok(wait_until(10, sub { worker_pids() == 6 }), 'until it is told to');
$took = seconds_of(sub { $node->safe_psql('postgres', 'ALTER DATABASE copied RENAME TO renamed') });
cmp_ok($took, '<', 5, "RENAME ($took s)");
ok(wait_until(10, sub { worker_pids() == 6 }), 'the stream runs again');
my ($code, undef, $error) = $node->psql('postgres', 'DROP DATABASE renamed', extra_params => [ '-U', 'shop' ]);
like($error, qr/must be owner/, 'who may not drop a database does not');
is(scalar(worker_pids()), 6, 'and does not stop its streams');
$took = seconds_of(sub { $node->safe_psql('postgres', 'DROP DATABASE renamed') });
cmp_ok($took, '<', 5, "DROP DATABASE ($took s)");
is(scalar(worker_pids()), 3, 'its workers are gone');
send_events(100);
all_once('other databases came and went');

# recsys.databases at a reload
$node->append_conf('postgresql.conf', "recsys.databases = 'template1, nowhere'\n");
$node->reload;
ok(wait_until(2, sub { !worker_pids() }), 'a database that is left out has no workers');
$node->append_conf('postgresql.conf', "recsys.databases = 'nowhere, postgres'\n");
$node->reload;
ok(wait_until(5, sub { worker_pids() == 3 }), 'and has them again');
send_events(100);
all_once('left out and back');

# batches are closed by time, too
as_shop($node, 'CREATE TABLE shop.timed (n integer)');
create_stream($node, 'timed', $broker->bootstrap, batch_ms => 3000);
wait_until(10, sub { states($node, 'timed') eq 'running' });
for my $n (1, 2)
{
	produce($broker->bootstrap, 'timed', lines => [qq({"n": $n})]);
	usleep(100_000);
}
is(settled_rows($node, 'SELECT count(*), count(DISTINCT xmin::text) FROM shop.timed', '2|1'), '2|1',
	'batch_ms: two messages in one transaction');
as_shop($node, q{SELECT recsys.drop_stream('timed')});
ok(wait_until(2, sub { worker_pids() == 3 }), 'drop ends its worker');

# a producer's clock may say anything: nanoseconds for milliseconds are no time,
# and no sign of a topic made anew when the worker starts again
as_shop($node, 'CREATE TABLE shop.clocks (n integer)');
produce($broker->bootstrap, 'clocks', lines => [ '{"n": 1}', '{"n": "bad"}' ], timestamp => '1700000000000000000');
create_stream($node, 'clocks', $broker->bootstrap);
is(settled_rows($node, 'SELECT count(*) FROM shop.clocks', '1'), '1', 'a message of no time: written');
ok(caught_up($node, 'clocks'), 'a message of no time: caught up');
is(sql($node, q{SELECT count(*), count(last_event_time), (SELECT count(message_time) FROM recsys.dead_letter)
	FROM recsys.stream_status WHERE stream = 'clocks'}), '1|0|0', 'a message of no time: none is shown');
sql($node, q{SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE backend_type = 'recsys stream clocks'});
produce($broker->bootstrap, 'clocks', lines => ['{"n": 2}'], timestamp => '1700000000000000000');
is(settled_rows($node, 'SELECT count(*) FROM shop.clocks', '2'), '2', 'a message of no time: a new worker goes on');
as_shop($node, q{SELECT recsys.drop_stream('clocks')});
wait_until(5, sub { worker_pids() == 3 });

# too many bad messages in a row: what came before is kept, and the stream stops
as_shop($node, 'CREATE TABLE shop.poison (n integer)');
produce($broker->bootstrap, 'poison', lines => [ '{"n": 1}', 'x', 'y', '{"n": 2}', ('z') x 3 ]);
create_stream($node, 'poison', $broker->bootstrap, max_rejects => 3);
ok(says_stopped('poison', qr/^stopped\|3 messages in a row were rejected; .*\|22000$/), 'three bad messages in a row stop a stream');
is(sql($node, 'SELECT string_agg(n::text, $$,$$ ORDER BY n) FROM shop.poison'), '1,2', 'the good ones are there');
is( sql($node, q{SELECT count(*), string_agg(convert_from(payload, 'UTF8'), '' ORDER BY message_offset)
		FROM recsys.dead_letters WHERE stream = 'poison'}),
	'5|xyzzz', 'the bad ones are dead letters');
is(sql($node, q{SELECT next_offset, rows, rejected FROM recsys.stream_status WHERE stream = 'poison'}), '7|2|5',
	'and counted');
produce($broker->bootstrap, 'poison', lines => [ 'z', '{"n": 3}' ]);
as_shop($node, q{SELECT recsys.resume_stream('poison')});
is(settled_rows($node, 'SELECT max(n) FROM shop.poison', 3), 3, 'resumed, it goes on behind them');
as_shop($node, q{SELECT recsys.drop_stream('poison')});

# the extension goes, or does not
$session->quit;
sql($node, 'BEGIN; DROP EXTENSION recsys; ROLLBACK');
send_events(100);
all_once('DROP EXTENSION rolled back');
unlike(server_log($node), qr/FATAL: +database|ERROR: +XX000|TRAP|another worker wrote/, 'nothing strange in the log');

# shutdown, fast and smart
$took = seconds_of(sub { $node->stop('fast') });
cmp_ok($took, '<', 5, "fast shutdown ($took s)");
$node->start;
($postmaster) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
send_events(100);
all_once('after a fast shutdown');
is(tasks($postmaster), 1, 'one thread in the postmaster');
$took = seconds_of(sub { $node->stop('smart') });
cmp_ok($took, '<', 5, "smart shutdown ($took s)");
$node->start;
send_events(100);
all_once('after a smart shutdown');

sql($node, 'DROP EXTENSION recsys');
ok(wait_until(2, sub { !worker_pids() }), 'DROP EXTENSION ends the workers');
$node->stop;
done_testing();
