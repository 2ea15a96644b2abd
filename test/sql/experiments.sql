-- a version that is kept without going live
CREATE SCHEMA experiments_test;
SET search_path = experiments_test, public;
CREATE TABLE events (user_id bigint, item_id bigint);
INSERT INTO events SELECT u, 10 * (u % 4) + (u * 7 + n * n) % 10 FROM generate_series(1, 40) u, generate_series(1, 5) n;
CREATE INDEX ON events (user_id);
SELECT recsys.create_model('shop', 'events', 'item_knn');
\set VERBOSITY terse
SELECT recsys.train('shop', deploy => false);
SELECT state, version FROM recsys.models;
SELECT * FROM recsys.recommend(1, 3, 'shop');
SELECT recsys.load_model('shop') IS NULL;
SELECT recsys.load_model('shop', 1) IS NULL AS missing;
SELECT recsys.train('shop');
SELECT recsys.train('shop', false);
SELECT state, version FROM recsys.models;
SELECT version, live FROM recsys.model_versions ORDER BY version;
SELECT recsys.deploy('shop', 3);
SELECT version FROM recsys.models;
\set VERBOSITY default
-- little of what the live version had: nothing to go back from
TRUNCATE events;
INSERT INTO events VALUES (1, 1), (2, 2), (2, 1);
SET client_min_messages = warning;
SELECT recsys.train('shop', deploy => false);

SELECT recsys.drop_model('shop');
DROP SCHEMA experiments_test CASCADE;
