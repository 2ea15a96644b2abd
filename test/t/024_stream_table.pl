# Changes of a stream's table while its worker runs: another trigger in the place of
# one, and columns that are renamed.
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

# Messages of keys that fall, in one batch: without a row trigger, in the index's order
sub put
{
	my ($first, $last) = @_;
	produce($broker->bootstrap, 'events', lines => [ map { qq({"k": $_, "v": $_}) } reverse $first .. $last ]);
	return settled_rows($node, "SELECT count(*) FROM shop.t WHERE v BETWEEN $first AND $last", $last - $first + 1);
}

as_shop($node, q{
	CREATE TABLE shop.t (k int, v int);
	CREATE INDEX ON shop.t (k);
	CREATE TABLE shop.seen (n serial, k int);
	CREATE FUNCTION shop.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF TG_LEVEL = 'ROW' THEN INSERT INTO shop.seen (k) VALUES (NEW.k); END IF; RETURN NULL; END $$;
	CREATE TRIGGER note AFTER INSERT ON shop.t FOR EACH STATEMENT EXECUTE FUNCTION shop.note()});
create_stream($node, 't', $broker->bootstrap, topic => 'events', batch_ms => 300);
is(put(1, 20), 20, 'rows are written');
as_shop($node, q{
	BEGIN;
	DROP TRIGGER note ON shop.t;
	CREATE TRIGGER note AFTER INSERT ON shop.t FOR EACH ROW EXECUTE FUNCTION shop.note();
	COMMIT});
is(put(21, 40), 20, 'and with a row trigger in the place of one of statements');
is(sql($node, 'SELECT string_agg(k::text, $$ $$ ORDER BY n) FROM shop.seen'), join(' ', reverse 21 .. 40),
	'which sees them in the order of their messages');

# without a mapping, a column takes the field of its new name
as_shop($node, 'DROP TRIGGER note ON shop.t; ALTER TABLE shop.t RENAME COLUMN k TO j');
is(put(41, 50), 10, 'a column is renamed');
is(sql($node, 'SELECT count(*) FROM shop.t WHERE v > 40 AND j IS NULL'), 10, 'and takes the field of that name');

# where no column has a field, the messages are kept
as_shop($node, 'ALTER TABLE shop.t RENAME COLUMN v TO w');
produce($broker->bootstrap, 'events', lines => ['{"k": 51, "v": 51}']);
is(settled_rows($node, q{SELECT sqlstate FROM recsys.dead_letters WHERE stream = 't'}, '2203A'), '2203A',
	'no row is made of nothing');

# with one, the stream waits until the column or the mapping is mended
as_shop($node, q{ALTER TABLE shop.t RENAME COLUMN w TO v; SELECT recsys.alter_stream('t', mapping => '{"j": "k", "v": "v"}')});
is(put(52, 55), 4, 'by a mapping');
as_shop($node, 'ALTER TABLE shop.t RENAME COLUMN j TO i');
produce($broker->bootstrap, 'events', lines => ['{"k": 56, "v": 56}']);
ok(says($node, 't', qr/^"t" has no column "j"/), 'a column of the mapping is missed');
is(states($node, 't'), 'retrying', 'and waited for');
as_shop($node, q{SELECT recsys.alter_stream('t', mapping => '{"i": "k", "v": "v"}')});
is(settled_rows($node, 'SELECT i FROM shop.t WHERE v = 56', 56), 56, 'nothing is lost meanwhile');

done_testing();
