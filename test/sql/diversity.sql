-- diversity, max_per_group: against their formulas in SQL
SET client_min_messages = warning;
CREATE SCHEMA diversity_test;
SET search_path = diversity_test, public;
CREATE TABLE events AS
SELECT u::bigint AS user_id, (g * 50 + (u * 7 + n * n * 3 + (n * u) % 11) % 50)::bigint AS item_id
FROM generate_series(1, 200) u, generate_series(1, 12) n, LATERAL (SELECT (u + (n > 9)::int * n) % 6 AS g) t;
CREATE TABLE items AS SELECT i::bigint AS item_id, CASE WHEN i % 11 > 0 THEN 'brand ' || i % 4 END AS brand, i / 50 AS category
FROM generate_series(0, 290) i;
SELECT recsys.create_model(name, 'events', coalesce(algorithm, name), options::jsonb, items => 'items')
FROM (VALUES ('als', NULL, '{"factors": 8}'), ('ease', NULL, '{}'), ('item_knn', NULL, '{}'), ('popularity', NULL, '{}')) m(name, algorithm, options);
SELECT sum(recsys.train(model)) FROM recsys.models;

-- 0, null and a setting of no effect are the plain list
SELECT m, bool_and(p.item_id = z.item_id AND p.score = z.score AND p.item_id = n.item_id) AS plain, count(*) AS rows
FROM unnest(ARRAY['als', 'ease', 'item_knn', 'popularity']) m, generate_series(1::bigint, 200, 20) u,
	recsys.recommend(u, 10, m) p JOIN LATERAL recsys.recommend(u, 10, m, diversity => 0, max_per_group => '{}') z USING (rank)
	JOIN LATERAL recsys.recommend(u, 10, m, diversity => NULL, diversity_method => NULL, max_per_group => '{"category": 1000}') n USING (rank)
GROUP BY 1 ORDER BY 1;
-- the list of MMR by its formula: the cosine of factors, standard scores of the 200 best
CREATE TABLE cosines AS
WITH f AS (SELECT item_id::bigint, factors, (SELECT sqrt(sum(p::float8 * p)) FROM unnest(factors) p) AS norm
	FROM recsys.model_factors(recsys.load_model('als')))
SELECT a.item_id AS a, b.item_id AS b, (SELECT sum(p::float8 * q) FROM unnest(a.factors, b.factors) e(p, q)) / a.norm / b.norm AS cosine FROM f a, f b;
CREATE UNIQUE INDEX ON cosines (a, b) INCLUDE (cosine);
ANALYZE cosines;
CREATE FUNCTION mmr(u bigint, k integer, d float8) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE chosen bigint[] := '{}'; best bigint;
BEGIN
	CREATE TEMP TABLE candidates AS SELECT item_id, rank, (score - avg(score) OVER ()) / stddev_pop(score) OVER () AS z
		FROM recsys.recommend(u, 200, 'als') WHERE source = 'model';
	WHILE cardinality(chosen) < k LOOP
		SELECT item_id INTO best FROM candidates c WHERE item_id <> ALL (chosen)
			ORDER BY (1 - d) * z - d * coalesce((SELECT max(cosine) FROM cosines WHERE a = c.item_id AND b = ANY (chosen)), 0) DESC, rank LIMIT 1;
		chosen := chosen || best;
	END LOOP;
	DROP TABLE candidates;
	RETURN chosen;
END $$;
SELECT d, bool_and(l.items = mmr(u, 8, d)) AS right, count(*) AS lists, count(*) FILTER (WHERE l.items = p.items) AS plain
FROM unnest(ARRAY[0.3, 0.7, 1]) d, generate_series(1::bigint, 200, 50) u,
	LATERAL (SELECT array_agg(item_id ORDER BY rank) AS items FROM recsys.recommend(u, 8, 'als', diversity => d, diversity_method => 'mmr')) l,
	LATERAL (SELECT array_agg(item_id ORDER BY rank) AS items FROM recsys.recommend(u, 8, 'als')) p GROUP BY 1 ORDER BY 1;
-- the more of it, the less alike the items of a list are; the best item comes first
CREATE TABLE lists AS
SELECT m, method, d, u, r.item_id, r.rank, r.score FROM unnest(ARRAY['als', 'ease', 'item_knn']) m, unnest(ARRAY['dpp', 'mmr']) method,
	unnest(ARRAY[0, 0.5, 1]) d, generate_series(1::bigint, 200, 10) u, recsys.recommend(u, 10, m, diversity => d, diversity_method => method) r;
ANALYZE lists;
SELECT m, method, bool_and(more) AS more_varied, bool_and(ten) AS ten
FROM (SELECT m, method, alike < lag(alike) OVER (PARTITION BY m, method ORDER BY d) IS NOT FALSE AS more, n = 200 AS ten
	FROM (SELECT x.m, x.method, x.d, avg(cosine) AS alike, count(DISTINCT (x.u, x.item_id)) AS n FROM lists x JOIN lists y USING (m, method, d, u) JOIN cosines ON a = x.item_id AND b = y.item_id
		WHERE x.rank <> y.rank GROUP BY 1, 2, 3) l) s GROUP BY 1, 2 ORDER BY 1, 2;
SELECT m, method, count(DISTINCT (u, item_id)) AS firsts, bool_and(score = best) AS of_the_plain_list
FROM (SELECT *, max(score) OVER (PARTITION BY m, method, d, u) AS best FROM lists) l WHERE rank = 1 GROUP BY 1, 2 ORDER BY 1, 2;
-- pages are pages of one list
SELECT (SELECT array_agg(item_id ORDER BY rank) FROM recsys.recommend(3::bigint, 30, 'als', diversity => 0.5))
	= (SELECT array_agg(item_id ORDER BY p, rank) FROM generate_series(0, 2) p, recsys.recommend(3::bigint, 10, 'als', diversity => 0.5, skip => 10 * p)) AS pages;
SELECT array_agg(rank) FROM recsys.recommend(3::bigint, 3, 'als', diversity => 0.5, skip => 20);
-- all items, once each, for a k of more than there are
SELECT d, count(*) AS rows, count(DISTINCT item_id) AS items FROM unnest(ARRAY[0.3, 1]) d,
	recsys.recommend(3::bigint, 1000, 'als', exclude_seen => false, diversity => d) GROUP BY 1 ORDER BY 1;
-- a value, items, features
SELECT (SELECT array_agg(item_id ORDER BY rank) FROM recsys.recommend_with(recsys.load_model('als'), ARRAY[3, 60]::bigint[], diversity => 0.5))
	= (SELECT array_agg(item_id ORDER BY rank) FROM recsys.recommend_for_items(ARRAY[3, 60]::bigint[], model => 'als', diversity => 0.5)) AS value;

-- groups: the plain list without what is too much, by window functions
SELECT m, bool_and(g.items = o.items) AS right, count(*) AS lists FROM unnest(ARRAY['als', 'ease', 'popularity']) m, generate_series(1::bigint, 200, 20) u,
	LATERAL (SELECT array_agg(item_id ORDER BY rank) AS items FROM recsys.recommend(u, 8, m, max_per_group => '{"brand": 2}')) g,
	LATERAL (SELECT array_agg(item_id ORDER BY rank) AS items FROM (SELECT * FROM (
		SELECT r.item_id, r.rank, brand, row_number() OVER (PARTITION BY brand ORDER BY r.rank) AS n
		FROM recsys.recommend(u, 1000, m) r LEFT JOIN items i USING (item_id)) t WHERE brand IS NULL OR n <= 2 ORDER BY rank LIMIT 8) t) o GROUP BY 1 ORDER BY 1;
-- k rows where k exist, of all that there are: null and what has no row are in no group
SELECT count(*) AS rows, count(brand) AS of_a_brand, count(i.item_id) AS of_a_row, max(rank) AS rank
FROM recsys.recommend(3::bigint, 1000, 'als', exclude_seen => false, max_per_group => '{"brand": 3}') r LEFT JOIN items i USING (item_id);
SELECT (SELECT count(*) FROM (SELECT DISTINCT item_id FROM events) e LEFT JOIN items USING (item_id) WHERE brand IS NULL) + 12 AS expected;
-- two columns, diversity with groups, filter with groups
SELECT max(n) AS most_of_a_brand, bool_and(c <= 2) AS two_of_a_category, sum(n) AS rows FROM (
	SELECT brand, count(*) AS n, max(c) AS c FROM (SELECT brand, category, count(*) OVER (PARTITION BY category) AS c
		FROM recsys.recommend(3::bigint, 10, 'als', diversity => 0.6, max_per_group => '{"brand": 4, "category": 2}') JOIN items USING (item_id)) t GROUP BY brand) t;
SELECT bool_and(category IN (2, 3)) AS filtered, count(*) AS rows, max(n) AS most FROM (
	SELECT category, count(*) OVER (PARTITION BY category) AS n
	FROM recsys.recommend(3::bigint, 10, 'als', filter => 'category IN (2, 3)', max_per_group => '{"category": 3}') JOIN items USING (item_id)) t;
SELECT count(*) AS rows, max(n) AS most FROM (SELECT count(*) OVER (PARTITION BY brand) AS n
	FROM recsys.similar_items(60::bigint, 6, 'als', max_per_group => '{"brand": 2}') JOIN items USING (item_id) WHERE brand IS NOT NULL) t;
SELECT (SELECT array_agg(item_id ORDER BY rank) FROM recsys.recommend(3::bigint, 12, 'als', max_per_group => '{"category": 2}'))
	= (SELECT array_agg(item_id ORDER BY p, rank) FROM generate_series(0, 3) p, recsys.recommend(3::bigint, 3, 'als', max_per_group => '{"category": 2}', skip => 3 * p)) AS pages;
-- a change counts at once; of several rows of an item the first counts
BEGIN;
UPDATE items SET brand = 'one';
SELECT count(*) FROM recsys.recommend(3::bigint, 10, 'als', max_per_group => '{"brand": 1}', candidates => (SELECT array_agg(item_id) FROM items));
INSERT INTO items SELECT item_id, 'other ' || item_id, 0 FROM items;
SELECT count(*) FROM recsys.recommend(3::bigint, 10, 'als', max_per_group => '{"brand": 1}', candidates => (SELECT array_agg(item_id) FROM items));
INSERT INTO items SELECT item_id, 'a ' || item_id, 0 FROM items;
SELECT count(*) FROM recsys.recommend(3::bigint, 10, 'als', max_per_group => '{"brand": 1}', candidates => (SELECT array_agg(item_id) FROM items));
ROLLBACK;
-- wrong ones
SELECT recsys.recommend(3::bigint, diversity => 1.5, model => 'als');
SELECT recsys.recommend(3::bigint, diversity => -0.1, model => 'als');
SELECT recsys.recommend(3::bigint, diversity => 'NaN', model => 'als');
SELECT recsys.recommend(3::bigint, diversity => 0.5, diversity_method => 'xyz', model => 'als');
SELECT recsys.recommend(3::bigint, max_per_group => '[1]', model => 'als');
SELECT recsys.recommend(3::bigint, max_per_group => '2', model => 'als');
SELECT recsys.recommend(3::bigint, max_per_group => '{"brand": 0}', model => 'als');
SELECT recsys.recommend(3::bigint, max_per_group => '{"brand": 1.5}', model => 'als');
SELECT recsys.recommend(3::bigint, max_per_group => '{"brand": "2"}', model => 'als');
SELECT recsys.recommend(3::bigint, max_per_group => '{"colour": 2}', model => 'als');
SELECT recsys.alter_model('ease', reset => '{items}');
SELECT recsys.recommend(3::bigint, max_per_group => '{"brand": 2}', model => 'ease');
-- whose rights hold
CREATE ROLE diversity_reader;
GRANT USAGE ON SCHEMA diversity_test TO diversity_reader;
GRANT SELECT ON events TO diversity_reader;
SET ROLE diversity_reader;
SELECT count(*) FROM recsys.recommend(3::bigint, max_per_group => '{"brand": 2}', model => 'als');
RESET ROLE;
GRANT SELECT ON items TO diversity_reader;
SET ROLE diversity_reader;
SELECT count(*) FROM recsys.recommend(3::bigint, max_per_group => '{"brand": 2}', model => 'als');
RESET ROLE;
DROP OWNED BY diversity_reader;
DROP ROLE diversity_reader;
SELECT recsys.drop_model(model) FROM recsys.models;
DROP SCHEMA diversity_test CASCADE;
