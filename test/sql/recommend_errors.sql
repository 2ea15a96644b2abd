-- recommend: what it refuses, and what it counts as nothing
SET client_min_messages = warning;
CREATE SCHEMA errors_test;
SET search_path = errors_test, public;
CREATE TABLE events (user_id smallint, item_id bigint, weight double precision);
INSERT INTO events SELECT u, (u * 7 + n * n * 3) % 23, 1 FROM generate_series(1, 40) u, generate_series(1, 3 + u % 5) n;
SELECT recsys.create_model('shop', 'events', 'als', '{"factors": 8}', weight_column => 'weight');
-- no live version
SELECT * FROM recsys.recommend(1::bigint, 3, 'shop');
SELECT * FROM recsys.similar_items(1::bigint, 3, 'shop');
SELECT recsys.train('shop');

-- arguments
SELECT * FROM recsys.recommend(1::bigint, -1, 'shop');
SELECT * FROM recsys.recommend_for_items(ARRAY[1, NULL]::bigint[], 3, 'shop');
SELECT * FROM recsys.recommend_for_items(ARRAY[[1], [2]]::bigint[], 3, 'shop');
SELECT * FROM recsys.recommend(1::bigint, 3, 'shop', exclude => ARRAY[NULL]::bigint[]);
SELECT * FROM recsys.recommend(1::bigint, 3, 'shop', candidates => ARRAY[[1]]::bigint[]);
SELECT * FROM recsys.recommend_for_items(ARRAY['one'], 3, 'shop');
SELECT * FROM recsys.recommend('one', 3, 'shop');
SELECT * FROM recsys.recommend('00000000-0000-0000-0000-000000000001'::uuid, 3, 'shop');
SELECT * FROM recsys.recommend_for_items(ARRAY['00000000-0000-0000-0000-000000000001']::uuid[], 3, 'shop');
-- nulls where a default is meant
SELECT (SELECT array_agg(item_id ORDER BY rank) FROM recsys.recommend(1::bigint, 5, 'shop', NULL, NULL, NULL))
	= (SELECT array_agg(item_id ORDER BY rank) FROM recsys.recommend(1::bigint, 5, 'shop')) AS same;
SELECT DISTINCT source FROM recsys.recommend_for_items(NULL::bigint[], 3, 'shop');
SELECT DISTINCT source FROM recsys.recommend_for_items('{}'::bigint[], 3, 'shop');
SELECT DISTINCT source FROM recsys.recommend_for_items(ARRAY[999, 998]::bigint[], 3, 'shop');
-- a number that the user column cannot hold is an unknown user
SELECT DISTINCT source FROM recsys.recommend(40::bigint, 3, 'shop');
SELECT DISTINCT source FROM recsys.recommend(70000::bigint, 3, 'shop');
SELECT DISTINCT source FROM recsys.recommend(65537::bigint, 3, 'shop');
SELECT * FROM recsys.recommend('70000', 3, 'shop');

-- weights: null is seen and counts as nothing, what is not a number is refused
INSERT INTO events SELECT 50, item_id, NULL FROM recsys.recommend(50::bigint, 1, 'shop');
INSERT INTO events VALUES (50, NULL, 1), (50, 999, 1);
SELECT count(*) AS left_over, min(source) FROM recsys.recommend(50::bigint, 100, 'shop');
SELECT count(*) AS all_of_them FROM recsys.recommend(50::bigint, 100, 'shop', exclude_seen => false);
INSERT INTO events VALUES (51, 1, 'NaN'), (52, 1, 'infinity'), (53, 1, 1e300);
SELECT * FROM recsys.recommend(51::bigint, 3, 'shop');
SELECT * FROM recsys.recommend(52::bigint, 3, 'shop');
SELECT * FROM recsys.recommend(53::bigint, 3, 'shop');
DELETE FROM events WHERE user_id > 40;

-- ranks and no item twice where popularity fills up
SELECT recsys.create_model('knn', 'events', 'item_knn', '{"neighbors": 1}');
SELECT recsys.train('knn');
SELECT count(DISTINCT source) AS sources, count(DISTINCT item_id) = count(*) AS once,
	array_agg(rank ORDER BY source, score DESC, rank) = array_agg(rank ORDER BY rank) AS in_order,
	bool_and((source = 'popularity') = (score IS NULL)) AS scores, max(rank) = count(*) AS ranks
FROM recsys.recommend(2::bigint, 100, 'knn');

-- a model that was saved has no history to read
SELECT recsys.save_model('saved', recsys.load_model('shop'));
SELECT * FROM recsys.recommend(1::bigint, 3, 'saved');
SELECT bool_and(a = b) AS same
FROM recsys.recommend_for_items(ARRAY[1, 2]::bigint[], 5, 'saved') a
	JOIN recsys.recommend_for_items(ARRAY[1, 2]::bigint[], 5, 'shop') b USING (rank);

-- bare values: one after the other in one query, toasted or not
CREATE TABLE models (name text, model recsys.model);
INSERT INTO models SELECT name, recsys.load_model(name) FROM unnest(ARRAY['shop', 'knn']) name;
SELECT name, n % 2 AS list, count(DISTINCT answer) AS answers
FROM (SELECT m.name, n, array_agg(r.item_id ORDER BY r.rank) AS answer
	FROM generate_series(1, 6) n, models m, recsys.recommend_with(m.model, ARRAY[1 + n % 2, 5]::bigint[], 4) r
	GROUP BY m.name, n) x GROUP BY 1, 2 ORDER BY 1, 2;
SELECT m.name, bool_and(r.item_id = a.item_id AND r.score = a.score) AS same
FROM models m, recsys.recommend_with(m.model, ARRAY[1, 2]::bigint[], 4) r,
	recsys.recommend_for_items(ARRAY[1, 2]::bigint[], 4, m.name) a WHERE a.rank = r.rank GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM recsys.recommend_with(NULL::recsys.model, ARRAY[1]::bigint[]);
SELECT * FROM recsys.recommend_with((SELECT model FROM models WHERE name = 'shop'), ARRAY['00000000-0000-0000-0000-000000000001']::uuid[]);

-- models that do not fit beside each other take turns
SET recsys.local_cache_size = 0;
SELECT name, count(DISTINCT answer) AS answers -- of two users
FROM (SELECT m.name, n, (SELECT array_agg(item_id ORDER BY rank) FROM recsys.recommend((n % 2 + 1)::bigint, 4, m.name)) AS answer
	FROM generate_series(1, 6) n, models m) x GROUP BY 1 ORDER BY 1;
SELECT count(*) AS kept FROM pg_backend_memory_contexts WHERE name = 'recsys model';
RESET recsys.local_cache_size;
SELECT recsys.drop_model('saved');

-- stored bytes that are not what was stored: said once, and again, and kept nowhere
\set VERBOSITY terse
CREATE FUNCTION damage(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE replace(statement, 'ID', (SELECT id::text FROM recsys.model_registry WHERE name = 'damaged'));
	-- under another key: what was opened before the damage is not looked at again
	UPDATE recsys.model_registry SET live_key = live_key # 1 WHERE name = 'damaged';
	FOR i IN 1 .. 2 LOOP
		BEGIN
			PERFORM recsys.recommend_for_items(ARRAY[1]::bigint[], 3, 'damaged');
			result := 'no error';
		EXCEPTION WHEN OTHERS THEN
			result := SQLSTATE || ' ' || SQLERRM;
		END;
	END LOOP;
	RAISE EXCEPTION '%', result;
EXCEPTION WHEN raise_exception THEN
	RETURN result;
END
$$;
SELECT recsys.create_model('damaged', 'events', 'als', '{"factors": 8}');
SELECT recsys.train('damaged');
SELECT damage('UPDATE recsys.model_chunk SET bytes = set_byte(bytes, 900, get_byte(bytes, 900) # 1) WHERE model_id = ID');
SELECT damage('UPDATE recsys.model_chunk SET crc = crc # 1 WHERE model_id = ID');
SELECT damage('UPDATE recsys.model_chunk SET seq = 1 WHERE model_id = ID');
SELECT damage('DELETE FROM recsys.model_chunk WHERE model_id = ID');
SELECT damage('UPDATE recsys.model_version SET bytes = bytes - 1 WHERE model_id = ID');
SELECT damage('UPDATE recsys.model_version SET bytes = bytes + 1 WHERE model_id = ID');
SELECT damage('UPDATE recsys.model_version SET bytes = 0 WHERE model_id = ID');
SELECT damage('UPDATE recsys.model_version SET bytes = 1000000000000 WHERE model_id = ID');
SELECT damage('UPDATE recsys.model_version SET bytes = 0 WHERE model_id = ID; UPDATE recsys.model_chunk SET bytes = '''', crc = 0 WHERE model_id = ID');
SELECT damage('DELETE FROM recsys.model_version WHERE model_id = ID');
SELECT damage('SELECT');
SELECT recsys.drop_model(m) FROM unnest(ARRAY['damaged', 'knn', 'shop']) m;
\set VERBOSITY default
SET client_min_messages = error;
DROP SCHEMA errors_test CASCADE;
