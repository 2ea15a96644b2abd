# A worker that is held up: what librdkafka fetches ahead is bounded, of messages
# too that have next to no bytes.
use strict;
use warnings;

use lib 'test/t';
use IPC::Run ();
use KafkaTest;
use PostgreSQL::Test::Utils;
use RecsysTest;
use StreamTest;
use Test::More;

my $partitions = 16; # of which the mock broker keeps 5 MB each
my $each = 200_000;
my $bound = 240; # MB; with a million messages in the queue it is 322
my $broker = start_broker(topics => ["events:$partitions"]);
my $node = stream_server('main', "shared_buffers = 16MB\n");

as_shop($node, 'CREATE TABLE shop.events (seq bigint)');
create_stream($node, 'events', $broker->bootstrap, tombstone => 'skip', lock_timeout_ms => 3_600_000);
ok(caught_up($node, 'events'), 'it reads');
my $lock = Wire->new($node, user => 'shop', patience => 180);
$lock->query($_), $lock->answers(1) for 'BEGIN', 'LOCK TABLE shop.events';
# A file, for the producer's input would be held three times over
my $file = "$PostgreSQL::Test::Utils::tmp_check/tombstones";
open my $lines, '>', $file or die;
print $lines "$_\n" for 1 .. $each;
close $lines;
for my $partition (0 .. $partitions - 1)
{
	IPC::Run::run([ KafkaTest::program('producer'), '--brokers', $broker->bootstrap, '--topic', 'events', '--keyed',
			'--partition', $partition ], '<', $file, '>', \my $out) or die 'producer';
}
unlink $file;

my $pid;
ok(wait_until(60, sub { $pid = sql($node, q{SELECT pid FROM pg_locks WHERE relation = 'shop.events'::regclass AND NOT granted}) }),
	'the worker waits for the table');
# until it grows no more: 5 s, for the fetcher sleeps for one
my ($memory, $same) = (0, 0);
wait_until(120, sub {
	my $now = int(memory_kb($pid) / 1024);
	$same = $now > $memory ? 0 : $same + 1;
	$memory = $now if $now > $memory;
	sleep 1;
	return $same >= 5;
});
note "$memory MB while held up";
cmp_ok($memory, '<', $bound, 'no more memory than is said while it waits');
$lock->query('COMMIT');
$lock->answers(1);
my $all = $partitions * $each . '|0|0';
is(settled_rows($node, 'SELECT sum(next_offset), sum(rows), sum(rejected) FROM recsys.stream_status', $all, 60),
	$all, 'and it goes past all of them');
my ($peak) = slurp_file("/proc/$pid/status") =~ /^VmHWM:\s+(\d+) kB$/m;
note int($peak / 1024), ' MB at its peak, with what it shares';

done_testing();
