-- what every function that answers may be asked for: pages, versions, ids of two types,
-- parameters without a type; what its rows say
SET client_min_messages = warning;
CREATE SCHEMA request_test;
SET search_path = request_test, public;
CREATE TABLE events (user_id uuid, item_id bigint, ts timestamptz);
CREATE FUNCTION u(n int) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT lpad(n::text, 32, '0')::uuid $$;
INSERT INTO events
SELECT u(n), (n * 7 + i * i * 3) % 23, timestamptz '2026-01-01' + i * interval '1 hour'
FROM generate_series(1, 40) n, generate_series(1, 3 + n % 5) i;
CREATE INDEX ON events (user_id);
SELECT recsys.create_model('knn', 'events', 'item_knn', '{"neighbors": 2}'), recsys.create_model('als', 'events', 'als', '{"factors": 8}'),
	recsys.create_model('popular', 'events', 'popularity');
SELECT recsys.train(m) FROM unnest(ARRAY['knn', 'als', 'popular']) m;

-- popular items follow the model's, without a score; those of the algorithm have one
SELECT source, count(*) > 0 AS some, count(score) = CASE source WHEN 'model' THEN count(*) ELSE 0 END AS scores,
	min(rank) = CASE source WHEN 'model' THEN 1 ELSE (SELECT count(*) + 1 FROM recsys.recommend(u(5)::text, 100, 'knn') WHERE source = 'model') END AS ranks
FROM recsys.recommend(u(5)::text, 100, 'knn') GROUP BY 1 ORDER BY 1;
SELECT source, count(*) = count(score) AS scores FROM recsys.recommend('00000000-0000-0000-0000-00000000ffff'::text, 5, 'popular') GROUP BY 1;

-- pages: none misses a row, none has one twice, ranks go on
SELECT m, count(*) = 21 AND bool_and(p = w) AS same FROM unnest(ARRAY['knn', 'als', 'popular']) m
	CROSS JOIN LATERAL recsys.recommend(NULL::text, 21, m) w
	LEFT JOIN LATERAL (SELECT p FROM generate_series(0, 20, 3) s, recsys.recommend(NULL::text, 3, m, skip => s) p) x ON (x.p).rank = w.rank
GROUP BY 1 ORDER BY 1;
SELECT m, count(*) BETWEEN 15 AND 23 AND bool_and(p = w) AS same FROM unnest(ARRAY['knn', 'als', 'popular']) m
	CROSS JOIN LATERAL recsys.recommend(u(5)::text, 100, m) w
	LEFT JOIN LATERAL (SELECT p FROM generate_series(0, 20, 3) s, recsys.recommend(u(5)::text, 3, m, skip => s) p) x ON (x.p).rank = w.rank
GROUP BY 1 ORDER BY 1;
SELECT bool_and(p = w) AS same, count(*) FROM recsys.similar_items(3::bigint, 6, 'als') w
	LEFT JOIN LATERAL (SELECT p FROM generate_series(0, 4, 2) s, recsys.similar_items(3::bigint, 2, 'als', skip => s) p) x ON (x.p).rank = w.rank;
SELECT count(*) FROM recsys.recommend(u(5)::text, 10, 'als', skip => 23);
SELECT count(*) FROM recsys.recommend(u(5)::text, 10, 'als', skip => 2147483647);
SELECT count(*) FROM recsys.recommend(u(5)::text, 10, 'als', skip => NULL);
SELECT recsys.recommend(u(5)::text, 10, 'als', skip => -1);

-- users of one type, items of another
SELECT pg_typeof(item_id), count(*) FROM recsys.recommend_as(NULL::bigint, u(5), 10, 'als') GROUP BY 1;
SELECT pg_typeof(item_id), count(*) FROM recsys.recommend_as(NULL::int, u(5)::text, 10, 'als', exclude => '{1}', candidates => '{1,2,3}') GROUP BY 1;
SELECT pg_typeof(item_id), count(*) FROM recsys.recommend_as(NULL::text, u(5), 10, 'als') GROUP BY 1;
SELECT array_agg(r.item_id::text ORDER BY r.rank) = (SELECT array_agg(item_id ORDER BY rank) FROM recsys.recommend(u(5)::text, 10, 'als')) AS same
FROM recsys.recommend_as(NULL::bigint, u(5), 10, 'als') r;
SELECT recsys.recommend_as(NULL::uuid, u(5), 10, 'als');

-- versions
SELECT recsys.alter_model('knn', options => '{"neighbors": 3}'), recsys.train('knn');
SELECT version, count(*) FROM recsys.recommend_as(NULL::bigint, u(5), 3, 'knn') GROUP BY 1;
SELECT version, count(*) FROM recsys.recommend_as(NULL::bigint, u(5), 3, 'knn', version => 1) GROUP BY 1;
SELECT version, count(*) FROM recsys.similar_items(3::bigint, 3, 'knn', version => 1) GROUP BY 1;
CREATE TEMP TABLE first AS SELECT * FROM recsys.recommend_as(NULL::bigint, u(5), 20, 'knn', version => 1);
SELECT recsys.deploy('knn', 1);
SELECT bool_and(f = r) AS same, count(*) FROM first f JOIN recsys.recommend_as(NULL::bigint, u(5), 20, 'knn') r USING (rank);
SELECT DISTINCT version FROM recsys.recommend_for_items(ARRAY[1], 3, 'knn', version => 2);
SELECT DISTINCT version FROM recsys.recommend_with(recsys.load_model('knn'), ARRAY[1]);
SELECT recsys.recommend_for_items(ARRAY[1], 3, 'knn', version => 3);
SELECT recsys.recommend_for_items(ARRAY[1], 3, 'knn', version => 0);
-- who does not see the model does not see its versions
CREATE ROLE regress_recsys_nobody;
SET ROLE regress_recsys_nobody;
SELECT recsys.recommend_for_items(ARRAY[1], 3, 'knn', version => 2);
RESET ROLE;
DROP ROLE regress_recsys_nobody;

-- parameters without a type
PREPARE user_all AS SELECT * FROM recsys.recommend($1, $2, $3, $4, $5, $6, $7, $8);
PREPARE items_all AS SELECT item_id, rank FROM recsys.recommend_for_items($1, $2, $3, $4, $5, $6, $7, $8);
PREPARE as_all AS SELECT * FROM recsys.recommend_as(NULL::bigint, $1, $2, $3, $4, $5, $6, $7, $8);
PREPARE as_typed AS SELECT * FROM recsys.recommend_as($1::bigint, $2);
PREPARE with_all AS SELECT * FROM recsys.recommend_with($1, $2, $3, $4, $5, $6, $7);
PREPARE features_all AS SELECT * FROM recsys.recommend_for_features($1, $2, $3, $4, $5, $6, $7, $8, $9);
PREPARE features_with_all AS SELECT * FROM recsys.recommend_for_features_with($1, $2, $3, $4, $5, $6, $7, $8);
PREPARE similar_all AS SELECT * FROM recsys.similar_items($1, $2, $3, $4, $5, $6, $7);
PREPARE named AS SELECT * FROM recsys.recommend(user_id => $1, k => $2, model => $3, exclude => $4);
SELECT name, parameter_types FROM pg_prepared_statements ORDER BY name;
EXECUTE items_all('{1,2}', '3', 'als', NULL, NULL, NULL, NULL, NULL);
SELECT item_id, rank FROM recsys.recommend_for_items(ARRAY[1, 2], 3, 'als', NULL);
EXECUTE items_all('1,2', '3', 'als', NULL, NULL, NULL, NULL, NULL);
DEALLOCATE ALL;
-- features as text
CREATE TABLE net AS SELECT recsys.train_mlp(ARRAY[i % 2, i % 3]::real[], i % 2, '{"epochs": 3}') AS model FROM generate_series(1, 100) i;
SELECT (SELECT array_agg(r.* ORDER BY rank) FROM recsys.recommend_for_features_with(model, '[1, 2]') r)
	= (SELECT array_agg(r.* ORDER BY rank) FROM recsys.recommend_for_features_with(model, ARRAY[1, 2]::real[]) r) AS same FROM net;
SELECT recsys.recommend_for_features_with(model, '[1, "2"]') FROM net;
SELECT recsys.recommend_for_features_with(model, '[1, 1e60]') FROM net;
SELECT recsys.recommend_for_features_with(model, '{"x": 1}') FROM net;
\set VERBOSITY sqlstate
SELECT recsys.recommend_for_features_with(model, '{1,2}') FROM net;
\set VERBOSITY default

SELECT recsys.drop_model(m) FROM unnest(ARRAY['knn', 'als', 'popular']) m;
DROP SCHEMA request_test CASCADE;
