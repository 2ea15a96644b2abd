-- answers in the planner's and executor's world: rows, parallel plans, two values at
-- once, roles in turn, prepared statements, cursors, LATERAL, timeouts
SET client_min_messages = warning;
CREATE SCHEMA planner_test;
SET search_path = planner_test, public;
CREATE TABLE events (user_id bigint, item_id bigint, tenant int);
INSERT INTO events SELECT u, (u * 7 + n * n * 3 + n * u) % 50, u % 2 FROM generate_series(1, 60) u, generate_series(1, 12) n;
CREATE INDEX ON events (user_id);
CREATE TABLE items AS SELECT DISTINCT item_id, item_id % 2 AS tenant FROM events;
SELECT recsys.create_model('knn', 'events', 'item_knn', items => 'items');
SELECT recsys.train('knn');

-- as many rows as k says
CREATE FUNCTION rows_of(query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
	RETURN plan #> '{0,Plan,Plan Rows}';
END
$$;
SELECT query, rows_of(query) FROM unnest(ARRAY['SELECT * FROM recsys.recommend(1::bigint)', 'SELECT * FROM recsys.recommend(1::bigint, 500)', 'SELECT * FROM recsys.recommend(1::bigint, k => 5 + 2, model => ''knn'')',
	'SELECT * FROM recsys.similar_items(1::bigint, 3)', 'SELECT * FROM recsys.recommend_with(NULL, ARRAY[1], 77)', 'SELECT recsys.recommend_for_items(ARRAY[1], 33)',
	'SELECT * FROM recsys.recommend_as(NULL::bigint, ''1'', k => 21)', 'SELECT * FROM recsys.recommend_for_features(''{}'', 4)',
	'SELECT * FROM generate_series(1, 10) g, recsys.recommend(1::bigint, g)']) query;

-- a parallel plan: above Gather what is registered, within it what is of a value
CREATE TABLE many AS SELECT n % 60 + 1 AS user_id, recsys.load_model('knn') AS model FROM generate_series(1, 40) n;
ALTER TABLE many SET (parallel_workers = 2);
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
CREATE FUNCTION is_parallel(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	line text;
	depth int;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		IF line ~ 'Parallel Seq Scan' THEN
			depth := length(substring(line FROM '^ *'));
		ELSIF line ~ 'Function Scan' THEN
			RETURN CASE WHEN depth IS NULL THEN 'no Gather' WHEN length(substring(line FROM '^ *')) >= depth THEN 'within' ELSE 'above' END;
		END IF;
	END LOOP;
END
$$;
SELECT is_parallel('SELECT m.user_id, r.item_id FROM many m, recsys.recommend_with(m.model, ARRAY[m.user_id]) r'),
	is_parallel('SELECT m.user_id, r.item_id FROM many m, recsys.recommend(m.user_id) r');
CREATE TEMP TABLE parallel AS SELECT m.user_id, r.* FROM many m, recsys.recommend_with(m.model, ARRAY[m.user_id % 50]) r;
SET max_parallel_workers_per_gather = 0;
SELECT count(*), count(*) FILTER (WHERE p = s) = count(*) AS same FROM (SELECT DISTINCT p FROM parallel p) p
	FULL JOIN (SELECT DISTINCT s FROM (SELECT m.user_id, r.* FROM many m, recsys.recommend_with(m.model, ARRAY[m.user_id % 50]) r) s) s ON p = s;
RESET max_parallel_workers_per_gather;

-- values in turn within one query
CREATE TABLE two AS SELECT tenant, recsys.train_item_knn(user_id, item_id) AS model FROM events GROUP BY tenant;
SELECT count(*), bool_and(a = b) AS same FROM (
	SELECT t.tenant, n, (SELECT array_agg(r ORDER BY rank) FROM recsys.recommend_with(t.model, ARRAY[n % 50], 5) r) AS a
	FROM generate_series(1, 100) n JOIN two t ON t.tenant = n % 2) x JOIN LATERAL (
	SELECT (SELECT array_agg(r ORDER BY rank) FROM recsys.recommend_with((SELECT model FROM two t WHERE t.tenant = x.tenant), ARRAY[x.n % 50], 5) r) AS b) y ON true;

-- each role by its own row security, in turn, in one prepared statement
CREATE ROLE regress_recsys_even;
CREATE ROLE regress_recsys_odd;
GRANT USAGE ON SCHEMA planner_test TO regress_recsys_even, regress_recsys_odd;
GRANT SELECT ON events, items TO regress_recsys_even, regress_recsys_odd;
ALTER TABLE events ENABLE ROW LEVEL SECURITY;
CREATE POLICY even ON events TO regress_recsys_even USING (tenant = 0);
CREATE POLICY odd ON events TO regress_recsys_odd USING (tenant = 1);
ALTER TABLE items ENABLE ROW LEVEL SECURITY;
CREATE POLICY even ON items TO regress_recsys_even USING (tenant = 0);
CREATE POLICY odd ON items TO regress_recsys_odd USING (tenant = 1);
PREPARE page AS SELECT count(*) AS n, min(item_id % 2), max(item_id % 2), min(source) FROM recsys.recommend($1::bigint, 5, 'knn', filter => 'true');
SET ROLE regress_recsys_even;
EXECUTE page(2);
EXECUTE page(3);
SET ROLE regress_recsys_odd;
EXECUTE page(2);
EXECUTE page(3);
SET ROLE regress_recsys_even;
EXECUTE page(2);
EXECUTE page(3);
RESET ROLE;
EXECUTE page(3);

-- a cursor that stops early, and goes on beside another answer
BEGIN;
DECLARE slow CURSOR FOR SELECT g, r.rank FROM generate_series(1, 1000000) g, recsys.recommend(g % 60, 2, 'knn') r;
FETCH 3 FROM slow;
SELECT count(*) FROM recsys.recommend(1::bigint, 5, 'knn');
FETCH 2 FROM slow;
CLOSE slow;
COMMIT;
-- an answer within an answer: of the same model, in a filter
CREATE FUNCTION liked(i bigint) RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT i IN (SELECT item_id FROM recsys.recommend(9::bigint, 20, 'knn')) $$;
SELECT bool_and(item_id IN (SELECT item_id FROM recsys.recommend(9::bigint, 20, 'knn'))) AS right, count(*) FROM recsys.recommend(4::bigint, 5, 'knn', filter => 'liked(item_id)');
-- in PL/pgSQL, with an error caught on the way
DO $$
BEGIN
	FOR i IN 1..20 LOOP
		BEGIN
			PERFORM recsys.recommend(i::bigint, 5, 'knn', filter => '1 / (item_id - item_id) > ' || i);
		EXCEPTION WHEN division_by_zero THEN
			PERFORM recsys.recommend(i::bigint, 5, 'knn', filter => 'tenant = 1');
		END;
	END LOOP;
END
$$;
-- a function that asks for more than the session keeps plans of, where the planner calls
-- it and where a value is read
CREATE FUNCTION asks(a bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	PERFORM recsys.recommend(1::bigint, 1, 'knn', filter => 'item_id <> ' || i) FROM generate_series(1, 300) i;
	RETURN a;
END
$$;
CREATE DOMAIN asking AS bigint CHECK (asks(VALUE) = VALUE);
SELECT count(*) FROM recsys.recommend(4::bigint, 5, 'knn', filter => 'item_id < asks(50)');
SELECT count(*) FROM recsys.recommend(4::bigint, 5, 'knn', filter => 'item_id < $1::asking', filter_values => '{50}');
SELECT count(*) FROM recsys.recommend(4::bigint, 5, 'knn', filter => 'item_id < asks(40)', max_per_group => '{"tenant": 2}');

SET statement_timeout = '100ms';
SELECT count(*) FROM recsys.recommend(4::bigint, 5, 'knn', filter => 'pg_sleep(item_id + 10) IS NULL');
RESET statement_timeout;
SELECT count(*) FROM recsys.recommend(4::bigint, 5, 'knn', filter => 'tenant = 1');

SELECT recsys.drop_model('knn');
DROP SCHEMA planner_test CASCADE;
DROP ROLE regress_recsys_even, regress_recsys_odd;
