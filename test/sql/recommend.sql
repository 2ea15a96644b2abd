-- recommend, recommend_for_items, similar_items: answers against SQL
SET client_min_messages = warning;
CREATE SCHEMA recommend_test;
SET search_path = recommend_test, public;
CREATE TABLE events (user_id bigint, item_id bigint, weight double precision, ts timestamptz);
INSERT INTO events
SELECT u, (u * 7 + n * n * 3) % 23, 1, timestamptz '2026-01-01' + n * interval '1 hour'
FROM generate_series(1, 40) u, generate_series(1, 3 + u % 5) n;
CREATE INDEX ON events (user_id);
SELECT recsys.create_model('knn', 'events', 'item_knn', '{"user_exponent": 0, "source_exponent": 0.5, "target_exponent": 0.5, "neighbors": 0}');
SELECT recsys.create_model('popular', 'events', 'popularity');
SELECT recsys.create_model('als', 'events', 'als', '{"factors": 8}');
SELECT recsys.create_model('next', 'events', 'sequence', time_column => 'ts');
SELECT recsys.train(m) FROM unnest(ARRAY['knn', 'popular', 'als', 'next']) m;

-- the oracle: cosine of the items' columns, summed over what the user has
CREATE VIEW pairs AS SELECT user_id, item_id, sum(weight) AS w FROM events GROUP BY 1, 2;
CREATE VIEW cosine AS
SELECT a.item_id AS source, b.item_id AS target,
	sum(a.w * b.w) / sqrt((SELECT count(*) FROM pairs WHERE item_id = a.item_id) * (SELECT count(*) FROM pairs WHERE item_id = b.item_id)) AS s
FROM pairs a JOIN pairs b USING (user_id) WHERE a.item_id <> b.item_id GROUP BY 1, 2;
CREATE VIEW expected AS
SELECT u.user_id, c.target AS item_id, sum(u.w * c.s) AS score
FROM pairs u JOIN cosine c ON c.source = u.item_id
WHERE NOT EXISTS (SELECT FROM pairs p WHERE p.user_id = u.user_id AND p.item_id = c.target) GROUP BY 1, 2;
SELECT count(*) AS wrong_scores, (SELECT count(*) > 100 FROM expected) AS many
FROM (SELECT DISTINCT user_id FROM events) u
	CROSS JOIN LATERAL recsys.recommend(u.user_id, 100, 'knn') r
	FULL JOIN expected e ON e.user_id = u.user_id AND e.item_id = r.item_id
WHERE (r.source = 'model') IS DISTINCT FROM (e.score IS NOT NULL) OR abs(r.score - e.score) > 1e-5 AND r.source = 'model';
-- similar items are the row of the cosine
SELECT bool_and(c.s IS NOT NULL AND abs(s.score - c.s) < 1e-5) AS cosine, count(*) = (SELECT count(*) FROM cosine WHERE source = 3) AS complete FROM recsys.similar_items(3::bigint, 100, 'knn') s LEFT JOIN cosine c ON c.source = 3 AND c.target = s.item_id;
-- ranks follow scores, ties the item id; every unseen item comes once
SELECT bool_and(ordered) AS ordered, bool_and(n = 23 - seen) AS complete FROM (
	SELECT u.user_id, count(*) AS n, (SELECT count(*) FROM pairs p WHERE p.user_id = u.user_id) AS seen,
		array_agg(r.item_id ORDER BY r.source = 'popularity', r.score DESC, r.item_id) = array_agg(r.item_id ORDER BY r.rank) AS ordered
	FROM (SELECT DISTINCT user_id FROM events) u CROSS JOIN LATERAL recsys.recommend(u.user_id, 100, 'knn') r GROUP BY 1) x;
-- popularity is the sum of weights
SELECT bool_and(r.score = p.w) AS right, count(*)
FROM recsys.recommend(NULL::bigint, 100, 'popular') r JOIN (SELECT item_id, sum(w) AS w FROM pairs GROUP BY 1) p USING (item_id);

-- the three id types say the same; text takes any id
SELECT (SELECT array_agg(item_id::text || ' ' || score ORDER BY rank) FROM recsys.recommend(5::bigint, 5, 'als'))
	= (SELECT array_agg(item_id || ' ' || score ORDER BY rank) FROM recsys.recommend('5', 5, 'als')) AS same;
-- masks
SELECT array_agg(item_id ORDER BY item_id) FROM recsys.recommend(5::bigint, 100, 'als', candidates => ARRAY[1, 2, 3, 4, 999]::bigint[]);
SELECT count(*) FROM recsys.recommend(5::bigint, 100, 'als', exclude => (SELECT array_agg(DISTINCT item_id) FROM events));
SELECT count(*) FROM recsys.recommend(5::bigint, 100, 'als', exclude => ARRAY[777]::bigint[]);
SELECT count(*) FROM recsys.recommend(5::bigint, 100, 'als', exclude_seen => false);
SELECT count(*) FILTER (WHERE item_id IN (SELECT item_id FROM events WHERE user_id = 5)) AS seen FROM recsys.recommend(5::bigint, 100, 'als');
-- someone unknown, nobody, and a committed event that changes the next answer
SELECT DISTINCT source FROM recsys.recommend(12345::bigint, 5, 'als');
SELECT DISTINCT source FROM recsys.recommend(NULL::bigint, 5, 'als');
CREATE TEMP TABLE before AS SELECT m, array_agg(item_id ORDER BY rank) AS list FROM unnest(ARRAY['als', 'knn', 'next']) m, recsys.recommend(5::bigint, 10, m) GROUP BY m;
INSERT INTO events SELECT 5, item_id, 1, '2026-02-01' FROM recsys.recommend(5::bigint, 1, 'als');
SELECT m, list <> (SELECT array_agg(item_id ORDER BY rank) FROM recsys.recommend(5::bigint, 10, m)) AS changed FROM before ORDER BY m;
-- a dislike lowers an item
CREATE TEMP TABLE liked AS SELECT item_id, score FROM recsys.recommend(6::bigint, 1, 'als');
INSERT INTO events SELECT 6, item_id, -3, '2026-02-01' FROM liked;
SELECT recsys.drop_model('als');
SELECT recsys.create_model('als', 'events', 'als', '{"factors": 8}', weight_column => 'weight');
SELECT recsys.train('als');
SELECT r.score < l.score AS lower FROM liked l JOIN recsys.recommend(6::bigint, 100, 'als', false) r USING (item_id);
-- similar items: never itself, nothing for an unknown one
SELECT count(*) AS itself FROM recsys.similar_items(3::bigint, 100, 'als') WHERE item_id = 3;
SELECT count(*) FROM recsys.similar_items(777::bigint, 10, 'knn');
-- a list of items is a history: bare value and registered model agree
SELECT (SELECT array_agg(item_id ORDER BY rank) FROM recsys.recommend_for_items(ARRAY[1, 2]::bigint[], 5, 'als'))
	= (SELECT array_agg(item_id ORDER BY rank) FROM recsys.recommend_with(recsys.load_model('als'), ARRAY[1, 2]::bigint[], 5)) AS same;
-- sequence: the last click counts most
SELECT (SELECT array_agg(item_id ORDER BY rank) FROM recsys.recommend_for_items(ARRAY[1, 2]::bigint[], 5, 'next'))
	<> (SELECT array_agg(item_id ORDER BY rank) FROM recsys.recommend_for_items(ARRAY[2, 1]::bigint[], 5, 'next')) AS order_matters;
-- parameters of which nobody says the type, as many drivers send them: text
PREPARE ask1 AS SELECT count(*) FROM recsys.recommend($1);
PREPARE ask2 AS SELECT count(*) FROM recsys.recommend($1, $2);
PREPARE ask3 AS SELECT array_agg(item_id ORDER BY rank) FROM recsys.recommend($1, $2, $3);
PREPARE ask4 AS SELECT count(*) FROM recsys.recommend($1, $2, $3, $4);
PREPARE like3 AS SELECT count(*) FROM recsys.similar_items($1, $2, $3);
PREPARE these3 AS SELECT count(*) FROM recsys.recommend_for_items($1::text[], $2, $3);
PREPARE with3 AS SELECT count(*) FROM recsys.recommend_with($1, $2::text[], $3);
SELECT name, parameter_types FROM pg_prepared_statements ORDER BY name;
EXECUTE ask3('5', '5', 'als');
SELECT array_agg(item_id::text ORDER BY rank) FROM recsys.recommend(5::bigint, 5, 'als');
DEALLOCATE ALL;

-- k
SELECT count(*) FROM recsys.recommend(5::bigint, 0, 'als');
SELECT count(*) FROM recsys.recommend(5::bigint, NULL, 'als');
SELECT count(*) FROM recsys.recommend(5::bigint, 2147483647, 'als');
\set VERBOSITY sqlstate
SELECT * FROM recsys.recommend(5::bigint, -1, 'als');
SELECT * FROM recsys.recommend(5::bigint, 3, 'no such model');
SELECT * FROM recsys.recommend(5::bigint, 3);
SELECT * FROM recsys.recommend('00000000-0000-0000-0000-000000000000'::uuid, 3, 'als');
SELECT * FROM recsys.recommend('five', 3, 'als');
SELECT * FROM recsys.recommend(5::bigint, 3, 'als', exclude => ARRAY[1, NULL]::bigint[]);
SELECT * FROM recsys.recommend(5::bigint, 3, 'als', candidates => ARRAY[[1], [2]]::bigint[]);
\set VERBOSITY default
SET recsys.model = 'als';
SELECT count(*) FROM recsys.recommend(5::bigint, 3);
RESET recsys.model;

-- row-level security on the events: each sees their own history only
CREATE ROLE regress_recsys_shopper;
GRANT USAGE ON SCHEMA recommend_test TO regress_recsys_shopper;
GRANT SELECT ON events TO regress_recsys_shopper;
CREATE POLICY recent ON events TO regress_recsys_shopper USING (ts < '2026-01-15');
ALTER TABLE events ENABLE ROW LEVEL SECURITY;
CREATE TEMP TABLE all_rows AS SELECT item_id, rank FROM recsys.recommend(5::bigint, 30, 'als');
GRANT SELECT ON all_rows TO regress_recsys_shopper;
SET ROLE regress_recsys_shopper;
SELECT (SELECT array_agg(item_id ORDER BY rank) FROM recsys.recommend(5::bigint, 30, 'als'))
	<> (SELECT array_agg(item_id ORDER BY rank) FROM all_rows) AS policy_changes_it;
RESET ROLE;
SELECT (SELECT array_agg(item_id ORDER BY rank) FROM recsys.recommend(5::bigint, 30, 'als'))
	= (SELECT array_agg(item_id ORDER BY rank) FROM all_rows) AS back_again;
REVOKE SELECT ON events FROM regress_recsys_shopper;
SET ROLE regress_recsys_shopper;
SELECT count(*) FROM recsys.recommend(5::bigint, 3, 'als');
RESET ROLE;

-- the source changes under the model
ALTER TABLE events RENAME COLUMN item_id TO product;
SELECT * FROM recsys.recommend(5::bigint, 3, 'als');
ALTER TABLE events RENAME COLUMN product TO item_id;
ALTER TABLE events RENAME TO happenings;
SELECT count(*) FROM recsys.recommend(5::bigint, 3, 'als');
DROP TABLE happenings CASCADE;
SELECT * FROM recsys.recommend(5::bigint, 3, 'als');
SELECT count(*) FROM recsys.recommend_for_items(ARRAY[1]::bigint[], 3, 'als');

SELECT recsys.drop_model(m) FROM unnest(ARRAY['knn', 'popular', 'als', 'next']) m;
SELECT * FROM recsys.recommend(5::bigint, 3);
DROP TABLE all_rows;
DROP SCHEMA recommend_test CASCADE;
DROP ROLE regress_recsys_shopper;
