# Whatever happens to worker, server, broker and table, each event is written
# exactly once.
#
# A producer numbers its events by partition and makes some of them unwritable.
# A round lets two or three things happen to the stream while it goes on.  Then
# rows and dead letters together must be 1 to the last number of each partition,
# each once.
#
#	ROUNDS	how many rounds (20)
#	SEED	which rounds; printed, so that a run can be had again
#	CHAOS_BROKER	real or mock; without it mock, or real where it can be had and ROUNDS is set
use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time usleep);
use PostgreSQL::Test::Utils;
use RecsysTest;
use StreamTest;
use ChaosBroker;
use Numbers;

my $rounds = $ENV{ROUNDS} || 20;
my $seed = $ENV{SEED} || int(time);
srand $seed;
my $rounds_a_topic = 10; # the mock broker keeps 100,000 messages of a partition
my $partitions = 3;
my $rate = 900;
my $poison = 97;

my $broker = ChaosBroker->new;
my $node = stream_server('chaos', "restart_after_crash = on\nmax_worker_processes = 20\nlog_min_messages = warning\nlog_statement = none\nrecsys.worker_timeout = 1s\n");
diag sprintf '%d rounds on a %s broker, SEED=%d', $rounds, $broker->kind, $seed;

my ($topic, $numbers, $again, %total);

# --- what may happen

sub pause_a_bit { usleep(1000 * (50 + int rand($_[0] // 400))); return }

# A session that is there again after a crash of the server
sub sql_again
{
	my ($sql, @with) = @_;
	my ($out, $err, $status);
	my $answered = wait_until(60, sub {
		$status = $node->psql('postgres', $sql, stdout => \$out, stderr => \$err, on_error_stop => 1, @with);
		return $status == 0 || ($status != 2 && $err !~ /starting up|shutting down|recovery|terminating connection|closed the connection|lock timeout/);
	});
	die "$sql: $err" if !$answered || $status != 0;
	return $out;
}
sub shop_again { return sql_again($_[0], extra_params => [ '-U', 'shop' ]) }

sub worker_pid
{
	my $pid;
	wait_until(60, sub { $pid = sql_again("SELECT max(pid) FROM recsys.stream_status WHERE stream = '$topic' AND state = 'running'") });
	return $pid;
}

sub kill_worker
{
	my ($signal) = @_;
	kill $signal, worker_pid();
	return;
}

sub stop_and_continue
{
	my $pid = worker_pid();
	kill 'STOP', $pid;
	pause_a_bit(3000);
	# A stopped worker that holds the stream's row makes the others wait; that is all it may do
	$node->psql('postgres', "SET statement_timeout = '2s'; SELECT recsys.alter_stream('$topic', options => '{\"batch_rows\": 2000}')",
		extra_params => [ '-U', 'shop' ]);
	pause_a_bit(1000);
	kill 'CONT', $pid;
	return;
}

# What seek_stream takes: {"partition": offset}
sub offsets
{
	my ($but) = @_;
	return sql_again("SELECT json_object_agg(partition, $but) FROM recsys.stream_offset o JOIN recsys.stream s ON s.id = stream_id
		WHERE s.name = '$topic'");
}

sub seek_back
{
	my ($messages) = @_;
	shop_again("SELECT recsys.pause_stream('$topic')");
	sql_again("INSERT INTO shop.again SELECT partition, greatest(next_offset - $messages, 0), next_offset
		FROM recsys.stream_offset o JOIN recsys.stream s ON s.id = stream_id WHERE s.name = '$topic'");
	my $offsets = offsets("greatest(next_offset - $messages, 0)");
	shop_again("SELECT recsys.seek_stream('$topic', '$offsets')");
	shop_again("SELECT recsys.resume_stream('$topic')");
	return;
}

sub hold_table
{
	my ($session) = session($node);
	$session->do('BEGIN; LOCK TABLE shop.events IN ACCESS EXCLUSIVE MODE');
	pause_a_bit(2500);
	$session->do('COMMIT');
	$session->quit;
	return;
}

my $columns = 0;
my %happens = (
	'kill -9 of the worker' => sub { kill_worker('KILL') },
	'SIGTERM to the worker' => sub { kill_worker('TERM') },
	'SIGINT to the worker' => sub { kill_worker('INT') },
	'immediate shutdown' => sub { $node->stop('immediate'); pause_a_bit(); $node->start },
	'fast restart' => sub { $node->restart },
	'SIGSTOP, alter, SIGCONT' => \&stop_and_continue,
	'pause and resume' => sub {
		shop_again("SELECT recsys.pause_stream('$topic')");
		pause_a_bit();
		shop_again("SELECT recsys.resume_stream('$topic')");
	},
	'seek to where it is' => sub { seek_back(0) },
	'seek back' => sub { seek_back(1 + int rand 500) },
	'burst' => sub { $numbers->say('burst 6000') },
	'add column' => sub { sql_again('ALTER TABLE shop.events ADD COLUMN c' . ++$columns . ' integer DEFAULT 1') },
	'drop column' => sub { sql_again("ALTER TABLE shop.events DROP COLUMN c$columns"), $columns-- if $columns > 0 },
	'index' => sub { sql_again('DROP INDEX IF EXISTS shop.events_n; CREATE INDEX events_n ON shop.events (n)') },
	'lock' => \&hold_table,
	'vacuum full' => sub { sql_again('VACUUM FULL shop.events') },
	'no right to insert' => sub {
		sql_again('REVOKE ALL ON shop.events FROM shop');
		pause_a_bit(1000);
		sql_again('GRANT ALL ON shop.events TO shop');
	},
	'table renamed and back' => sub {
		sql_again('ALTER TABLE shop.events RENAME TO elsewhere');
		pause_a_bit(1000);
		sql_again('ALTER TABLE shop.elsewhere RENAME TO events');
	},
	$broker->happens);

# --- the oracle

sub oracle
{
	my @delivered = @_;
	sql_again("CREATE OR REPLACE VIEW shop.seen AS
		SELECT p, o, n, true AS good FROM shop.events UNION ALL
		SELECT partition, message_offset, substring(convert_from(payload, 'LATIN1') FROM '[0-9]+')::bigint, false
		FROM recsys.dead_letter d JOIN recsys.stream s ON s.id = stream_id WHERE s.name = '$topic'");
	my %is;
	for (split /\n/, sql_again("SELECT p, count(DISTINCT n), min(n), max(n), count(*) - count(DISTINCT o), count(DISTINCT o) - count(DISTINCT n)
		FROM shop.seen GROUP BY p"))
	{
		my ($p, @row) = split /\|/;
		$is{$p} = \@row;
	}
	my $doubled = sql_again("SELECT coalesce(sum(abs(copies - 1 - wanted)), 0) FROM (
		SELECT p, o, count(*) AS copies, good,
			CASE WHEN good THEN (SELECT count(*) FROM shop.again a WHERE a.p = s.p AND s.o >= a AND s.o < z) ELSE 0 END AS wanted
		FROM shop.seen s GROUP BY p, o, good) x");
	my $lost = 0;
	for my $p (0 .. $partitions - 1)
	{
		my ($n, $min, $max, undef, $twice) = @{ $is{$p} // [ 0, 0, 0, 0, 0 ] };
		$lost += $delivered[$p] - $n;
		$lost++ if $delivered[$p] > 0 && ($min != 1 || $max != $delivered[$p]);
		$total{'doubled by the producer'} += $twice;
	}
	# What was sought back to is written again, as it should be: once is kept
	sql_again('DELETE FROM shop.events a USING shop.events b WHERE a.p = b.p AND a.o = b.o AND a.ctid > b.ctid; TRUNCATE shop.again');
	return ($lost, $doubled);
}

# --- the rounds

sub new_topic
{
	my ($n) = @_;
	if ($numbers)
	{
		$numbers->stop;
		shop_again("SELECT recsys.drop_stream('$topic')");
		sql_again('DROP VIEW shop.seen; DROP TABLE shop.events, shop.again');
	}
	$topic = "chaos_$n";
	$columns = 0;
	$broker->create($topic, $partitions);
	sql_again('CREATE TABLE shop.events (n bigint NOT NULL, v integer CHECK (v >= 0), p integer NOT NULL, o bigint NOT NULL);
		ALTER TABLE shop.events OWNER TO shop; CREATE INDEX ON shop.events (p, o); CREATE TABLE shop.again (p integer, a bigint, z bigint)');
	create_stream($node, $topic, $broker->at, table => 'shop.events', lock_timeout_ms => 1000,
		mapping => { n => 'n', v => 'v', p => { from => 'partition' }, o => { from => 'offset' } });
	$numbers = Numbers->start($broker->direct, $topic, $partitions, $rate, $poison);
	return;
}

%total = (lost => 0, doubled => 0, events => 0, 'doubled by the producer' => 0);
my @before = (0) x $partitions;
for my $round (1 .. $rounds)
{
	my $started = time;
	if (($round - 1) % $rounds_a_topic == 0)
	{
		new_topic($round);
		@before = (0) x $partitions;
	}
	my @names = sort keys %happens;
	my @events = map { splice @names, int rand @names, 1 } 1 .. 2 + int rand 2;
	$numbers->say('go');
	pause_a_bit();
	for my $event (@events)
	{
		$happens{$event}->();
		pause_a_bit();
	}
	$broker->well;
	my @delivered = $numbers->say('hold');
	my $ends = "SELECT count(*) FROM recsys.stream_status WHERE stream = '$topic' AND state = 'running' AND lag = 0 AND end_offset > 0";
	my $caught_up = wait_until(60, sub {
		return sql_again($ends) == $partitions
			&& sql_again("SELECT min(next_offset - CASE partition " . join(' ', map { "WHEN $_ THEN $delivered[$_]" } 0 .. $partitions - 1) . ' END)
				FROM recsys.stream_status WHERE stream = \'' . $topic . "'") >= 0;
	});
	my ($lost, $doubled) = oracle(@delivered);
	my $new = 0;
	$new += $delivered[$_] - $before[$_] for 0 .. $partitions - 1;
	@before = @delivered;
	$total{lost} += $lost;
	$total{doubled} += $doubled;
	$total{events} += $new;
	ok($caught_up && $lost == 0 && $doubled == 0,
		sprintf 'round %d: %s: %d events, %d lost, %d doubled, %.1f s', $round, join(', ', @events), $new, $lost, $doubled, time - $started)
		or diag(sql_again("SELECT s.*::text FROM recsys.stream_status s")), last;
}
$numbers->stop;
diag sprintf '%d rounds on a %s broker, %d events, %d lost, %d doubled (%d sent twice by the producer)', $rounds, $broker->kind,
	@total{ 'events', 'lost', 'doubled', 'doubled by the producer' };
$node->stop;
done_testing();
