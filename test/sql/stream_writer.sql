-- messages to rows: what the worker does with a batch, through retry_dead_letters
SET client_min_messages = error;
CREATE SCHEMA writer_test;
CREATE ROLE regress_recsys_writer LOGIN;
GRANT ALL ON SCHEMA writer_test TO regress_recsys_writer;
GRANT INSERT ON recsys.stream TO regress_recsys_writer;
ALTER ROLE regress_recsys_writer SET search_path = writer_test;
SET ROLE regress_recsys_writer;
SET search_path = writer_test;
SET timezone = 'UTC';
\set VERBOSITY terse

-- a stream without a broker, and messages as if it had refused them
CREATE PROCEDURE stream(name text, target regclass, mapping jsonb DEFAULT NULL, options jsonb DEFAULT '{}') LANGUAGE sql AS $$
	DELETE FROM recsys.dead_letter;
	DELETE FROM recsys.stream WHERE stream.name = $1;
	INSERT INTO recsys.stream (name, owner, brokers, topic, target, mapping, options, system_id, database_id)
		VALUES ($1, current_user::regrole, 'localhost:9092', 'topic', $2, $3, $4, 0, 0) $$;
CREATE PROCEDURE put_bytes(stream text, payload bytea, key bytea DEFAULT NULL, headers jsonb DEFAULT NULL, at timestamptz DEFAULT '2026-01-02 03:04:05.678Z', partition int DEFAULT 0) LANGUAGE sql AS $$
	INSERT INTO recsys.dead_letter (stream_id, partition, message_offset, message_time, key, payload, headers, sqlstate, error)
		SELECT s.id, $6, (SELECT count(*) FROM recsys.dead_letter d WHERE d.stream_id = s.id), $5, $3, $2, $4, '00000', 'by hand' FROM recsys.stream s WHERE s.name = $1 $$;
CREATE PROCEDURE put(stream text, VARIADIC payloads text[]) LANGUAGE plpgsql AS $$
	BEGIN FOR i IN 1 .. cardinality(payloads) LOOP CALL put_bytes(stream, convert_to(payloads[i], 'UTF8')); END LOOP; END $$;
CREATE TABLE payloads (n int GENERATED ALWAYS AS IDENTITY, payload text);
CREATE PROCEDURE put_payloads(stream text) LANGUAGE sql AS $$
	INSERT INTO recsys.dead_letter (stream_id, partition, message_offset, payload, sqlstate, error)
		SELECT s.id, 0, row_number() OVER (ORDER BY n) - 1, convert_to(payload, 'UTF8'), '00000', 'by hand' FROM payloads, recsys.stream s WHERE s.name = $1 $$;
-- without the part of a message that each release words in its way
CREATE VIEW rejects AS SELECT message_offset AS message, sqlstate,
	regexp_replace(error, '(malformed array literal: ".*"):.*', '\1') AS error
	FROM recsys.dead_letters ORDER BY stream, partition, message_offset;

-- by name: the topic's conventions; what jsonb_to_recordset makes of the same
CREATE TABLE events (event_type text, user_id bigint, item_id uuid, ts timestamptz, weight real, price numeric, tags text[], extra jsonb, raw json, flag boolean, code varchar(5), small smallint, day date);
INSERT INTO payloads (payload) VALUES
	('{"event_type": "view", "user_id": 1, "item_id": "00000000-0000-0000-0000-000000000001", "ts": "2026-01-01T10:00:00.123456Z", "weight": 2.5}'),
	('  { "user_id" : "42" , "unknown": [1, {"user_id": 9}], "flag": true }  '),
	('{"user_id": 9007199254740993, "price": 12345678901234567890.123456789012345678901234567890, "weight": 1e-3}'),
	('{"user_id": -9223372036854775808, "price": -0.10, "small": 32767}'),
	('{"event_type": "quote \" slash \/ back \\ tab \t unicode \u00e9 pair \ud83d\ude00 raw é 😀"}'),
	('{"\u0065vent_type": "escaped key", "tags": ["a", "b,c", "d\"e", "f\\g", "", "null", null, "\u00e9", 1, true]}'),
	('{"tags": [], "extra": {"a": [1, 2.50, "\u00e9"]}, "raw": {"b":  [ 1,2 ] , "b": 2}}'),
	('{"extra": "text", "raw": "te\u0078t", "day": "2026-02-03"}'),
	('{"extra": 1.50, "raw": 1.50, "event_type": 1.50, "code": true}'),
	('{"extra": null, "raw": null, "event_type": null, "user_id": null, "tags": null}'),
	('{"extra": [], "event_type": {"a": [1]}, "code": "12345"}'),
	('{"user_id": 1, "user_id": 2, "event_type": "first", "event_type": null}');
CALL stream('s', 'events');
CALL put_payloads('s');
SELECT * FROM recsys.retry_dead_letters('s');
SELECT * FROM rejects;
CREATE VIEW oracle AS SELECT r.* FROM payloads, jsonb_to_record(payload::jsonb) AS r(event_type text, user_id bigint, item_id uuid, ts timestamptz, weight real, price numeric, tags text[], extra jsonb, raw jsonb, flag boolean, code varchar(5), small smallint, day date);
CREATE VIEW written AS SELECT event_type, user_id, item_id, ts, weight, price, tags, extra, raw::jsonb, flag, code, small, day FROM events;
SELECT (SELECT count(*) FROM written) AS rows, (SELECT count(*) FROM (TABLE written EXCEPT ALL TABLE oracle) d) AS not_in_oracle, (SELECT count(*) FROM (TABLE oracle EXCEPT ALL TABLE written) d) AS missing;
-- a message with none of the fields is no row of nulls
CALL put('s', '{}', '{"userid": 7}', '{"user_id": null}');
SELECT * FROM recsys.retry_dead_letters('s');
SELECT * FROM rejects;
CALL stream('s', 'events');
-- json keeps the bytes, numbers their digits
SELECT raw FROM events WHERE raw IS NOT NULL;
SELECT user_id, price, event_type, tags FROM events WHERE event_type ~ 'quote|key' OR price > 1;

-- times, numbers and text that are read without their input functions: the same values, the same refusals
CREATE TABLE fast (n int, t timestamptz, b bigint, i int, s text);
CREATE FUNCTION cast_or_null(type text, value text) RETURNS text LANGUAGE plpgsql AS $$ DECLARE r text; BEGIN
	EXECUTE format('SELECT (%L::%s)::text', value, type) INTO r; RETURN r; EXCEPTION WHEN OTHERS THEN RETURN NULL; END $$;
CREATE TABLE texts (n int GENERATED ALWAYS AS IDENTITY, col text, type text, literal text, json text);
INSERT INTO texts (col, type, literal, json) SELECT 't', 'timestamptz', l, to_json(l) FROM (
	SELECT day || sep || clock || fraction || zone AS l FROM
		unnest(ARRAY['2026-01-31', '2024-02-29', '2023-02-29', '1900-02-29', '2000-02-29', '2026-04-31', '2026-13-01', '2026-01-00', '0001-01-01', '0000-01-01', '9999-12-31', '2026-1-01']) day,
		unnest(ARRAY['T', ' ', '_']) sep,
		unnest(ARRAY['00:00:00', '23:59:59', '24:00:00', '23:60:00', '23:59:60', '12:3:00']) clock,
		unnest(ARRAY['', '.1', '.123456', '.1234567', '.']) fraction,
		unnest(ARRAY['Z', '+00', '-00:30', '+05:45', '-0800', '+15:59', '+16', '+05:60', '', ' UTC']) zone) l;
INSERT INTO texts (col, type, literal, json) SELECT c, t, v, v FROM (VALUES ('b', 'bigint'), ('i', 'int')) c (c, t),
	unnest(ARRAY['0', '7', '-7', '999999999', '2147483647', '2147483648', '-2147483648', '999999999999999999', '1000000000000000000', '9223372036854775807', '9223372036854775808', '-9223372036854775808', '1.0', '1e3', '-0']) v;
INSERT INTO texts (col, type, literal, json) SELECT 's', 'text', v, to_json(v) FROM unnest(ARRAY['', 'a', E'\t"\\/', 'é😀', repeat('long ', 1000)]) v;
TRUNCATE payloads;
INSERT INTO payloads (payload) SELECT format('{"n": %s, "%s": %s}', n, col, json) FROM texts ORDER BY n;
CALL stream('s', 'fast', options => '{"max_rejects": 0}');
CALL put_payloads('s');
SELECT retried = written + rejected AS counted, written > 1000 AS many_written, rejected > 1000 AS many_rejected FROM recsys.retry_dead_letters('s');
WITH expected AS (SELECT n, col, cast_or_null(type, literal) AS value FROM texts),
	found AS (SELECT n, COALESCE(t::text, b::text, i::text, s) AS value FROM fast)
SELECT e.col, count(*) AS texts, count(*) FILTER (WHERE e.value IS DISTINCT FROM f.value) AS differ FROM expected e LEFT JOIN found f USING (n) GROUP BY 1 ORDER BY 1;

-- every kind of bad message, and none of its neighbours
TRUNCATE events;
CALL stream('s', 'events', options => '{"max_message_bytes": 5000}');
CALL put('s', VARIADIC ARRAY['{"user_id": 1}', '', ' ', 'nope', '{"user_id": 1', '{"user_id": 1}}', '{"user_id": 01}', '{"user_id": "\ud800"}', '{"a": "\u0000"}', '{"a": "tab	"}', '[1]', '7', 'null', '"x"', '{user_id: 1}', '{"a": 1,}', '{"user_id": 1.5}', '{"user_id": "x"}', '{"user_id": 9223372036854775808}', '{"user_id": true}', '{"user_id": {}}', '{"user_id": [1]}', '{"ts": 1767225600000}', '{"ts": "yesterdays"}', '{"code": "123456"}', '{"item_id": "1"}', '{"tags": {"a": 1}}', '{"tags": [[1], 2]}', '{"weight": 1e99}', '{"extra": 1e200000}', '{"user_id": 2}']);
CALL put_bytes('s', '\x7b2261223a2022ff227d');
CALL put_bytes('s', '\x7b2261223a2022eda080227d');
CALL put_bytes('s', '\x7b7d00');
CALL put_bytes('s', '\xefbbbf7b7d');
CALL put_bytes('s', NULL);
CALL put('s', '{"a": "' || repeat('x', 6000) || '"}');
CALL put('s', '{"a": ' || repeat('[', 300) || repeat(']', 300) || '}', '{"a": ' || repeat('[', 200) || repeat(']', 200) || ', "user_id": 3}');
SELECT * FROM recsys.retry_dead_letters('s');
SELECT * FROM rejects;
SELECT user_id FROM events ORDER BY 1;
-- their bytes stay, and what was wrong the last time
SELECT message_offset, payload, retries FROM recsys.dead_letters WHERE message_offset IN (1, 31);
SELECT written, rejected FROM recsys.retry_dead_letters('s', from_offset => 31, to_offset => 31);
SELECT message_offset, payload, retries FROM recsys.dead_letters WHERE message_offset IN (1, 31);

-- which ones are retried
CALL stream('s', 'events');
DO $$ BEGIN FOR n IN 10 .. 19 LOOP CALL put_bytes('s', convert_to('{"user_id": ' || n || '}', 'UTF8'), partition => n % 2); END LOOP; END $$;
SELECT retried FROM recsys.retry_dead_letters('s', partition => 1, max_messages => 2);
SELECT retried FROM recsys.retry_dead_letters('s', sqlstate => '22P02');
SELECT retried FROM recsys.retry_dead_letters('s', from_offset => 8, to_offset => 8);
SELECT retried FROM recsys.retry_dead_letters('s', until => '2020-01-01');
SELECT partition, message_offset FROM recsys.dead_letters ORDER BY 1, 2;
SELECT retried FROM recsys.retry_dead_letters('s', since => '2020-01-01', sqlstate => '00000');
SELECT retried FROM recsys.retry_dead_letters('s');
CALL stream('s', 'events', options => '{"batch_rows": 3}');
TRUNCATE payloads, events;
INSERT INTO payloads (payload) SELECT format('{"user_id": %s}', CASE WHEN n % 5 = 0 THEN '"x"' ELSE n::text END) FROM generate_series(1, 20) n;
CALL put_payloads('s');
SELECT * FROM recsys.retry_dead_letters('s');
SELECT count(*), count(DISTINCT user_id), (SELECT count(*) FROM rejects) AS rejects FROM events;
SELECT recsys.retry_dead_letters('none');
SELECT recsys.retry_dead_letters('s', max_messages => -1);
RESET ROLE;
SELECT recsys.retry_dead_letters('s');
SET ROLE regress_recsys_writer;

-- explicit mapping: paths, formats, defaults, what else a message has
CREATE TABLE mapped (a text, b text, c int DEFAULT 7, d timestamptz, e timestamptz(0), f date, g timestamp, k text, kb bytea, h jsonb, trace text, part int, "offset" bigint, at timestamptz, at_ms bigint, payload bytea);
CALL stream('m', 'mapped', '{"a": "user.id", "b": ["user.id"], "c": {"path": "n", "default": 5}, "d": {"path": "t.ms", "format": "epoch_ms"}, "e": {"path": "t.s", "format": "epoch_s"}, "f": {"path": "t.ms", "format": "epoch_ms"}, "g": {"path": "t.iso", "format": "iso"}, "k": {"from": "key"}, "kb": {"from": "key"}, "h": {"from": "headers"}, "trace": {"from": "header:trace", "default": "none"}, "part": {"from": "partition"}, "offset": {"from": "offset"}, "at": {"from": "timestamp"}, "at_ms": {"from": "timestamp"}, "payload": {"from": "payload"}}');
CALL put_bytes('m', '{"user": {"id": "u1"}, "user.id": "u2", "n": null, "t": {"ms": 1767225600123, "s": 1767225600.6, "iso": "2026-01-01T00:00:00"}}', 'key 1', '[["trace", "x"], ["bin", {"base64": "/wA="}], ["trace", "y"], ["none", null]]', partition => 3);
CALL put_bytes('m', '{"user": {"id": 1}, "user": 2, "t": {"ms": -1, "s": "1.7e9"}}', at => NULL);
CALL put_bytes('m', '{"user": {"x": {"id": 5}}, "n": 6, "t": {"ms": "1767225600123.9999", "iso": "2026-01-01"}}', '\xff');
CALL put_bytes('m', '{"t": {"ms": "soon"}}');
CALL put_bytes('m', '{"t": {"ms": 1e30}}');
CALL put_bytes('m', '{"t": {"s": 9223372036854775807}}');
CALL put_bytes('m', '{"t": {"iso": "now"}}');
CALL put_bytes('m', '{"t": {"iso": 1767225600}}');
SELECT * FROM recsys.retry_dead_letters('m');
SELECT * FROM rejects;
\x
SELECT * FROM mapped;
\x
CALL stream('m', 'mapped', '{"a": {"required": true}, "b": {"path": "b", "required": true, "default": "x"}, "trace": {"from": "header:trace"}, "c": {"path": "a", "default": null}}');
CALL put('m', '{}', '{"a": null}', '{"a": 1}', '{"a": "1", "b": null}');
SELECT * FROM recsys.retry_dead_letters('m');
SELECT * FROM rejects;
SELECT a, b, c, trace FROM mapped WHERE payload IS NULL;

-- whatever bytes
CREATE TABLE bytes (payload bytea, key text);
CALL stream('m', 'bytes', '{"payload": {"from": "payload"}, "key": {"from": "key"}}');
CALL put_bytes('m', '\x00ff', 'k');
CALL put_bytes('m', '', '');
SELECT * FROM recsys.retry_dead_letters('m');
SELECT * FROM bytes;

-- mappings that are not right
CREATE FUNCTION try(mapping jsonb, options jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
	DECLARE hint text; detail text;
	BEGIN CALL stream('bad', 'mapped', mapping, options); PERFORM recsys.retry_dead_letters('bad'); RETURN 'ok';
	EXCEPTION WHEN OTHERS THEN GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT; RETURN sqlstate || ' ' || sqlerrm || ' / ' || hint; END $$;
SELECT try(m::jsonb) FROM (VALUES ('{"a": "x"}'), ('[]'), ('{}'), ('{"z": "x"}'), ('{"a": 1}'), ('{"a": null}'), ('{"a": {"paths": "x"}}'), ('{"a": {"path": "x", "from": "key"}}'), ('{"a": {"from": "keys"}}'), ('{"a": {"from": "header:"}}'), ('{"a": {"from": 1}}'), ('{"a": {"path": "x", "format": "epoch_ms"}}'), ('{"d": {"path": "x", "format": "epoch"}}'), ('{"a": {"required": "yes"}}'), ('{"a": []}'), ('{"a": [1]}'), ('{"a": {"path": 1}}'), ('{"a": "1.2.3.4.5.6.7.8.9.0.1.2.3.4.5.6.7"}')) v (m);
SELECT try('{"a": "x"}', o::jsonb) FROM (VALUES ('{"upsert_key": ["a"]}'), ('{"upsert_key": ["b"]}'), ('{"upsert_key": ["z"]}'), ('{"transform": "none"}'), ('{"format": "csv", "columns": ["y"]}'), ('{"format": "csv", "columns": ["y", "x"]}')) v (o);

-- CSV lines
CREATE TABLE lines (a text, b int DEFAULT 7, c jsonb, d timestamptz);
CALL stream('c', 'lines', NULL, '{"format": "csv", "columns": ["b", "a", "c"]}');
CALL put('c', '1,plain,1', E'2,"quo""ted, with\nline",{}\r\n', ',,', ',"",', '3,"x",[1]', '4,x', '5,x,1,2', '6,x"y,1', '7,"x"y,1', '8,"x', E'9,x\n10,y,1', 'x,y,1', '11,y,{', '', E'\n');
SELECT * FROM recsys.retry_dead_letters('c');
SELECT * FROM rejects;
SELECT * FROM lines;
CALL stream('c', 'lines', '{"a": "name", "d": {"path": "at", "format": "epoch_s"}, "b": {"path": "n", "default": 5}}', '{"format": "csv", "columns": ["n", "unused", "at", "name"], "delimiter": ";", "quote": "''"}');
CALL put('c', '1;x;1767225600;''it''''s''', ';;;');
SELECT * FROM recsys.retry_dead_letters('c');
SELECT * FROM lines WHERE d IS NOT NULL OR b = 5;

-- what holds for any INSERT holds here: identity, serial, defaults, generated columns, domains, checks, keys, triggers
CREATE DOMAIN positive AS int DEFAULT 1 CHECK (VALUE > 0);
CREATE DOMAIN named AS text NOT NULL;
CREATE TABLE parents (id int PRIMARY KEY);
INSERT INTO parents VALUES (1), (2);
CREATE SEQUENCE attempts;
CREATE TABLE full_table (id int GENERATED ALWAYS AS IDENTITY, id2 int GENERATED BY DEFAULT AS IDENTITY, id3 serial, n positive, name named DEFAULT 'nobody', twice int GENERATED ALWAYS AS (n * 2) STORED, made timestamptz NOT NULL DEFAULT now(), parent int REFERENCES parents, later int REFERENCES parents DEFERRABLE INITIALLY DEFERRED, checked int CHECK (checked <> 13), uniq int UNIQUE);
CREATE FUNCTION count_attempt() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval('attempts'); RETURN NULL; END $$;
CREATE TRIGGER attempt BEFORE INSERT ON full_table FOR EACH STATEMENT EXECUTE FUNCTION count_attempt();
CREATE FUNCTION row_trigger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	IF NEW.checked = 1 THEN RAISE EXCEPTION 'not one'; END IF;
	IF NEW.checked = 2 THEN RAISE EXCEPTION 'not two' USING ERRCODE = 'MY002'; END IF;
	IF NEW.checked = 3 THEN RETURN NULL; END IF;
	IF NEW.checked = 4 THEN NEW.checked := 5; END IF;
	RETURN NEW; END $$;
CREATE TRIGGER row_trigger BEFORE INSERT ON full_table FOR EACH ROW EXECUTE FUNCTION row_trigger();
CALL stream('f', 'full_table');
CALL put('f', '{"n": 1}', '{"n": 0}', '{"n": 2, "name": null}', '{"n": 3, "id": 99, "twice": 99, "id2": 50}', '{"parent": 1, "later": 2}', '{"parent": 3}', '{"later": 3}', '{"checked": 13}', '{"uniq": 1}', '{"uniq": 1}', '{"checked": 1}', '{"checked": 2}', '{"checked": 3}', '{"checked": 4}', '{"made": null}', '{"made": "2026-01-01"}', '{"n": 4}');
SELECT * FROM recsys.retry_dead_letters('f');
SELECT message, sqlstate, regexp_replace(error, ': Failing row.*', '') AS error FROM rejects;
SELECT n, name, twice, parent, later, checked, uniq, id2 = 50 AS given FROM full_table ORDER BY n, parent, checked, uniq, made;
SELECT count(*) = count(DISTINCT id) AND count(*) = count(DISTINCT id3) AND min(id3) > 0 AS numbered FROM full_table;

-- a domain that refuses NULL, where the message has nothing
CREATE TABLE named_only (k int, name named);
CALL stream('d', 'named_only');
CALL put('d', '{"k": 1}', '{"k": 2, "name": "x"}');
SELECT * FROM recsys.retry_dead_letters('d');
SELECT * FROM rejects;
SELECT * FROM named_only;

-- a few bad rows among many are found by halves, not one by one
TRUNCATE full_table;
CALL stream('f', 'full_table');
SELECT setval('attempts', 1, false) AS reset;
TRUNCATE payloads;
INSERT INTO payloads (payload) SELECT format('{"checked": %s, "uniq": %s}', CASE WHEN n IN (100, 101, 900) THEN 13 ELSE n + 100 END, n) FROM generate_series(1, 1000) n;
CALL put_payloads('f');
SELECT * FROM recsys.retry_dead_letters('f');
SELECT count(*), count(DISTINCT uniq) FROM full_table;
SELECT message, sqlstate FROM rejects;
SELECT last_value < 70 AS by_halves FROM attempts;

-- partitions; a row that has none is a bad row; a deferred constraint trigger
CREATE TABLE parted (k int, v text) PARTITION BY RANGE (k);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE parted_2 (v text, k int);
ALTER TABLE parted ATTACH PARTITION parted_2 FOR VALUES FROM (10) TO (20);
CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.v = 'late' THEN RAISE EXCEPTION 'too late' USING ERRCODE = '23514'; END IF; RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON parted DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION late();
CALL stream('p', 'parted');
CALL put('p', '{"k": 1, "v": "a"}', '{"k": 11, "v": "b"}', '{"k": 21, "v": "c"}', '{"k": 2, "v": "late"}', '{"k": 12}');
SELECT * FROM recsys.retry_dead_letters('p');
SELECT * FROM rejects;
SELECT tableoid::regclass, * FROM parted ORDER BY k;

-- upsert: the last message of a key wins, also within a batch; what a message lacks stays
CREATE TABLE users (id bigint PRIMARY KEY, name text DEFAULT 'new', age int, seen int DEFAULT 0, n serial);
CALL stream('u', 'users', NULL, '{"upsert_key": ["id"]}');
CALL put('u', '{"id": 1, "name": "a", "age": 1}', '{"id": 2, "name": "b", "age": 2}', '{"id": 1, "name": "c", "age": 3}', '{"id": 1, "age": 4}', '{"id": 2, "age": null}', '{"id": 3}', '{"name": "no key"}', '{"id": null}', '{"id": 4, "name": "d", "age": "x"}', '{"id": 2, "seen": 5}', '{"id": 3}');
SELECT * FROM recsys.retry_dead_letters('u');
SELECT * FROM rejects;
SELECT id, name, age, seen, n > 0 AS n FROM users ORDER BY id;
CALL stream('u', 'users', '{"id": "id", "name": "name"}', '{"upsert_key": ["id"], "upsert": "nothing"}');
CALL put('u', '{"id": 1, "name": "stays"}', '{"id": 9, "name": "first"}', '{"id": 9, "name": "second"}');
SELECT * FROM recsys.retry_dead_letters('u');
SELECT id, name FROM users WHERE id IN (1, 9) ORDER BY id;
-- the last one of a key is bad: the one before it stands; one that is overwritten in its batch is not tried
ALTER TABLE users ADD CHECK (age < 100);
CALL stream('u', 'users', NULL, '{"upsert_key": ["id"]}');
CALL put('u', '{"id": 1, "age": 500}', '{"id": 2, "age": 50}', '{"id": 2, "age": 500}', '{"id": 1, "age": 52}');
SELECT * FROM recsys.retry_dead_letters('u');
SELECT message, sqlstate FROM rejects;
SELECT id, age FROM users WHERE id < 3 ORDER BY id;
-- transform: no, one or several rows of an event
CREATE TABLE actions (id serial PRIMARY KEY, user_id bigint NOT NULL, item_id bigint, kind text NOT NULL DEFAULT 'view', at timestamptz, always int GENERATED ALWAYS AS (1) STORED);
CREATE FUNCTION process_user_behavior(event jsonb) RETURNS SETOF actions LANGUAGE sql STABLE AS $$
	SELECT NULL::int, (event ->> 'user')::bigint, i::bigint, event ->> 'kind', to_timestamp((event ->> 'at')::float8), NULL::int
	FROM jsonb_array_elements_text(event -> 'items') i WHERE event ->> 'kind' IS DISTINCT FROM 'ping' $$;
CALL stream('t', 'actions', NULL, '{"transform": "process_user_behavior"}');
CALL put('t', '{"user": 1, "items": [1, 2, 3], "kind": "buy", "at": 0}', '{"user": 2, "items": [], "kind": "buy"}', '{"user": 3, "items": [4], "kind": "ping"}', '{"user": 4, "items": [5]}', '{"user": "x", "items": [6]}', '{"user": 5, "items": 7}', '{"items": [8]}', '[]', 'no', '{"user": 6, "items": [9, "y"]}', '{"user": 7, "items": [10]}');
SELECT * FROM recsys.retry_dead_letters('t');
SELECT * FROM rejects;
SELECT user_id, item_id, kind, at, always, id > 0 AS id FROM actions ORDER BY user_id, item_id;
-- some columns; the rest take their defaults; one row, or NULL for none
CREATE FUNCTION some_columns(event jsonb) RETURNS TABLE (item_id int, user_id numeric) LANGUAGE sql AS $$ SELECT 1, (event ->> 'u')::numeric $$;
CREATE FUNCTION one_row(event jsonb, OUT user_id int, OUT kind text) LANGUAGE plpgsql AS $$ BEGIN IF event ? 'u' THEN user_id := event ->> 'u'; kind := 'one'; END IF; END $$;
TRUNCATE actions;
CALL stream('t', 'actions', NULL, '{"transform": "writer_test.some_columns"}');
CALL put('t', '{"u": 10}', '{"u": 1e30}', '{}');
SELECT * FROM recsys.retry_dead_letters('t');
SELECT message, sqlstate FROM rejects;
CALL stream('t', 'actions', NULL, '{"transform": "one_row"}');
CALL put('t', '{"u": 11}', '{}');
SELECT * FROM recsys.retry_dead_letters('t');
SELECT user_id, item_id, kind FROM actions ORDER BY user_id;
-- with an upsert: rows of one event in their order, events in theirs
CREATE TABLE counts (k int PRIMARY KEY, v int);
CREATE FUNCTION to_counts(event jsonb) RETURNS SETOF counts LANGUAGE sql AS $$ SELECT (kv ->> 0)::int, (kv ->> 1)::int FROM jsonb_array_elements(event -> 'c') kv $$;
CALL stream('t', 'counts', NULL, '{"transform": "to_counts", "upsert_key": ["k"]}');
CALL put('t', '{"c": [[1, 1], [2, 2], [1, 3]]}', '{"c": [[2, 4], [null, 1]]}', '{"c": [[3, 5], [2, 6], [3, 7]]}');
SELECT * FROM recsys.retry_dead_letters('t');
SELECT message, sqlstate, error FROM rejects;
SELECT * FROM counts ORDER BY k;
-- functions that will not do
CREATE FUNCTION scalar(event jsonb) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION wrong_name(event jsonb, OUT user_id int, OUT other int) LANGUAGE sql AS 'SELECT 1, 1';
CREATE FUNCTION wrong_type(event jsonb, OUT user_id int, OUT at boolean) LANGUAGE sql AS 'SELECT 1, true';
CREATE FUNCTION try_transform(f text, extra jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
	DECLARE hint text; BEGIN CALL stream('bad', 'actions', NULL, jsonb_build_object('transform', f) || extra); PERFORM recsys.retry_dead_letters('bad'); RETURN 'ok';
	EXCEPTION WHEN OTHERS THEN GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT; RETURN sqlstate || ' ' || sqlerrm || ' / ' || hint; END $$;
SELECT try_transform(f) FROM unnest(ARRAY['none', 'scalar', 'wrong_name', 'wrong_type', 'a.b.c.d', '', 'to_counts(jsonb)']) f;
REVOKE EXECUTE ON FUNCTION to_counts FROM PUBLIC, regress_recsys_writer;
CALL stream('bad', 'counts', NULL, '{"transform": "to_counts"}');
SELECT recsys.retry_dead_letters('bad');

-- rows of a batch go in the order of the largest index, unless that can be told
CREATE TABLE ordered (k bigint, v text);
CREATE INDEX ON ordered (v, k);
CREATE INDEX ON ordered (k);
CALL stream('i', 'ordered');
CALL put('i', '{"k": 3}', '{"k": 1}', '{"k": 2}');
SELECT written FROM recsys.retry_dead_letters('i');
SELECT string_agg(k::text, ' ' ORDER BY ctid) FROM ordered;
TRUNCATE ordered;
ALTER TABLE ordered ADD id int GENERATED ALWAYS AS IDENTITY;
CALL put('i', '{"k": 3}', '{"k": 1}', '{"k": 2}');
SELECT written FROM recsys.retry_dead_letters('i');
SELECT string_agg(k::text, ' ' ORDER BY id) FROM ordered;

-- row-level security: a row that the policy refuses is a bad row, a missing right is not
CREATE TABLE tenants (tenant int, v int);
ALTER TABLE tenants ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY mine ON tenants USING (tenant = 1);
CALL stream('r', 'tenants');
CALL put('r', '{"tenant": 1, "v": 1}', '{"tenant": 2, "v": 2}', '{"tenant": 1, "v": 3}');
SELECT * FROM recsys.retry_dead_letters('r');
SELECT * FROM rejects;
SELECT * FROM tenants;

-- what is not a message's fault is raised and nothing is lost
CREATE TABLE ours (k int, v int);
CALL stream('o', 'ours');
CALL put('o', '{"k": 1}', '{"k": "x"}', '{"k": 2}');
REVOKE INSERT ON ours FROM regress_recsys_writer;
SELECT * FROM recsys.retry_dead_letters('o');
GRANT INSERT ON ours TO regress_recsys_writer;
CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM no_such_function(NEW.k); RETURN NEW; END $$;
CREATE TRIGGER broken BEFORE INSERT ON ours FOR EACH ROW WHEN (NEW.k = 2) EXECUTE FUNCTION broken();
SELECT * FROM recsys.retry_dead_letters('o');
CREATE OR REPLACE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'full' USING ERRCODE = 'disk_full'; END $$;
SELECT * FROM recsys.retry_dead_letters('o');
CREATE OR REPLACE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = 'serialization_failure'; END $$;
SELECT * FROM recsys.retry_dead_letters('o');
ALTER TABLE ours RENAME TO others;
ALTER TABLE others RENAME k TO l;
SELECT message_offset, sqlstate, retries FROM recsys.dead_letters ORDER BY 1;
SELECT count(*) FROM others;
DROP TRIGGER broken ON others;
SELECT * FROM recsys.retry_dead_letters('o');
SELECT * FROM others;
DROP TABLE others;
CALL put('o', '{}');
SELECT * FROM recsys.retry_dead_letters('o');
CALL stream('o', 'parents_pkey');
SELECT * FROM recsys.retry_dead_letters('o');
CREATE VIEW over AS SELECT n, name FROM full_table WHERE n < 10 WITH CHECK OPTION;
CALL stream('o', 'over');
CALL put('o', '{"n": 9, "name": "through a view"}', '{"n": 10, "name": "not seen in it"}');
SELECT * FROM recsys.retry_dead_letters('o');
SELECT message, sqlstate FROM rejects;

-- what the caller deferred is the caller's fault
CREATE TABLE child (parent int REFERENCES parents DEFERRABLE INITIALLY DEFERRED);
CALL stream('o', 'parents');
CALL put('o', '{"id": 7}');
BEGIN;
INSERT INTO child VALUES (7);
SELECT * FROM recsys.retry_dead_letters('o');
ROLLBACK;
SELECT count(*) FROM rejects;

-- and stays deferred, whatever messages defer; what is wrong with these is found with each
CALL stream('o', 'child');
CALL put('o', '{"parent": 7}', '{"parent": 8}');
BEGIN;
INSERT INTO parents VALUES (7);
SELECT * FROM recsys.retry_dead_letters('o');
SELECT * FROM rejects;
INSERT INTO child VALUES (9);
INSERT INTO parents VALUES (9);
COMMIT;
TABLE child;

-- a column that a mapping names cannot be renamed away in silence
CREATE TABLE renamed (a int, b int);
CALL stream('o', 'renamed', '{"a": "x", "b": "y"}');
CALL put('o', '{"x": 1, "y": 2}');
ALTER TABLE renamed RENAME b TO c;
SELECT * FROM recsys.retry_dead_letters('o');
ALTER TABLE renamed RENAME c TO b;
SELECT * FROM recsys.retry_dead_letters('o');
TABLE renamed;

DELETE FROM recsys.dead_letter;
DELETE FROM recsys.stream;
RESET ROLE;
DROP SCHEMA writer_test CASCADE;
REVOKE INSERT ON recsys.stream FROM regress_recsys_writer;
DROP ROLE regress_recsys_writer;
