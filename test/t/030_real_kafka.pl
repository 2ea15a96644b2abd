# What only a real Kafka broker can show: offsets by time, transactions, topics
# deleted and made anew, partitions added, retention, compaction, a restart.
use strict;
use warnings;

use Test::More;
use KafkaTest ();
use RecsysTest;
use RealKafka;
use StreamTest;

my $why = RealKafka::why_not();
plan skip_all => "no real Kafka broker: $why" if $why;

my $kafka = RealKafka->new;
my $node = stream_server('real');
my $at = $kafka->{PLAINTEXT};

sub numbers { return map { qq({"n": $_}) } @_ }

sub table
{
	my ($name) = @_;
	as_shop($node, "CREATE TABLE shop.$name (n bigint)");
	return;
}

# Which numbers came, as ranges, doubled ones twice
sub ranges
{
	my ($name) = @_;
	return "SELECT coalesce(string_agg(CASE WHEN a = z THEN a::text ELSE a || '-' || z END, ' ' ORDER BY a), 'none')
		FROM (SELECT min(n) AS a, max(n) AS z FROM (
			SELECT n, n - row_number() OVER (ORDER BY n) AS g FROM shop.$name) x GROUP BY g) y";
}

sub got { return sql($node, ranges($_[0])) }

subtest 'times' => sub {
	my $day = 86_400_000;
	my $now = int(time) * 1000;
	$kafka->admin('create', 'times', 1);
	$kafka->produce('times', 0, [ numbers(1 .. 10) ], 'time=' . ($now - 2 * $day));
	$kafka->produce('times', 0, [ numbers(11 .. 20) ], 'time=' . ($now - $day));
	$kafka->produce('times', 0, [ numbers(21 .. 25) ]);
	table('times');
	create_stream($node, 'times', $at, start => sql($node, "SELECT to_timestamp($now / 1000) - interval '25 hours'"));
	ok(caught_up($node, 'times'), 'a stream that starts at a time catches up');
	is(got('times'), '11-25', 'with what came at that time or later');

	sql($node, 'TRUNCATE shop.times');
	as_shop($node, "SELECT recsys.seek_stream('times', (to_timestamp($now / 1000) - interval '3 days')::text)");
	is(settled_rows($node, ranges('times'), '1-25'), '1-25', 'sought to a time before all');
	sql($node, 'TRUNCATE shop.times');
	as_shop($node, "SELECT recsys.seek_stream('times', (now() + interval '1 hour')::text)");
	ok(caught_up($node, 'times'), 'sought to a time that no message has');
	$kafka->produce('times', 0, [ numbers(26) ]);
	is(settled_rows($node, ranges('times'), '26'), '26', 'only what comes from now on');
	like(sql($node, "SELECT extract(epoch FROM now() - last_event_time) FROM recsys.stream_status WHERE stream = 'times'"),
		qr/^\d\./, 'the time of the last event is the broker\'s');
};

subtest 'transactions' => sub {
	$kafka->admin('create', 'orders', 1);
	$kafka->produce('orders', 0, [ numbers(1 .. 100) ], 'commit');
	$kafka->produce('orders', 0, [ numbers(101 .. 200) ], 'abort');
	table('orders');
	create_stream($node, 'orders', $at);
	ok(caught_up($node, 'orders'), 'no lag behind the marker of an aborted transaction');
	is(got('orders'), '1-100', 'nothing of it is written');
	my ($s) = status($node, 'orders');
	is("$s->{next_offset} $s->{rows}", '202 100', 'the offset is past both transactions and their markers');
	$kafka->produce('orders', 0, [ numbers(201 .. 210) ], 'abort');
	$kafka->produce('orders', 0, [ numbers(211 .. 220) ], 'commit');
	is(settled_rows($node, ranges('orders'), '1-100 211-220'), '1-100 211-220', 'the same while it runs');
	ok(caught_up($node, 'orders'), 'and no lag');

	table('orders_all');
	create_stream($node, 'orders_all', $at, topic => 'orders', isolation => 'read_uncommitted');
	is(settled_rows($node, 'SELECT count(*) FROM shop.orders_all', 220), 220, 'read_uncommitted reads all');
};

subtest 'partitions added' => sub {
	$kafka->admin('create', 'grows', 1);
	$kafka->produce('grows', 0, [ numbers(1 .. 10) ]);
	table('grows');
	create_stream($node, 'grows', $at, start => 'latest');
	ok(caught_up($node, 'grows'), 'a stream from the end');
	is(got('grows'), 'none', 'with nothing of before');
	$kafka->admin('partitions', 'grows', 3);
	$kafka->produce('grows', 2, [ numbers(21 .. 30) ]);
	is(settled_rows($node, ranges('grows'), '21-30'), '21-30', 'a new partition is read from its first message');
	is(scalar(status($node, 'grows')), 3, 'and shown');
};

subtest 'retention' => sub {
	for my $policy (qw(error earliest latest))
	{
		my $name = "kept_$policy";
		$kafka->admin('create', $name, 1);
		$kafka->produce($name, 0, [ numbers(1 .. 10) ]);
		table($name);
		create_stream($node, $name, $at, $policy eq 'error' ? () : (on_offset_lost => $policy));
		is(settled_rows($node, ranges($name), '1-10'), '1-10', "$policy: before");
		as_shop($node, "SELECT recsys.pause_stream('$name')");
		$kafka->produce($name, 0, [ numbers(11 .. 20) ]);
		$kafka->admin('truncate', $name, 0, 15);
		as_shop($node, "SELECT recsys.resume_stream('$name')");
	}
	ok(says($node, 'kept_error', qr/was read up to offset 10, but begins at 15 now/), 'error: says so');
	is(got('kept_error'), '1-10', 'and writes nothing');
	is(settled_rows($node, ranges('kept_earliest'), '1-10 16-20'), '1-10 16-20', 'earliest: goes on with the first that is left');
	ok(caught_up($node, 'kept_latest'), 'latest: goes on from the end');
	$kafka->produce('kept_latest', 0, [ numbers(21) ]);
	is(settled_rows($node, ranges('kept_latest'), '1-10 21'), '1-10 21', 'with what comes then');
	is(sql($node, q{SELECT string_agg(concat_ws(' ', stream, partition, from_offset, to_offset, policy), ', ' ORDER BY stream)
		FROM recsys.stream_losses}),
		'kept_earliest 0 10 15 earliest, kept_error 0 10 15 error, kept_latest 0 10 20 latest', 'what was lost is on record');
	as_shop($node, q{SELECT recsys.seek_stream('kept_error', 'earliest')});
	as_shop($node, q{SELECT recsys.resume_stream('kept_error')});
	is(settled_rows($node, ranges('kept_error'), '1-10 16-20'), '1-10 16-20', 'error: a seek sets it going again');
};

subtest 'compaction' => sub {
	$kafka->admin('create', 'prices', 1, 'cleanup.policy=compact', 'segment.ms=100',
		'min.cleanable.dirty.ratio=0.01', 'delete.retention.ms=0', 'min.compaction.lag.ms=0');
	for my $round (1 .. 3)
	{
		$kafka->produce('prices', 0, [ map { "k$_\t{\"n\": " . ($round * 100 + $_) . '}' } 1 .. 20 ], 'keyed');
		select undef, undef, undef, 0.3;
	}
	# Another message rolls the segment of those before
	ok(wait_until(30, sub {
		$kafka->produce('prices', 0, [ 'end' . "\t" . '{"n": 999}' ], 'keyed');
		return -s "$kafka->{dir}/broker.log" && slurp_cleaned();
	}), 'the broker compacted the topic');
	table('prices');
	create_stream($node, 'prices', $at);
	ok(caught_up($node, 'prices'), 'no lag in a compacted topic');
	is(got('prices') =~ s/ 999.*//r, '301-320', 'the last message of each key');
};

# Offsets of early segments are gone from the folder's first log
sub slurp_cleaned
{
	my ($first) = sort glob "$kafka->{dir}/log/prices-0/*.log";
	open my $file, '<:raw', $first or return 0;
	local $/;
	my $bytes = <$file>;
	return $bytes !~ /"n": 10[1-9]/ && $bytes !~ /"n": 2\d\d/;
}

subtest 'a topic deleted and made anew' => sub {
	$kafka->admin('create', 'again', 1);
	$kafka->produce('again', 0, [ numbers(1 .. 10) ]);
	table('again');
	create_stream($node, 'again', $at);
	is(settled_rows($node, ranges('again'), '1-10'), '1-10', 'before');
	$kafka->admin('delete', 'again');
	sleep 1;
	ok(says($node, 'again', qr/topic|partition/i), 'deleted: says so');
	$kafka->admin('create', 'again', 1);
	$kafka->produce('again', 0, [ numbers(101 .. 120) ]);
	ok(says($node, 'again', qr/created anew/i), 'made anew with more messages than were read: says so');
	is(got('again'), '1-10', 'nothing of the new one is written, nor skipped in silence');
	as_shop($node, q{SELECT recsys.seek_stream('again', 'earliest')});
	as_shop($node, q{SELECT recsys.resume_stream('again')});
	is(settled_rows($node, ranges('again'), '1-10 101-120'), '1-10 101-120', 'a seek takes the new one');
};

subtest 'the broker restarts' => sub {
	$kafka->admin('create', 'steady', 1);
	$kafka->produce('steady', 0, [ numbers(1 .. 10) ]);
	table('steady');
	create_stream($node, 'steady', $at);
	is(settled_rows($node, ranges('steady'), '1-10'), '1-10', 'before');
	for my $signal (qw(TERM KILL))
	{
		# the error of the round before may still be shown
		my $before = sql($node, 'SELECT clock_timestamp()');
		$kafka->stop($signal);
		ok(wait_until(30, sub {
			return sql($node, "SELECT state = 'waiting for broker' AND error <> '' AND error_at > '$before'
				FROM recsys.stream_status WHERE stream = 'steady'") eq 't';
		}), "SIG$signal: the status shows that it is away") or diag(sql($node, 'SELECT s::text FROM recsys.stream_status s'));
		$kafka->start;
		my $n = $signal eq 'TERM' ? 11 : 12;
		$kafka->produce('steady', 0, [ numbers($n) ]);
		is(settled_rows($node, ranges('steady'), "1-$n"), "1-$n", 'and it goes on by itself');
	}
};

# Larger than any buffer of librdkafka's defaults: one message still has to come
subtest 'a message of 19 MB' => sub {
	my $bytes = 19_000_000; # the test broker takes 20 MB
	my $file = $node->basedir . '/huge';
	open my $out, '>', $file or die "$file: $!";
	print $out 'x' x $bytes;
	close $out;
	$kafka->admin('create', 'huge', 1);
	$kafka->produce('huge', 0, [ numbers(1 .. 3) ]);
	KafkaTest::produce($at, 'huge', partition => 0, file => $file, X => { 'message.max.bytes' => $bytes + 1_000 });
	$kafka->produce('huge', 0, [ numbers(4 .. 6) ]);
	table('huge');
	create_stream($node, 'huge', $at);
	ok(caught_up($node, 'huge'), 'the stream catches up');
	is(got('huge'), '1-6', 'its neighbours are written');
	is(sql($node, "SELECT message_offset, length(payload), sqlstate FROM recsys.dead_letters WHERE stream = 'huge'"),
		"3|$bytes|54000", 'and it is a dead letter, whole');
};

$node->stop;
done_testing();
