# A broker that does not give a partition out any more, as after a revoked READ: does
# the status say so while the worker has nothing else to complain of?
use strict;
use warnings;

use lib 'test/t';
use KafkaTest;
use PostgreSQL::Test::Utils;
use RecsysTest;
use StreamTest;
use Test::More;

my $broker = start_broker();
my $node = stream_server('main');
my $up = q{SELECT string_agg(metric || '=' || value, ' ' ORDER BY metric) FROM recsys.stream_metrics
	WHERE metric IN ('recsys_stream_up', 'recsys_stream_paused')};

as_shop($node, 'CREATE TABLE shop.events (user_id bigint, item_id bigint, event_type text, ts timestamptz,
	weight real, partition_no integer, seq bigint)');
produce($broker->bootstrap, 'events', count => 10);
create_stream($node, 'events', $broker->bootstrap);
ok(caught_up($node, 'events'), 'it reads');
is(sql($node, $up), 'recsys_stream_paused=0 recsys_stream_up=1', 'and is up');
my $mark = -s $node->logfile;
$broker->command('error Fetch TOPIC_AUTHORIZATION_FAILED 1000');
produce($broker->bootstrap, 'events', count => 10, first => 101);
ok(says($node, 'events', qr/TOPIC_AUTHORIZATION_FAILED/), 'the error is said');
ok(wait_until(10, sub { states($node, 'events') eq 'retrying' }), 'and the state is not running');
is(sql($node, $up), 'recsys_stream_paused=0 recsys_stream_up=0', 'nor is it up');
is(settled_rows($node, 'SELECT lag FROM recsys.stream_status', 10), 10, 'the lag is known');
like(substr(server_log($node), $mark), qr/partition 0 is not given out: .*TOPIC_AUTHORIZATION_FAILED/, 'the log has it, too');
$broker->command('clear Fetch');
ok(caught_up($node, 'events'), 'it goes on');
is(sql($node, 'SELECT count(*), count(DISTINCT seq) FROM shop.events'), '20|20', 'each event once');
$broker->command('error Fetch TOPIC_AUTHORIZATION_FAILED 3');
ok(wait_until(20, sub { states($node, 'events') eq 'retrying' }), 'refused with nothing to come');
ok(caught_up($node, 'events'), 'and given out again, with nothing to come');
as_shop($node, q{SELECT recsys.pause_stream('events')});
is(sql($node, $up), 'recsys_stream_paused=1 recsys_stream_up=0', 'a pause is told from a failure');
done_testing();
