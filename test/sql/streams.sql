-- streams without a broker: what is refused, what is kept, who sees what
SET client_min_messages = warning;
CREATE ROLE regress_stream_owner LOGIN;
CREATE ROLE regress_stream_member IN ROLE regress_stream_owner;
CREATE ROLE regress_stream_nologin;
CREATE ROLE regress_stream_other LOGIN;
CREATE ROLE regress_stream_monitor IN ROLE pg_read_all_stats;
CREATE SCHEMA streams_test;
GRANT USAGE, CREATE ON SCHEMA streams_test TO PUBLIC;
SET search_path = streams_test, public;
CREATE TABLE events (user_id bigint, item_id bigint, event_type text, ts timestamptz);
CREATE TABLE private (user_id bigint);
ALTER TABLE events OWNER TO regress_stream_owner;
GRANT INSERT ON events TO regress_stream_other, regress_stream_nologin;

-- who may
\set VERBOSITY default
SELECT recsys.create_stream('shop', 'kafka', 'user-behavior-topic', 'events');
SET ROLE regress_stream_owner;
SELECT recsys.create_stream('shop', 'kafka', 'user-behavior-topic', 'events');
RESET ROLE;
GRANT INSERT ON recsys.stream TO regress_stream_owner, regress_stream_nologin, regress_stream_other;
SET ROLE regress_stream_nologin;
SELECT recsys.create_stream('shop', 'kafka', 'user-behavior-topic', 'events');
SET ROLE regress_stream_owner;
SELECT recsys.create_stream('shop', 'kafka', 'user-behavior-topic', 'private');

-- name, brokers, topic
SELECT recsys.create_stream('', 'kafka', 'topic', 'events');
SELECT recsys.create_stream(repeat('x', 64), 'kafka', 'topic', 'events');
SELECT recsys.create_stream(NULL, 'kafka', 'topic', 'events');
SELECT recsys.create_stream('shop', NULL, 'topic', 'events');
SELECT recsys.create_stream('shop', 'kafka', NULL, 'events');
SELECT recsys.create_stream('shop', 'kafka', 'topic', NULL);
SELECT recsys.create_stream('shop', '', 'topic', 'events');
SELECT recsys.create_stream('shop', 'kafka:0', 'topic', 'events');
SELECT recsys.create_stream('shop', 'kafka:65536', 'topic', 'events');
SELECT recsys.create_stream('shop', 'kafka:9092,', 'topic', 'events');
SELECT recsys.create_stream('shop', 'one,two:9092,ssl://three', 'topic', 'events');
SELECT recsys.create_stream('shop', E'kafka\nplugin.library.paths=x', 'topic', 'events');
SELECT recsys.create_stream('shop', repeat('a', 254), 'topic', 'events');
SELECT recsys.create_stream('shop', repeat('a,', 64) || 'a', 'topic', 'events');
SELECT recsys.create_stream('shop', 'kafka', '', 'events');
SELECT recsys.create_stream('shop', 'kafka', '..', 'events');
SELECT recsys.create_stream('shop', 'kafka', 'a/b', 'events');
SELECT recsys.create_stream('shop', 'kafka', repeat('t', 250), 'events');

-- target
CREATE TEMPORARY TABLE mine (user_id bigint);
CREATE VIEW counts AS SELECT user_id, count(*) FROM events GROUP BY 1;
CREATE INDEX events_user ON events (user_id);
SELECT recsys.create_stream('shop', 'kafka', 'topic', 'mine');
SELECT recsys.create_stream('shop', 'kafka', 'topic', 'counts');
SELECT recsys.create_stream('shop', 'kafka', 'topic', 'events_user');
SELECT recsys.create_stream('shop', 'kafka', 'topic', 0::regclass);
SELECT recsys.create_stream('shop', 'kafka', 'topic', 'pg_catalog.pg_class');
SELECT recsys.create_stream('shop', 'kafka', 'topic', 'recsys.stream_offset');
RESET ROLE;
CREATE FOREIGN DATA WRAPPER regress_recsys_wrapper;
CREATE SERVER regress_recsys_server FOREIGN DATA WRAPPER regress_recsys_wrapper;
CREATE FOREIGN TABLE afar (user_id bigint) SERVER regress_recsys_server;
GRANT INSERT ON afar TO regress_stream_owner;
SET ROLE regress_stream_owner;
SELECT recsys.create_stream('shop', 'kafka', 'topic', 'afar');
RESET ROLE;
-- nor behind a view, nor as a partition of a partition
CREATE VIEW afar_view AS SELECT * FROM afar;
CREATE TABLE local_parts (user_id bigint) PARTITION BY RANGE (user_id);
CREATE TABLE parts_low PARTITION OF local_parts FOR VALUES FROM (0) TO (100) PARTITION BY RANGE (user_id);
CREATE TABLE parts_here PARTITION OF parts_low FOR VALUES FROM (0) TO (50);
CREATE FOREIGN TABLE parts_afar PARTITION OF parts_low FOR VALUES FROM (50) TO (100) SERVER regress_recsys_server;
GRANT INSERT ON afar_view, local_parts TO regress_stream_owner;
SET ROLE regress_stream_owner;
SELECT recsys.create_stream('shop', 'kafka', 'topic', 'afar_view');
SELECT recsys.create_stream('shop', 'kafka', 'topic', 'local_parts');
RESET ROLE;
ALTER TABLE parts_low DETACH PARTITION parts_afar;
SET ROLE regress_stream_owner;
SELECT recsys.create_stream('parts', 'kafka', 'topic', 'local_parts');
RESET ROLE;
INSERT INTO recsys.dead_letter (stream_id, partition, message_offset, payload, sqlstate, error)
	SELECT id, 0, 6, '{"user_id": 1}', '22P02', 'what it was' FROM recsys.stream;
ALTER TABLE parts_low ATTACH PARTITION parts_afar FOR VALUES FROM (50) TO (100);
SET ROLE regress_stream_owner;
SELECT recsys.retry_dead_letters('parts');
RESET ROLE;
ALTER TABLE parts_low DETACH PARTITION parts_afar;
SET ROLE regress_stream_owner;
SELECT recsys.retry_dead_letters('parts');
SELECT recsys.drop_stream('parts');
SELECT count(*) AS none FROM recsys.streams;

-- what is kept: addresses with their ports, times in UTC, no nulls
SELECT recsys.create_stream('shop', 'Kafka1, kafka2:9093 ,[::1]', 'user-behavior-topic', 'events');
SELECT recsys.create_stream('shop', 'kafka', 'user-behavior-topic', 'events');
SET TimeZone = 'America/New_York';
CREATE TABLE parts (user_id bigint, item_id bigint) PARTITION BY LIST (user_id);
CREATE VIEW pairs AS SELECT user_id, item_id FROM events;
CREATE UNLOGGED TABLE fast (user_id bigint);
SELECT recsys.create_stream('parts', 'kafka', 't', 'parts', 'null', '{"start": "2026-03-01 12:00", "secret": null}');
SELECT recsys.create_stream('pairs', 'kafka', 't', 'pairs', '{"user_id": "user.id"}', '{"start": "latest", "kafka": {"client.id": "x"}}');
SELECT recsys.create_stream('fast', 'kafka', 't', 'fast', options => NULL);
SELECT stream, owner, brokers, topic, target, mapping, options, state, partitions, lag, rows, rejected FROM recsys.streams ORDER BY stream;
SELECT system_id = (pg_control_system()).system_identifier AS here, database_id = (SELECT oid FROM pg_database WHERE datname = current_database()) AS here_too,
	enabled, generation FROM recsys.stream WHERE name = 'shop';
SELECT stream, partition, state FROM recsys.stream_status ORDER BY 1;
RESET TimeZone;
SELECT recsys.drop_stream(stream) FROM recsys.streams WHERE stream <> 'shop';

-- alter: null leaves a thing as it is, a key given replaces, a null takes away
SELECT recsys.alter_stream('shop', options => '{"batch_rows": 5, "workers": 2}');
SELECT recsys.alter_stream('shop', brokers => 'elsewhere', mapping => '{"user_id": "u"}', options => '{"batch_rows": null, "batch_ms": 7}');
SELECT brokers, topic, target, mapping, options, generation FROM recsys.stream WHERE name = 'shop';
SELECT recsys.alter_stream('shop', mapping => 'null', target => 'pairs');
SELECT brokers, topic, target, mapping, options, generation FROM recsys.stream WHERE name = 'shop';
SELECT recsys.alter_stream('shop', options => '{"batch_row": 5}');
SELECT recsys.alter_stream('shop', options => '{"nosuch": null}');
SELECT recsys.alter_stream('shop', options => '{"kafka": {"nosuch": null}}');
SELECT recsys.alter_stream('shop', options => '[1]');
SELECT recsys.alter_stream('shop', target => 'private');
SELECT recsys.alter_stream('shop', brokers => 'a b');
SELECT recsys.alter_stream('shop', topic => 'a b');
SELECT recsys.alter_stream(NULL, topic => 't');
SELECT recsys.alter_stream('nobody', topic => 't');
SELECT brokers, topic, target, mapping, options, generation FROM recsys.stream WHERE name = 'shop';

-- another topic: offsets go, dead letters are not thrown away
INSERT INTO recsys.stream_offset (stream_id, partition, next_offset, rows) SELECT id, p, 10 * p, 5 FROM recsys.stream, generate_series(0, 2) p;
INSERT INTO recsys.dead_letter (stream_id, partition, message_offset, payload, sqlstate, error) SELECT id, 0, 3, '{', '22P02', 'not JSON' FROM recsys.stream;
INSERT INTO recsys.stream_loss (stream_id, partition, from_offset, to_offset, policy, reason) SELECT id, 1, 3, 10, 'earliest', 'retention' FROM recsys.stream;
SELECT recsys.alter_stream('shop', topic => 'other');
SELECT recsys.alter_stream('shop', topic => 'user-behavior-topic');
SELECT count(*) FROM recsys.stream_offset;
SELECT stream, partition, message_offset, convert_from(payload, 'UTF8') AS payload, sqlstate, error, retries FROM recsys.dead_letters;
SELECT stream, partition, from_offset, to_offset, offsets, policy, reason FROM recsys.stream_losses;
SELECT metric, type, labels, value FROM recsys.stream_metrics ORDER BY metric, labels;

-- pause, resume, seek
SELECT recsys.pause_stream('shop'), recsys.pause_stream('shop');
SELECT state FROM recsys.stream_status;
UPDATE recsys.stream SET stop_reason = 'too many', stop_sqlstate = '54000', stopped_at = '2026-01-01 UTC';
SELECT stream, state, error, sqlstate, error_at = '2026-01-01 UTC' AS then FROM recsys.streams;
SELECT recsys.resume_stream('shop');
SELECT enabled, stop_reason, stop_sqlstate, stopped_at FROM recsys.stream;
UPDATE recsys.stream SET database_id = 1;
SELECT state FROM recsys.streams;
SELECT recsys.resume_stream('shop');
UPDATE recsys.stream SET system_id = 1;
SELECT state FROM recsys.streams;
SELECT recsys.resume_stream('shop');
SELECT state FROM recsys.streams;
UPDATE recsys.stream_offset SET last_offset = next_offset - 1;
UPDATE recsys.stream SET cluster_id = 'cluster';
SELECT recsys.seek_stream('shop', '{"1": 4, "7": 0}');
SELECT recsys.seek_stream('shop', '{"1": 4, "2": 123456789012345678}');
SELECT partition, next_offset, rows, last_offset FROM recsys.stream_offset ORDER BY 1;
SELECT seek_to, cluster_id FROM recsys.stream;
SELECT recsys.seek_stream('shop', 'earliest');
SELECT seek_to, cluster_id, (SELECT count(last_offset) FROM recsys.stream_offset) FROM recsys.stream;
SELECT recsys.seek_stream('shop', '2026-03-01 12:00:00.25+02');
SELECT seek_to FROM recsys.stream;
SELECT recsys.seek_stream('shop', ' {"0": 0}');
SELECT seek_to FROM recsys.stream;
SELECT recsys.seek_stream('shop', 'soon');
SELECT recsys.seek_stream('shop', 'infinity');
SELECT recsys.seek_stream('shop', '1969-12-31');
SELECT recsys.seek_stream('shop', '');
SELECT recsys.seek_stream('shop', '{}');
SELECT recsys.seek_stream('shop', '{"0": -1}');
SELECT recsys.seek_stream('shop', '{"0": 1.5}');
SELECT recsys.seek_stream('shop', '{"0": "1"}');
SELECT recsys.seek_stream('shop', '{"0": 1e18}');
SELECT recsys.seek_stream('shop', '{"0": 5, "1024": 1}');
SELECT recsys.seek_stream('shop', '{"01": 1}');
SELECT recsys.seek_stream('shop', '{"": 1}');
SELECT recsys.seek_stream('shop', '{"0": 1');
SELECT next_offset FROM recsys.stream_offset WHERE partition = 0;
SELECT recsys.pause_stream('nobody');
SELECT recsys.resume_stream('nobody');
SELECT recsys.seek_stream('nobody', 'latest');
SELECT recsys.drop_stream('nobody');
SELECT recsys.pause_stream(NULL), recsys.resume_stream(NULL), recsys.seek_stream('shop', NULL), recsys.drop_stream(NULL);

-- who sees: members of the owner all, a monitor all but messages, others nothing
CREATE VIEW seen AS SELECT (SELECT count(*) FROM recsys.streams) AS streams, (SELECT count(*) FROM recsys.stream_offset) AS offsets,
	(SELECT count(*) FROM recsys.dead_letters) AS dead, (SELECT count(*) FROM recsys.stream_losses) AS losses,
	(SELECT count(*) FROM recsys.stream_metrics) AS metrics, (SELECT count(*) FROM recsys.stream_metrics WHERE metric = 'recsys_stream_dead_letters') AS dead_metrics;
ALTER VIEW seen SET (security_invoker = true);
GRANT SELECT ON seen TO PUBLIC;
SET ROLE regress_stream_member;
SELECT * FROM streams_test.seen;
SELECT recsys.pause_stream('shop'), recsys.resume_stream('shop');
SET ROLE regress_stream_monitor;
SELECT * FROM streams_test.seen;
SELECT recsys.pause_stream('shop');
SELECT recsys.drop_stream('shop');
UPDATE recsys.stream SET enabled = false;
SET ROLE regress_stream_other;
SELECT * FROM streams_test.seen;
SELECT recsys.pause_stream('shop');
SELECT recsys.seek_stream('shop', 'latest');
SELECT recsys.alter_stream('shop', topic => 't');
SELECT recsys.create_stream('shop', 'kafka', 'topic', 'events');
SELECT recsys.create_stream('mine', 'kafka', 'topic', 'events');
UPDATE recsys.stream SET owner = 'regress_stream_owner';
INSERT INTO recsys.stream_offset (stream_id, partition, next_offset) VALUES ((SELECT min(id) - 1 FROM recsys.stream), 99, 0);
SELECT recsys.drop_stream('mine');
INSERT INTO recsys.stream (name, owner, brokers, topic, target, system_id, database_id)
	VALUES ('forged', 'regress_stream_owner', 'kafka', 't', 'events', 1, 1);
DELETE FROM recsys.dead_letters RETURNING id;

-- a row that is not right can still be paused, mended and dropped
RESET ROLE;
UPDATE recsys.stream SET options = '{"bacth": 1}', owner = 'regress_stream_owner';
SET ROLE regress_stream_owner;
SELECT count(*) FROM recsys.streams;
SELECT recsys.pause_stream('shop');
SELECT recsys.resume_stream('shop');
SELECT recsys.alter_stream('shop', options => '{"bacth": null}');
SELECT recsys.resume_stream('shop');
DELETE FROM recsys.dead_letters WHERE stream = 'shop' AND message_offset = 3 RETURNING partition, message_offset;
UPDATE recsys.stream SET cluster_id = 'cluster', seek_to = 'latest';
SELECT recsys.alter_stream('shop', topic => 'other');
SELECT topic, seek_to, cluster_id, (SELECT count(*) FROM recsys.stream_offset) AS offsets, (SELECT count(*) FROM recsys.stream_loss) AS losses FROM recsys.stream;
SET client_min_messages = notice;
INSERT INTO recsys.dead_letter (stream_id, partition, message_offset, sqlstate, error) SELECT id, 0, o, '22P02', 'not JSON' FROM recsys.stream, generate_series(4, 5) o;
SELECT recsys.drop_stream('shop');
SET client_min_messages = warning;
SELECT (SELECT count(*) FROM recsys.stream) + (SELECT count(*) FROM recsys.stream_offset)
	+ (SELECT count(*) FROM recsys.dead_letter) + (SELECT count(*) FROM recsys.stream_loss) AS left_behind;
-- deleted by hand, or given another id, it leaves nothing to who takes the id next
SELECT recsys.create_stream('shop', 'kafka', 't', 'events');
INSERT INTO recsys.stream_offset SELECT id, 0, 6 FROM recsys.stream;
INSERT INTO recsys.stream_loss (stream_id, partition, from_offset, to_offset, policy, reason) SELECT id, 0, 1, 2, 'earliest', '' FROM recsys.stream;
INSERT INTO recsys.dead_letter (stream_id, partition, message_offset, sqlstate, error) SELECT id, 0, 1, '22P02', 'not JSON' FROM recsys.stream;
UPDATE recsys.stream SET id = 1000000;
UPDATE recsys.stream SET id = DEFAULT;
RESET ROLE;
SELECT (SELECT count(*) FROM recsys.stream_offset) + (SELECT count(*) FROM recsys.dead_letter) + (SELECT count(*) FROM recsys.stream_loss) AS left_behind;
SET ROLE regress_stream_owner;
INSERT INTO recsys.dead_letter (stream_id, partition, message_offset, sqlstate, error) SELECT id, 0, 1, '22P02', 'not JSON' FROM recsys.stream;
DELETE FROM recsys.stream;
RESET ROLE;
SELECT (SELECT count(*) FROM recsys.stream_offset) + (SELECT count(*) FROM recsys.dead_letter) + (SELECT count(*) FROM recsys.stream_loss) AS left_behind;
SET ROLE regress_stream_owner;

-- nor where all of them go
SELECT recsys.create_stream('shop', 'kafka', 't', 'events');
INSERT INTO recsys.stream_offset SELECT id, 0, 6 FROM recsys.stream;
INSERT INTO recsys.stream_loss (stream_id, partition, from_offset, to_offset, policy, reason) SELECT id, 0, 1, 2, 'earliest', '' FROM recsys.stream;
INSERT INTO recsys.dead_letter (stream_id, partition, message_offset, sqlstate, error) SELECT id, 0, 1, '22P02', 'not JSON' FROM recsys.stream;
RESET ROLE;
TRUNCATE recsys.stream;
SELECT (SELECT count(*) FROM recsys.stream_offset) + (SELECT count(*) FROM recsys.dead_letter) + (SELECT count(*) FROM recsys.stream_loss) AS left_behind;

-- given away: to whom the owner could become, and who could have created it
SET ROLE regress_stream_owner;
SELECT recsys.create_stream('shop', 'kafka', 't', 'events');
DO $$BEGIN PERFORM recsys.alter_stream('shop', owner => 'regress_stream_other'); EXCEPTION WHEN insufficient_privilege THEN RAISE INFO 'refused'; END$$;
RESET ROLE;
SELECT recsys.alter_stream('shop', owner => 'regress_stream_nologin');
REVOKE INSERT ON events FROM regress_stream_other;
SELECT recsys.alter_stream('shop', owner => 'regress_stream_other');
GRANT INSERT ON events TO regress_stream_other;
REVOKE INSERT ON recsys.stream FROM regress_stream_other;
SELECT recsys.alter_stream('shop', owner => 'regress_stream_other');
GRANT INSERT ON recsys.stream TO regress_stream_other;
SELECT recsys.alter_stream('shop', owner => 'regress_stream_other');
SELECT owner, generation FROM recsys.stream;
SELECT recsys.drop_stream('shop');
SET ROLE regress_stream_owner;

-- the worker's search_path is another
RESET ROLE;
CREATE FUNCTION streams_test."To Events"(event jsonb) RETURNS SETOF events LANGUAGE sql AS 'SELECT * FROM jsonb_populate_record(NULL::streams_test.events, event)';
SET ROLE regress_stream_owner;
SELECT recsys.create_stream('named', 'kafka', 't', 'events', options => '{"transform": "\"To Events\""}');
SELECT options FROM recsys.streams;
SELECT recsys.alter_stream('named', options => '{"transform": "no_such_function"}');
SELECT recsys.drop_stream('named');

-- mapping and target are checked as the worker will use them, with the owner's
-- rights even where a superuser asks
SELECT recsys.create_stream('deep', 'kafka', 't', 'events', '{"no_such_column": "user.id"}');
SELECT recsys.create_stream('deep', 'kafka', 't', 'events', options => '{"transform": "no_such_function"}');
SELECT recsys.create_stream('deep', 'kafka', 't', 'events', '{"item_id": "i", "user_id": {"path": "u", "default": "nobody"}}');
SELECT recsys.create_stream('deep', 'kafka', 't', 'events', '{"user_id": {"required": true, "default": null}}');
SELECT count(*) AS none FROM recsys.streams;
-- (once a statement: how often a statement is planned is the release's affair)
CREATE SEQUENCE planned;
CREATE FUNCTION streams_test.whoami() RETURNS bigint IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN IF nextval('streams_test.planned') = 1 THEN RAISE WARNING 'planned as %', current_user; END IF; RETURN 1; END $$;
CREATE TABLE spies (user_id bigint, item_id bigint GENERATED ALWAYS AS (streams_test.whoami()) STORED, kind bigint DEFAULT streams_test.whoami());
ALTER SEQUENCE planned RESTART;
SELECT recsys.create_stream('deep', 'kafka', 't', 'spies', '{"user_id": "user.id"}');
RESET ROLE;
ALTER SEQUENCE planned RESTART;
SELECT recsys.alter_stream('deep', mapping => '{"user_id": "user"}');
ALTER SEQUENCE planned RESTART;
SELECT recsys.resume_stream('deep');
REVOKE INSERT ON private FROM regress_stream_owner;
SELECT recsys.alter_stream('deep', target => 'private');
SELECT current_user = session_user AS myself_again;
SELECT recsys.drop_stream('deep');
SET ROLE regress_stream_owner;

-- objects of the caller's search path are not called
CREATE FUNCTION streams_test.hijack(jsonb, jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hijacked'; END $$;
CREATE OPERATOR streams_test.|| (LEFTARG = jsonb, RIGHTARG = jsonb, FUNCTION = streams_test.hijack);
CREATE FUNCTION streams_test.hijack(bigint, integer) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hijacked'; END $$;
CREATE OPERATOR streams_test.+ (LEFTARG = bigint, RIGHTARG = integer, FUNCTION = streams_test.hijack);
CREATE FUNCTION streams_test.hijack(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hijacked'; END $$;
CREATE OPERATOR streams_test.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = streams_test.hijack);
SET search_path = streams_test, pg_catalog;
SELECT recsys.create_stream('path', 'kafka', 't', 'events');
SELECT recsys.alter_stream('path', options => '{"workers": 2}');
SELECT recsys.seek_stream('path', '{"0": 1}');
SELECT recsys.pause_stream('path');
SELECT recsys.resume_stream('path');
SELECT count(*) FROM recsys.stream_metrics;
SELECT recsys.drop_stream('path');
RESET ROLE;
DROP TABLE pg_temp.mine;
DROP SCHEMA streams_test CASCADE;
DROP SERVER regress_recsys_server;
DROP FOREIGN DATA WRAPPER regress_recsys_wrapper;
REVOKE ALL ON recsys.stream FROM regress_stream_owner, regress_stream_nologin, regress_stream_other;
DROP ROLE regress_stream_owner, regress_stream_member, regress_stream_nologin, regress_stream_other, regress_stream_monitor;
