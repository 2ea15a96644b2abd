-- what counts as seen: by type and age of events, as the model says or the call;
-- history_limit
SET client_min_messages = warning;
CREATE SCHEMA seen_test;
SET search_path = seen_test, public;
CREATE TABLE events (user_id bigint, item_id text, event_type text, ts timestamptz);
INSERT INTO events
SELECT u, 'i' || (u * 7 + n * n * 3 + n * u) % 40, (ARRAY['view', 'cart', 'purchase'])[1 + (u + n) % 3],
	date_trunc('day', now()) - n / 3 * interval '1 day'
FROM generate_series(1, 60) u, generate_series(1, 12) n;
INSERT INTO events VALUES (5, 'i0', 'purchase', NULL), (5, 'i1', NULL, now()), (5, 'i2', 'purchase', now() + interval '1 year');
CREATE INDEX ON events (user_id);
SELECT recsys.create_model('shop', 'events', 'item_knn', event_column => 'event_type', event_weights => '{"view": 1, "cart": 2, "purchase": 3}', time_column => 'ts'),
	recsys.create_model('next', 'events', 'sequence', time_column => 'ts'),
	recsys.create_model('plain', 'events', 'als', '{"factors": 8}');
SELECT recsys.train(m) FROM unnest(ARRAY['shop', 'next', 'plain']) m;
-- items of the history that come back, against SQL
CREATE FUNCTION back(u bigint, types text[], age interval) RETURNS text[] LANGUAGE sql AS $$
	SELECT array_agg(r.item_id ORDER BY r.item_id) FROM recsys.recommend(u::text, 1000, 'shop', exclude_events => types, exclude_for => age) r
	WHERE r.item_id IN (SELECT item_id FROM events e WHERE e.user_id = u) $$;
CREATE FUNCTION expected(u bigint, types text[], age interval) RETURNS text[] LANGUAGE sql AS $$
	SELECT array_agg(item_id ORDER BY item_id) FROM (SELECT item_id FROM events e WHERE user_id = u GROUP BY item_id
		HAVING NOT bool_or(coalesce((types IS NULL OR event_type = ANY (types)) AND (age IS NULL OR ts > now() - age), false))) i $$;
SELECT types, age, bool_and(back(u, types, age) IS NOT DISTINCT FROM expected(u, types, age)) AS right, sum(cardinality(back(u, types, age))) > 0 AS some
FROM generate_series(1, 20) u, (VALUES (NULL::text[], NULL::interval), ('{purchase}', NULL), ('{cart,purchase}', NULL), ('{}', NULL), ('{no such}', NULL),
	(NULL, '36 hours'), ('{purchase}', '36 hours'), ('{view}', '1 second')) v (types, age) GROUP BY 1, 2 ORDER BY 1, 2;
-- the scores do not change with it
SELECT count(*) FROM recsys.recommend('5', 1000, 'shop', exclude_events => '{purchase}') a JOIN recsys.recommend('5', 1000, 'shop', exclude_seen => false) b USING (item_id)
WHERE a.score IS DISTINCT FROM b.score;
SELECT count(*) FROM recsys.recommend('5', 1000, 'shop', exclude_seen => false, exclude_events => '{purchase}');
-- the model's own default; a call says otherwise
CREATE TEMP TABLE by_call AS SELECT * FROM recsys.recommend('5', 1000, 'shop', exclude_events => '{purchase}', exclude_for => '2 days');
SELECT recsys.alter_model('shop', exclude_events => '{purchase}', exclude_for => '2 days');
SELECT count(*) FILTER (WHERE c = r) = count(*) AS same FROM by_call c FULL JOIN recsys.recommend('5', 1000, 'shop') r USING (rank);
SELECT back(5, '{view,cart,purchase}', '10 years') IS NOT DISTINCT FROM expected(5, '{view,cart,purchase}', '10 years') AS same;
SELECT exclude_events, exclude_for FROM recsys.model_registry WHERE name = 'shop';
SELECT recsys.alter_model('shop', reset => '{exclude_events,exclude_for}');
SELECT exclude_events, exclude_for FROM recsys.model_registry WHERE name = 'shop';
-- what does not go
SELECT recsys.alter_model('plain', exclude_events => '{purchase}');
SELECT recsys.alter_model('plain', exclude_for => '1 day');
SELECT recsys.alter_model('plain', history_limit => 10);
SELECT recsys.alter_model('shop', exclude_events => ARRAY['purchase', NULL]);
SELECT recsys.alter_model('shop', exclude_for => '-1 day');
SELECT recsys.alter_model('shop', history_limit => 0);
SELECT recsys.recommend('5', 10, 'plain', exclude_events => '{purchase}');
SELECT recsys.recommend('5', 10, 'plain', exclude_for => '1 day');
SELECT recsys.recommend('5', 10, 'shop', exclude_events => ARRAY[NULL]);
SELECT recsys.recommend('5', 10, 'shop', exclude_for => '0');
\set VERBOSITY sqlstate
UPDATE recsys.model_registry SET exclude_events = '{a}' WHERE name = 'plain';
UPDATE recsys.model_registry SET exclude_for = '1 day' WHERE name = 'plain';
UPDATE recsys.model_registry SET history_limit = 1 WHERE name = 'plain';
UPDATE recsys.model_registry SET history_limit = 0 WHERE name = 'shop';
\set VERBOSITY default

-- history_limit: the newest, in the order of training, many of one time; a large one changes nothing
DELETE FROM events WHERE ts IS NULL;
CREATE TEMP TABLE whole AS SELECT u, r.* FROM generate_series(1, 60) u, recsys.recommend(u::text, 10, 'next') r;
SET client_min_messages = notice;
SELECT recsys.alter_model('next', history_limit => 1000);
CREATE INDEX ON events (user_id, ts);
SELECT recsys.alter_model('next', history_limit => 1000);
SET client_min_messages = warning;
SELECT count(*) FILTER (WHERE (w.item_id, w.score) = (r.item_id, r.score)) = count(*) AS same
FROM (SELECT u, r.* FROM generate_series(1, 60) u, recsys.recommend(u::text, 10, 'next') r) r FULL JOIN whole w USING (u, rank);
SELECT recsys.alter_model('next', history_limit => 4);
SELECT bool_and((SELECT array_agg((r.item_id, r.score) ORDER BY rank) FROM recsys.recommend(u::text, 10, 'next', exclude_seen => false) r)
	= (SELECT array_agg((r.item_id, r.score) ORDER BY rank) FROM recsys.recommend_for_items(
		(SELECT array_agg(item_id ORDER BY ts, item_id COLLATE "C") FROM (SELECT * FROM events WHERE user_id = u ORDER BY ts DESC, item_id COLLATE "C" DESC LIMIT 4) e),
		10, 'next', exclude_seen => false) r)) AS newest FROM generate_series(1, 60) u;
SELECT recsys.alter_model('next', reset => '{history_limit}');

SELECT recsys.drop_model(m) FROM unnest(ARRAY['shop', 'next', 'plain']) m;
DROP SCHEMA seen_test CASCADE;
