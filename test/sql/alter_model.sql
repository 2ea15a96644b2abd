-- the registry changed by hand, and alter_model, for which nobody needs to
SET client_min_messages = warning;
CREATE ROLE regress_alter_owner;
CREATE ROLE regress_alter_other;
GRANT regress_alter_owner TO CURRENT_USER;
GRANT INSERT, UPDATE, DELETE ON recsys.model_registry, recsys.model_version, recsys.model_chunk TO regress_alter_owner, regress_alter_other;
CREATE SCHEMA alter_test;
GRANT ALL ON SCHEMA alter_test TO PUBLIC;
SET search_path = alter_test, public;
CREATE FUNCTION says(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	hint text;
BEGIN
	EXECUTE statement;
	RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', SQLSTATE, SQLERRM, nullif(hint, ''));
END $$;
SET ROLE regress_alter_owner;
CREATE TABLE events (user_id bigint, item_id bigint, kind text, n real, at timestamptz);
INSERT INTO events SELECT u, (u * i) % 7, CASE i % 2 WHEN 0 THEN 'view' ELSE 'buy' END, i, timestamptz '2026-01-01' + i * interval '1 day'
FROM generate_series(1, 20) u, generate_series(1, 5) i;
CREATE INDEX ON events (user_id);
CREATE TABLE purchases AS SELECT user_id AS customer, item_id AS product FROM events WHERE kind = 'buy';
CREATE INDEX ON purchases (customer);
CREATE TABLE users AS SELECT u AS user_id, u * 1.5 AS age FROM generate_series(1::bigint, 20) u;
SELECT recsys.create_model('m', 'events', 'item_knn', weight_column => 'n', event_column => 'kind', event_weights => '{"view": 1, "buy": 3}', time_column => 'at', half_life => '30 days');
SELECT recsys.train('m');
SELECT recsys.save_model('saved', recsys.load_model('m'));

-- what the functions would not write is refused
\pset format unaligned
SELECT change, says('UPDATE recsys.model_registry SET ' || change || ' WHERE name = ''m''')
FROM (VALUES
	($$time_column = NULL$$),
	($$algorithm = 'sequence', time_column = NULL, half_life = NULL$$),
	($$half_life = '0'$$),
	($$half_life = '1 month -30 days'$$),
	($$half_life = '-1 day'$$),
	($$event_weights = NULL$$),
	($$event_column = NULL$$),
	($$event_weights = '[1]'$$),
	($$event_weights = '{}'$$),
	($$event_weights = 'null'$$),
	($$event_weights = '{"view": "x"}'$$),
	($$event_weights = '{"view": null}'$$),
	($$event_weights = '{"view": -1e31}'$$),
	($$user_column = NULL$$),
	($$item_column = NULL$$),
	($$source = NULL$$),
	($$features = '{"n": {}}'$$),
	($$options = '[]'$$),
	($$id = 7$$),
	($$live_version = NULL$$),
	($$live_key = NULL$$)) c (change);
\pset format aligned
SELECT says($$UPDATE recsys.model_registry SET source = 'events' WHERE name = 'saved'$$);
SELECT says($$INSERT INTO recsys.model_registry (id, name, owner, algorithm, options) VALUES (1000, 'forged', 'regress_alter_owner', 'als', '{}')$$);
UPDATE recsys.model_registry SET event_weights = '{"view": [1]}' WHERE name = 'm';
-- and what they would, is not
BEGIN;
UPDATE recsys.model_registry SET half_life = NULL, event_weights = '{"view": 1e12, "buy": -0.5, "it''s \"odd\"": 0}' WHERE name = 'm';
UPDATE recsys.model_registry SET event_column = NULL, event_weights = NULL, time_column = NULL WHERE name = 'm';
SELECT recsys.train('m');
ROLLBACK;

-- a row that is deleted by hand leaves nothing behind
RESET ROLE;
CREATE VIEW left_behind AS SELECT (SELECT count(*) FROM recsys.model_registry) AS models, (SELECT count(*) FROM recsys.model_version) AS versions, (SELECT count(*) FROM recsys.model_chunk) AS chunks;
SELECT * FROM left_behind;
BEGIN;
SET LOCAL ROLE regress_alter_owner;
DELETE FROM recsys.model_registry WHERE name = 'm';
RESET ROLE;
SELECT * FROM left_behind;
ROLLBACK;
BEGIN;
DELETE FROM recsys.model_version;
SELECT * FROM left_behind;
ROLLBACK;
-- nor one that gets another id, or number
BEGIN;
SET LOCAL ROLE regress_alter_owner;
UPDATE recsys.model_registry SET id = DEFAULT WHERE name = 'm';
RESET ROLE;
SELECT * FROM left_behind;
ROLLBACK;
BEGIN;
UPDATE recsys.model_version SET version = version;
SELECT * FROM left_behind;
UPDATE recsys.model_version SET version = version + 1;
SELECT * FROM left_behind;
ROLLBACK;
BEGIN;
TRUNCATE recsys.model_registry;
SELECT * FROM left_behind;
ROLLBACK;
BEGIN;
TRUNCATE recsys.model_registry, recsys.model_version, recsys.model_chunk;
SELECT * FROM left_behind;
ROLLBACK;
-- the number of a version that was deleted is free for the next
SET ROLE regress_alter_owner;
BEGIN;
SELECT recsys.train('m');
DELETE FROM recsys.model_version WHERE version = 2;
SELECT recsys.train('m');
ROLLBACK;

-- the default: one's own model, whatever others show; else that of the database's owner
RESET ROLE;
GRANT SELECT ON events TO PUBLIC;
SET ROLE regress_alter_other;
SELECT says($$SELECT recsys.recommend('1')$$) AS no_default;
CREATE TABLE mine AS SELECT user_id, item_id + 100 AS item_id FROM events;
CREATE INDEX ON mine (user_id);
SELECT recsys.create_model('mine', 'mine', 'popularity');
SELECT recsys.train('mine');
SELECT count(*) AS seen FROM recsys.models;
SELECT min(item_id) >= 100 AS mine FROM recsys.recommend(1::bigint);
GRANT SELECT ON mine TO PUBLIC;
SET ROLE regress_alter_owner;
SELECT says($$SELECT recsys.recommend('1')$$) AS two;
SELECT recsys.drop_model('saved');
SELECT says($$SELECT recsys.recommend('1')$$) AS one;
RESET ROLE;
SELECT says($$SELECT recsys.recommend('1')$$) AS none;
SELECT recsys.create_model('the database''s', 'events', 'popularity');
SELECT says($$SELECT recsys.recommend('1')$$) AS untrained;
CREATE ROLE regress_alter_reader;
GRANT USAGE ON SCHEMA recsys TO regress_alter_reader;
SET ROLE regress_alter_reader;
SELECT says($$SELECT recsys.recommend('1')$$) AS of_the_database;
SET recsys.model = 'm';
SELECT count(*) > 0 AS named FROM recsys.recommend(1::bigint);
RESET recsys.model;
RESET ROLE;
SELECT recsys.drop_model('the database''s');

-- alter_model: what is given changes, the rest and the versions stay
SET ROLE regress_alter_owner;
CREATE VIEW model AS SELECT name, owner, source, algorithm, options, user_column AS usr, item_column AS item, weight_column AS weight,
	event_column AS event, event_weights, time_column AS time, half_life, users, features, live_version AS live FROM recsys.model_registry WHERE owner::text = 'regress_alter_owner';
SELECT recsys.alter_model('m');
SELECT row_to_json(m) FROM model m \g (format=unaligned tuples_only=on)
SELECT recsys.alter_model('m', options => '{"neighbors": 5}', half_life => '1 day', event_weights => '{"buy": 1}');
SELECT row_to_json(m) FROM model m \g (format=unaligned tuples_only=on)
SELECT count(*) > 0 AS answers FROM recsys.recommend(1::bigint, 5, 'm', false);
SELECT recsys.alter_model('m', 'purchases', user_column => 'customer', item_column => 'product', reset => '{weight_column,event_column,event_weights,time_column,half_life,options}');
SELECT row_to_json(m) FROM model m \g (format=unaligned tuples_only=on)
SELECT recsys.train('m');
SELECT events FROM recsys.models WHERE model = 'm';
SELECT recsys.alter_model('m', 'events', 'sequence', time_column => 'at', new_name => 'm2', reset => '{user_column,item_column}');
SELECT row_to_json(m) FROM model m \g (format=unaligned tuples_only=on)
SELECT recsys.train('m2');
SELECT version, algorithm, live FROM recsys.model_versions WHERE model = 'm2' ORDER BY 1;
SELECT recsys.alter_model('m2', algorithm => 'mlp', options => '{"hidden": [4], "epochs": 1}', users => 'users', features => '{"age": {"scale": "standard"}}', reset => '{time_column}');
SELECT recsys.train('m2');
SELECT recsys.alter_model('m2', algorithm => 'als', reset => '{users,features,options}');
SELECT row_to_json(m) FROM model m \g (format=unaligned tuples_only=on)
-- as at creation; a name may be taken by a model that is not seen
RESET ROLE;
CREATE TABLE private AS SELECT user_id, item_id FROM events;
SELECT recsys.create_model('hidden', 'private');
SET ROLE regress_alter_owner;
CREATE SEQUENCE numbers;
CREATE TABLE items AS SELECT DISTINCT item_id FROM events;
\pset format unaligned
SELECT change, says('SELECT recsys.alter_model(''m2'', ' || change || ')')
FROM (VALUES
	($$algorithm => 'alx'$$),
	($$options => '{"factor": 3}'$$),
	($$user_column => 'usr'$$),
	($$weight_column => 'kind'$$),
	($$event_column => 'kind'$$),
	($$half_life => '1 day'$$),
	($$half_life => '0', time_column => 'at'$$),
	($$algorithm => 'sequence'$$),
	($$source => 4294967295::regclass$$),
	($$source => 'pg_authid'$$),
	($$users => 4294967295::regclass$$),
	($$users => 'pg_authid'$$),
	($$users => 'numbers'$$),
	($$items => 4294967295::regclass$$),
	($$items => 'pg_authid'$$),
	($$items => 'numbers'$$),
	($$items => 'users'$$),
	($$items => 'items', item_column => 'kind'$$),
	($$features => '{"age": {}}'$$),
	($$algorithm => 'mlp', features => '{"age": {}}'$$),
	($$new_name => ''$$),
	($$new_name => 'mine'$$),
	($$new_name => 'hidden'$$),
	($$reset => '{source}'$$),
	($$reset => '{user_column,NULL}'$$),
	($$owner => 0::regrole$$)) c (change);
\pset format aligned
SELECT left(says($$SELECT recsys.alter_model('m2', owner => 'regress_alter_other')$$), 5) AS no_member;
SELECT says($$SELECT recsys.alter_model('mine', algorithm => 'als')$$), says($$SELECT recsys.alter_model('nobody')$$), says('SELECT recsys.alter_model(NULL)');
SELECT row_to_json(m) FROM model m \g (format=unaligned tuples_only=on)
SELECT recsys.alter_model('m2', items => 'items');
SELECT items FROM recsys.model_registry WHERE name = 'm2';
-- the trigger that sees to owners is for our tables only
CREATE TABLE theirs (owner text);
SELECT says('CREATE TRIGGER t BEFORE INSERT ON theirs FOR EACH ROW EXECUTE FUNCTION recsys_support.ownerfn()');
-- a model that was saved is given a source; without one there is nothing to alter but the name
SELECT recsys.save_model('saved', recsys.train_popularity(user_id, item_id)) FROM events;
SELECT says($$SELECT recsys.alter_model('saved', weight_column => 'n')$$);
SELECT recsys.alter_model('saved', new_name => 'kept');
SELECT recsys.alter_model('kept', 'events');
SELECT recsys.train('kept');
SELECT recsys.drop_model('kept');
-- the source gone: another; the owner another
DROP TABLE events;
SELECT says($$SELECT recsys.train('m2')$$);
SELECT recsys.alter_model('m2', new_name => 'm');
SELECT recsys.alter_model('m', 'purchases', user_column => 'customer', item_column => 'product', reset => '{items}');
SELECT recsys.train('m');
RESET ROLE;
SELECT says($$SELECT recsys.alter_model('m', owner => 'regress_alter_other')$$);
GRANT SELECT ON purchases TO regress_alter_other;
SELECT recsys.alter_model('m', users => 'users');
SELECT says($$SELECT recsys.alter_model('m', owner => 'regress_alter_other')$$);
SELECT recsys.alter_model('m', reset => '{users}');
SELECT recsys.alter_model('m', owner => 'regress_alter_other');
SELECT model, owner FROM recsys.models ORDER BY 1;
SET ROLE regress_alter_owner;
SELECT says($$SELECT recsys.train('m')$$);
SET ROLE regress_alter_other;
SELECT recsys.train('m');
SELECT recsys.drop_model('m'), recsys.drop_model('mine');
RESET ROLE;
SELECT recsys.drop_model('hidden');
SELECT * FROM left_behind;
DROP SCHEMA alter_test CASCADE;
DROP OWNED BY regress_alter_owner, regress_alter_other, regress_alter_reader;
DROP ROLE regress_alter_owner, regress_alter_other, regress_alter_reader;
