-- upsert on two columns, one of a collation that takes A for a (without ICU: stream_collation_1.out)
SET client_min_messages = error;
CREATE SCHEMA collation_test;
SET search_path = collation_test;
\set VERBOSITY terse
CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE pairs (a text COLLATE nocase, b int, v int, UNIQUE (a, b));
INSERT INTO recsys.stream (name, owner, brokers, topic, target, options, enabled, system_id, database_id)
	VALUES ('u', current_user::regrole, 'localhost:9092', 'topic', 'pairs', '{"upsert_key": ["b", "a"]}', false, 0, 0);
INSERT INTO recsys.dead_letter (stream_id, partition, message_offset, payload, sqlstate, error)
	SELECT s.id, 0, n, convert_to(payload, 'UTF8'), '00000', 'by hand'
	FROM recsys.stream s, unnest(ARRAY['{"a": "x", "b": 1, "v": 1}', '{"a": "X", "b": 1, "v": 2}',
		'{"a": "x", "b": 2, "v": 3}']) WITH ORDINALITY p (payload, n) WHERE s.name = 'u';
SELECT * FROM recsys.retry_dead_letters('u');
SELECT v FROM pairs ORDER BY v;
DELETE FROM recsys.dead_letter;
DELETE FROM recsys.stream;
DROP SCHEMA collation_test CASCADE;
