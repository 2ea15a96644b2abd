-- clean(): rows of text into a typed table, what is refused kept with the reason
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE SCHEMA clean_test;
SET search_path = clean_test, public;
CREATE TABLE raw (id text, age text, gender text, city text, joined text, balance text, extra text);
INSERT INTO raw VALUES
	('1', '25', ' M ', 'Paris, France', '2020-01-31', '1.5', 'a'),
	('2', '', 'F', '', '2020-02-30', '2', 'b'),
	('3', 'thirty', 'f', 'NA', NULL, '12.345', 'c'),
	(NULL, '200', 'Q', 'Rome', 'yesterday', '99999', 'd'),
	('5', '-1', NULL, 'Rome', '2020-01-01', 'NaN', 'e'),
	('99999999999999999999', ' 40 ', 'm', 'Oslo', '2021-12-31', '', 'f');
CREATE TABLE users (
	id bigint PRIMARY KEY, age integer, gender varchar(1), town text NOT NULL, joined date, balance numeric(5,2),
	seen timestamptz DEFAULT '2026-01-01 00:00+00', twice integer GENERATED ALWAYS AS (age * 2) STORED);
CREATE TABLE refused (LIKE recsys.reject);
SELECT rows_read, rows_written, rows_rejected, jsonb_pretty(reasons) AS reasons FROM recsys.clean('raw', 'users', '{
	"age": {"min": 0, "max": 120},
	"gender": {"trim": true, "lower": true, "allowed": ["m", "f"]},
	"town": {"from": "city", "null_values": ["", "NA"], "default": "unknown"},
	"joined": {"min": "2020-01-01"}}', 'refused');
SELECT * FROM users ORDER BY id;
SELECT row_number, column_name, value, reason, source_row ->> 'extra' AS extra, rejected_at IS NULL AS undated
FROM refused ORDER BY row_number, column_name;
-- every row is in one of the two, and what is kept of a row is the whole row
SELECT count(*) AS lost FROM raw r WHERE NOT EXISTS (SELECT FROM users u WHERE u.id::text = r.id)
	AND NOT EXISTS (SELECT FROM refused f WHERE f.source_row = to_jsonb(r));
-- oracle: the same in plain SQL
SELECT r.id FROM raw r WHERE r.id ~ '^\d{1,18}$' AND (r.age = '' OR (trim(r.age) ~ '^\d+$' AND trim(r.age)::int BETWEEN 0 AND 120))
	AND coalesce(lower(trim(r.gender)) IN ('m', 'f'), true) AND coalesce(r.joined ~ '^\d{4}-\d\d-\d\d$' AND r.joined <> '2020-02-30', true)
	AND r.balance::numeric <> 'NaN' AND r.balance::numeric < 1000
EXCEPT SELECT id::text FROM users;

-- without a table for rejects, the first one is an error and nothing is written
TRUNCATE users;
SELECT * FROM recsys.clean('raw', 'users', '{"town": {"from": "city", "default": "x"}}');
SELECT count(*) FROM users;
SELECT * FROM recsys.clean('raw', 'users', '{"town": {"from": "city", "default": "x"}, "gender": {"required": true}}');
-- no rows, no rules
CREATE TABLE nothing (LIKE raw);
SELECT * FROM recsys.clean('nothing', 'raw');
SELECT * FROM recsys.clean('raw', 'nothing', '{"age": {"null_values": []}}');
SELECT count(*) FROM (TABLE raw EXCEPT TABLE nothing) x;

-- other types: domains, arrays, json, booleans, enums, timestamps
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE DOMAIN percent AS integer CHECK (VALUE BETWEEN 0 AND 100);
CREATE TABLE loose (d text, a text, j text, b text, m text, t text, f real, c text);
INSERT INTO loose VALUES
	('50', '{1,2}', '{"a": 1}', 'yes', 'ok', '2020-01-01 10:00:00.5', 1.5, 'ab'),
	('101', '{1,x}', '{a}', 'maybe', 'glad', '2020-01-01 25:00:00', 2.5, 'abc'),
	('0', '{}', 'null', 'f', 'sad', '20200101T101112', 'NaN', 'a  ');
CREATE TABLE strict (d percent, a integer[], j jsonb, b boolean, m mood, t timestamp, f double precision, c char(2));
TRUNCATE refused;
SELECT * FROM recsys.clean('loose', 'strict', '{"f": {"max": 100}}', 'refused');
TABLE strict;
SELECT row_number, column_name, value, reason FROM refused ORDER BY row_number, column_name;
SELECT * FROM recsys.clean('loose', 'strict', '{"m": {"allowed": ["glad"]}}', 'refused');
SELECT * FROM recsys.clean('loose', 'strict', '{"d": {"allowed": [50]}, "a": {"allowed": ["{1,2}", "{}"], "min": "{}"}, "b": {"max": "no"}, "m": {"min": "sad", "max": "sad"}, "c": {"allowed": ["ab"]}}', 'refused');
SELECT column_name, value, reason FROM refused ORDER BY row_number DESC, column_name LIMIT 5;
CREATE TABLE unordered (j json);
SELECT * FROM recsys.clean('loose', 'unordered', '{"j": {"min": "1"}}', 'refused');
SELECT * FROM recsys.clean('loose', 'unordered', '{"j": {"allowed": ["1"]}}', 'refused');

-- refusals
SELECT * FROM recsys.clean(NULL, 'users');
SELECT * FROM recsys.clean('raw', 'users', '[]');
SELECT * FROM recsys.clean('raw', 'users', '{"nope": {}}');
SELECT * FROM recsys.clean('raw', 'users', '{"twice": {}}');
SELECT * FROM recsys.clean('raw', 'users');
SELECT * FROM recsys.clean('raw', 'users', '{"town": {"from": "nowhere"}}');
SELECT * FROM recsys.clean('raw', 'users', '{"town": {"from": "city", "minimum": 1}}');
SELECT * FROM recsys.clean('raw', 'users', '{"town": 1}');
SELECT * FROM recsys.clean('raw', 'users', '{"town": {"from": "city", "trim": 1}}');
SELECT * FROM recsys.clean('raw', 'users', '{"town": {"from": "city", "allowed": [[]]}}');
SELECT * FROM recsys.clean('raw', 'users', '{"town": {"from": "city"}, "age": {"min": "zero"}}');
SELECT * FROM recsys.clean('raw', 'users', '{"town": {"from": "city"}, "age": {"allowed": [1, 2, "x"]}}');
SELECT * FROM recsys.clean('raw', 'users', '{"town": {"from": "city"}, "joined": {"default": "never"}}');
SELECT * FROM recsys.clean('raw', 'users', '{"town": {"from": "city"}}', 'raw');
SELECT * FROM recsys.clean('refused', 'users', '{}', 'refused');
CREATE TABLE one (x integer);
SELECT * FROM recsys.clean('raw', 'one');
-- the target's own constraints end the call, nothing is written
CREATE TABLE checked (id bigint CHECK (id < 3));
SELECT * FROM recsys.clean('raw', 'checked', '{}', 'refused');
SELECT count(*) FROM checked;

-- what unique indexes would refuse: repeated in the source, and there already
CREATE TABLE pairs (a text, b text, c text);
INSERT INTO pairs VALUES ('1', 'x', '1'), ('1', 'x', '2'), ('1', 'y', '3'), (NULL, 'x', '4'), (NULL, 'x', '5'), ('bad', 'z', '6'), ('7', 'q', '6'), ('8', 'q', '1');
CREATE TABLE unique_pairs (a integer, b text, c integer UNIQUE, UNIQUE (a, b) INCLUDE (c));
CREATE UNIQUE INDEX ON unique_pairs (upper(b)) WHERE false;
INSERT INTO unique_pairs VALUES (1, 'y', 100);
SELECT * FROM recsys.clean('pairs', 'unique_pairs', '{}', 'refused');
SELECT * FROM unique_pairs ORDER BY c;
SELECT row_number, column_name, value, reason, source_row FROM refused WHERE source_row ? 'b' AND source_row ? 'c' AND NOT source_row ? 'd' ORDER BY 1, 2;
SELECT * FROM recsys.clean('pairs', 'unique_pairs', '{}', 'refused');
SELECT count(*) FROM unique_pairs;

-- names that would break out of quotes, and columns named like what we use inside
CREATE TABLE "t; DROP TABLE raw; --" ("a""b'c" text, s text, t text, v text, f text, n text, "x(y)" text, "$1" text);
INSERT INTO "t; DROP TABLE raw; --" VALUES ('1', '2', '3', '4', '5', '6', '7', '8'), ('x''); DROP TABLE raw; --', '2', '3', '4', '5', '6', '7', '8');
CREATE TABLE "T'2" ("a""b'c" integer, s integer, t integer, v integer, f integer, n integer, "x(y)" integer, "$1" integer);
SELECT * FROM recsys.clean('"t; DROP TABLE raw; --"', '"T''2"', '{"a\"b''c": {"allowed": ["1", "2", 3], "max": 10}, "n": {"default": "0", "null_values": ["''); DROP TABLE raw; --"]}}', 'refused');
TABLE "T'2";
SELECT column_name, value, source_row FROM refused WHERE column_name LIKE 'a"%';
SELECT count(*) FROM raw;

-- nulls that are not distinct
CREATE TABLE unequal (LIKE recsys.reject);
CREATE TABLE single (a integer, UNIQUE NULLS NOT DISTINCT (a));
CREATE TABLE nulls (a text);
INSERT INTO nulls VALUES (NULL), (NULL), ('1');
SELECT * FROM recsys.clean('nulls', 'single', '{}', 'unequal');
SELECT * FROM recsys.clean('nulls', 'single', '{}', 'unequal');
SELECT * FROM single ORDER BY 1;

-- a list of nothing allows nothing, but null is no value
CREATE TABLE allowed_none (a int);
CREATE TABLE refused_all (LIKE recsys.reject);
SELECT * FROM recsys.clean('nulls', 'allowed_none', '{"a": {"allowed": []}}', 'refused_all');
SELECT * FROM allowed_none;

-- what the target and the source run of their own runs with the caller's search path
CREATE FUNCTION stamp() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN 'stamped'; END $$;
CREATE FUNCTION stamped() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN stamp() || ' by default'; END $$;
CREATE FUNCTION stamp_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.by_trigger := stamp(); RETURN NEW; END $$;
CREATE FUNCTION is_short(value text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RETURN length(value) < length(stamp()); END $$;
CREATE DOMAIN short AS text CHECK (is_short(VALUE));
CREATE TABLE housed (a short, by_default text DEFAULT stamped(), by_trigger text);
CREATE TRIGGER stamp BEFORE INSERT ON housed FOR EACH ROW EXECUTE FUNCTION stamp_row();
CREATE FUNCTION seen(value text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN value || ' ' || stamp(); END $$;
CREATE VIEW shown AS SELECT a, seen(a) AS b FROM (VALUES ('1'), ('longer than that')) x(a);
CREATE TABLE views (a text, b text);
SELECT * FROM recsys.clean('shown', 'housed', '{}', 'refused_all');
SELECT * FROM housed;
SELECT * FROM recsys.clean('shown', 'housed', '{"a": {"min": "0", "max": "0"}}', 'refused_all');
SELECT * FROM recsys.clean('shown', 'housed', '{"a": {"max": "longer than that"}}', 'refused_all');
SELECT * FROM recsys.clean('shown', 'views');
TABLE views;
-- but nothing of the caller's search path gets between: operators and functions there are not called
CREATE SCHEMA clean_trap;
SET search_path = clean_trap, clean_test, pg_catalog;
CREATE FUNCTION trap(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE FUNCTION trap(varchar, varchar) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE FUNCTION trap(integer, integer) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE FUNCTION trap(bigint, integer) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE FUNCTION trap(jsonb, text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE FUNCTION trap(jsonb, integer) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE FUNCTION trap_text(text, text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
DO $$
DECLARE
	o text;
	t text;
BEGIN
	FOREACH o IN ARRAY ARRAY['=', '<', '>', '<>'] LOOP
		FOREACH t IN ARRAY ARRAY['text, rightarg = text', 'varchar, rightarg = varchar', 'integer, rightarg = integer', 'bigint, rightarg = integer'] LOOP
			EXECUTE format('CREATE OPERATOR clean_trap.%s (function = clean_trap.trap, leftarg = %s)', o, t);
		END LOOP;
	END LOOP;
END $$;
CREATE OPERATOR clean_trap.->> (function = trap, leftarg = jsonb, rightarg = text);
CREATE OPERATOR clean_trap.->> (function = trap, leftarg = jsonb, rightarg = integer);
CREATE OPERATOR clean_trap.|| (function = trap_text, leftarg = text, rightarg = text);
CREATE FUNCTION count(bigint) RETURNS bigint LANGUAGE sql AS $$ SELECT 7::bigint $$;
CREATE FUNCTION lower(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE FUNCTION btrim(text, text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE FUNCTION concat_ws(text, text, text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE FUNCTION quote_literal(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE FUNCTION to_jsonb(anyelement) RETURNS jsonb LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE TABLE trapped (a varchar(10) UNIQUE, b integer);
CREATE TABLE texts (a text, b text);
INSERT INTO texts VALUES (' X ', '1'), ('x', '2'), ('y', '300'), ('z', '');
SELECT * FROM recsys.clean('texts', 'trapped', '{"a": {"trim": true, "lower": true, "min": "a", "max": "z", "allowed": ["x", "y"], "null_values": ["", "NA"]},
	"b": {"min": 0, "max": 100, "allowed": [1, 2, 300]}}', 'refused_all');
SELECT * FROM trapped;
SELECT * FROM recsys.clean('texts', 'trapped', '{"b": {"max": 100}}');
SET search_path = clean_test, public;
DROP SCHEMA clean_trap CASCADE;

-- runs as the caller, with the caller's rights
CREATE ROLE regress_recsys_cleaner;
GRANT USAGE ON SCHEMA clean_test TO regress_recsys_cleaner;
GRANT SELECT ON raw TO regress_recsys_cleaner;
SET ROLE regress_recsys_cleaner;
SELECT * FROM recsys.clean('raw', 'nothing');
RESET ROLE;
GRANT INSERT ON nothing TO regress_recsys_cleaner;
SET ROLE regress_recsys_cleaner;
SELECT * FROM recsys.clean('raw', 'nothing');
RESET ROLE;
SET client_min_messages = warning;
DROP SCHEMA clean_test CASCADE;
DROP ROLE regress_recsys_cleaner;
