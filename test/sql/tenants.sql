-- several shops in one table, kept apart by row-level security: of events and of items
SET client_min_messages = error;
CREATE ROLE regress_tenants_app;
CREATE SCHEMA tenants_test;
GRANT USAGE ON SCHEMA tenants_test TO regress_tenants_app;
SET search_path = tenants_test, public;
CREATE TABLE events (tenant text NOT NULL, user_id bigint, item_id bigint);
CREATE TABLE items (tenant text NOT NULL, item_id bigint PRIMARY KEY);
-- users are 1 to 30 and 101 to 130, items 1 to 9 and 11 to 19
INSERT INTO events SELECT t, 100 * (t = 'b')::int + u, 10 * (t = 'b')::int + 1 + (u * 5 + n * n) % 9 FROM unnest(ARRAY['a', 'b']) t, generate_series(1, 30) u, generate_series(1, 5) n;
INSERT INTO items SELECT t, 10 * (t = 'b')::int + i FROM unnest(ARRAY['a', 'b']) t, generate_series(1, 9) i;
CREATE INDEX ON events (user_id);
ALTER TABLE events ENABLE ROW LEVEL SECURITY;
ALTER TABLE items ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON events USING (tenant = current_setting('shop.tenant'));
CREATE POLICY tenant ON items USING (tenant = current_setting('shop.tenant'));
GRANT SELECT, INSERT, DELETE ON events, items TO regress_tenants_app;
-- one model of all, made by who sees all
SELECT recsys.create_model('all', 'events', 'item_knn', items => 'items');
SELECT recsys.train('all');
-- somebody who buys in both
INSERT INTO events VALUES ('a', 77, 1), ('a', 77, 2), ('b', 77, 11), ('b', 77, 12);
SET ROLE regress_tenants_app;
-- the history is the tenant's, from statement to statement of a session, whatever plans it keeps
PREPARE listed(bigint) AS SELECT array_agg(item_id ORDER BY rank) AS items, bool_and(source = 'model') AS by_history,
	bool_and(item_id / 10 = (current_setting('shop.tenant') = 'b')::int) AS mine
FROM recsys.recommend($1, 3, 'all');
SET shop.tenant = 'a';
EXECUTE listed(77);
EXECUTE listed(1);
SET shop.tenant = 'b';
EXECUTE listed(77);
EXECUTE listed(1);
SET shop.tenant = 'a';
EXECUTE listed(77);
-- who has no history is shown what is popular anywhere: the filter asks the items that the caller sees
SET shop.tenant = 'b';
SELECT bool_or(item_id < 10) AS of_others FROM recsys.recommend(999::bigint, 18, 'all');
PREPARE filtered AS SELECT count(*) AS items, min(item_id / 10) AS first, max(item_id / 10) AS last FROM recsys.recommend(999::bigint, 18, 'all', filter => 'true');
EXECUTE filtered;
SET shop.tenant = 'a';
EXECUTE filtered;
SET shop.tenant = 'nobody';
EXECUTE filtered;
EXECUTE listed(77);
-- candidates, explanations and people likewise
SET shop.tenant = 'b';
SELECT count(*), bool_and(item_id > 10) AS mine FROM recsys.recommend(77::bigint, 18, 'all', exclude_seen => false, candidates => ARRAY(SELECT item_id FROM items));
SELECT count(*) > 0 AS some, bool_and(user_id > 30) AS mine FROM recsys.similar_users(101::bigint, 50, 'all');
SELECT bool_and(item_id > 10) AS mine FROM recsys.explain(77::bigint, 15::bigint, 'all');
-- what is written and deleted here does not change what is there
INSERT INTO events VALUES ('b', 88, 11), ('b', 88, 12);
EXECUTE listed(88);
DELETE FROM events WHERE user_id = 77;
EXECUTE listed(77);
SET shop.tenant = 'a';
EXECUTE listed(88);
EXECUTE listed(77);
RESET ROLE;
-- a model a tenant, granted to the tenant's role and to nobody else
CREATE ROLE regress_tenants_a;
CREATE ROLE regress_tenants_b;
SELECT tenant, recsys.save_model('of ' || tenant, recsys.train_item_knn(user_id, item_id)) FROM events GROUP BY tenant ORDER BY tenant;
SELECT recsys.grant_model('of a', 'regress_tenants_a'), recsys.grant_model('of b', 'regress_tenants_b');
SET ROLE regress_tenants_a;
SELECT model FROM recsys.models;
SELECT bool_and(item_id < 10) AS mine FROM recsys.recommend_for_items('{1,2}'::bigint[], 18, 'of a');
SELECT * FROM recsys.recommend_for_items('{1,2}'::bigint[], 18, 'of b');
RESET ROLE;
SELECT recsys.drop_model('all'), recsys.drop_model('of a'), recsys.drop_model('of b');
DROP SCHEMA tenants_test CASCADE;
DROP ROLE regress_tenants_app, regress_tenants_a, regress_tenants_b;
