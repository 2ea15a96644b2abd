# A stream's worker among faults: a worker that sleeps and wakes up, a table that
# is gone or locked, a broker that is down, a topic that is another one, owners
# who may not, too few worker slots, a standby.
#
# Not a regress test: it needs a broker, stops processes and promotes a standby.
use strict;
use warnings;

use lib 'test/t';
use KafkaTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RecsysTest;
use StreamTest;
use Test::More;
use Time::HiRes qw(time usleep);

my $columns = '(user_id bigint, item_id bigint, event_type text, ts timestamptz, weight real,
	partition_no integer, seq bigint)';
my $broker = start_broker(topics => [ 'events:2', 'short', 'again', 'net' ]);
my $node = stream_server('main',
	"restart_after_crash = on\nrecsys.worker_timeout = 1500\nwal_level = replica\nmax_wal_senders = 4\n");
my $sent = 0;

sub send_events
{
	my ($each) = @_;
	produce($broker->bootstrap, 'events', count => 2 * $each, partitions => 2, first => $sent + 1);
	$sent += $each;
	return;
}

sub all_once
{
	my ($what, $at) = @_;
	my $expected = join '|', 2 * $sent, 2 * $sent, $sent;
	is( settled_rows($at // $node,
			'SELECT count(*), count(DISTINCT (partition_no, seq)), max(seq) FROM shop.events', $expected, 40),
		$expected, "$what: each event once");
	return;
}

sub worker_pid
{
	my ($stream) = @_;
	return sql($node, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'recsys stream $stream'");
}

# state, error and sqlstate of a stream's first row come to be like this
sub comes_to
{
	my ($stream, $pattern, $what) = @_;
	my $last = '';
	ok( wait_until(20, sub {
			$last = sql($node, "SELECT state, error, sqlstate FROM recsys.stream_status
				WHERE stream = '$stream' ORDER BY partition LIMIT 1");
			$last =~ $pattern;
		}), $what) or diag("last: $last");
	return;
}

sub cpu_seconds
{
	my ($pid) = @_;
	my @fields = split ' ', slurp_file("/proc/$pid/stat") =~ s/^.*\) //sr;
	return ($fields[11] + $fields[12]) / 100; # user and system, in ticks
}

as_shop($node, "CREATE TABLE shop.events $columns");
send_events(100);
create_stream($node, 'events', $broker->bootstrap, statement_timeout_ms => 3000, lock_timeout_ms => 300);
all_once('start');

# idle costs next to nothing
my $pid = worker_pid('events');
my $cpu = cpu_seconds($pid);
sleep 5;
$cpu = cpu_seconds($pid) - $cpu;
cmp_ok($cpu, '<=', 0.1, "an idle worker used $cpu s in 5 s");

# a worker that is stopped between batches: another one takes over; it wakes up
kill 'STOP', $pid;
send_events(100);
all_once('stopped while idle');
my $second = worker_pid('events') =~ s/\b$pid\b|\n//gr;
isnt($second, '', 'another worker took over');
kill 'CONT', $pid;
ok(wait_until(5, sub { !-d "/proc/$pid" }), 'the first one ends when it wakes up');
send_events(100);
all_once('woken up');

# the same in the middle of a transaction, with rows already inserted
as_shop($node, q{
	CREATE TABLE shop.slow (seconds float8);
	INSERT INTO shop.slow VALUES (1);
	CREATE FUNCTION shop.wait() RETURNS trigger LANGUAGE plpgsql AS
		$$BEGIN
			PERFORM pg_sleep(seconds) FROM shop.slow WHERE current_setting('application_name') = 'recsys';
			RETURN NULL;
		END$$;
	CREATE TRIGGER slow AFTER INSERT ON shop.events EXECUTE FUNCTION shop.wait()});
$pid = worker_pid('events');
send_events(100);
ok( wait_until(5, sub { sql($node, "SELECT query FROM pg_stat_activity WHERE pid = $pid") =~ /^writing \d+ messages/ }),
	'in a transaction, and the activity says so');
usleep(200_000);
kill 'STOP', $pid;
as_shop($node, 'UPDATE shop.slow SET seconds = 0');
all_once('stopped in a transaction');
kill 'CONT', $pid;
ok(wait_until(10, sub { !-d "/proc/$pid" }), 'the first one ends when it wakes up');
send_events(100);
all_once('woken up again');

# somebody else writes the batch while ours is in flight: the compare-and-set on
# the offsets takes ours back
as_shop($node, 'UPDATE shop.slow SET seconds = 1');
$pid = worker_pid('events');
my $log = -s $node->logfile;
send_events(10);
wait_until(5, sub { sql($node, "SELECT query FROM pg_stat_activity WHERE pid = $pid") =~ /^writing/ });
usleep(100_000);
as_shop($node, q{
	BEGIN;
	INSERT INTO shop.events (partition_no, seq) SELECT p, n FROM generate_series(0, 1) p,
		generate_series((SELECT max(seq) + 1 FROM shop.events), (SELECT max(seq) + 10 FROM shop.events)) n;
	UPDATE recsys.stream_offset SET next_offset = next_offset + 10;
	COMMIT});
all_once('written by somebody else');
ok(wait_until(5, sub { substr(server_log($node), $log) =~ /offsets of \d partitions are not what they were/ }),
	'the worker noticed');
send_events(10);
all_once('and goes on behind it');
as_shop($node, 'UPDATE shop.slow SET seconds = 0');
wait_until(5, sub { worker_pid('events') ne '' });

# killed before the first row, among the rows, and behind the offsets but before
# the commit; the server restarts each time
as_shop($node, q{
	CREATE FUNCTION shop.wait_later() RETURNS trigger LANGUAGE plpgsql AS
		$$BEGIN PERFORM pg_sleep(30) WHERE current_setting('application_name') = 'recsys'; RETURN NULL; END$$});
my %parked = (
	'the first row' => [ 'SELECT 1', 'LOCK TABLE shop.events' ],
	'among the rows' => [ 'CREATE TRIGGER park AFTER INSERT ON shop.events EXECUTE FUNCTION shop.wait_later()' ],
	'before the commit' => [
		'CREATE CONSTRAINT TRIGGER park AFTER INSERT ON shop.events DEFERRABLE INITIALLY DEFERRED
			FOR EACH ROW EXECUTE FUNCTION shop.wait_later()'
	]);
as_shop($node, q{SELECT recsys.alter_stream('events',
	options => '{"statement_timeout_ms": 20000, "lock_timeout_ms": 20000}')});
for my $where (sort keys %parked)
{
	my ($prepare, $hold) = @{ $parked{$where} };
	as_shop($node, $prepare);
	my $holder = session($node);
	$holder->do("BEGIN; $hold") if $hold;
	wait_until(5, sub { worker_pid('events') ne '' });
	send_events(20);
	ok( wait_until(10, sub {
			sql($node, q{SELECT wait_event FROM pg_stat_activity WHERE backend_type = 'recsys stream events'
				AND query LIKE 'writing %'}) =~ /^(PgSleep|relation)$/;
		}), "$where: the worker is there");
	ok(kill_hard($node, worker_pid('events')), 'and is killed');
	sql($node, 'DROP TRIGGER IF EXISTS park ON shop.events');
	$holder->quit;
	all_once("killed $where");
}
as_shop($node, q{SELECT recsys.alter_stream('events',
	options => '{"statement_timeout_ms": 3000, "lock_timeout_ms": 300}')});
send_events(10);
all_once('and no more');

# cancelled: the same messages again
as_shop($node, 'UPDATE shop.slow SET seconds = 1');
$pid = worker_pid('events');
send_events(10);
wait_until(5, sub { sql($node, "SELECT query FROM pg_stat_activity WHERE pid = $pid") =~ /^writing/ });
usleep(100_000);
sql($node, "SELECT pg_cancel_backend($pid)");
comes_to('events', qr/57014/, 'cancelled: the status says so');
as_shop($node, 'UPDATE shop.slow SET seconds = 0');
all_once('cancelled');
is(worker_pid('events'), $pid, 'by the same worker');
as_shop($node, 'UPDATE shop.slow SET seconds = 20');
send_events(10);
comes_to('events', qr/retrying\|.*statement timeout\|57014/, 'a batch that takes too long');
as_shop($node, 'DROP TRIGGER slow ON shop.events');
all_once('too slow');

# the table is locked, loses a right, is gone
my $session = session($node);
$session->do('BEGIN; LOCK TABLE shop.events');
send_events(10);
comes_to('events', qr/retrying\|.*lock timeout\|55P03/, 'table locked');
$session->do('COMMIT');
all_once('table locked');
as_shop($node, 'REVOKE INSERT ON shop.events FROM shop');
send_events(10);
comes_to('events', qr/retrying\|permission denied.*\|42501/, 'right revoked');
as_shop($node, 'GRANT INSERT ON shop.events TO shop');
all_once('right revoked');
as_shop($node, 'ALTER TABLE shop.events RENAME TO events2; CREATE TABLE shop.events AS TABLE shop.events2 WITH NO DATA');
send_events(10);
my $twice = 2 * $sent;
is(settled_rows($node, 'SELECT count(*) FROM shop.events2', $twice), $twice, 'a stream follows its renamed table');
as_shop($node, 'DROP TABLE shop.events; ALTER TABLE shop.events2 RENAME TO events');
all_once('renamed');

# the broker goes and comes
$broker->command('down');
comes_to('events', qr/waiting for broker/, 'no broker');
is(sql($node, 'SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE $$recsys%$$ AND backend_xmin IS NOT NULL'),
	0, 'no transaction meanwhile');
my $begin = time;
as_shop($node, q{SELECT recsys.pause_stream('events')});
ok(wait_until(4, sub { worker_pid('events') eq '' }), sprintf 'paused beside a dead broker (%.2f s)', time - $begin);
as_shop($node, q{SELECT recsys.resume_stream('events')});
comes_to('events', qr/waiting for broker/, 'starts without a broker');
$broker->command('up');
send_events(10);
all_once('broker down and up');

# a network that passes nothing on: nobody waits for the worker
my $proxy = start_proxy($broker->bootstrap);
as_shop($node, "CREATE TABLE shop.net $columns");
produce($broker->bootstrap, 'net', count => 100);
create_stream($node, 'net', $proxy->bootstrap);
is(settled_rows($node, 'SELECT count(*) FROM shop.net', 100), 100, 'through a proxy');
$proxy->command('stall');
sleep 1;
sql($node, 'CREATE DATABASE scratch');
my $began = time;
sql($node, 'DROP DATABASE scratch');
cmp_ok(time - $began, '<', 2, sprintf 'DROP DATABASE beside a stalled network (%.2f s)', time - $began);
produce($broker->bootstrap, 'net', count => 100, first => 101);
$began = time;
$node->restart('fast');
cmp_ok(time - $began, '<', 5, sprintf 'restart beside a stalled network (%.2f s)', time - $began);
comes_to('net', qr/waiting for broker/, 'starts beside a stalled network');
$began = time;
as_shop($node, q{SELECT recsys.pause_stream('net')});
ok(wait_until(4, sub { worker_pid('net') eq '' }), sprintf 'paused beside a stalled network (%.2f s)', time - $began);
as_shop($node, q{SELECT recsys.resume_stream('net')});
$proxy->command('resume');
is(settled_rows($node, 'SELECT count(*), count(DISTINCT seq) FROM shop.net', '200|200', 60), '200|200', 'each event once');
$proxy->command('corrupt 2');
produce($broker->bootstrap, 'net', count => 100, first => 201);
is(settled_rows($node, 'SELECT count(*), count(DISTINCT seq) FROM shop.net', '300|300', 60), '300|300',
	'also when bytes were flipped');
as_shop($node, q{SELECT recsys.drop_stream('net')});
$proxy->stop;

# the same offsets mean nothing in another cluster
my $other = start_broker(topics => ['events:2']);
produce($other->bootstrap, 'events', count => 4000, partitions => 2);
sql($node, sprintf q{UPDATE recsys.stream SET brokers = '%s', generation = generation + 1}, $other->bootstrap);
as_shop($node, q{SELECT recsys.pause_stream('events'); SELECT recsys.resume_stream('events')});
comes_to('events', qr/stopped\|the brokers belong to Kafka cluster ".*", but offsets are those of/, 'another cluster: it stops');
sql($node, sprintf q{UPDATE recsys.stream SET brokers = '%s', generation = generation + 1}, $broker->bootstrap);
as_shop($node, q{SELECT recsys.resume_stream('events')});
send_events(10);
all_once('the right cluster again');
$other->stop;

# retention: the mock keeps 5 MiB of a partition
as_shop($node, "CREATE TABLE shop.short $columns");
produce($broker->bootstrap, 'short', count => 10);
create_stream($node, 'short', $broker->bootstrap);
is(settled_rows($node, 'SELECT count(*) FROM shop.short', 10), 10, 'ten events');
as_shop($node, q{SELECT recsys.pause_stream('short')});
produce($broker->bootstrap, 'short', count => 100_000, first => 11);
as_shop($node, q{SELECT recsys.resume_stream('short')});
comes_to('short', qr/stopped\|.*was read up to offset 10, but begins at \d+ now.*\|P0002/, 'messages lost: it stops');
is(sql($node, 'SELECT count(*) FROM shop.short'), 10, 'and writes nothing');
is(sql($node, 'SELECT from_offset, to_offset > 10, policy FROM recsys.stream_losses'), '10|t|error', 'but what is lost');
as_shop($node, q{SELECT recsys.alter_stream('short', options => '{"on_offset_lost": "earliest"}');
	SELECT recsys.resume_stream('short')});
my $kept = settled_rows($node, q{SELECT max(seq) FROM shop.short}, 100_010);
is($kept, 100_010, 'with on_offset_lost earliest it goes on');
is( sql($node, q{SELECT count(*) + (SELECT sum(to_offset - from_offset) FROM recsys.stream_losses) FROM shop.short}),
	100_010, 'and the loss is recorded to the message');
is(sql($node, 'SELECT from_offset, policy FROM recsys.stream_losses'), '10|earliest', 'once');

# the owner may not
sql($node, q{CREATE ROLE leaver LOGIN; GRANT INSERT ON recsys.stream TO leaver;
	CREATE TABLE public.anyone (seq bigint); GRANT INSERT ON public.anyone TO PUBLIC; SET ROLE leaver;
	SELECT recsys.create_stream('left', '} . $broker->bootstrap . q{', 'events', 'public.anyone')});
comes_to('left', qr/running/, 'a stream of a role that leaves');
my ($status, $out, $err) = $node->psql('postgres', 'DROP OWNED BY leaver; DROP ROLE leaver');
like($err, qr/owns stream "left"|role "leaver" cannot be dropped/, 'who owns a stream cannot be dropped');
sql($node, q{SELECT recsys.drop_stream('left')});
ok(wait_until(5, sub { worker_pid('left') eq '' }), 'and the worker ends with it');
sql($node, 'DROP OWNED BY leaver; DROP ROLE leaver');
sql($node, 'ALTER ROLE shop SUPERUSER');
comes_to('events', qr/failed\|.*superuser.*\|42501/, 'owner is a superuser');
ok(wait_until(5, sub { worker_pid('events') eq '' }), 'no worker runs as one');
produce($broker->bootstrap, 'events', count => 20, partitions => 2, first => $sent + 1);
sql($node, 'ALTER ROLE shop NOSUPERUSER NOLOGIN');
comes_to('events', qr/failed\|.*log in.*\|42501/, 'owner may not log in');
is(sql($node, 'SELECT max(seq) FROM shop.events'), $sent, 'nothing is written meanwhile');
sql($node, 'ALTER ROLE shop LOGIN');
$sent += 10;
all_once('owner may again');

# triggers run as the owner, whatever they try, at once or at the commit
sql($node, q{
	CREATE ROLE mallory LOGIN;
	GRANT USAGE, CREATE ON SCHEMA shop TO mallory;
	GRANT TRIGGER ON shop.events TO mallory;
	CREATE ROLE boss SUPERUSER;
	GRANT boss TO shop});
as_shop($node, 'CREATE TABLE shop.seen (what text, who text, session text, error text); GRANT INSERT ON shop.seen TO public');
$node->safe_psql('postgres', q{
	CREATE FUNCTION shop.evil() RETURNS trigger LANGUAGE plpgsql AS $$
	DECLARE
		command text;
	BEGIN
		FOREACH command IN ARRAY ARRAY['ALTER ROLE mallory SUPERUSER', 'RESET SESSION AUTHORIZATION', 'RESET ROLE',
			'SET ROLE postgres', 'SET ROLE boss', 'SET SESSION AUTHORIZATION postgres', 'COPY (SELECT 1) TO PROGRAM $c$true$c$', 'SELECT 1']
		LOOP
			BEGIN
				EXECUTE command;
				INSERT INTO shop.seen VALUES (command, current_user, session_user);
			EXCEPTION WHEN OTHERS THEN
				INSERT INTO shop.seen VALUES (command, current_user, session_user, SQLSTATE);
			END;
		END LOOP;
		RETURN NULL;
	END$$;
	CREATE TRIGGER evil AFTER INSERT ON shop.events EXECUTE FUNCTION shop.evil();
	CREATE CONSTRAINT TRIGGER evil_later AFTER INSERT ON shop.events DEFERRABLE INITIALLY DEFERRED
		FOR EACH ROW EXECUTE FUNCTION shop.evil()}, extra_params => [ '-U', 'mallory' ]);
send_events(1);
all_once('a malicious trigger');
is( sql($node, q{SELECT what, who, session, coalesce(error, '') FROM shop.seen GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4}),
	"ALTER ROLE mallory SUPERUSER|shop|shop|42501\nCOPY (SELECT 1) TO PROGRAM \$c\$true\$c\$|shop|shop|42501\n"
		. "RESET ROLE|shop|shop|42501\nRESET SESSION AUTHORIZATION|shop|shop|42501\nSELECT 1|shop|shop|\n"
		. "SET ROLE boss|shop|shop|42501\nSET ROLE postgres|shop|shop|42501\nSET SESSION AUTHORIZATION postgres|shop|shop|42501",
	'gained nothing');
as_shop($node, 'DROP TRIGGER evil ON shop.events; DROP TRIGGER evil_later ON shop.events');

# too few worker slots
$node->append_conf('postgresql.conf', "max_worker_processes = 4\n");
as_shop($node, "CREATE TABLE shop.again $columns");
produce($broker->bootstrap, 'again', count => 10);
create_stream($node, 'again', $broker->bootstrap);
$node->restart; # launcher, logical replication launcher, two of three streams
ok( wait_until(20, sub {
		sql($node, q{SELECT count(*) FROM recsys.stream_status WHERE state = 'waiting for a worker slot'
			AND error LIKE '%max_worker_processes%'}) > 0;
	}), 'too few worker slots: the status says so');
as_shop($node, q{SELECT recsys.drop_stream('short')});
is(settled_rows($node, 'SELECT count(*) FROM shop.again', 10), 10, 'starts when one is free');

# fewer workers than there are streams: one runs, and the log names the other
$node->append_conf('postgresql.conf', "max_worker_processes = 20\nrecsys.max_workers = 1\n");
$node->restart;
ok( wait_until(20, sub { server_log($node) =~ /no room for worker 0 of recsys stream "(events|again)"/ }),
	'too few recsys.max_workers: the log says so');
ok( wait_until(20, sub {
		sql($node, q{SELECT string_agg(DISTINCT state, ' ' ORDER BY state) FROM recsys.stream_status}) eq 'not running running';
	}), '... and one runs');
$node->append_conf('postgresql.conf', "recsys.max_workers = 64\n");
$node->restart;
send_events(10);
all_once('few slots');

# a standby does not read; promoted, it goes on where the primary was
$node->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
$standby->start;
send_events(10);
all_once('beside a standby');
$node->wait_for_catchup('standby');
is($standby->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'recsys%'}),
	0, 'nothing of ours runs on the standby');
$node->stop;
$standby->promote;
send_events(10);
all_once('promoted', $standby);
$standby->stop;
done_testing();
