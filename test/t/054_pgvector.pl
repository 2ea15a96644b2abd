# The factors of a model in pgvector: they cast to its type, and its inner product and
# cosine are ours.
#
# Not a regression test since it needs pgvector in the server: skipped with a line where
# there is none (test/tools/versions.sh has a server with it).
use strict;
use warnings;

use lib 'test/t';
use RecsysTest;
use Test::More;

my $node = new_server('main');
plan skip_all => 'this server has no pgvector'
	if $node->safe_psql('postgres', "SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'") == 0;

$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION vector;
CREATE TABLE events AS SELECT u::bigint AS user_id, ((u * 7 + n * n * 3) % 53)::bigint AS item_id
FROM generate_series(1, 100) u, generate_series(1, 8) n;
SELECT recsys.create_model('shop', 'events', 'als', '{"factors": 16}');
SELECT recsys.train('shop');
CREATE TABLE items AS SELECT item_id::bigint, factors::vector(16) AS factors FROM recsys.model_factors(recsys.load_model('shop'));
CREATE INDEX ON items USING hnsw (factors vector_cosine_ops);
SQL
is($node->safe_psql('postgres', <<'SQL'), '20|t', 'cosine of pgvector is the score of similar_items');
SET enable_indexscan = off;
SELECT count(*), bool_and(abs(1 - (a.factors <=> b.factors) - s.score) < 1e-5)
FROM items a, recsys.similar_items(a.item_id, 20, 'shop') s JOIN items b ON b.item_id = s.item_id WHERE a.item_id = 7;
SQL
is($node->safe_psql('postgres', <<'SQL'), 't', 'its nearest are ours');
SET enable_indexscan = off;
SELECT (SELECT array_agg(item_id) FROM recsys.similar_items(7::bigint, 10, 'shop')) =
	(SELECT array_agg(item_id) FROM (SELECT b.item_id FROM items a, items b WHERE a.item_id = 7 AND b.item_id <> 7
		ORDER BY a.factors <=> b.factors LIMIT 10) t);
SQL
done_testing();
