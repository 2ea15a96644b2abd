# How far a stream is behind is known when nobody asks the broker: from the last look.
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
my $seen = 'SELECT state, next_offset, end_offset, lag FROM recsys.stream_status';

as_shop($node, q{CREATE TABLE shop.events (seq bigint);
	CREATE FUNCTION shop.check_events() RETURNS trigger LANGUAGE plpgsql AS
		$$BEGIN IF new.seq > 10 THEN RAISE 'no space' USING ERRCODE = '53100'; END IF; RETURN new; END$$;
	CREATE TRIGGER check_events BEFORE INSERT ON shop.events FOR EACH ROW EXECUTE FUNCTION shop.check_events()});
produce($broker->bootstrap, 'events', count => 10);
create_stream($node, 'events', $broker->bootstrap);
ok(caught_up($node, 'events'), 'it reads');
produce($broker->bootstrap, 'events', count => 50, first => 11);
is(settled_rows($node, $seen, 'retrying|10|60|50'), 'retrying|10|60|50', 'what cannot be written is counted');
as_shop($node, q{SELECT recsys.pause_stream('events')});
sleep 1;
is(sql($node, $seen), 'paused|10|60|50', 'and in a pause');
$node->restart;
is(sql($node, $seen), 'paused|10|60|50', 'and after a restart');
as_shop($node, q{DROP TRIGGER check_events ON shop.events; SELECT recsys.resume_stream('events')});
ok(caught_up($node, 'events'), 'it goes on');
sql($node, 'ALTER ROLE shop SUPERUSER');
is(settled_rows($node, $seen, 'failed|60|60|0'), 'failed|60|60|0', 'a stream that may not run');
$broker->command('down');
sql($node, 'ALTER ROLE shop NOSUPERUSER');
is(settled_rows($node, $seen, 'waiting for broker|60|60|0'), 'waiting for broker|60|60|0', 'no broker');
$broker->command('up');
ok(caught_up($node, 'events'), 'the broker is back');
as_shop($node, q{SELECT recsys.seek_stream('events', '{"0": 1000}')});
is(settled_rows($node, $seen, 'stopped|1000|60|0'), 'stopped|1000|60|0', 'a stop');
done_testing();
