# Quality: on events with structure every algorithm ranks what people do next
# clearly better than popularity does; models do not depend on threads or on the
# order of rows.
#
# Not a regress test: it trains for seconds, and its bounds are not exact output.
use strict;
use warnings;

use lib 'test/t';
use RecsysTest;
use Test::More;

my $node = new_server('main');
make_events($node, 'all_events', 4000, 800, 25);
# The last three events of each user are the test, as far as they are new
$node->safe_psql(
	'postgres', q{
	CREATE TABLE events AS SELECT * FROM all_events WHERE ts < '2024-01-01'::timestamptz + interval '22 hours' + user_id * interval '1 second';
	CREATE INDEX ON events (user_id);
	CREATE TABLE targets AS
		SELECT user_id, array_agg(DISTINCT item_id) AS items FROM (
			SELECT user_id, item_id FROM all_events EXCEPT SELECT user_id, item_id FROM events) t
		GROUP BY 1;
	ANALYZE;});
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM targets WHERE user_id <= 1000'), '>', 500, 'users to test');

my %ndcg;
foreach my $algorithm (qw(popularity als ease item_knn sequence))
{
	$node->safe_psql('postgres',
		"SELECT recsys.create_model('$algorithm', 'events', '$algorithm', time_column => 'ts')");
	$node->safe_psql('postgres', "SELECT recsys.train('$algorithm')");
	($ndcg{$algorithm}, my $recall) = split /\|/, $node->safe_psql(
		'postgres', qq{
		SELECT round(avg(recsys.ndcg_at_k(r.items, t.items, 10))::numeric, 4),
			round(avg(recsys.recall_at_k(r.items, t.items, 10))::numeric, 4)
		FROM targets t, LATERAL (
			SELECT array_agg(item_id::bigint ORDER BY rank) AS items
			FROM recsys.recommend(t.user_id::bigint, 10, '$algorithm')) r
		WHERE t.user_id <= 1000});
	note "$algorithm: NDCG\@10 $ndcg{$algorithm}, recall\@10 $recall";
}
foreach my $algorithm (qw(als ease item_knn sequence))
{
	cmp_ok($ndcg{$algorithm}, '>', 1.5 * $ndcg{popularity}, "$algorithm beats popularity by half");
}
# Seen items stay out, and a user who is known gets no popular list
is( $node->safe_psql(
		'postgres', q{
		SELECT count(*), count(*) FILTER (WHERE source <> 'model') FROM generate_series(1, 300) u, recsys.recommend(u::bigint, 10, 'als') r
		WHERE EXISTS (SELECT FROM events e WHERE e.user_id = u AND e.item_id = r.item_id) OR source <> 'model'}),
	'0|0',
	'seen items are left out');

# Threads and order of rows
foreach my $call (
	q{recsys.train_als(user_id, item_id, weight)},
	q{recsys.train_ease(user_id, item_id, weight)},
	q{recsys.train_item_knn(user_id, item_id, weight)},
	q{recsys.train_popularity(user_id, item_id, weight)},
	q{recsys.train_sequence(user_id, item_id, ts, weight)})
{
	my %models;
	foreach my $threads (1, 2, 5)
	{
		foreach my $order ('ts, user_id, item_id', 'md5(user_id::text || item_id || ts)', 'item_id DESC, user_id')
		{
			my $md5 = $node->safe_psql(
				'postgres', qq{
				SET recsys.threads = $threads;
				SELECT md5($call\::bytea) FROM (SELECT * FROM events ORDER BY $order) e});
			push @{ $models{$md5} }, "$threads threads, $order";
		}
	}
	my ($name) = $call =~ /train_(\w+)/;
	is(scalar keys %models, 1, "$name: one model whatever the threads and the order of rows")
	  or diag explain \%models;
}
# and another seed gives another model: the comparison can fail
isnt($node->safe_psql('postgres', q{SELECT md5(recsys.train_als(user_id, item_id, weight, '{"seed": 2}')::bytea) FROM events}),
	$node->safe_psql('postgres', q{SELECT md5(recsys.train_als(user_id, item_id, weight, '{"seed": 3}')::bytea) FROM events}),
	'another seed, another model');
$node->stop;
done_testing();
