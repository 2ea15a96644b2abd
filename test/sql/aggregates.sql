-- The training aggregates: rows in, recsys.model out.
\set VERBOSITY terse
CREATE TABLE events AS
	SELECT u AS user_id, (u * 3 + n * n) % 7 AS item_id, 1.0 + n AS weight,
		'2024-01-01'::timestamptz + (u + 20 * n) * interval '1 hour' AS ts
	FROM generate_series(1, 12) u, generate_series(0, 3) n;
-- the JSON header of a model
CREATE FUNCTION header(m recsys.model) RETURNS jsonb LANGUAGE sql AS $$
	SELECT convert_from(substr(m::bytea, 9, get_byte(m::bytea, 0) + 256 * get_byte(m::bytea, 1)), 'UTF8')::jsonb
$$;
CREATE FUNCTION meta(m recsys.model, key text) RETURNS text LANGUAGE sql
	RETURN header(m)->'__metadata__'->>key;

-- no row: null; only rows with a null: an error, no row is lost without a word
SELECT recsys.train_als(user_id, item_id) IS NULL AS als,
	recsys.train_sequence(user_id, item_id, ts) IS NULL AS sequence FROM events WHERE false;
\set VERBOSITY default
SELECT recsys.train_als(NULL::bigint, item_id) FROM events;
\set VERBOSITY sqlstate
SELECT recsys.train_ease(user_id, NULL::bigint) FROM events;
SELECT recsys.train_item_knn(user_id, item_id, NULL::float8) FROM events;
SELECT recsys.train_sequence(user_id, item_id, NULL::timestamptz) FROM events;
\set VERBOSITY terse

-- rows with a null are left out
WITH holes AS (
	SELECT user_id, item_id, weight FROM events
	UNION ALL SELECT NULL, 99, 1 UNION ALL SELECT 99, NULL, 1 UNION ALL SELECT 99, 99, NULL)
SELECT (SELECT recsys.train_ease(user_id, item_id, weight)::bytea FROM holes)
	= (SELECT recsys.train_ease(user_id, item_id, weight)::bytea FROM events) AS same;

-- weights
SELECT recsys.train_als(user_id, item_id, 'NaN'::float8) FROM events;
SELECT recsys.train_als(user_id, item_id, 'infinity'::float8) FROM events;
SELECT recsys.train_als(user_id, item_id, 1e300::float8) FROM events;
\set VERBOSITY default
SELECT recsys.train_als(user_id, item_id, CASE WHEN user_id = 5 THEN '-infinity'::float8 ELSE 1 END)
	FROM (SELECT * FROM events ORDER BY user_id, item_id) e;
\set VERBOSITY terse

-- one model whatever the order of rows; duplicates are summed
SELECT a.algorithm, count(DISTINCT a.bytes) AS models FROM (
	SELECT o.n, x.* FROM (VALUES (1), (2), (3)) o(n), LATERAL (
		SELECT * FROM (
			SELECT recsys.train_als(user_id, item_id, weight, '{"iterations": 3, "factors": 4}')::bytea,
				recsys.train_ease(user_id, item_id, weight)::bytea,
				recsys.train_item_knn(user_id, item_id, weight)::bytea,
				recsys.train_popularity(user_id, item_id, weight)::bytea,
				recsys.train_sequence(user_id, item_id, ts, weight)::bytea
			FROM (SELECT * FROM events ORDER BY md5(o.n::text || user_id || item_id || ts)) e
		) t(als, ease, item_knn, popularity, sequence)
	) w, LATERAL (VALUES ('als', als), ('ease', ease), ('item_knn', item_knn),
		('popularity', popularity), ('sequence', sequence)) x(algorithm, bytes)) a
GROUP BY 1 ORDER BY 1;
CREATE FUNCTION tensors(m recsys.model) RETURNS bytea LANGUAGE sql
	RETURN substr(m::bytea, 9 + get_byte(m::bytea, 0) + 256 * get_byte(m::bytea, 1));
SELECT tensors(recsys.train_als(user_id, item_id, weight)) = tensors(recsys.train_als(user_id, item_id, weight * 2)) AS doubled_als,
	tensors(recsys.train_popularity(user_id, item_id, weight)) = tensors(recsys.train_popularity(user_id, item_id, weight * 2)) AS doubled
	FROM (SELECT user_id, item_id, weight FROM events) e;
SELECT tensors(a.als) = tensors(b.als) AS als, tensors(a.popularity) = tensors(b.popularity) AS popularity FROM
	(SELECT recsys.train_als(user_id, item_id, weight) AS als, recsys.train_popularity(user_id, item_id, weight) AS popularity
		FROM (SELECT * FROM events UNION ALL SELECT * FROM events) twice) a,
	(SELECT recsys.train_als(user_id, item_id, weight * 2) AS als, recsys.train_popularity(user_id, item_id, weight * 2) AS popularity
		FROM events) b;

-- a literal, whose type nobody has said, is text
SELECT recsys.train_popularity('pppppppp', item_id)::bytea = recsys.train_popularity('pppppppp'::text, item_id)::bytea AS same,
	meta(recsys.train_popularity('pppppppp', item_id), 'users') AS users, recsys.train_popularity(NULL, item_id) FILTER (WHERE false) AS none FROM events;

-- a model a group; FILTER, DISTINCT, ORDER BY
SELECT user_id % 3 AS part, meta(recsys.train_ease(user_id, item_id, weight), 'users') AS users
	FROM events GROUP BY 1 ORDER BY 1;
SELECT meta(recsys.train_ease(user_id, item_id) FILTER (WHERE user_id <= 5), 'users') AS users FROM events;
SELECT meta(recsys.train_ease(DISTINCT user_id, item_id), 'events') AS events,
	(SELECT count(*) FROM (SELECT DISTINCT user_id, item_id FROM events) e) AS expected FROM events;
SELECT recsys.train_item_knn(user_id, item_id ORDER BY weight DESC)::bytea
	= recsys.train_item_knn(user_id, item_id)::bytea AS same FROM events;

-- not as a window function: it would train once a row
SELECT length(recsys.train_popularity(user_id, item_id) OVER (ORDER BY ts)::bytea) FROM events LIMIT 1;
-- never by hand
DO $$
BEGIN
	PERFORM recsys_support.train_finalfn(NULL);
EXCEPTION WHEN undefined_function OR feature_not_supported THEN
	RAISE NOTICE 'refused';
END $$;
DO $$
BEGIN
	PERFORM recsys_support.train_transfn(NULL, 1, 1::bigint);
EXCEPTION WHEN undefined_function OR feature_not_supported THEN
	RAISE NOTICE 'refused';
END $$;
CREATE AGGREGATE mine("any", bigint) (SFUNC = recsys_support.train_transfn, STYPE = internal,
	FINALFUNC = recsys_support.train_finalfn, FINALFUNC_MODIFY = READ_WRITE);
SELECT mine(user_id, item_id) FROM events;
DROP AGGREGATE mine("any", bigint);

-- options
\set VERBOSITY default
SELECT recsys.train_als(user_id, item_id, 1, '{"factor": 8}') FROM events;
SELECT recsys.train_als(user_id, item_id, 1, '{"factors": 0}') FROM events;
SELECT recsys.train_als(user_id, item_id, 1, '{"factors": "many"}') FROM events;
SELECT recsys.train_als(user_id, item_id, 1, '{"factors": 1.5}') FROM events;
SELECT recsys.train_als(user_id, item_id, 1, '{"factors": [8]}') FROM events;
SELECT recsys.train_als(user_id, item_id, 1, '{"factors": null}') FROM events;
SELECT recsys.train_als(user_id, item_id, 1, '{"alpha": 1e999}') FROM events;
SELECT recsys.train_als(user_id, item_id, 1, '[1]') FROM events;
SELECT recsys.train_als(user_id, item_id, 1, '7') FROM events;
SELECT recsys.train_item_knn(user_id, item_id, 1, '{"neighbors_of": "friends"}') FROM events;
SELECT recsys.train_popularity(user_id, item_id, 1, '{"factors": 8}') FROM events;
SELECT recsys.train_als(user_id, item_id, 1, CASE WHEN user_id = 3 THEN '{"factors": 8}' ELSE '{}' END::jsonb) FROM events;
SELECT recsys.train_als(user_id, item_id, 1, CASE WHEN user_id = 3 THEN '{}'::jsonb END) FROM events;
\set VERBOSITY terse
SELECT recsys.train_als(user_id, item_id, 1, '{}')::bytea = recsys.train_als(user_id, item_id, 1, NULL)::bytea
	AS null_options FROM events;
SELECT header(recsys.train_als(user_id, item_id, 1, '{"factors": 5}'))->'item_factors'->'shape' AS shape FROM events;

-- types: items are bigint, uuid or text, users of any type with a hash
SELECT meta(recsys.train_popularity(user_id, item_id::smallint), 'id_type') AS smallint,
	meta(recsys.train_popularity(user_id, item_id::integer), 'id_type') AS integer,
	meta(recsys.train_popularity(user_id, item_id::bigint), 'id_type') AS bigint,
	meta(recsys.train_popularity(user_id, item_id::text), 'id_type') AS text,
	meta(recsys.train_popularity(user_id, item_id::varchar), 'id_type') AS varchar,
	meta(recsys.train_popularity(user_id, md5(item_id::text)::uuid), 'id_type') AS uuid
FROM events;
SELECT recsys.train_ease(user_id::numeric, item_id)::bytea = m AS "numeric",
	recsys.train_ease('u' || user_id, item_id)::bytea = m AS text,
	recsys.train_ease(md5(user_id::text)::uuid, item_id)::bytea = m AS uuid,
	recsys.train_ease(ARRAY[user_id], item_id)::bytea = m AS "array",
	recsys.train_ease(ts::date - ts::date + user_id, item_id)::bytea = m AS computed,
	recsys.train_ease(user_id, item_id, 1::numeric)::bytea = m AS numeric_weight,
	recsys.train_ease(user_id, item_id, 1::real)::bytea = m AS real_weight
FROM events, (SELECT recsys.train_ease(user_id, item_id)::bytea AS m FROM events) e GROUP BY m;
-- 1 and 1.00 are one user
SELECT meta(recsys.train_ease(u, 1), 'users') AS users FROM (VALUES (1::numeric), (1.00), (2)) v(u);
SELECT meta(recsys.train_ease('anonymous', item_id), 'users') AS users FROM events;
SELECT recsys.train_ease(point(user_id, 1), item_id) FROM events;
SELECT recsys.train_ease(user_id, weight::numeric) FROM events;
SELECT recsys.train_ease(user_id, ts) FROM events;
SELECT recsys.train_ease(user_id) FROM events;

-- one user, one item
SELECT a AS algorithm, CASE a
		WHEN 'als' THEN meta(recsys.train_als(u, i), 'items') WHEN 'ease' THEN meta(recsys.train_ease(u, i), 'items')
		WHEN 'item_knn' THEN meta(recsys.train_item_knn(u, i), 'items')
		ELSE meta(recsys.train_sequence(u, i, '2024-01-01'), 'items') END AS items
	FROM (VALUES (1, 1)) v(u, i), unnest(ARRAY['als', 'ease', 'item_knn', 'sequence']) a GROUP BY a ORDER BY a;

-- settings
SET recsys.threads = 0;
SET recsys.threads = 3;
SELECT recsys.train_als(user_id, item_id)::bytea
	= (SELECT m::bytea FROM (SELECT recsys.train_als(user_id, item_id) AS m FROM events) x) AS same FROM events;
RESET recsys.threads;
SET recsys.no_such_setting = 1;

DROP FUNCTION meta, header, tensors;
DROP TABLE events;
