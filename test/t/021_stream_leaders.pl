# Partitions without a leader for a while: at a stream's first start, where each
# partition has to begin as option start says, and while it reads.
use strict;
use warnings;

use lib 'test/t';
use KafkaTest;
use PostgreSQL::Test::Utils;
use RecsysTest;
use StreamTest;
use Test::More;

my $broker = start_broker(topics => ['events:3'], brokers => 2);
my $node = stream_server('main', '');
my $count = 'SELECT coalesce(string_agg(partition_no || $$:$$ || n, $$ $$ ORDER BY partition_no), $$$$)
	FROM (SELECT partition_no, count(*) AS n FROM shop.events GROUP BY 1) AS c';

my $states = q{SELECT string_agg(partition || ':' || state || ':' || coalesce(error, ''), ' ' ORDER BY partition) FROM recsys.stream_status};

as_shop($node, 'CREATE TABLE shop.events (user_id bigint, item_id bigint, event_type text, ts timestamptz,
	weight real, partition_no integer, seq bigint)');

# "latest" while nobody can say where partition 2 ends
produce($broker->bootstrap, 'events', count => 300, partitions => 3);
$broker->command('leader events 2 -1');
create_stream($node, 'events', $broker->bootstrap, start => 'latest');
sleep 3;
is(sql($node, 'SELECT count(*) FROM recsys.stream_offset'), 0,
	'no partition begins before all ends are known');
$broker->command('leader events 2 2');
ok(caught_up($node, 'events'), 'with a leader it starts');
produce($broker->bootstrap, 'events', count => 30, partitions => 3, first => 101);
is(settled_rows($node, $count, '0:10 1:10 2:10'), '0:10 1:10 2:10', 'at the end of each partition');

# the others go on while one has no leader
$broker->command('leader events 1 -1');
produce($broker->bootstrap, 'events', count => 20, partition => 0, first => 111);
produce($broker->bootstrap, 'events', count => 20, partition => 2, first => 111);
is(settled_rows($node, $count, '0:30 1:10 2:30'), '0:30 1:10 2:30', 'the others go on');
is(settled_rows($node, $states, '0:running: 1:retrying:it has no leader 2:running:'),
	'0:running: 1:retrying:it has no leader 2:running:', 'which says so, and no other');
$broker->command('leader events 1 1');
produce($broker->bootstrap, 'events', count => 20, partition => 1, first => 111);
is(settled_rows($node, $count, '0:30 1:30 2:30'), '0:30 1:30 2:30', 'and it too, when it has one');
is(sql($node, 'SELECT count(*) - count(DISTINCT (partition_no, seq)) FROM shop.events'), 0, 'each event once');
ok(caught_up($node, 'events'), 'and is running');

done_testing();
