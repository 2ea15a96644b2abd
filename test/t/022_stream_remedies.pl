# What the documentation tells to do when a stream does not go on: does it help, and
# is what was passed over written down?
use strict;
use warnings;

use lib 'test/t';
use KafkaTest;
use PostgreSQL::Test::Utils;
use RecsysTest;
use StreamTest;
use Test::More;

my $columns = '(user_id bigint, item_id bigint, event_type text, ts timestamptz, weight real,
	partition_no integer, seq bigint)';
my $broker = start_broker(topics => ['fewer:4']);
my $node = stream_server('main');

# a topic made anew with fewer partitions, in another cluster, for the mock's topics stay
as_shop($node, "CREATE TABLE shop.fewer $columns");
produce($broker->bootstrap, 'fewer', count => 400, partitions => 4);
create_stream($node, 'fewer', $broker->bootstrap);
ok(caught_up($node, 'fewer'), 'a topic of four partitions is read');
my $anew = start_broker(topics => ['fewer:2']);
produce($anew->bootstrap, 'fewer', count => 600, partitions => 2, first => 1001);
as_shop($node, sprintf q{SELECT recsys.alter_stream('fewer', brokers => '%s')}, $anew->bootstrap);
ok(says($node, 'fewer', qr/^the brokers belong to Kafka cluster/), 'another cluster is said');
sql($node, 'UPDATE recsys.stream SET cluster_id = NULL');
as_shop($node, q{SELECT recsys.resume_stream('fewer')});
ok(says($node, 'fewer', qr/^topic "fewer" has no partition 2, where the stream goes on/),
	'a topic of fewer partitions is said');
as_shop($node, q{SELECT recsys.seek_stream('fewer', 'earliest'); SELECT recsys.resume_stream('fewer')});
is(settled_rows($node, 'SELECT count(*), count(DISTINCT (partition_no, seq)) FROM shop.fewer WHERE seq > 1000', '600|600'),
	'600|600', 'seek_stream to earliest takes the new one');
ok(caught_up($node, 'fewer'), 'to the end of each partition that there is');
is(scalar(status($node, 'fewer')), 2, 'those that are gone are not shown');

# offsets that do not fit, by a seek that is itself the reason of a stop
as_shop($node, q{SELECT recsys.seek_stream('fewer', '{"0": 100000}')});
ok(says($node, 'fewer', qr/ends at offset 300, but the stream goes on at 100000/), 'a seek too far is said');
is(states($node, 'fewer'), 'stopped', 'and stops the stream');
as_shop($node, q{SELECT recsys.seek_stream('fewer', 'latest'); SELECT recsys.resume_stream('fewer')});
ok(caught_up($node, 'fewer'), 'a seek to latest helps');

# what seeks go past, by offsets and by time, is written down, until it is read after all
sub losses
{
	return sql($node, q{SELECT partition, from_offset, to_offset, policy FROM recsys.stream_losses
		WHERE stream = 'fewer' ORDER BY noticed, partition});
}
is(losses(), '', 'nothing was passed over by seeks back, nor by one too far that was taken back');
as_shop($node, q{SELECT recsys.pause_stream('fewer'); SELECT recsys.seek_stream('fewer', 'earliest'); SELECT recsys.resume_stream('fewer')});
ok(wait_until(20, sub { sql($node, q{SELECT seek_to IS NULL FROM recsys.streams}) eq 't' }), 'back to the begin');
ok(caught_up($node, 'fewer'), 'and to the end again');
as_shop($node, q{SELECT recsys.pause_stream('fewer'); SELECT recsys.seek_stream('fewer', '{"0": 100}')});
produce($anew->bootstrap, 'fewer', count => 20, partitions => 2, first => 3001);
as_shop($node, q{SELECT recsys.seek_stream('fewer', '{"0": 150}')});
is(losses(), '0|100|150|seek', 'a seek by offsets');
as_shop($node, q{SELECT recsys.seek_stream('fewer', '{"0": 120}')});
is(losses(), '0|100|120|seek', 'one back has the rest read');
as_shop($node, q{SELECT recsys.seek_stream('fewer', 'latest'); SELECT recsys.resume_stream('fewer')});
ok(wait_until(20, sub { sql($node, q{SELECT seek_to IS NULL FROM recsys.streams}) eq 't' }), 'on to the end');
is(losses(), "0|100|120|seek\n0|120|310|seek\n1|300|310|seek", 'a seek to latest');
is(sql($node, q{SELECT value FROM recsys.stream_metrics WHERE metric = 'recsys_stream_lost_offsets_total'}), 0,
	'which is no loss that nobody wanted');
done_testing();
