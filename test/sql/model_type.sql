-- The type recsys.model: text, binary and bytea forms, casts, bad input.
\set VERBOSITY terse
CREATE TABLE events AS
	SELECT u AS user_id, (u * 3 + n * n) % 7 AS item_id, 1.0 + n AS weight
	FROM generate_series(1, 12) u, generate_series(0, 3) n;
CREATE TABLE models AS
	SELECT 'als' AS algorithm, recsys.train_als(user_id, item_id, weight, '{"factors": 4, "iterations": 2}') AS m FROM events
	UNION ALL SELECT 'ease', recsys.train_ease(user_id, item_id, weight) FROM events
	UNION ALL SELECT 'item_knn', recsys.train_item_knn(user_id, item_id, weight) FROM events
	UNION ALL SELECT 'popularity', recsys.train_popularity(user_id, item_id, weight) FROM events
	UNION ALL SELECT 'sequence', recsys.train_sequence(user_id, item_id, '2024-01-01'::timestamptz + weight * interval '1 hour') FROM events
	UNION ALL SELECT 'text ids', recsys.train_popularity(user_id, 'item ' || item_id) FROM events
	UNION ALL SELECT 'the empty id', recsys.train_popularity(user_id, ''::text) FROM events
	UNION ALL SELECT 'uuid ids', recsys.train_popularity(user_id, ('00000000-0000-0000-0000-00000000000' || item_id)::uuid) FROM events;

-- every form and back gives the same bytes
SELECT algorithm,
	m::text::recsys.model::bytea = m::bytea AS text_form,
	m::bytea::recsys.model::bytea = m::bytea AS bytea_form,
	recsys_support.model_send(m) = m::bytea AS send,
	m::text = replace(encode(m::bytea, 'base64'), E'\n', '') AS base64
FROM models ORDER BY algorithm;

-- the binary form, through COPY
CREATE TABLE copied (algorithm text, m recsys.model);
\copy models TO 'models.bin' (FORMAT binary)
\copy copied FROM 'models.bin' (FORMAT binary)
SELECT count(*), count(*) FILTER (WHERE a.m::bytea = b.m::bytea) AS same
	FROM models a JOIN copied b USING (algorithm);

-- bytes are a safetensors file: 8 bytes of header length, then JSON
SELECT algorithm, j->'__metadata__'->>'algorithm' AS "metadata",
	(SELECT count(*) > 0 FROM jsonb_object_keys(j) k WHERE k <> '__metadata__') AS tensors
FROM (SELECT algorithm, convert_from(substr(m::bytea, 9, get_byte(m::bytea, 0) + 256 * get_byte(m::bytea, 1)), 'UTF8')::jsonb AS j
	FROM models) AS h ORDER BY algorithm;

-- casts are explicit; the type has no order and no equality of its own
CREATE TABLE plain (b bytea);
INSERT INTO plain SELECT m FROM models;
SELECT m FROM models ORDER BY m;
SELECT DISTINCT m FROM models;
SELECT NULL::bytea::recsys.model IS NULL AS null_model, NULL::recsys.model::bytea IS NULL AS null_bytes;

-- bad input
\set VERBOSITY sqlstate
SELECT 'not base64!'::recsys.model;
SELECT ''::recsys.model;
SELECT 'AAAA'::recsys.model;
SELECT 'QUJD='::recsys.model;
SELECT ''::bytea::recsys.model;
SELECT '\x00'::bytea::recsys.model;
SELECT '\xffffffffffffffff'::bytea::recsys.model;
SELECT '\x02000000000000007b7d'::bytea::recsys.model;
SELECT substr(m::bytea, 1, length(m::bytea) - 1)::recsys.model FROM models WHERE algorithm = 'ease';
SELECT (m::bytea || '\x00')::recsys.model FROM models WHERE algorithm = 'ease';
\set VERBOSITY default
SELECT 'not base64!'::recsys.model;
\set VERBOSITY terse
-- an infinite number in the last tensor; a model of a later format
\set VERBOSITY sqlstate
SELECT length(overlay(m::bytea placing '\x0000807f' from length(m::bytea) - 3)::recsys.model::bytea)
	FROM models WHERE algorithm = 'ease';
SELECT length(decode(replace(encode(m::bytea, 'hex'), encode('"format_version": "2"', 'hex'),
	encode('"format_version": "9"', 'hex')), 'hex')::recsys.model::bytea)
	FROM models WHERE algorithm = 'popularity';
\set VERBOSITY terse

-- the bound on a value: this one has 64 items with all their weights
SET recsys.max_model_size = '4kB';
\set VERBOSITY sqlstate
SELECT recsys.train_ease(u, (u * i) % 64) FROM generate_series(1, 80) u, generate_series(1, 9) i;
\set VERBOSITY default
SELECT recsys.train_ease(u, (u * i) % 64) FROM generate_series(1, 80) u, generate_series(1, 9) i;
\set VERBOSITY sqlstate
SELECT (repeat('A', 8000))::recsys.model;
SELECT (decode(repeat('00', 8000), 'hex'))::recsys.model;
SELECT length(m::text::recsys.model::bytea) > 100 AS small_enough FROM models WHERE algorithm = 'popularity';
RESET recsys.max_model_size;

DROP TABLE events, models, copied, plain;
