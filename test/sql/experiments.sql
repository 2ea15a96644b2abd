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

-- buckets: SHA-256 of experiment, zero byte and user, as a client computes it; these
-- must never change
SELECT recsys.bucket(u, 'home') FROM generate_series(42::bigint, 45) u;
SELECT recsys.bucket((-9223372036854775808)::bigint, 'home', '{1,1,1,1,1,1,1}') AS smallest,
	recsys.bucket('ü 😀', 'größe', array_fill(0.1::float8, '{10}')) AS not_ascii,
	recsys.bucket('A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'::uuid, 'home', array_fill(1::float8, '{100}')) AS uuid,
	recsys.bucket('', '', '{0.2,0.3,0.5}') AS empty;
SELECT count(*) AS differ FROM generate_series(1, 1000) u WHERE recsys.bucket(u, 'home') <> recsys.bucket(u::text, 'home');
PREPARE untyped AS SELECT recsys.bucket($1, $2, $3);
EXECUTE untyped('42', 'home', '{1,1}');
DEALLOCATE untyped;
SELECT recsys.bucket(NULL::bigint, 'home') AS nobody;
-- shared out as the weights say (chi-squared of 3 degrees: 16.3 is passed once in 1000)
CREATE TABLE buckets AS SELECT recsys.bucket(u, 'home', '{0.1,0.2,0.3,0.4}') AS arm,
	recsys.bucket(u, 'cart', '{1,1,1}') AS other FROM generate_series(1, 100000) u;
SELECT sum((n - 10000.0 * arm) ^ 2 / (10000 * arm)) < 16.3 AS uniform FROM (SELECT arm, count(*) AS n FROM buckets GROUP BY arm) b;
-- and two experiments do not know of each other (of 6 degrees: 22.5)
SELECT sum((n - a.n_arm * o.n_other / 1e5) ^ 2 / (a.n_arm * o.n_other / 1e5)) < 22.5 AS independent
FROM (SELECT arm, other, count(*) AS n FROM buckets GROUP BY arm, other) b
	JOIN (SELECT arm, count(*) AS n_arm FROM buckets GROUP BY arm) a USING (arm)
	JOIN (SELECT other, count(*) AS n_other FROM buckets GROUP BY other) o USING (other);
-- who weighs nothing gets nobody; more weight moves users one way
SELECT DISTINCT recsys.bucket(u, 'home', '{0,3,0}') FROM generate_series(1, 1000) u;
SELECT DISTINCT recsys.bucket(u, 'home', '{0.9,0.1}') AS before, recsys.bucket(u, 'home', '{0.5,0.5}') AS after
FROM generate_series(1, 1000) u ORDER BY 1, 2;
CREATE INDEX ON events (recsys.bucket(user_id, 'home'));
\set VERBOSITY terse
SELECT recsys.bucket(1, 'home', '{}');
SELECT recsys.bucket(1, 'home', '{{1},{1}}');
SELECT recsys.bucket(1, 'home', '{1,NULL}');
SELECT recsys.bucket(1, 'home', '{1,-1}');
SELECT recsys.bucket(1, 'home', '{1,NaN}');
SELECT recsys.bucket(1, 'home', '{1,Infinity}');
SELECT recsys.bucket(1, 'home', '{0,0}');
SELECT recsys.bucket(1, 'home', '{1e308,1e308}');
\set VERBOSITY default

-- a route by arm: a table of yours
CREATE TABLE arms (experiment text, arm integer, model text NOT NULL, version integer, weight float8 NOT NULL CHECK (weight >= 0),
	PRIMARY KEY (experiment, arm));
INSERT INTO arms VALUES ('home', 1, 'shop', 2, 0.5), ('home', 2, 'shop', 3, 0.5);
CREATE FUNCTION route(user_id bigint, experiment text) RETURNS arms LANGUAGE sql STABLE AS $$
	SELECT a FROM arms a WHERE a.experiment = $2 ORDER BY arm
	OFFSET recsys.bucket($1, $2, ARRAY(SELECT weight FROM arms WHERE arms.experiment = $2 ORDER BY arm)) - 1 LIMIT 1
$$;
SELECT u, r.* FROM generate_series(42, 45) u, route(u, 'home') r;
SELECT * FROM route(42, 'no such');

-- intervals; the mathematics is tested by test/unit/test_sequential.c
SELECT round(low::numeric, 4) AS low, round(high::numeric, 4) AS high FROM recsys.rate_interval(1, 1);
SELECT * FROM recsys.rate_interval(0, 0);
SELECT round(low::numeric, 3) AS low, round(high::numeric, 3) AS high FROM recsys.rate_interval(10000, 500);
SELECT round(low::numeric, 3) AS low, round(high::numeric, 3) AS high FROM recsys.lift_interval(10000, 500, 10000, 700);
SELECT round(low::numeric, 3) AS low, round(high::numeric, 3) AS high FROM recsys.lift_interval(10000, 500, 10000, 700, 0.8, 0.3);
SELECT * FROM recsys.lift_interval(0, 0, 10, 5);
\set VERBOSITY terse
SELECT recsys.rate_interval(1, 2);
SELECT recsys.rate_interval(-1, -1);
SELECT recsys.rate_interval(1, 1, 1);
SELECT recsys.rate_interval(1, 1, 'NaN');
SELECT recsys.lift_interval(1, 1, 1, 1, 0.95, 0);
SELECT recsys.lift_interval(1, 1, 1, 1, 0.95, 'NaN');
\set VERBOSITY default

-- impressions
CREATE TABLE impressions (user_id bigint NOT NULL, item_id bigint NOT NULL, rank integer, experiment text, arm integer,
	shown_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX ON impressions (user_id, item_id, shown_at);
SELECT recsys.record_impressions('impressions', 42::bigint, ARRAY[7, 5, 6]);
SELECT recsys.record_impressions('impressions', '43', ARRAY['7', '8'], 'home', 2);
SELECT recsys.record_impressions('impressions', 42, '{}'::bigint[]);
PREPARE untyped AS SELECT recsys.record_impressions($1, $2, $3, $4, $5);
EXECUTE untyped('impressions', '44', '{9}', 'home', '1');
DEALLOCATE untyped;
-- a user without a type beside a list that has one
SELECT recsys.record_impressions('impressions', '45', ARRAY[9, 8]::smallint[]);
SELECT user_id, item_id, rank, experiment, arm FROM impressions ORDER BY user_id, rank;
-- recommend and write down in one statement
INSERT INTO impressions (user_id, item_id, rank, experiment, arm)
SELECT 45, item_id, rank, 'home', 1 FROM recsys.recommend_for_items(ARRAY[1::bigint], 2, 'shop') RETURNING item_id, rank;
\set VERBOSITY terse
SELECT recsys.record_impressions(NULL, 42, ARRAY[7]);
SELECT recsys.record_impressions('buckets', 42, ARRAY[7]);
SELECT recsys.record_impressions('impressions', 'x', ARRAY['7']);
SELECT recsys.record_impressions('impressions', 42, NULL::bigint[]);
-- as the caller
CREATE ROLE regress_experiments_other;
GRANT USAGE ON SCHEMA experiments_test TO regress_experiments_other;
SET ROLE regress_experiments_other;
SELECT recsys.record_impressions('impressions', 42, ARRAY[7]);
RESET ROLE;
\set VERBOSITY default
-- names that want quoting
CREATE TABLE "Odd ""name" (user_id uuid, item_id text, rank smallint, experiment varchar(9), arm smallint, shown_at timestamp DEFAULT now());
SELECT recsys.record_impressions('"Odd ""name"', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid, ARRAY['a', 'b'], 'home', 1);
SELECT user_id, item_id, rank, experiment, arm FROM "Odd ""name";

-- the report: users, of whom each third saw arm 2, each tenth nothing yet for a week
CREATE TABLE actions (user_id bigint, item_id bigint, event_type text, ts timestamptz);
TRUNCATE impressions;
INSERT INTO impressions SELECT u, i, i, 'home', 1 + (u % 3 = 0)::int, timestamptz '2026-03-01 00:00+00' + u % 10 * interval '1 day'
FROM generate_series(1, 3000) u, generate_series(1, 3) i;
INSERT INTO impressions SELECT u, 1, 1, 'cart', 1, timestamptz '2026-03-01 00:00+00' FROM generate_series(1, 10) u;
-- clicks an hour later: of arm 1 one in ten, of arm 2 one in five; purchases likewise, half as many
INSERT INTO actions SELECT u, 2, 'click', timestamptz '2026-03-01 01:00+00' + u % 10 * interval '1 day'
FROM generate_series(1, 3000) u WHERE u / 30 % (10 - 5 * (u % 3 = 0)::int) = 0;
INSERT INTO actions SELECT u, 2, 'purchase', timestamptz '2026-03-01 02:00+00' + u % 10 * interval '1 day'
FROM generate_series(1, 3000) u WHERE u / 30 % (20 - 10 * (u % 3 = 0)::int) = 0;
CREATE VIEW report AS SELECT metric, arm, users, waiting, switched, shown, events, converted, round(rate::numeric, 3) AS rate,
	round(rate_low::numeric, 3) AS rate_low, round(rate_high::numeric, 3) AS rate_high, round(lift::numeric, 3) AS lift,
	round(lift_low::numeric, 3) AS lift_low, round(lift_high::numeric, 3) AS lift_high
FROM recsys.experiment_report('home', 'impressions', 'actions', as_of => '2026-03-15 12:00+00');
SELECT * FROM report;
-- none of these count: of another item, too early, too late, of nobody, of another type,
-- or of a user who still waits
BEGIN;
INSERT INTO actions VALUES (1, 99, 'click', '2026-03-02 01:00+00'), (1, 2, 'click', '2026-03-01 23:00+00'),
	(1, 2, 'click', '2026-03-09 00:00+00'), (NULL, 2, 'click', '2026-03-02 01:00+00'), (1, 2, 'view', '2026-03-02 01:00+00'),
	(9, 2, 'click', '2026-03-10 01:00+00'), (99999, 2, 'click', '2026-03-02 01:00+00');
INSERT INTO impressions VALUES (1, 2, 1, 'home', NULL, '2026-03-02'), (1, 2, 1, NULL, 2, '2026-03-01');
SELECT metric, arm, users, waiting, switched, shown, events, converted FROM report;
-- an item that was not on the list counts if asked to, once is as good as twice for the rate
SELECT arm, events, converted FROM recsys.experiment_report('home', 'impressions', 'actions', '{"click": ["click"]}',
	shown_only => false, as_of => '2026-03-15 12:00+00');
INSERT INTO actions VALUES (1, 2, 'click', '2026-03-02 01:00+00'), (1, 3, 'click', '2026-03-02 01:00+00');
SELECT arm, events, converted FROM report WHERE metric = 'click';
-- who sees another arm later stays in the first and is told of
INSERT INTO impressions VALUES (1, 50, 1, 'home', 2, '2026-03-04');
SELECT arm, users, switched, shown, events FROM report WHERE metric = 'click';
ROLLBACK;
-- the control is named; other names and types of columns; every event is one
SELECT arm, round(lift::numeric, 3) AS lift FROM recsys.experiment_report('home', 'impressions', 'actions', '{"click": ["click"]}', control => 2,
	as_of => '2026-03-15 12:00+00');
CREATE VIEW "Acts" AS SELECT user_id::int AS "User", item_id AS "Item", ts::timestamp AS "When" FROM actions;
SELECT metric, arm, events FROM recsys.experiment_report('home', 'impressions', '"Acts"', '{"any": []}', user_column => 'User', item_column => 'Item',
	event_column => NULL, time_column => 'When', as_of => '2026-03-15 12:00+00');
-- before anybody's time is over, and of an experiment that nobody saw
SELECT arm, users, waiting, rate, rate_low, rate_high, lift, lift_low, lift_high
FROM recsys.experiment_report('home', 'impressions', 'actions', '{"click": ["click"]}', as_of => '2026-03-02 12:00+00');
SELECT * FROM recsys.experiment_report('none', 'impressions', 'actions');
\set VERBOSITY terse
SELECT recsys.experiment_report('home', 'impressions', 'actions', '{"click": "click"}');
SELECT recsys.experiment_report('home', 'impressions', 'actions', '{"click": [1]}');
SELECT recsys.experiment_report('home', 'impressions', 'actions', '{}');
SELECT recsys.experiment_report('home', 'impressions', 'actions', '[]');
SELECT recsys.experiment_report('home', 'impressions', 'actions', within => '0');
SELECT recsys.experiment_report('home', 'impressions', 'actions', within => NULL);
SELECT recsys.experiment_report('home', 'impressions', 'actions', confidence => 1);
SELECT recsys.experiment_report('home', 'impressions', 'actions', expected_lift => -1);
SELECT recsys.experiment_report('home', 'impressions', NULL);
SELECT recsys.experiment_report('home', NULL, 'actions');
SELECT recsys.experiment_report('home', 'events', 'actions');
SELECT recsys.experiment_report('home', 'impressions', 'events');
SELECT recsys.experiment_report('home', 'impressions', 'actions', event_column => 'type');
SELECT recsys.experiment_report('home', 'impressions', 'actions', time_column => NULL);
SET ROLE regress_experiments_other;
SELECT recsys.experiment_report('home', 'impressions', 'actions');
RESET ROLE;
\set VERBOSITY default

-- not again what was shown three times without anything coming of it, by an index
INSERT INTO impressions SELECT u, i, 1, NULL, NULL, timestamptz '2026-04-01' + d * interval '1 day'
FROM generate_series(1, 2000) u, generate_series(1, 30) i, generate_series(1, 3) d;
CREATE INDEX ON actions (user_id, item_id, ts);
INSERT INTO actions SELECT u, 7, 'click', '2026-04-02 12:00' FROM generate_series(1, 2000) u;
ANALYZE impressions;
ANALYZE actions;
CREATE FUNCTION tired(bigint, integer) RETURNS bigint[] LANGUAGE sql STABLE AS $$
	SELECT ARRAY(
		SELECT i.item_id FROM impressions i
		WHERE i.user_id = $1 AND i.shown_at > timestamptz '2026-03-25'
			AND NOT EXISTS (SELECT FROM actions a WHERE a.user_id = $1 AND a.item_id = i.item_id AND a.ts >= i.shown_at)
		GROUP BY i.item_id HAVING count(*) >= $2 ORDER BY i.item_id)
$$;
SELECT tired(5, 3);
SELECT tired(5, 1) @> '{7}' AS shown_once_since_the_click;
CREATE FUNCTION blocks(statement text) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
	plan jsonb;
BEGIN
	EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ' || statement INTO plan;
	RETURN (plan #>> '{0,Plan,Shared Hit Blocks}')::integer + (plan #>> '{0,Plan,Shared Read Blocks}')::integer;
END
$$;
SELECT blocks('SELECT tired(5, 3)') < 800 AS few_blocks, blocks('SELECT count(*) FROM impressions') > 800 AS many_blocks;

SELECT recsys.drop_model('shop');
DROP SCHEMA experiments_test CASCADE;
DROP ROLE regress_experiments_other;
