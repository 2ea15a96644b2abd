-- encoders against plain SQL
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE SCHEMA encoding_test;
SET search_path = encoding_test, public;
CREATE TABLE people AS SELECT i AS id, CASE WHEN i % 7 <> 0 THEN (i * 37 % 83)::float8 / 4 END AS age,
	(i * i % 101)::integer AS visits, CASE WHEN i % 11 <> 0 THEN (ARRAY['M', 'F', 'x'])[1 + (i * i) % 3] END AS gender,
	'city ' || (i * i) % 23 AS city, (ARRAY['{a,b}', '{b}', '{}', '{c,a}', '{b,c,b}'])[1 + i % 5]::text[] AS genres,
	i % 2 = 0 AS member
FROM generate_series(1, 200) i;

-- string_indexer: by frequency, ties alphabetical by code
SELECT recsys.string_indexer(city) AS labels FROM people \gset
SELECT count(*) AS differences FROM (
	SELECT city, recsys.string_index(city, :'labels') AS got,
		dense_rank() OVER (ORDER BY n DESC, city COLLATE "C") - 1 AS want
	FROM (SELECT city, count(*) AS n FROM people GROUP BY 1) c) x WHERE got <> want;
SELECT recsys.string_indexer(v) FROM (VALUES ('b'), ('a'), (NULL), (''), ('é'), ('a'), (E'\U0001F600'), (E'\uFFFD'), (''), ('quote"\\')) x(v);
SELECT recsys.string_indexer(NULL), recsys.string_indexer('x') FILTER (WHERE false) FROM people;
SELECT v, recsys.string_index(v, '["b", "a", ""]', 'keep') AS keep, recsys.string_index(v, '["b", "a", ""]', 'skip') AS skip
FROM (VALUES ('a'), ('b'), (''), ('c'), (NULL)) x(v);
SELECT recsys.string_index('c', '["b", "a"]');
SELECT recsys.string_index(NULL, '["b", "a"]');
SELECT recsys.string_index('b', '["b", "a"]', 'drop'), recsys.string_index('b', NULL), recsys.string_index('b', '["b"]', NULL);
SELECT recsys.string_index('c', '["b", "a"]', 'drop');
-- two models in one column: the labels of each row are its own
SELECT recsys.string_index('a', m) FROM (VALUES (1, '["a"]'::recsys.string_indexer_model), (2, '["b", "a"]'), (3, '["a"]')) x(n, m) ORDER BY n;

-- one_hot
SELECT recsys.one_hot(0, 3), recsys.one_hot(2, 3), recsys.one_hot(2, 3, false), recsys.one_hot(0, 1), recsys.one_hot(NULL, 3);
SELECT recsys.one_hot(3, 3);
SELECT recsys.one_hot(-1, 3);
SELECT recsys.one_hot(0, 0);
SELECT recsys.one_hot(0, 1000001);

-- vector_assembler
SELECT recsys.vector_assembler(1, 2.5, true, ARRAY[3, 4], 5::bigint, 6::smallint, 7::real, 8.5::numeric, '{}'::real[], ARRAY[true, false], ARRAY[[1], [2]]);
SELECT recsys.vector_assembler(recsys.one_hot(1, 3), 'infinity'::float8), recsys.vector_assembler(VARIADIC ARRAY[1.5, 2]), recsys.vector_assembler('{}'::integer[]);
SELECT recsys.vector_assembler(1, NULL::integer);
SELECT recsys.vector_assembler(1, ARRAY[1, NULL]);
SELECT recsys.vector_assembler(1, 'NaN'::real);
SELECT recsys.vector_assembler(1, 1e300::float8);
SELECT recsys.vector_assembler(1, 'x');
SELECT recsys.vector_assembler(1, ARRAY['x']);
SELECT recsys.vector_assembler(now());

-- try_cast: as the cast, and null where the cast fails
CREATE FUNCTION casts(value text, type text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE r text;
BEGIN
	EXECUTE format('SELECT (%L::%s)::text', value, type) INTO r;
	RETURN r;
EXCEPTION WHEN OTHERS THEN RETURN NULL;
END $$;
CREATE FUNCTION tries(value text, type text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE r text;
BEGIN
	EXECUTE format('SELECT recsys.try_cast(%L, NULL::%s)::text', value, type) INTO r;
	RETURN r;
END $$;
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE TABLE attempts AS SELECT v, t, casts(v, t) AS want, tries(v, t) AS got FROM unnest(ARRAY['', ' ', '1', ' 12 ', '-5', '+7', '--7', '12x', 'x',
	'1.5', '.5', '5.', '.', '1e3', '1e400', '1e-400', '0x10', '1_000', 'NaN', 'inf', '-infinity', '32767', '32768', '-32768', '-32769', '2147483647', '2147483648',
	'-2147483648', '-2147483649', '9223372036854775807', '9223372036854775808', '-9223372036854775808', '-9223372036854775809',
	't', 'true', ' TRUE ', 'yes', 'of', 'o', 'off', '0', 'nope', '2020-02-29', '2021-02-29', '2020-02-30', '2020-13-01', '0000-01-01', '2020-1-1', '20200101',
	'2020-01-01 10:00', '2020-01-01 24:00:00', '2020-01-01T10:11:12', '2020-01-01 10:11:12.123456', '2020-01-01 10:11:12.1234567', '2020-01-01 10:61:12',
	'2020-01-01 10:11:12+02', 'now', 'yesterday evening', '12:34', '{1,2}', '{', '[1,2]', '{"a": 1}', '0b2a', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
	'nan', '1e', 'e5', '1 2', E'1\t', repeat('9', 400), 'positive']) v,
	unnest(ARRAY['smallint', 'integer', 'bigint', 'real', 'double precision', 'numeric', 'boolean', 'date', 'timestamp', 'timestamptz', 'text',
	'integer[]', 'jsonb', 'uuid', 'positive', 'name', 'regtype', 'int4range', 'interval', '"char"', 'time']) t WHERE v <> 'now';
SELECT count(*) AS attempts, count(want) > 400 AS many_succeed, count(*) FILTER (WHERE got IS DISTINCT FROM want) AS differences FROM attempts;
SELECT * FROM attempts WHERE got IS DISTINCT FROM want;
SELECT recsys.try_cast(NULL, 1), recsys.try_cast('x', 7), recsys.try_cast('5', 7);
SELECT recsys.try_cast('abc', NULL::varchar, 7), recsys.try_cast('abcd', NULL::varchar, 7), recsys.try_cast('1.25', NULL::numeric, 196613);

-- fit_encoder and encode: every step against SQL
SELECT recsys.fit_encoder(p, '[
	{"column": "age", "impute": "mean", "scale": "standard"},
	{"column": "visits", "log": true, "scale": "min_max"},
	{"column": "gender", "impute": "most_frequent", "encode": "one_hot"},
	{"column": "city", "encode": "index"},
	{"column": "genres", "encode": "multi_hot"},
	{"column": "member"}]') AS e FROM people p \gset
SELECT * FROM recsys.encoder_columns(:'e');
CREATE TABLE wanted AS
WITH s AS (
	SELECT avg(age) AS mean, max(ln(1.0::float8 + visits)) AS high, min(ln(1.0::float8 + visits)) AS low FROM people), d AS (
	SELECT stddev_samp(coalesce(age, mean)) AS deviation FROM people, s), c AS (
	SELECT city, row_number() OVER (ORDER BY count(*) DESC, city COLLATE "C") - 1 AS i FROM people GROUP BY city), g AS (
	SELECT array_agg(gender ORDER BY n DESC, gender) AS genders FROM (SELECT gender, count(*) AS n FROM people WHERE gender IS NOT NULL GROUP BY 1) x), m AS (
	SELECT array_agg(genre ORDER BY n DESC, genre) AS genres FROM (SELECT genre, count(*) AS n FROM people, unnest(genres) genre GROUP BY 1) x)
SELECT id, ARRAY[(coalesce(age, mean) - mean) / deviation, (ln(1.0::float8 + visits) - low) / (high - low)]
	|| ARRAY(SELECT (x = coalesce(gender, genders[1]))::int::float8 FROM unnest(genders) WITH ORDINALITY u(x, o) ORDER BY o)
	|| i::float8 || ARRAY(SELECT (x = ANY (p.genres))::int::float8 FROM unnest(m.genres) WITH ORDINALITY u(x, o) ORDER BY o)
	|| member::int::float8 AS vector
FROM people p JOIN c USING (city), s, d, g, m;
SELECT count(*) AS rows, max(abs(got - want)) < 1e-6 AS near, count(*) FILTER (WHERE got IS NULL OR want IS NULL) AS lost
FROM people p JOIN wanted w USING (id), unnest(recsys.encode(:'e', p), w.vector) u(got, want);
-- a row, a subquery's row, ROW() in order of the encoder, and JSON give the same
SELECT count(*) AS rows, count(*) FILTER (WHERE recsys.encode(:'e', p) = recsys.encode(:'e', to_jsonb(p) - 'id')
	AND recsys.encode(:'e', p) = recsys.encode(:'e', ROW(p.age, p.visits, p.gender, p.city, p.genres, p.member))
	AND recsys.encode(:'e', p) = recsys.encode(:'e', x)) AS same
FROM people p JOIN LATERAL (SELECT p.member, p.city, p.genres, p.gender, p.visits::numeric, p.age::numeric) x ON true;
-- the order of the rows does not matter, nor whether they are JSON
SELECT count(DISTINCT f::text) AS encoders, bool_and(f::text = :'e') AS same FROM (
	SELECT recsys.fit_encoder(p, '[{"column": "age", "impute": "mean", "scale": "standard"}, {"column": "visits", "log": true, "scale": "min_max"},
		{"column": "gender", "impute": "most_frequent", "encode": "one_hot"}, {"column": "city", "encode": "index"}, {"column": "genres", "encode": "multi_hot"},
		{"column": "member"}]' ORDER BY CASE g WHEN 0 THEN id WHEN 1 THEN -id ELSE hashint4(id * g) END) AS f
	FROM people p, generate_series(0, 9) g GROUP BY g
	UNION ALL
	SELECT recsys.fit_encoder(to_jsonb(p), '[{"column": "age", "impute": "mean", "scale": "standard"}, {"column": "visits", "log": true, "scale": "min_max"},
		{"column": "gender", "impute": "most_frequent", "encode": "one_hot"}, {"column": "city", "encode": "index"}, {"column": "genres", "encode": "multi_hot"},
		{"column": "member"}]') FROM people p) x;

-- quantiles: percentile_disc, and percentile_cont where interpolated
SELECT recsys.fit_encoder(p, '{"age": {"impute": "median", "scale": "robust"}}') AS d,
	recsys.fit_encoder(p, '{"age": {"impute": "median", "scale": "robust", "interpolate": true}}') AS c FROM people p \gset
WITH m AS (SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY age) AS disc, percentile_cont(0.5) WITHIN GROUP (ORDER BY age) AS cont FROM people),
q AS (SELECT percentile_disc(ARRAY[0.25, 0.5, 0.75]) WITHIN GROUP (ORDER BY coalesce(age, disc)) AS d,
	percentile_cont(ARRAY[0.25, 0.5, 0.75]) WITHIN GROUP (ORDER BY coalesce(age, cont)) AS c FROM people, m)
SELECT bool_and(abs((recsys.encode(:'d', p))[1] - (coalesce(age, disc) - d[2]) / (d[3] - d[1])) < 1e-6) AS discrete,
	bool_and(abs((recsys.encode(:'c', p))[1] - (coalesce(age, cont) - c[2]) / (c[3] - c[1])) < 1e-6) AS continuous FROM people p, m, q;
-- buckets: given, and by quantiles
SELECT recsys.fit_encoder(p, '{"visits": {"bucketize": [0, 18, 50, "infinity"], "encode": "one_hot", "drop_last": true}}') AS b,
	recsys.fit_encoder(p, '{"visits": {"bucketize": 5}}') AS q FROM people p \gset
SELECT :'b', :'q';
SELECT count(*) FILTER (WHERE recsys.encode(:'b', p) <> ARRAY[(visits < 18)::int, (visits >= 18 AND visits < 50)::int]::real[]) AS differences,
	count(*) FILTER (WHERE recsys.encode(:'q', p) <> ARRAY[(SELECT count(*) FROM unnest((SELECT percentile_disc(ARRAY[0.2, 0.4, 0.6, 0.8])
		WITHIN GROUP (ORDER BY visits) FROM people)) s WHERE s <= visits)]::real[]) AS by_quantile FROM people p;

-- min_frequency, order, hash, constants, unseen
SELECT recsys.fit_encoder(p, '{"city": {"encode": "one_hot", "min_frequency": 9, "unseen": "keep"}, "gender": {"encode": "one_hot", "order": "alphabetical",
	"impute": "constant", "value": "unknown"}}') AS f FROM people p \gset
SELECT category, meaning FROM recsys.encoder_columns(:'f');
SELECT city, count(*) FROM people GROUP BY 1 HAVING count(*) >= 9 ORDER BY 2 DESC, city COLLATE "C";
SELECT u AS unseen, recsys.encode(format('{"recsys_encoder": 1, "rows": 1, "columns": [{"column": "a", "encode": "one_hot", "unseen": "%s", "categories": ["x", "y"], "counts": [2, 1]}]}', u)::recsys.encoder, v)
FROM unnest(ARRAY['keep', 'ignore', 'skip']) u, unnest(ARRAY['{"a": "x"}', '{"a": "z"}', '{"a": null}', '{}']::jsonb[]) v;

-- serving: keys missing or unknown, wrong types, not finite
SELECT recsys.encode(:'e', '{"age": 3, "visits": 1, "city": "city 1", "genres": ["a"], "member": true}'::jsonb) AS imputed;
SELECT recsys.encode(:'e', '{"age": 3, "gender": "F", "city": "city 1", "genres": ["a"], "member": true}'::jsonb);
SELECT recsys.encode(:'e', '{"age": 3, "visits": null, "city": "city 1", "genres": ["a"], "member": true}'::jsonb);
SELECT recsys.encode(:'e', '{"age": 3, "visit": 1, "city": "city 1", "genres": ["a"], "member": true}'::jsonb);
SELECT recsys.encode(:'e', '{"age": "3", "visits": 1, "city": "city 1", "genres": ["a"], "member": true}'::jsonb);
SELECT recsys.encode(:'e', '{"age": 3, "visits": 1, "city": "Atlantis", "genres": ["a"], "member": true}'::jsonb);
SELECT recsys.encode(:'e', '{"age": 3, "visits": 1, "city": {}, "genres": ["a"], "member": true}'::jsonb);
SELECT recsys.encode(:'e', '{"age": 3, "visits": 1, "city": "city 1", "genres": ["a", "q"], "member": true}'::jsonb);
SELECT recsys.encode(:'e', '{"age": 3, "visits": 1, "city": "city 1", "genres": ["a", null], "member": true}'::jsonb);
SELECT recsys.encode(:'e', '{"age": 3, "visits": 1, "city": "city 1", "genres": [["a"]], "member": true}'::jsonb);
SELECT recsys.encode(:'e', '{"age": 1e300, "visits": 1, "city": "city 1", "genres": "a", "member": true}'::jsonb);
SELECT recsys.encode(:'e', '{"age": 3, "visits": -1, "city": "city 1", "genres": "a", "member": true}'::jsonb);
SELECT recsys.encode(:'e', '[1]'::jsonb);
SELECT recsys.encode(:'e', ROW('infinity'::float8, 1, 'M', 'city 1', '{a}'::text[], true));
SELECT recsys.encode(:'e', ROW('x'::text, 1, 'M', 'city 1', '{a}'::text[], true));
SELECT recsys.encode(:'e', ROW(1, 1, now(), 'city 1', '{a}'::text[], true));
SELECT recsys.encode(:'e', x) FROM (SELECT 1 AS age, 2 AS visits) x;
SELECT recsys.encode(NULL, ROW(1)), recsys.encode(:'e', NULL::jsonb);
-- a literal in ROW(), whose type nobody has said, is text
SELECT recsys.encode(recsys.fit_encoder(ROW('pppppppp'), '{"f1": {"encode": "one_hot"}}'), ROW('pppppppp')),
	recsys.encode(recsys.fit_encoder(ROW('pppppppp'), '{"f1": {"encode": "one_hot", "unseen": "ignore"}}'), ROW('qqqqqqqq'::text));
-- categories of other types by their text
CREATE TYPE color AS ENUM ('red', 'green');
SELECT recsys.fit_encoder(x, '{"i": {"encode": "index"}, "b": {"encode": "index"}, "n": {"encode": "index"}, "f": {"encode": "index"}, "c": {"encode": "index"},
	"e": {"encode": "index"}, "u": {"encode": "index"}, "l": {"encode": "multi_hot"}, "s": {"encode": "multi_hot", "separator": ", "}}')
FROM (SELECT 7 AS i, true AS b, 1.50 AS n, 0.1::float8 AS f, 'ab'::char(5) AS c, 'green'::color AS e, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid AS u,
	ARRAY[3, 5] AS l, 'x, y, , x' AS s) x;
SELECT recsys.fit_encoder(x, '{"d": {"encode": "index"}}') FROM (SELECT date '2020-01-01' AS d) x;

-- fitting: what is refused, and what is null
SELECT recsys.fit_encoder(p, '{"age": {}}') IS NULL AS null FROM people p WHERE false;
SELECT recsys.fit_encoder(p, '{"age": {"scale": "big"}}') FROM people p;
SELECT recsys.fit_encoder(p, '{"age": {"scales": "standard"}}') FROM people p;
SELECT recsys.fit_encoder(p, '{"height": {}}') FROM people p;
SELECT recsys.fit_encoder(p, '{"gender": {"scale": "standard"}}') FROM people p;
SELECT recsys.fit_encoder(p, NULL) FROM people p;
SELECT recsys.fit_encoder(p, jsonb_build_object('age', jsonb_build_object('log', member))) FROM people p;
SELECT recsys.fit_encoder(x, '{"a": {"impute": "mean"}}') FROM (VALUES (NULL::int)) x(a);
SELECT recsys.fit_encoder(x, '{"a": {}}') FROM (VALUES ('infinity'::float8)) x(a);
SELECT recsys.fit_encoder(NULL::people, '{"age": {}}'), recsys.fit_encoder(NULL::jsonb, '{"age": {}}') FROM people;
SET recsys.train_memory = '64kB';
SELECT recsys.fit_encoder(x, '{"a": {"encode": "index"}}') FROM (SELECT i::text AS a FROM generate_series(1, 100000) i) x;
RESET recsys.train_memory;
-- grouped, filtered, over a window of nothing
SELECT member, recsys.fit_encoder(p, '{"gender": {"encode": "one_hot"}}') FROM people p GROUP BY member ORDER BY member;

-- the types: text there and back, binary, what is not one
SELECT (:'e'::recsys.encoder)::text::recsys.encoder::text = :'e' AS text, '[ "b" ,"\u0061" ]'::recsys.string_indexer_model AS canonical;
CREATE TABLE kept (e recsys.encoder, l recsys.string_indexer_model);
INSERT INTO kept SELECT :'e', :'labels';
CREATE TEMP TABLE sent AS SELECT recsys_support.encoder_send(e) AS e, recsys_support.string_indexer_model_send(l) AS l FROM kept;
SELECT get_byte(e, 0) AS version, convert_from(substr(e, 2), 'UTF8') = :'e' AS json FROM sent;
SELECT ''::recsys.encoder;
SELECT '{}'::recsys.encoder;
SELECT '{"recsys_encoder": 2}'::recsys.encoder;
SELECT '{"recsys_encoder": 1, "rows": 1, "columns": [{"column": "a", "encode": "hash"}]}'::recsys.encoder;
SELECT '["a", "a"]'::recsys.string_indexer_model;
SELECT '"a"'::recsys.string_indexer_model;
-- from a table, inline, toasted, and changing from row to row
UPDATE kept SET e = (SELECT recsys.fit_encoder(x, '{"v": {"encode": "index"}}') FROM (SELECT 'value ' || i AS v FROM generate_series(1, 2000) i) x);
SELECT pg_column_size(e) > 10000 AS toasted FROM kept;
SELECT count(*) FILTER (WHERE (recsys.encode(e, x))[1] = rank - 1) AS same FROM kept, (SELECT 'value ' || i AS v, row_number() OVER (ORDER BY ('value ' || i) COLLATE "C") AS rank FROM generate_series(1, 2000) i) x;
SELECT n, recsys.encode(e, '{"a": "y"}'::jsonb) FROM (VALUES
	(1, '{"recsys_encoder": 1, "rows": 1, "columns": [{"column": "a", "encode": "index", "categories": ["x", "y"], "counts": [1, 1]}]}'::recsys.encoder),
	(2, '{"recsys_encoder": 1, "rows": 1, "columns": [{"column": "a", "encode": "index", "categories": ["y", "x"], "counts": [1, 1]}]}'),
	(3, '{"recsys_encoder": 1, "rows": 1, "columns": [{"column": "a", "encode": "index", "categories": ["x", "y"], "counts": [1, 1]}]}')) v(n, e) ORDER BY n;

-- immutable: generated columns and indexes
CREATE TYPE profile AS (age float8, gender text);
CREATE TABLE members (age float8, gender text, doc jsonb,
	features real[] GENERATED ALWAYS AS (recsys.encode('{"recsys_encoder": 1, "rows": 1, "columns": [{"column": "age", "impute": 30, "scale": "standard", "center": 30, "divisor": 10}, {"column": "gender", "encode": "one_hot", "unseen": "ignore", "categories": ["M", "F"], "counts": [1, 1]}]}'::recsys.encoder,
		ROW(age, gender)::profile)) STORED,
	positional real[] GENERATED ALWAYS AS (recsys.encode('{"recsys_encoder": 1, "rows": 1, "columns": [{"column": "age", "impute": 30, "scale": "standard", "center": 30, "divisor": 10}, {"column": "gender", "encode": "one_hot", "unseen": "ignore", "categories": ["M", "F"], "counts": [1, 1]}]}'::recsys.encoder,
		ROW(age, gender))) STORED,
	gender_code integer GENERATED ALWAYS AS (recsys.string_index(gender, '["M", "F"]', 'keep')) STORED);
CREATE INDEX ON members (recsys.encode('{"recsys_encoder": 1, "rows": 1, "columns": [{"column": "age", "impute": 0}]}'::recsys.encoder, doc));
INSERT INTO members VALUES (40, 'F', '{"age": 1}'), (NULL, 'M', '{}'), (25, 'other', '{"age": null}');
SELECT * FROM members ORDER BY age;
ALTER TABLE members ADD COLUMN extra integer;
SELECT recsys.encode('{"recsys_encoder": 1, "rows": 1, "columns": [{"column": "extra", "impute": 5}]}'::recsys.encoder, m) FROM members m;
-- in parallel, as alone
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2;
ALTER TABLE people SET (parallel_workers = 2);
EXPLAIN (COSTS OFF) SELECT count(recsys.encode(:'q', p)) FROM people p;
SELECT sum((recsys.encode(:'q', p))[1]) FROM people p;
SET max_parallel_workers_per_gather = 0;
SELECT sum((recsys.encode(:'q', p))[1]) FROM people p;
DROP SCHEMA encoding_test CASCADE;
