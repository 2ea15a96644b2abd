-- options of a stream: kinds, ranges, and what goes together
SET client_min_messages = error;
CREATE ROLE regress_options_owner LOGIN;
GRANT INSERT ON recsys.stream TO regress_options_owner;
CREATE SCHEMA options_test AUTHORIZATION regress_options_owner;
SET search_path = options_test, public;
SET ROLE regress_options_owner;
CREATE TABLE events (user_id bigint, item_id bigint, event_type text);
CREATE UNIQUE INDEX ON events (user_id, item_id);

-- what a value is answered with: ok, or SQLSTATE and the message
CREATE FUNCTION attempt(options jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	hint text;
BEGIN
	PERFORM recsys.create_stream('shop', 'kafka', 'topic', 'options_test.events', options => options);
	PERFORM recsys.drop_stream('shop');
	RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	RETURN pg_catalog.concat_ws(' ', SQLSTATE, SQLERRM, '| ' || pg_catalog.left(nullif(hint, ''), 60));
END
$$;

-- numbers: both ends of each range, what is beyond, and what is not a whole number
SELECT name, low, attempt(jsonb_build_object(name, low)) AS at_low, high, attempt(jsonb_build_object(name, high)) AS at_high,
	attempt(jsonb_build_object(name, low - 1)) AS below, attempt(jsonb_build_object(name, high + 1)) = attempt(jsonb_build_object(name, low - 1)) AS above_too,
	attempt(jsonb_build_object(name, low + 0.5)) = attempt(jsonb_build_object(name, low - 1)) AS fraction_too,
	attempt(jsonb_build_object(name, low::text)) = attempt(jsonb_build_object(name, low - 1)) AS text_too,
	attempt(jsonb_build_object(name, 1e300)) = attempt(jsonb_build_object(name, low - 1)) AS huge_too
FROM (VALUES ('batch_bytes', 1024, 67108864), ('batch_ms', 0, 60000), ('batch_rows', 1, 100000), ('lock_timeout_ms', 1, 3600000),
	('max_message_bytes', 1, 100000000), ('max_rejects', 0, 1000000000), ('statement_timeout_ms', 1, 3600000), ('workers', 1, 16)) o (name, low, high);

SELECT options, attempt(options) FROM (SELECT unnest(ARRAY[
	-- words
	'{"format": "json"}', '{"format": "csv"}', '{"format": "avro"}', '{"format": 1}', '{"format": null}',
	'{"on_offset_lost": "latest"}', '{"on_offset_lost": "skip"}', '{"tombstone": "skip"}', '{"tombstone": "delete"}',
	'{"isolation": "read_uncommitted"}', '{"isolation": "serializable"}',
	'{"synchronous_commit": false}', '{"synchronous_commit": "off"}',
	-- csv
	'{"format": "csv", "columns": ["user_id", "item_id"], "delimiter": ";", "quote": "''"}', '{"format": "csv", "columns": ["user_id"], "delimiter": "\t"}',
	'{"columns": ["user_id"]}', '{"delimiter": ";"}', '{"quote": "|"}',
	'{"format": "csv", "columns": []}', '{"format": "csv", "columns": ["user_id", "user_id"]}', '{"format": "csv", "columns": [1]}', '{"format": "csv", "columns": "user_id"}',
	'{"format": "csv", "columns": [["user_id"]]}', '{"format": "csv", "delimiter": ""}', '{"format": "csv", "delimiter": ";;"}', '{"format": "csv", "delimiter": "\n"}',
	'{"format": "csv", "delimiter": "é"}', '{"format": "csv", "columns": ["user_id"], "delimiter": "\""}',
	-- upsert
	'{"upsert_key": ["user_id", "item_id"]}', '{"upsert_key": ["user_id", "item_id"], "upsert": "nothing"}', '{"upsert": "nothing"}',
	'{"upsert_key": ["user_id", "item_id"], "upsert": "delete"}', '{"upsert_key": {}}',
	-- start
	'{"start": "earliest"}', '{"start": "2026-01-01 00:00:00+00"}', '{"start": "then"}', '{"start": ""}', '{"start": 5}', '{"start": "-infinity"}', '{"start": "1960-01-01"}',
	-- librdkafka's settings
	'{"kafka": {}}', '{"kafka": {"fetch.min.bytes": 1, "socket.keepalive.enable": true, "client.id": "x", "client.rack": null}}', '{"kafka": []}', '{"kafka": "client.id=x"}',
	'{"kafka": {"client.id": ["x"]}}', '{"kafka": {"plugin.library.paths": "evil"}}', '{"kafka": {"sasl.password": "hush"}}', '{"kafka": {"fetch.min.bytes": 0}}',
	'{"kafka": {"ssl.key.location": "/etc/passwd"}}', '{"kafka": {"sasl.kerberos.kinit.cmd": "id"}}', '{"kafka": {"bootstrap.servers": "x"}}', '{"kafka": {"client.id": "a\nb"}}',
	-- the rest
	'{"kafka": {"security.protocol": "ssl"}}', '{"secret": "s", "kafka": {"security.protocol": "plaintext"}}', '{"secret": "s", "kafka": {"ssl.endpoint.identification.algorithm": "none"}}',
	'{"secret": "s", "kafka": {"sasl.mechanisms": "PLAIN"}}', '{"secret": "s", "kafka": {"client.id": "x"}}', '{"secret": ""}', '{"secret": 7}', '{}', '[]', '"x"', '7', 'null', '{"Format": "json"}', '{"": 1}',
	-- what is taken away must be an option or a setting, too
	'{"nosuch": null}', '{"kafka": {"nosuch": null}}', '{"kafka": {"sasl.password": null}}', '{"kafka": {"client.id": null}}']::jsonb[])) o (options);
SELECT attempt(jsonb_build_object('kafka', jsonb_build_object(repeat('é', 100), 'x')));
SELECT attempt(jsonb_build_object('secret', repeat('s', 64)));
SELECT attempt(jsonb_build_object('kafka', jsonb_build_object('client.id', repeat('x', 70000))));
RESET ROLE;
DROP SCHEMA options_test CASCADE;
REVOKE ALL ON recsys.stream FROM regress_options_owner;
DROP ROLE regress_options_owner;
