-- whose rights hold: what a role wrote never runs with more rights than that role has
SET client_min_messages = error;
CREATE ROLE regress_rights_owner LOGIN;
CREATE ROLE regress_rights_stranger LOGIN;
GRANT INSERT, UPDATE, DELETE ON recsys.model_registry, recsys.model_version, recsys.model_chunk TO regress_rights_owner;
CREATE SCHEMA rights_test;
GRANT USAGE, CREATE ON SCHEMA rights_test TO regress_rights_owner, regress_rights_stranger;
SET search_path = rights_test, public;
CREATE TABLE secret (user_id bigint, item_id text);
INSERT INTO secret SELECT n % 7, 'password ' || n % 5 FROM generate_series(1, 50) n;

-- a training by a superuser reads the source as the model's owner
SET ROLE regress_rights_owner;
CREATE VIEW stolen WITH (security_invoker = true) AS SELECT * FROM secret;
SELECT recsys.create_model('stolen', 'stolen', 'popularity');
RESET ROLE;
\set VERBOSITY sqlstate
SELECT recsys.train('stolen');
\set VERBOSITY default
SELECT state FROM recsys.models WHERE model = 'stolen';

-- and the owner's functions run as the owner, in a training and in a history
SET ROLE regress_rights_owner;
CREATE TABLE ran_as (who name);
CREATE TABLE events (user_id bigint, item_id bigint);
INSERT INTO events SELECT n % 7, n % 11 FROM generate_series(1, 200) n;
CREATE FUNCTION tell(bigint) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	INSERT INTO rights_test.ran_as VALUES (current_user);
	PERFORM pg_catalog.set_config('work_mem', '77MB', false);
	RETURN $1;
END
$$;
CREATE VIEW told AS SELECT tell(user_id) AS user_id, item_id FROM events;
SELECT recsys.create_model('told', 'told', 'item_knn');
RESET ROLE;
SELECT recsys.train('told');
SELECT DISTINCT who FROM ran_as;
TRUNCATE ran_as;
SELECT count(*) FROM recsys.recommend(3::bigint, 3, 'told');
SELECT DISTINCT who FROM ran_as;
SELECT current_user = session_user, current_setting('work_mem') <> '77MB' AS settings_are_mine;
-- what they do cannot become somebody else
SET ROLE regress_rights_owner;
CREATE OR REPLACE FUNCTION tell(bigint) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	RESET ROLE;
	RETURN $1;
END
$$;
RESET ROLE;
SELECT recsys.train('told');
SELECT * FROM recsys.recommend(3::bigint, 3, 'told');
SELECT current_user = session_user;
-- the relation of users likewise, in both
SET ROLE regress_rights_owner;
CREATE FUNCTION grown(bigint) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	INSERT INTO rights_test.ran_as VALUES (current_user);
	RETURN $1 % 60;
END
$$;
CREATE VIEW people AS SELECT n AS user_id, grown(n) AS age FROM generate_series(0::bigint, 6) n;
SELECT recsys.create_model('people', 'events', 'mlp', '{"epochs": 1}', users => 'people', features => '{"age": {"scale": "standard"}}');
RESET ROLE;
SELECT recsys.train('people');
SELECT count(*) FROM recsys.recommend(3::bigint, 3, 'people');
SELECT DISTINCT who FROM ran_as;
-- and the check of a domain within the type of its ids, which the caller's id becomes
SET ROLE regress_rights_owner;
CREATE FUNCTION looked_at(text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO rights_test.ran_as VALUES (current_user);
	RETURN true;
END
$$;
CREATE DOMAIN looked AS text CHECK (looked_at(value));
CREATE TYPE wrapped AS (id looked);
CREATE TABLE composite_ids AS SELECT ROW('u' || n % 7)::wrapped AS user_id, n % 7 AS item_id FROM generate_series(1, 20) n;
CREATE TABLE array_ids AS SELECT ARRAY['u' || n % 7]::looked[] AS user_id, n % 7 AS item_id FROM generate_series(1, 20) n;
SELECT recsys.create_model('composite', 'composite_ids', 'popularity'), recsys.create_model('array', 'array_ids', 'popularity');
SELECT recsys.train('composite'), recsys.train('array');
RESET ROLE;
TRUNCATE ran_as;
SELECT count(*) FROM recsys.recommend('(u1)', 3, 'composite');
SELECT count(*) FROM recsys.recommend('{u1}', 3, 'array');
SELECT who, count(*) FROM ran_as GROUP BY 1;
SELECT recsys.drop_model('composite'), recsys.drop_model('array');
-- others read histories as themselves: what they may not see, they do not
GRANT SELECT ON events TO regress_rights_stranger;
ALTER TABLE events ENABLE ROW LEVEL SECURITY;
CREATE POLICY nothing ON events FOR SELECT TO regress_rights_stranger USING (user_id <> 3);
SET ROLE regress_rights_owner;
SELECT recsys.create_model('plain', 'events', 'item_knn');
SELECT recsys.train('plain');
SET ROLE regress_rights_stranger;
SELECT DISTINCT source FROM recsys.recommend(3::bigint, 3, 'plain');
SELECT DISTINCT source FROM recsys.recommend(4::bigint, 1, 'plain', exclude_seen => false);
RESET ROLE;

-- a user is found by the equality of the type's own index, not by an operator that
-- lies in the way
SET ROLE regress_rights_stranger;
CREATE FUNCTION captured(varchar, varchar) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'captured as %', current_user;
END
$$;
CREATE OPERATOR rights_test.= (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = captured);
RESET ROLE;
CREATE TABLE named (user_id varchar(20), item_id bigint);
INSERT INTO named SELECT 'u' || n % 7, n % 11 FROM generate_series(1, 200) n;
CREATE TABLE named_people (user_id varchar(20), age int);
INSERT INTO named_people SELECT 'u' || n, n FROM generate_series(0, 6) n;
SELECT recsys.create_model('named', 'named', 'item_knn');
SELECT recsys.train('named');
SELECT count(*) FROM recsys.recommend('u1', 3, 'named');
SELECT recsys.create_model('named_people', 'named', 'mlp', '{"epochs": 1}', users => 'named_people', features => '{"age": {"scale": "standard"}}');
SELECT recsys.train('named_people');
SELECT count(*) FROM recsys.recommend('u1', 3, 'named_people');
-- a type without an equality
CREATE TABLE odd (user_id point, item_id bigint);
INSERT INTO odd VALUES ('(1,1)', 1);
SELECT recsys.create_model('odd', 'odd', 'popularity');
SELECT recsys.train('odd');

-- a superuser who retries dead letters as the owner stays the owner: a trigger's
-- RESET ROLE is an error, and the dead letter stays
CREATE TABLE target (user_id bigint);
GRANT INSERT ON target TO regress_rights_owner;
CREATE FUNCTION climb() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RESET ROLE;
	INSERT INTO rights_test.secret VALUES (-1, current_user);
	RETURN NEW;
END
$$;
CREATE TRIGGER climb BEFORE INSERT ON target FOR EACH ROW EXECUTE FUNCTION climb();
GRANT INSERT ON recsys.stream TO regress_rights_owner;
SET ROLE regress_rights_owner;
SELECT recsys.create_stream('rights', 'kafka', 'topic', 'target');
INSERT INTO recsys.dead_letter (stream_id, partition, message_offset, payload, sqlstate, error)
	SELECT id, 0, 6, '{"user_id": 1}', '22P02', 'what it was' FROM recsys.stream;
\set VERBOSITY sqlstate
SELECT * FROM recsys.retry_dead_letters('rights');
\set VERBOSITY default
SELECT sqlstate FROM recsys.dead_letters;
-- nor one that is deferred again until the commit
RESET ROLE;
ALTER TABLE target DISABLE TRIGGER climb;
CREATE TABLE queue (n int);
GRANT INSERT ON queue TO regress_rights_owner;
CREATE FUNCTION defer_again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	SET CONSTRAINTS ALL DEFERRED;
	INSERT INTO rights_test.queue VALUES (1);
	RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER defer_again AFTER INSERT ON target DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION defer_again();
CREATE CONSTRAINT TRIGGER climb AFTER INSERT ON queue DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION climb();
SET ROLE regress_rights_owner;
SELECT * FROM recsys.retry_dead_letters('rights');
SELECT sqlstate FROM recsys.dead_letters;
-- what is kept ends with the transaction
RESET ROLE;
ALTER TABLE queue DISABLE TRIGGER climb;
SET ROLE regress_rights_owner;
BEGIN;
SELECT * FROM recsys.retry_dead_letters('rights');
SAVEPOINT s;
RESET ROLE;
ROLLBACK TO s;
COMMIT;
RESET ROLE;
SELECT current_user = session_user AS reset;
SET ROLE regress_rights_owner;
SELECT recsys.drop_stream('rights');
RESET ROLE;
SELECT count(*) FROM secret WHERE user_id = -1;

SELECT recsys.drop_model(model) FROM recsys.models WHERE model IN ('stolen', 'told', 'people', 'plain', 'named', 'named_people', 'odd');
DROP SCHEMA rights_test CASCADE;
DROP OWNED BY regress_rights_owner, regress_rights_stranger;
DROP ROLE regress_rights_owner, regress_rights_stranger;
