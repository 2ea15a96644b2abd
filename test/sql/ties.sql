-- events of one time: in training and in histories they come in the same order, by
-- the bytes of their items (without ICU: ties_1.out)
SET client_min_messages = warning;
CREATE SCHEMA ties_test;
SET search_path = ties_test;
\set VERBOSITY terse
CREATE COLLATION by_letter (provider = icu, locale = 'und');
CREATE TABLE events (user_id bigint, item_id text COLLATE by_letter, ts timestamp);
-- by letters a comes before B and B before c, by bytes B before a
INSERT INTO events SELECT u, unnest(ARRAY['a', 'B', 'c' || u % 3]), timestamp '2026-01-01' + u * interval '1 day' FROM generate_series(1, 30) u;
CREATE INDEX ON events (user_id);
SELECT recsys.create_model('next', 'events', 'sequence', time_column => 'ts');
SELECT recsys.train('next');
INSERT INTO events VALUES (100, 'a', '2026-01-01'), (100, 'B', '2026-01-01');
SELECT array_agg(item_id || ' ' || score ORDER BY rank) = (SELECT array_agg(item_id || ' ' || score ORDER BY rank)
		FROM recsys.recommend_for_items(ARRAY['B', 'a'], 3, 'next')) AS as_b_a,
	array_agg(item_id || ' ' || score ORDER BY rank) = (SELECT array_agg(item_id || ' ' || score ORDER BY rank)
		FROM recsys.recommend_for_items(ARRAY['a', 'B'], 3, 'next')) AS as_a_b
FROM recsys.recommend('100', 3, 'next');
SELECT recsys.drop_model('next');
DROP SCHEMA ties_test CASCADE;
