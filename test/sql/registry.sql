-- create_model, train, versions: what is refused and what is kept
SET client_min_messages = notice;
CREATE SCHEMA registry_test;
SET search_path = registry_test, public;
CREATE TABLE events (user_id bigint, item_id text, kind text, n numeric, at timestamptz, blob jsonb, price money);
INSERT INTO events SELECT u, 'i' || (u * i) % 17, CASE i % 3 WHEN 0 THEN 'view' WHEN 1 THEN 'buy' ELSE 'odd' END, i, timestamptz '2026-01-01' + i * interval '1 day'
FROM generate_series(1, 30) u, generate_series(1, 6) i;
CREATE SEQUENCE not_a_table;

-- refusals
SELECT recsys.create_model('m', 'events', 'alx');
SELECT recsys.create_model('m', 'events', options => '{"factor": 3}');
SELECT recsys.create_model('m', 'events', options => '{"factors": "many"}');
SELECT recsys.create_model('m', 'events', options => '{"factors": 0}');
SELECT recsys.create_model('m', 'events', options => '{"factors": 2.5}');
SELECT recsys.create_model('m', 'events', options => '[1]');
SELECT recsys.create_model('m', 'events', user_column => 'usr');
SELECT recsys.create_model('m', 'events', item_column => 'item');
SELECT recsys.create_model('m', 'events', item_column => 'at');
SELECT recsys.create_model('m', 'events', item_column => 'price');
SELECT recsys.create_model('m', 'events', weight_column => 'kind');
SELECT recsys.create_model('m', 'events', weight_column => 'price');
SELECT recsys.create_model('m', 'events', event_column => 'kind');
SELECT recsys.create_model('m', 'events', event_weights => '{"view": 1}');
SELECT recsys.create_model('m', 'events', event_column => 'kind', event_weights => '{"view": "one"}');
SELECT recsys.create_model('m', 'events', event_column => 'kind', event_weights => '{}');
SELECT recsys.create_model('m', 'events', event_column => 'kind', event_weights => '{"view": 1e13}');
SELECT recsys.create_model('m', 'events', event_column => 'kind',
	event_weights => (SELECT jsonb_object_agg(i, 1) FROM generate_series(1, 1001) i));
SELECT recsys.create_model('m', 'events', half_life => '1 day');
SELECT recsys.create_model('m', 'events', time_column => 'at', half_life => '-1 day');
SELECT recsys.create_model('m', 'events', time_column => 'n');
SELECT recsys.create_model('m', 'events', 'sequence');
SELECT recsys.create_model('m', 'events', features => '{}');
SELECT recsys.create_model('m', 'not_a_table');
SELECT recsys.create_model('', 'events');
SELECT recsys.create_model(repeat('x', 64), 'events');
SELECT recsys.create_model(NULL, 'events');
SELECT recsys.create_model('m', NULL);
SELECT count(*) AS models FROM recsys.models;

-- a notice where the history is a scan, silence where an index finds it
SELECT recsys.create_model('m', 'events', 'item_knn');
CREATE INDEX partly ON events (user_id) WHERE kind = 'buy';
SELECT recsys.create_model('m2', 'events', 'item_knn');
CREATE INDEX wholly ON events (user_id, at);
SELECT recsys.create_model('m3', 'events', 'item_knn');
SELECT recsys.create_model('m3', 'events', 'item_knn');

-- versions
\set VERBOSITY terse
SELECT recsys.recommend('1', 3, 'm');
SELECT recsys.train('m');
SELECT md5(recsys.load_model('m')::bytea) AS first \gset
INSERT INTO events (user_id, item_id, kind, n, at) VALUES (1, 'new', 'buy', 1, '2026-02-01'), (NULL, 'i1', 'buy', 1, '2026-02-01'), (2, NULL, 'buy', 1, '2026-02-01');
SELECT recsys.train('m');
SELECT model, version, live, algorithm, id_type, users, items, events, rows_read, rows_skipped, trained_by = current_user::regrole AS mine FROM recsys.model_versions ORDER BY version;
SELECT count(*) > 0 AS knows_new FROM recsys.similar_items('new', 5, 'm');
SELECT recsys.deploy('m', 1);
SELECT md5(recsys.load_model('m')::bytea) = :'first' AS first_again, count(*) > 0 AS knows_new FROM recsys.similar_items('new', 5, 'm');
SELECT recsys.deploy('m', 2);
SELECT version, state FROM recsys.models WHERE model = 'm';
SELECT recsys.deploy('m', 3);
SELECT recsys.load_model('m', 9);
SELECT recsys.train('nobody');
SELECT recsys.deploy('nobody', 1), recsys.drop_model('nobody');
SELECT recsys.drop_model('nobody', true);
SELECT recsys.drop_model('m3', if_exists => true);
SELECT recsys.drop_version('m2', 1);
SELECT recsys.drop_version('nobody', 1);

-- the aggregate over the same rows gives the same bytes; a value can be stored
SELECT recsys.load_model('m')::bytea = recsys.train_item_knn(user_id, item_id)::bytea AS same FROM events;
SELECT recsys.save_model('saved', (SELECT recsys.train_als(user_id, item_id, n::float8, '{"factors": 4}') FROM events));
SELECT recsys.load_model('saved')::bytea = recsys.train_als(user_id, item_id, n::float8, '{"factors": 4}')::bytea AS same FROM events;
SELECT recsys.save_model('saved', (SELECT recsys.train_ease(user_id, item_id) FROM events));
SELECT version, algorithm FROM recsys.model_versions WHERE model = 'saved' ORDER BY 1;
SELECT recsys.save_model('m', (SELECT recsys.train_ease(user_id, item_id) FROM events));
SELECT recsys.recommend('1', 3, 'saved');
SELECT recsys.train('saved');

-- a savepoint takes a version back
BEGIN;
SAVEPOINT s;
SELECT recsys.train('m');
SELECT count(*) > 0 AS answers FROM recsys.recommend('1', 3, 'm');
ROLLBACK TO s;
SELECT version FROM recsys.models WHERE model = 'm';
SELECT count(*) > 0 AS answers FROM recsys.recommend('1', 3, 'm');
COMMIT;

-- weights: by column, by event, by age; an event that is not named is left out
SELECT recsys.create_model('weighted', 'events', 'popularity', weight_column => 'n', event_column => 'kind', event_weights => '{"view": 1, "buy": 10, "it''s \\odd": 3}', time_column => 'at', half_life => '30 days');
SELECT recsys.train('weighted');
SELECT rows_skipped FROM recsys.model_versions WHERE model = 'weighted';
SELECT abs(r.score / e.score - 1) < 1e-4 AS right FROM recsys.recommend(NULL::text, 1, 'weighted') r JOIN (
	SELECT item_id, sum(n::float8 * CASE kind WHEN 'view' THEN 1 WHEN 'buy' THEN 10 END * power(2, least(0, extract(epoch FROM at - now()) / extract(epoch FROM interval '30 days')))) AS score
	FROM events WHERE user_id IS NOT NULL GROUP BY 1) e USING (item_id);

-- types of events are what their bytes are, whatever their column's collation; and
-- items by texts that are those of no setting
DO $$
BEGIN
	CREATE COLLATION no_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
	ALTER TABLE events ALTER kind TYPE text COLLATE no_case;
EXCEPTION WHEN OTHERS THEN
	NULL; -- a server without ICU
END
$$;
SELECT recsys.create_model('cased', 'events', 'popularity', event_column => 'kind', event_weights => '{"VIEW": 100, "view": 1}');
SELECT recsys.train('cased');
SELECT events = (SELECT count(*) FROM events WHERE kind COLLATE "C" = 'view' AND user_id IS NOT NULL AND item_id IS NOT NULL) AS those,
	(SELECT sum(score) FROM recsys.recommend(NULL::text, 100, 'cased')) = events AS of_weight_one FROM recsys.models WHERE model = 'cased';

-- sources that cannot be trained on
CREATE TABLE empty (user_id int, item_id int, w float8);
CREATE INDEX ON empty (user_id);
SELECT recsys.create_model('empty', 'empty', weight_column => 'w');
SELECT recsys.train('empty');
INSERT INTO empty VALUES (NULL, 1, 1), (1, NULL, 1), (1, 1, NULL);
SELECT recsys.train('empty');
INSERT INTO empty VALUES (1, 1, 0);
SELECT recsys.train('empty');
INSERT INTO empty VALUES (1, 1, 'NaN');
SELECT recsys.train('empty');
UPDATE empty SET w = '-infinity' WHERE w = 'NaN';
SELECT recsys.train('empty');
UPDATE empty SET w = 1e300 WHERE w = '-infinity';
SELECT recsys.train('empty');
UPDATE empty SET w = 2 WHERE w = 1e300;
SELECT recsys.train('empty');
SELECT * FROM recsys.recommend(1, 5, 'empty');
SELECT item_id, source FROM recsys.recommend(2, 5, 'empty');
SET recsys.train_memory = '1MB';
SELECT recsys.train_ease(i, i::bigint) FROM generate_series(1, 3000) i;
SELECT recsys.train_als(i, i::bigint) FROM generate_series(1, 100000) i;
RESET recsys.train_memory;
SET recsys.max_model_size = '1kB';
SELECT recsys.train_als(user_id, item_id) FROM events;
RESET recsys.max_model_size;
SET recsys.train_memory = '64kB';
SELECT recsys.train_als(i, i::bigint) FROM generate_series(1, 20000) i;
RESET recsys.train_memory;

-- a version goes with its bytes, unless it is live; its number is the last
SELECT recsys.create_model('numbered', 'events', 'popularity');
SELECT recsys.train('numbered'), recsys.train('numbered');
SELECT recsys.drop_version('numbered', 2);
SELECT recsys.deploy('numbered', 1);
SELECT recsys.drop_version('numbered', 2);
SELECT recsys.drop_version('numbered', 2);
SELECT recsys.deploy('numbered', 2);
SELECT count(*) FROM recsys.model_chunk c JOIN recsys.model_registry r ON r.id = c.model_id WHERE r.name = 'numbered';
UPDATE recsys.model_version v SET version = 2147483647 FROM recsys.model_registry r WHERE r.id = v.model_id AND r.name = 'numbered';
\set VERBOSITY default
SELECT recsys.train('numbered');
\set VERBOSITY terse
UPDATE recsys.model_version v SET version = 0 FROM recsys.model_registry r WHERE r.id = v.model_id AND r.name = 'numbered';
UPDATE recsys.model_registry SET live_version = 0 WHERE name = 'numbered';
SELECT recsys.drop_model('numbered');

-- what a training had next to nothing of, or much less than the version before
CREATE TABLE few (user_id int, item_id int, at timestamptz DEFAULT now());
CREATE INDEX ON few (user_id);
SELECT recsys.create_model('few', 'few', 'popularity');
\set VERBOSITY default
SET client_min_messages = warning;
SELECT recsys.train('few');
INSERT INTO few VALUES (1, 1);
SELECT recsys.train('few');
INSERT INTO few VALUES (2, 1);
SELECT recsys.train('few');
INSERT INTO few SELECT 1 + i % 5, i % 7 FROM generate_series(1, 98) i;
SELECT recsys.train('few');
DELETE FROM few WHERE ctid NOT IN (SELECT ctid FROM few ORDER BY user_id DESC, item_id LIMIT 9);
SELECT recsys.train('few');
SELECT recsys.deploy('few', 3);
SELECT recsys.train('few');
-- rows that were changed by hand, had they come past the checks of the table: what
-- create_model() refuses is refused where they are read
SELECT recsys.create_model('new', 'few', 'popularity', half_life => '0', time_column => 'at');
SELECT recsys.create_model('new', 4294967295::regclass);
BEGIN;
ALTER TABLE recsys.model_registry DROP CONSTRAINT time_column, DROP CONSTRAINT half_life, DROP CONSTRAINT event_weights,
	DROP CONSTRAINT source, DROP CONSTRAINT features;
CREATE FUNCTION by_hand(change text) RETURNS TABLE (training text, answer text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE 'UPDATE recsys.model_registry SET ' || change || ' WHERE name = ''few''';
	BEGIN
		PERFORM recsys.train('few');
		training := 'ok';
	EXCEPTION WHEN OTHERS THEN
		training := sqlerrm;
	END;
	BEGIN
		PERFORM recsys.recommend('1', 3, 'few');
		answer := 'ok';
	EXCEPTION WHEN OTHERS THEN
		answer := sqlerrm;
	END;
	UPDATE recsys.model_registry r SET (algorithm, user_column, item_column, event_column, event_weights, time_column, half_life, users, features)
		= ('popularity', 'user_id', 'item_id', NULL, NULL, NULL, NULL, NULL, NULL) WHERE name = 'few';
	RETURN NEXT;
END $$;
SELECT change, h.* FROM unnest(ARRAY['algorithm = ''sequence''', 'half_life = ''1 day''', 'half_life = ''0'', time_column = ''at''',
	'half_life = ''1 month -30 days'', time_column = ''at''', 'event_column = ''at''', 'event_weights = ''{"a": 1}''',
	'event_column = ''at'', event_weights = ''[1]''', 'event_column = ''at'', event_weights = ''{"a": "b"}''', 'event_column = ''at'', event_weights = ''{}''',
	'user_column = NULL', 'item_column = NULL', 'features = ''{"at": {}}''']) change, by_hand(change) h;
UPDATE recsys.model_registry SET source = NULL WHERE name = 'few';
SELECT recsys.train('few');
ROLLBACK;
SELECT recsys.drop_model('few');
SET client_min_messages = notice;
\set VERBOSITY terse

-- names that want quoting; a view as the source
CREATE TABLE "Se""lect; DROP" ("User Id" int, "Item" int);
INSERT INTO "Se""lect; DROP" SELECT i % 7, i % 11 FROM generate_series(1, 100) i;
CREATE VIEW "odd view" AS SELECT * FROM "Se""lect; DROP";
SELECT recsys.create_model('it''s "odd"', '"odd view"', 'item_knn', user_column => 'User Id', item_column => 'Item');
SELECT recsys.train('it''s "odd"');
SELECT count(*) FROM recsys.recommend(3::bigint, 5, 'it''s "odd"', false);

-- a domain is what it is over
CREATE DOMAIN account AS integer CHECK (value > 0);
CREATE DOMAIN product AS bigint CHECK (value > 0);
CREATE DOMAIN code AS uuid;
CREATE TABLE of_domains (user_id account, item_id product, code code);
INSERT INTO of_domains SELECT i % 7 + 1, i % 11 + 1, lpad((i % 11 + 1)::text, 32, '0')::uuid FROM generate_series(1, 100) i;
CREATE INDEX ON of_domains (user_id);
SELECT recsys.create_model('products', 'of_domains', 'item_knn'), recsys.create_model('codes', 'of_domains', 'item_knn', item_column => 'code');
SELECT recsys.train('products'), recsys.train('codes');
SELECT model, id_type FROM recsys.model_versions WHERE model IN ('products', 'codes') ORDER BY model;
SELECT count(*), min(source) FROM recsys.recommend(3::bigint, 3, 'products', false);
-- a user that the domain does not hold is one without a history
SELECT count(*), min(source) FROM recsys.recommend(-3::bigint, 3, 'products', false);
SELECT recsys.load_model('products')::bytea = recsys.train_item_knn(user_id, item_id)::bytea AS same FROM of_domains;

-- stored bytes that were tampered with
UPDATE recsys.model_chunk SET bytes = set_byte(bytes, 900, 255 - get_byte(bytes, 900)) WHERE model_id = (SELECT id FROM recsys.model_registry WHERE name = 'm') AND version = 1;
SELECT recsys.load_model('m', 1) IS NULL;
DELETE FROM recsys.model_chunk WHERE model_id = (SELECT id FROM recsys.model_registry WHERE name = 'm') AND version = 1;
SELECT recsys.load_model('m', 1) IS NULL;

SELECT recsys.drop_model(model) FROM (SELECT model FROM recsys.models) x;
SELECT count(*) AS rows_left FROM recsys.model_chunk;
SELECT count(*) AS versions_left FROM recsys.model_version;
\set VERBOSITY default
SELECT recsys.recommend('1');
SET client_min_messages = warning;
DROP SCHEMA registry_test CASCADE;
