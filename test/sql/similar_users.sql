-- similar_users, model_factors, model_neighbors, each against its formula in SQL
SET client_min_messages = warning;
CREATE SCHEMA users_test;
SET search_path = users_test, public;
CREATE TABLE events AS
SELECT u AS user_id, ((u * 7 + n * n * 3) % 23)::bigint AS item_id, 1 + (u + n) % 3 AS weight
FROM generate_series(1, 40) u, generate_series(1, 3 + u % 5) n;
CREATE VIEW events_text AS SELECT 'user ' || lpad(user_id::text, 2, '0') AS user_id, item_id, weight FROM events;
SELECT recsys.create_model(name, 'events', coalesce(algorithm, name), options::jsonb, weight_column => 'weight')
FROM (VALUES ('als', NULL, '{"factors": 8}'), ('ease', NULL, '{}'), ('thin', 'ease', '{"dense_items": 0, "neighbors": 5}'),
	('item_knn', NULL, '{}'), ('popularity', NULL, '{}'), ('mlp', NULL, '{"history": 4, "epochs": 3, "hidden": [6]}')) m(name, algorithm, options);
SELECT recsys.create_model('text', 'events_text', 'als', '{"factors": 8}', weight_column => 'weight');
SELECT sum(recsys.train(model)) FROM recsys.models;

-- of models of rows: the cosine of histories
CREATE VIEW cosines AS
WITH h AS (SELECT user_id, item_id, sum(weight)::float8 AS w FROM events GROUP BY 1, 2),
	norms AS (SELECT user_id, sqrt(sum(w * w)) AS norm FROM h GROUP BY 1)
SELECT a.user_id AS a, b.user_id AS b, coalesce(sum(x.w * y.w), 0) / a.norm / b.norm AS cosine
FROM norms a CROSS JOIN norms b LEFT JOIN h x ON x.user_id = a.user_id LEFT JOIN h y ON y.user_id = b.user_id AND y.item_id = x.item_id
WHERE a.user_id <> b.user_id GROUP BY a.user_id, b.user_id, a.norm, b.norm;
SELECT m, count(*) AS rows, bool_and(abs(s.score - c.cosine) < 1e-6) AS right
FROM unnest(ARRAY['ease', 'item_knn', 'popularity']) m, generate_series(1, 40, 7) u,
	recsys.similar_users(u::bigint, 100, m) s, cosines c WHERE c.a = u AND c.b = s.user_id GROUP BY 1 ORDER BY 1;
SELECT count(*) AS missing FROM generate_series(1, 40, 7) u, cosines c
WHERE c.a = u AND c.b NOT IN (SELECT user_id FROM recsys.similar_users(u::bigint, 100, 'ease'));
-- of all models: whoever has the same history is the same, and the measure is symmetric
INSERT INTO events SELECT 41, item_id, weight FROM events WHERE user_id = 7;
SELECT m, user_id, round(score::numeric, 5) AS score, rank
FROM unnest(ARRAY['als', 'mlp', 'ease', 'item_knn', 'popularity', 'thin']) m, recsys.similar_users(7::bigint, 1, m) ORDER BY 1;
SELECT bool_and(abs(s.score - t.score) < 1e-6) AS symmetric, count(*) AS rows
FROM generate_series(1::bigint, 40, 9) u, recsys.similar_users(u, 100, 'als') s, recsys.similar_users(s.user_id, 100, 'als') t WHERE t.user_id = u;
DELETE FROM events WHERE user_id = 41;
-- the vector of als by its formula: A x = b with the factors and the options of the model
CREATE FUNCTION fold_in(u bigint, factors integer) RETURNS float8[] LANGUAGE plpgsql AS $$
DECLARE
	a float8[][]; b float8[]; x float8[]; o record; c float8;
BEGIN
	SELECT (options->>'alpha')::float8 AS alpha, (options->>'unobserved_weight')::float8 AS w0, (options->>'regularization')::float8 AS l,
		(options->>'regularization_exponent')::float8 AS nu INTO o
	FROM (SELECT '{"alpha": 1, "unobserved_weight": 0.1, "regularization": 0.003, "regularization_exponent": 1}'::jsonb AS options) d;
	SELECT array_agg(row ORDER BY i) INTO a FROM (
		SELECT i, array_agg(o.w0 * gram + coalesce(seen, 0) + CASE WHEN i = j THEN o.l * (h.n + o.w0 * m.n) ^ o.nu ELSE 0 END ORDER BY j) AS row
		FROM (SELECT i, j, sum(f.factors[i]::float8 * f.factors[j]) AS gram, sum(o.alpha * e.w * f.factors[i] * f.factors[j]) AS seen
			FROM factors f LEFT JOIN (SELECT item_id, sum(weight) AS w FROM events WHERE user_id = u GROUP BY 1) e ON e.item_id = f.item_id::bigint,
				generate_series(1, $2) i, generate_series(1, $2) j GROUP BY i, j) g,
			(SELECT count(DISTINCT item_id) AS n FROM events WHERE user_id = u) h, (SELECT count(*) AS n FROM factors) m GROUP BY i) r;
	SELECT array_agg(s ORDER BY i) INTO b FROM (SELECT i, sum(o.alpha * e.weight * f.factors[i]) AS s
		FROM events e JOIN factors f ON f.item_id::bigint = e.item_id, generate_series(1, $2) i WHERE e.user_id = u GROUP BY i) v;
	FOR p IN 1 .. $2 LOOP	-- Gauss, of a matrix that needs no pivots
		FOR q IN 1 .. $2 LOOP
			CONTINUE WHEN q = p;
			c := a[q][p] / a[p][p];
			FOR r IN 1 .. $2 LOOP a[q][r] := a[q][r] - c * a[p][r]; END LOOP;
			b[q] := b[q] - c * b[p];
		END LOOP;
	END LOOP;
	FOR p IN 1 .. $2 LOOP x[p] := b[p] / a[p][p]; END LOOP;
	RETURN x;
END $$;
CREATE TABLE factors AS SELECT * FROM recsys.model_factors(recsys.load_model('als'));
CREATE TABLE vectors AS SELECT u, fold_in(u, 8) AS x FROM generate_series(1::bigint, 40, 3) u;
SELECT count(*) AS pairs, bool_and(abs(s.score - c.cosine) < 1e-3) AS right
FROM (SELECT a.u AS a, b.u AS b, sum(p * q) / sqrt(sum(p * p) * sum(q * q)) AS cosine
	FROM vectors a, vectors b, unnest(a.x, b.x) e(p, q) WHERE a.u <> b.u GROUP BY a.u, b.u) c,
	recsys.similar_users(c.a, 100, 'als') s WHERE s.user_id = c.b;

-- among some; repeated, unknown, the user; k; none
SELECT array_agg(user_id ORDER BY user_id) FROM recsys.similar_users(7::bigint, 100, 'als', ARRAY[3, 7, 9, 9, 999]::bigint[]);
SELECT count(*), max(rank) FROM recsys.similar_users(7::bigint, 3, 'als');
SELECT count(*) FROM recsys.similar_users(7::bigint, 3, 'als', '{}'::bigint[]);
SELECT count(*) FROM recsys.similar_users(7::bigint, 0, 'als');
SELECT count(*) FROM recsys.similar_users(999::bigint, 3, 'als');
SELECT count(*) FROM recsys.similar_users(NULL::bigint, 3, 'als');
SELECT recsys.similar_users(7::bigint, -1, 'als');
SELECT recsys.similar_users(7::bigint, 1, 'als', ARRAY[NULL]::bigint[]);
-- ids in the type of the call: users of text, a list as text
SELECT user_id, pg_typeof(user_id) FROM recsys.similar_users('user 07', 1, 'text', ARRAY['user 03', 'user 08']);
SELECT count(*) FROM recsys.similar_users('7', 100, 'als');
-- an event counts at once
BEGIN;
DELETE FROM events WHERE user_id = 9;
INSERT INTO events SELECT 9, item_id, weight FROM events WHERE user_id = 7;
SELECT user_id, round(score::numeric, 5) AS score FROM recsys.similar_users(7::bigint, 1, 'als');
ROLLBACK;
-- whose rights hold
ALTER TABLE events ENABLE ROW LEVEL SECURITY;
CREATE POLICY some_users ON events USING (user_id < 10);
CREATE ROLE users_reader;
GRANT USAGE ON SCHEMA users_test TO users_reader;
GRANT SELECT ON events TO users_reader;
SET ROLE users_reader;
SELECT array_agg(user_id ORDER BY user_id) FROM recsys.similar_users(7::bigint, 100, 'als');
SELECT array_agg(user_id ORDER BY user_id) FROM recsys.similar_users(7::bigint, 100, 'als', ARRAY[8, 30]::bigint[]);
RESET ROLE;
DROP OWNED BY users_reader;
DROP ROLE users_reader;

-- what was made for a call that fails goes with it
ALTER TABLE events DISABLE ROW LEVEL SECURITY;
ALTER TABLE events ADD part float8 DEFAULT 1;
UPDATE events SET part = 'NaN' WHERE user_id = 8;
SELECT recsys.alter_model('als', weight_column => 'part');
CREATE FUNCTION kept_by_failures(times int) RETURNS numeric LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1..times LOOP
		BEGIN
			PERFORM recsys.similar_users(7::bigint, 3, 'als', ARRAY[8]::bigint[]);
		EXCEPTION WHEN invalid_parameter_value THEN
		END;
	END LOOP;
	RETURN sum(used_bytes) FROM pg_backend_memory_contexts WHERE name LIKE 'recsys%';
END
$$;
SELECT kept_by_failures(10) = kept_by_failures(100) AS same;
-- an id that is none of the source's type is told before another user's is
CREATE TABLE guests AS SELECT md5((n / 5)::text)::uuid AS user_id, n % 7::bigint AS item_id FROM generate_series(1, 50) n;
CREATE INDEX ON guests (user_id);
SELECT recsys.create_model('guests', 'guests', 'item_knn');
SELECT recsys.train('guests') AS version \gset
SELECT recsys.similar_users(7, 3, 'guests');
SELECT count(*) FROM recsys.similar_users(md5('1')::uuid, 3, 'guests');


-- what a model has learnt, as rows: a score is the product of vectors, or the sum of weights
SELECT count(*) AS items, min(array_length(factors, 1)) AS floats, count(DISTINCT item_id) AS ids FROM factors;
SELECT count(*) > 300 AS many, bool_and(abs(s.score - c.cosine) < 1e-5) AS similar_items
FROM (SELECT a.item_id AS a, b.item_id AS b, sum(p::float8 * q) / sqrt(sum(p::float8 * p) * sum(q::float8 * q)) AS cosine
	FROM factors a, factors b, unnest(a.factors, b.factors) e(p, q) WHERE a.item_id <> b.item_id GROUP BY 1, 2) c,
	recsys.similar_items(c.a::bigint, 100, 'als') s WHERE s.item_id::text = c.b;
SELECT m, count(*) > 50 AS many, bool_and(s.score = n.weight) AS weights
FROM unnest(ARRAY['ease', 'thin', 'item_knn']) m, LATERAL recsys.model_neighbors(recsys.load_model(m)) n
	JOIN LATERAL recsys.recommend_for_items(ARRAY[n.item_id], 100, m, exclude_seen => false) s ON s.item_id = n.neighbor_id GROUP BY 1 ORDER BY 1;
SELECT max(n) <= 5 AS neighbors FROM (SELECT count(*) AS n FROM recsys.model_neighbors(recsys.load_model('thin')) GROUP BY neighbor_id) t;
SELECT count(*) FROM recsys.model_factors(NULL);
SELECT recsys.model_factors(recsys.load_model('ease'));
SELECT recsys.model_neighbors(recsys.load_model('als'));
SELECT recsys.model_neighbors(recsys.load_model('popularity'));
SELECT recsys.drop_model(model) FROM recsys.models;
DROP SCHEMA users_test CASCADE;
