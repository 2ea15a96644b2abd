-- recommend_batch gives the rows of recommend one by one
SET client_min_messages = warning;
CREATE SCHEMA batch_test;
SET search_path = batch_test, public;
CREATE TABLE events AS
SELECT u AS user_id, ((u * 7 + n * n * 3 + hashint4(u * 31 + n) % 5 + 5) % 60)::bigint AS item_id, 1 + (u + n) % 3 AS weight,
	CASE n % 4 WHEN 0 THEN 'buy' ELSE 'view' END AS kind,
	CASE WHEN (u + n) % 17 > 0 THEN timestamptz '2026-01-01' - make_interval(hours => (n * 7 + u) % 50) END AS at
FROM generate_series(1, 2300) u, generate_series(1, 2 + u % 9) n;
INSERT INTO events VALUES (5000, NULL, 1, 'view', '2026-01-01'), (5001, 3, NULL, 'view', NULL), (NULL, 3, 1, 'view', '2026-01-01');
CREATE INDEX ON events (user_id);
CREATE TABLE people AS SELECT u AS user_id, u % 7 AS age, 'town ' || u % 3 AS town FROM generate_series(1, 2000) u;
CREATE VIEW texts AS SELECT 'user ' || user_id AS user_id, 'item ' || item_id AS item_id, weight, at FROM events;
CREATE VIEW uuids AS SELECT md5(user_id::text)::uuid AS user_id, item_id FROM events;
SELECT recsys.create_model(name, 'events', coalesce(algorithm, name), options::jsonb, weight_column => 'weight',
	event_column => 'kind', event_weights => '{"view": 1, "buy": 3}', time_column => at)
FROM (VALUES ('als', NULL, '{"factors": 8}', NULL::name), ('ease', NULL, '{}', 'at'), ('item_knn', NULL, '{}', NULL), ('popularity', NULL, '{}', NULL),
	('sequence', NULL, '{}', 'at'), ('mlp', NULL, '{"history": 4, "epochs": 1, "hidden": [6]}', 'at')) m(name, algorithm, options, at);
SELECT recsys.create_model('newest', 'events', 'als', '{"factors": 8}', time_column => 'at', history_limit => 3, half_life => '1000 days');
SELECT recsys.create_model('newest sequence', 'events', 'sequence', time_column => 'at', history_limit => 3);
SELECT recsys.create_model('features', 'events', 'mlp', '{"epochs": 1, "hidden": [6]}', users => 'people', features => '{"age": {"scale": "standard"}}');
SELECT recsys.create_model('texts', 'texts', 'als', '{"factors": 8}', time_column => 'at', history_limit => 4);
SELECT recsys.create_model('uuids', 'uuids', 'item_knn');
SELECT recsys.train(model) > 0 AS trained FROM recsys.models;

-- how many rows of one are not of the other, and how many there are
CREATE FUNCTION compare(model text, seen boolean, tail text DEFAULT '', users text DEFAULT NULL, type text DEFAULT 'bigint')
	RETURNS TABLE (rows bigint, missing bigint, more bigint) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format($q$
		WITH batch AS MATERIALIZED (SELECT b.* FROM recsys.recommend_batch(%1$s, 7, $1, exclude_seen => $2 %2$s) b),
			single AS MATERIALIZED (SELECT u.user_id, r.* FROM (SELECT DISTINCT user_id FROM batch) u, recsys.recommend(u.user_id, 7, $1, exclude_seen => $2 %2$s) r)
		SELECT (SELECT count(*) FROM batch), (SELECT count(*) FROM (TABLE single EXCEPT ALL TABLE batch) e),
			(SELECT count(*) FROM (TABLE batch EXCEPT ALL TABLE single) e)$q$, coalesce(users, 'NULL::' || type || '[]'), tail) USING model, seen;
END $$;
SELECT m AS model, seen, c.* FROM unnest(ARRAY['als', 'ease', 'item_knn', 'popularity', 'sequence', 'mlp', 'newest', 'newest sequence', 'features']) m,
	unnest(ARRAY[true, false]) seen, compare(m, seen) c;
-- ids as text and as uuid, of one type for users and another for items
SELECT compare('texts', true, users => '''{user 3,user 77,nobody}''::text[]'), compare('als', true, type => 'text');
SELECT count(*) AS rows, count(*) FILTER (WHERE r.item_id IS DISTINCT FROM b.item_id OR r.score IS DISTINCT FROM b.score) AS different
FROM recsys.recommend_batch_as(NULL::bigint, ARRAY(SELECT md5(u::text)::uuid FROM generate_series(1, 100) u), 3, 'uuids') b
LEFT JOIN LATERAL recsys.recommend_as(NULL::bigint, b.user_id, 3, 'uuids') r ON r.rank = b.rank;
-- users given, strangers and those of no such id among them, in their order, twice if twice
SELECT compare('als', true, users => 'ARRAY(SELECT generate_series(2290, 2310))::bigint[] || 5000::bigint || 5001::bigint || 1000000000000::bigint');
SELECT user_id, item_id, rank, source, version FROM recsys.recommend_batch('{9999999999,3,5001,3}'::bigint[], 2, 'als') WITH ORDINALITY ORDER BY ordinality;
SELECT compare('als', true, users => '''{}''::bigint[]'), compare('als', true, users => '''{1,77,-4}''::text');
SELECT count(*), count(DISTINCT user_id) FROM recsys.recommend_batch(NULL, 2, 'als');
SELECT count(*) FROM recsys.recommend_batch(NULL::bigint[], 0, 'als');
-- what else a call may ask for
SELECT compare('als', true, tail => ', skip => 5'), compare('als', true, ', exclude => ''{1,2,3}'', candidates => ''{1,2,3,4,5,6,7,8,9,10,11,12}'''),
	compare('als', true, ', exclude_events => ''{buy}'''), compare('ease', true, ', exclude_for => ''1 hour''');
SELECT compare('als', true, ', diversity => 0.5', 'ARRAY(SELECT generate_series(1, 40))::bigint[]');
SELECT compare('als', true, ', version => 1', '''{1,2}''::bigint[]');
SET recsys.threads = 3;
SELECT compare('als', true), compare('ease', false);
RESET recsys.threads;
-- by its rights
CREATE ROLE regress_batch;
GRANT USAGE ON SCHEMA batch_test TO regress_batch;
GRANT SELECT ON events TO regress_batch;
SELECT recsys.grant_model('als', 'regress_batch');
ALTER TABLE events ENABLE ROW LEVEL SECURITY;
CREATE POLICY three ON events TO regress_batch USING (user_id BETWEEN 10 AND 12);
SET ROLE regress_batch;
SELECT user_id, count(*) FROM recsys.recommend_batch(NULL::bigint[], 4, 'als') GROUP BY 1 ORDER BY 1;
SELECT DISTINCT source FROM recsys.recommend_batch('{13}'::bigint[], 4, 'als');
RESET ROLE;
-- errors
SELECT recsys.recommend_batch(ARRAY[1, NULL]::bigint[], 3, 'als');
SELECT recsys.recommend_batch(NULL::bigint[], 3, 'texts');
SELECT recsys.recommend_batch(NULL::bigint[], -1, 'als');
SELECT recsys.recommend_batch(NULL::bigint[], 3, 'no such');
SELECT count(recsys.drop_model(model)) AS dropped FROM recsys.models;
