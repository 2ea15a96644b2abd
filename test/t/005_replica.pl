# A streaming replica answers as its primary does, and says why it cannot train.
#
# Not a regress test: it needs two servers.
use strict;
use warnings;

use lib 'test/t';
use PostgreSQL::Test::Cluster;
use RecsysTest;
use Test::More;

my $primary = new_server('primary', init => { allows_streaming => 1 });
make_events($primary, 'events', 3000, 500, 20);
$primary->backup('base');
my $replica = PostgreSQL::Test::Cluster->new('replica');
$replica->init_from_backup($primary, 'base', has_streaming => 1);
$replica->start;

my $answers = q{
	SELECT m, u, r.* FROM unnest(ARRAY['als', 'next']) m, generate_series(1, 40) u,
		recsys.recommend(u::bigint, 10, m) r ORDER BY m, u, r.rank;
	SELECT md5(recsys.load_model('als')::bytea);
	SELECT model, version FROM recsys.models ORDER BY model;};
$primary->safe_psql(
	'postgres', q{
	SELECT recsys.create_model('als', 'events', 'als');
	SELECT recsys.create_model('next', 'events', 'sequence', time_column => 'ts');
	SELECT recsys.train('als'), recsys.train('next');});
$primary->wait_for_catchup($replica);
# One session all along: what it has cached must not outlive its version
my $reader = session($replica);
my $first = $primary->safe_psql('postgres', $answers);
is($reader->do($answers), $first, 'the replica answers as the primary');
like($first, qr/^als\|1$/m, 'version 1');

$primary->safe_psql(
	'postgres', q{
	INSERT INTO events SELECT 90000 + n, i, 1, now() FROM generate_series(1, 300) n, unnest(ARRAY[7, 107, 207]) i;
	SELECT recsys.train('als');});
$primary->wait_for_catchup($replica);
my $second = $primary->safe_psql('postgres', $answers);
isnt($second, $first, 'the new version answers otherwise');
is($reader->do($answers), $second, 'and the replica as the primary');
like($second, qr/^als\|2$/m, 'version 2');

# an event alone, without a training
my $one = q{SELECT * FROM recsys.recommend(424242::bigint, 5, 'als')};
like($reader->do($one), qr/popularity/, 'a stranger gets popular items');
$primary->safe_psql('postgres', q{INSERT INTO events VALUES (424242, 7, 1, now())});
$primary->wait_for_catchup($replica);
is($reader->do($one), $primary->safe_psql('postgres', $one), 'an event is replicated into the answer');
unlike($reader->do($one), qr/popularity/, 'which is no longer a stranger\'s');

# streams are seen, not run, and not changed
$primary->safe_psql(
	'postgres', q{
	CREATE ROLE shop LOGIN;
	GRANT INSERT ON recsys.stream TO shop;
	GRANT INSERT ON events TO shop;
	SET client_min_messages = error;
	SET ROLE shop;
	SELECT recsys.create_stream('shop', 'kafka', 'topic', 'events');
	SELECT recsys.seek_stream('shop', '{"0": 5}');});
$primary->wait_for_catchup($replica);
is($reader->do('SELECT stream, partition, state, next_offset FROM recsys.stream_status'), 'shop|0|not running|5', 'the status of a stream');

# what writes is refused, training a value is not
foreach my $sql (
	q{recsys.train('als')}, q{recsys.deploy('als', 1)}, q{recsys.drop_model('als')},
	q{recsys.create_model('x', 'events')}, q{recsys.save_model('als', recsys.load_model('als'))},
	q{recsys.pause_stream('shop')}, q{recsys.resume_stream('shop')}, q{recsys.seek_stream('shop', 'latest')},
	q{recsys.drop_stream('shop')}, q{recsys.alter_stream('shop', topic => 't')})
{
	like($reader->do("SELECT $sql"), qr/^ERROR:  25006/, "$sql is refused: read-only");
}
like($reader->do('SELECT length(recsys.train_ease(user_id, item_id)::bytea) FROM events'),
	qr/^\d+$/, 'an aggregate trains on the replica');
is($reader->do('SELECT version FROM recsys.models WHERE model = \'als\''), 2, 'nothing was changed');

# after a failover training goes on
$replica->promote;
$reader->quit;
is($replica->safe_psql('postgres', q{SELECT recsys.train('als')}), 3, 'the promoted replica trains');
$replica->stop;
$primary->stop;
done_testing();
