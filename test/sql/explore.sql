-- explore: new items get a share of the list, against an oracle in SQL
SET client_min_messages = warning;
CREATE SCHEMA explore_test;
SET search_path = explore_test, public;
CREATE TABLE events AS
SELECT u::bigint AS user_id, (g * 50 + (u * 7 + n * n * 3 + (n * u) % 11) % 50)::bigint AS item_id
FROM generate_series(1, 100) u, generate_series(1, 12) n, LATERAL (SELECT (u + (n > 9)::int * n) % 6 AS g) t;
CREATE TABLE items AS SELECT i::bigint AS item_id, 'brand ' || i % 7 AS brand, i % 3 > 0 AS in_stock FROM generate_series(0, 299) i;
SELECT recsys.create_model(name, 'events', coalesce(algorithm, name), options::jsonb, items => 'items')
FROM (VALUES ('als', NULL, '{"factors": 8}'), ('ease', NULL, '{}'), ('popularity', NULL, '{}')) m(name, algorithm, options);
SELECT sum(recsys.train(model)) FROM recsys.models;
CREATE TABLE known AS SELECT DISTINCT item_id FROM events;
-- inserted after the training: candidates at once; a row twice and a null are nothing more
INSERT INTO items SELECT i, 'brand ' || i % 7, i % 3 > 0 FROM generate_series(1000, 1059) i;
INSERT INTO items VALUES (1000, 'brand 6', false), (NULL, 'brand 1', true);

-- ranks r with floor(r e) > floor((r - 1) e) are of new items, by the hash of seed and id;
-- the others are the plain list
CREATE FUNCTION oracle(u bigint, k integer, m text, e float8, seed bigint, filter text) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE fresh bigint[]; plain bigint[]; list bigint[] := '{}'; f integer := 1; p integer := 1; r integer;
BEGIN
	EXECUTE format('SELECT array_agg(item_id ORDER BY hashtextextended(item_id::text, %s), item_id) FROM
		(SELECT DISTINCT item_id FROM items WHERE item_id IS NOT NULL AND item_id NOT IN (SELECT item_id FROM known) AND (%s)) i', seed, filter) INTO fresh;
	plain := ARRAY(SELECT item_id FROM recsys.recommend(u, 1000, m, filter => filter) ORDER BY rank);
	FOR r IN 1 .. k LOOP
		IF (floor(r * e + 1e-9) > floor((r - 1) * e + 1e-9) OR p > cardinality(plain)) AND f <= cardinality(fresh) THEN
			list := list || fresh[f]; f := f + 1;
		ELSIF p <= cardinality(plain) THEN
			list := list || plain[p]; p := p + 1;
		END IF;
	END LOOP;
	RETURN list;
END $$;
SELECT m, e, bool_and(l.items = oracle(u, k, m, e, seed, filter)) AS right, count(*) AS lists, sum(l.fresh) AS fresh, bool_and(l.scores) AS scores
FROM unnest(ARRAY['als', 'ease', 'popularity']) m, unnest(ARRAY[0.1, 0.29, 0.5, 1]) e, (VALUES (3::bigint), (44)) u(u),
	(VALUES (10, 0::bigint, 'true'), (30, 7, 'in_stock'), (100, -1, 'item_id > 290')) c(k, seed, filter),
	LATERAL (SELECT array_agg(item_id ORDER BY rank) AS items, count(*) FILTER (WHERE source = 'new') AS fresh,
			bool_and((source = 'new') = (item_id >= 1000 OR item_id NOT IN (SELECT item_id FROM known)) AND (source <> 'new' OR score IS NULL)) AS scores
		FROM recsys.recommend(u, k, m, explore => e, seed => seed, filter => filter)) l
GROUP BY 1, 2 ORDER BY 1, 2;
-- no seed is 0; another seed draws others; no share is the plain list
SELECT count(*) FILTER (WHERE n = z) AS zero, count(*) FILTER (WHERE n = s) AS other, count(*) FILTER (WHERE p = e0) AS plain, count(*)
FROM (SELECT array(SELECT item_id FROM recsys.recommend(u, 20, 'als', explore => 0.5)) AS n,
	array(SELECT item_id FROM recsys.recommend(u, 20, 'als', explore => 0.5, seed => 0)) AS z,
	array(SELECT item_id FROM recsys.recommend(u, 20, 'als', explore => 0.5, seed => u)) AS s,
	array(SELECT item_id FROM recsys.recommend(u, 20, 'als')) AS p,
	array(SELECT item_id FROM recsys.recommend(u, 20, 'als', explore => 0, seed => 5)) AS e0
	FROM generate_series(1::bigint, 20) u) t;
-- pages are pages of one list
SELECT (SELECT array_agg(item_id ORDER BY rank) FROM recsys.recommend(3::bigint, 30, 'als', explore => 0.3))
	= (SELECT array_agg(item_id ORDER BY p, rank) FROM generate_series(0, 4) p, recsys.recommend(3::bigint, 6, 'als', explore => 0.3, skip => 6 * p)) AS pages;
-- all there is, once each
SELECT count(*) AS rows, count(DISTINCT item_id) AS items FROM recsys.recommend(3::bigint, 10000, 'als', exclude_seen => false, explore => 0.1);
-- exclude, and what the user has done: new items alike
SELECT count(*) AS excluded FROM recsys.recommend(3::bigint, 10000, 'als', explore => 0.5, exclude => '{1000,1001,17}') WHERE item_id IN (1000, 1001, 17);
INSERT INTO events VALUES (3, 1005), (3, 1006);
SELECT exclude_seen, count(*) FILTER (WHERE item_id IN (1005, 1006)) AS seen FROM unnest(ARRAY[true, false]) exclude_seen,
	recsys.recommend(3::bigint, 10000, 'als', exclude_seen, explore => 0.5) GROUP BY 1 ORDER BY 1;
SELECT count(*) FILTER (WHERE item_id = 1007) AS seen FROM recsys.recommend_for_items('{1007,12}'::bigint[], 10000, 'als', explore => 0.5);
-- candidates: new ones among them where explore is asked for, else not
SELECT array_agg(item_id ORDER BY rank) FILTER (WHERE source = 'new') AS fresh, count(*) FROM recsys.recommend(44::bigint, 10, 'als', candidates => '{1001,1002,1003,5,150,9999}', explore => 0.5);
SELECT count(*) FILTER (WHERE source = 'new') AS fresh, count(*) FROM recsys.recommend(44::bigint, 10, 'als', candidates => '{1001,1002,1003,5,150,9999}');
SELECT array_agg(item_id ORDER BY rank) AS fresh FROM recsys.recommend(44::bigint, 2, 'als', candidates => '{1001,1002,1003,5,150}', explore => 1, filter => 'in_stock AND item_id < $1', filter_values => '{1002}');
-- groups count new and known items alike
SELECT d, max(n) AS most, sum(n) AS rows, sum(fresh) AS fresh FROM unnest(ARRAY[NULL, 0.5]) d,
	LATERAL (SELECT brand, count(*) AS n, count(*) FILTER (WHERE source = 'new') AS fresh FROM recsys.recommend(3::bigint, 12, 'als', explore => 0.5, max_per_group => '{"brand": 2}', diversity => d)
		JOIN (SELECT DISTINCT item_id, brand FROM items) i USING (item_id) GROUP BY 1) g GROUP BY 1 ORDER BY 1;
SELECT (SELECT array_agg(item_id ORDER BY rank) FROM recsys.recommend(3::bigint, 12, 'als', explore => 0.3, max_per_group => '{"brand": 2}'))
	= (SELECT array_agg(item_id ORDER BY p, rank) FROM generate_series(0, 3) p, recsys.recommend(3::bigint, 3, 'als', explore => 0.3, max_per_group => '{"brand": 2}', skip => 3 * p)) AS pages;
-- the caller's type of ids, a person without a history, another form of the call
SELECT pg_typeof(item_id), source, score FROM recsys.recommend('44', 2, 'als', explore => 0.5) ORDER BY rank DESC LIMIT 1;
SELECT source, count(*) FROM recsys.recommend(-1::bigint, 10, 'als', explore => 0.2) GROUP BY 1 ORDER BY 1;
SELECT pg_typeof(item_id), source FROM recsys.recommend_as(NULL::bigint, '-5'::text, 1, 'als', explore => 1);
-- the next training knows them
INSERT INTO events SELECT 50, item_id FROM items WHERE item_id >= 1000;
SELECT recsys.train('als') > 1 AS trained;
SELECT count(*) FILTER (WHERE source = 'new' AND item_id >= 1000) AS fresh FROM recsys.recommend(3::bigint, 1000, 'als', explore => 0.5);

-- uuid and text ids
CREATE TABLE things AS SELECT md5('user ' || u % 20)::uuid AS user_id, md5('item ' || u % 17)::uuid AS item_id FROM generate_series(1, 200) u;
CREATE TABLE thing_items AS SELECT md5('item ' || i)::uuid AS item_id FROM generate_series(0, 30) i;
SELECT recsys.create_model('things', 'things', 'popularity', items => 'thing_items');
SELECT recsys.train('things');
SELECT l = (SELECT array_agg(item_id ORDER BY hashtextextended(item_id::text, 9)) FROM thing_items WHERE item_id NOT IN (SELECT item_id FROM things)) AS right, cardinality(l)
FROM (SELECT array_agg(item_id ORDER BY rank) AS l FROM recsys.recommend(md5('user 1')::uuid, 14, 'things', explore => 1, seed => 9)) t;
CREATE TABLE words AS SELECT user_id::text, item_id::text FROM things;
CREATE TABLE word_items AS SELECT item_id::text FROM thing_items;
SELECT recsys.create_model('words', 'words', 'popularity', items => 'word_items');
SELECT recsys.train('words');
SELECT l = (SELECT array_agg(item_id ORDER BY hashtextextended(item_id, 9)) FROM word_items WHERE item_id NOT IN (SELECT item_id FROM words)) AS right, cardinality(l)
FROM (SELECT array_agg(item_id ORDER BY rank) AS l FROM recsys.recommend(md5('user 1'), 14, 'words', explore => 1, seed => 9)) t;

-- errors
SELECT recsys.recommend(3::bigint, explore => 1.5, model => 'als');
SELECT recsys.recommend(3::bigint, explore => -0.1, model => 'als');
SELECT recsys.recommend(3::bigint, explore => 'NaN', model => 'als');
SELECT recsys.recommend(3::bigint, explore => 0.5, filter => 'colour', model => 'als');
SELECT recsys.alter_model('ease', reset => '{items}');
SELECT recsys.recommend(3::bigint, explore => 0.5, model => 'ease');
-- new items as the caller may read them
CREATE ROLE explore_reader;
GRANT USAGE ON SCHEMA explore_test TO explore_reader;
GRANT SELECT ON events TO explore_reader;
SELECT recsys.grant_model('popularity', 'explore_reader');
SET ROLE explore_reader;
SELECT recsys.recommend(3::bigint, explore => 0.5, model => 'popularity');
RESET ROLE;
GRANT SELECT ON items TO explore_reader;
ALTER TABLE items ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON items USING (item_id < 1003);
SET ROLE explore_reader;
SELECT array_agg(item_id ORDER BY item_id) FROM recsys.recommend(3::bigint, 1000, 'popularity', explore => 0.5) WHERE item_id >= 1000;
RESET ROLE;
SELECT recsys.revoke_model('popularity', 'explore_reader');
DROP OWNED BY explore_reader;
DROP ROLE explore_reader;

-- strangers by segment: what is popular among people of theirs, the recent more
CREATE TABLE people AS SELECT u::bigint AS user_id, CASE WHEN u % 2 = 0 THEN 'even' ELSE 'odd' END AS segment FROM generate_series(1, 100) u;
CREATE TABLE popular AS
SELECT segment, recsys.train_popularity(user_id, item_id, 2 ^ -(user_id / 30.0)) AS model FROM events JOIN people USING (user_id) WHERE item_id < 1000 GROUP BY segment;
SELECT segment, bool_and(source = 'popularity' OR source = 'model') AS sources, array_agg(r.item_id ORDER BY rank)
	= (SELECT array_agg(item_id ORDER BY w DESC, item_id) FROM (SELECT item_id, sum((2 ^ -(user_id / 30.0))::real)::real AS w
		FROM (SELECT e.* FROM events e JOIN people p USING (user_id) WHERE p.segment = popular.segment AND item_id < 1000) e GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 5) o) AS right
FROM popular, recsys.recommend_with(model, '{}'::bigint[], 5) r GROUP BY segment ORDER BY segment;
-- and by a model's half-life: the order of decayed sums, which is not that of counts
CREATE TABLE timed AS SELECT n::bigint AS user_id, (n % 13)::bigint AS item_id, timestamptz '2026-03-31 00:00+00' - n * n % 29 * interval '1 day' - n * interval '1 minute' AS at
FROM generate_series(1, 40) n;
SELECT recsys.create_model('lately', 'timed', 'popularity', time_column => 'at', half_life => '7 days');
SELECT recsys.train('lately');
SELECT array_agg(item_id ORDER BY rank) = (SELECT array_agg(item_id ORDER BY w DESC) FROM (SELECT item_id, sum(2 ^ (extract(epoch FROM at) / 604800 - 2930)) AS w FROM timed GROUP BY 1) t) AS right,
	array_agg(item_id ORDER BY rank) = (SELECT array_agg(item_id ORDER BY n DESC, item_id) FROM (SELECT item_id, count(*) AS n FROM timed GROUP BY 1) t) AS by_number, count(*)
FROM recsys.recommend(-1::bigint, 20, 'lately');
SELECT recsys.drop_model(model) FROM recsys.models;
DROP SCHEMA explore_test CASCADE;
