# One message that the transform takes too long for, or that a trigger fails for with
# an error of no message's class: its neighbours go on, and it is a dead letter that
# can be written later.  A fault of every message makes none.
use strict;
use warnings;

use lib 'test/t';
use KafkaTest;
use PostgreSQL::Test::Utils;
use RecsysTest;
use StreamTest;
use Test::More;

my @names = qw(slow full internal missing every alone skipped);
my $broker = start_broker(topics => [ 'two:2', @names ]);
my $node = stream_server('main');
my $columns = '(user_id bigint, item_id bigint, event_type text, ts timestamptz, weight real,
	partition_no integer, seq bigint)';

# A table whose trigger runs this for a row
sub table_with
{
	my ($name, $body) = @_;
	as_shop($node, qq{CREATE TABLE shop.$name $columns;
		CREATE FUNCTION shop.check_$name() RETURNS trigger LANGUAGE plpgsql AS \$\$BEGIN $body RETURN new; END\$\$;
		CREATE TRIGGER check_$name BEFORE INSERT ON shop.$name FOR EACH ROW EXECUTE FUNCTION shop.check_$name()});
	return;
}

sub dead
{
	my ($name) = @_;
	return sql($node, "SELECT partition, message_offset, sqlstate FROM recsys.dead_letters WHERE stream = '$name' ORDER BY 1, 2");
}

# errors of classes that are no message's, by a trigger
my %states = (full => '53100', internal => 'XX000', missing => '42P01');
for my $name (sort keys %states)
{
	table_with($name, "IF new.seq IN (38, 39) THEN RAISE 'not this one' USING ERRCODE = '$states{$name}'; END IF;");
	produce($broker->bootstrap, $name, count => 100);
	create_stream($node, $name, $broker->bootstrap);
}
for my $name (sort keys %states)
{
	is(settled_rows($node, "SELECT count(*), count(DISTINCT seq) FROM shop.$name", '98|98'), '98|98', "$name: all others are written");
	is(dead($name), "0|37|$states{$name}\n0|38|$states{$name}", "$name: and they are dead letters");
	ok(caught_up($node, $name), "$name: the stream runs");
	ok(says($node, $name, qr/^partition 0, offset 38: not this one/), "$name: partition and offset are said");
}

# too slow, in one of two partitions
as_shop($node, qq{CREATE TABLE shop.two $columns;
	CREATE FUNCTION shop.shape(event jsonb) RETURNS SETOF shop.two LANGUAGE plpgsql AS \$\$
	BEGIN
		IF event ->> 'seq' = '77' AND event ->> 'partition_no' = '1' THEN PERFORM pg_sleep(60); END IF;
		RETURN NEXT jsonb_populate_record(NULL::shop.two, event);
	END\$\$});
produce($broker->bootstrap, 'two', count => 400, partitions => 2);
create_stream($node, 'two', $broker->bootstrap, transform => 'shop.shape', statement_timeout_ms => 1000);
is(settled_rows($node, 'SELECT count(*), count(DISTINCT (partition_no, seq)) FROM shop.two', '399|399', 60), '399|399',
	'too slow: all others are written');
is(dead('two'), '1|76|57014', 'and it is a dead letter');
ok(caught_up($node, 'two'), 'the stream runs');
as_shop($node, 'CREATE OR REPLACE FUNCTION shop.shape(event jsonb) RETURNS SETOF shop.two LANGUAGE sql AS
	$$SELECT jsonb_populate_record(NULL::shop.two, event)$$');
is(as_shop($node, q{SELECT * FROM recsys.retry_dead_letters('two')}), '1|1|0', 'and is written later');

# a fault of every message
table_with('every', q{RAISE 'no space for anybody' USING ERRCODE = '53100';});
produce($broker->bootstrap, 'every', count => 1000);
create_stream($node, 'every', $broker->bootstrap);
ok(says($node, 'every', qr/^no space for anybody/, 5), 'a fault of every message is said at once');
sleep 5; # tries enough for a hunt
is(states($node, 'every'), 'retrying', 'and holds the stream up');
is(dead('every'), '', 'no message is given up for it');
as_shop($node, 'DROP TRIGGER check_every ON shop.every');
is(settled_rows($node, 'SELECT count(*), count(DISTINCT seq) FROM shop.every', '1000|1000', 40), '1000|1000', 'all are written when it is mended');

# it begins after some were written: the rest of the batch is not at fault
table_with('slow', q{IF (SELECT last_value FROM shop.written) > 40 THEN RAISE 'full by now' USING ERRCODE = '53100'; END IF;
	PERFORM nextval('shop.written');});
as_shop($node, 'CREATE SEQUENCE shop.written');
produce($broker->bootstrap, 'slow', count => 100);
create_stream($node, 'slow', $broker->bootstrap);
ok(says($node, 'slow', qr/full by now/), 'what begins while a batch is written is said');
sleep 5;
is(dead('slow'), '', 'and is no message\'s fault');
as_shop($node, 'DROP TRIGGER check_slow ON shop.slow');
is(settled_rows($node, 'SELECT count(*) FROM shop.slow', 100, 40), 100, 'all are written when it is mended');

# alone there is nobody to tell, so it waits for the next one, and says which it is
table_with('alone', q{IF new.seq = 1 THEN RAISE 'not this one' USING ERRCODE = '53100'; END IF;});
produce($broker->bootstrap, 'alone', count => 1);
create_stream($node, 'alone', $broker->bootstrap);
ok(says($node, 'alone', qr/^partition 0, offset 0: not this one/), 'a message alone is named');
sleep 3;
is(dead('alone'), '', 'and waits');
produce($broker->bootstrap, 'alone', count => 1, first => 2);
is(settled_rows($node, 'SELECT string_agg(seq::text, $$ $$) FROM shop.alone', 2), 2, 'the next one is written');
is(dead('alone'), '0|0|53100', 'and the first is a dead letter');

# or until somebody has it passed over
table_with('skipped', q{IF new.seq = 1 THEN RAISE 'not this one' USING ERRCODE = '53100'; END IF;});
produce($broker->bootstrap, 'skipped', count => 1);
create_stream($node, 'skipped', $broker->bootstrap);
ok(says($node, 'skipped', qr/^partition 0, offset 0: /), 'a message alone is named');
as_shop($node, q{SELECT recsys.skip_message('skipped', 0, 0); SELECT recsys.skip_message('skipped', 0, 2)});
is(settled_rows($node, q{SELECT count(*) FROM recsys.dead_letters WHERE stream = 'skipped'}, 1), 1, 'skip_message helps at once');
produce($broker->bootstrap, 'skipped', count => 3, first => 2);
is(settled_rows($node, 'SELECT string_agg(seq::text, $$ $$ ORDER BY seq) FROM shop.skipped', '2 4'), '2 4', 'and ahead');
is( sql($node, q{SELECT message_offset, error, payload IS NOT NULL FROM recsys.dead_letters WHERE stream = 'skipped' ORDER BY 1}),
	"0|passed over by skip_message()|t\n2|passed over by skip_message()|t", 'they are dead letters, with all they have');
as_shop($node, 'DROP TRIGGER check_skipped ON shop.skipped');
is(as_shop($node, q{SELECT * FROM recsys.retry_dead_letters('skipped')}), '2|2|0', 'that can be written');
for my $where ([ 0, 1 ], [ 7, 100 ])
{
	my ($code, $out, $err) = $node->psql('postgres', "SELECT recsys.skip_message('skipped', $where->[0], $where->[1])",
		extra_params => [ '-U', 'shop' ]);
	like($err, qr/stream "skipped" does not wait for offset $where->[1] of partition $where->[0]/, 'what is no message to come is refused');
}
done_testing();
