-- who may use a model without the right to change it
SET client_min_messages = error;
CREATE ROLE regress_grant_owner;
CREATE ROLE "regress_Grant ""reader";
CREATE ROLE regress_grant_team;
CREATE ROLE regress_grant_member IN ROLE regress_grant_team;
CREATE ROLE regress_grant_other;
GRANT INSERT, UPDATE, DELETE ON recsys.model_registry, recsys.model_version, recsys.model_chunk TO regress_grant_owner, regress_grant_other;
CREATE SCHEMA grant_test AUTHORIZATION regress_grant_owner;
GRANT USAGE ON SCHEMA grant_test TO PUBLIC;
SET search_path = grant_test, public;
CREATE FUNCTION attempt(role name, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE pg_catalog.format('SET LOCAL ROLE %I', role);
	BEGIN
		EXECUTE statement INTO result;
	EXCEPTION WHEN OTHERS THEN
		result := SQLSTATE || ' ' || SQLERRM;
	END;
	RESET ROLE;
	RETURN result;
END
$$;
SET ROLE regress_grant_owner;
CREATE TABLE events (user_id bigint, item_id bigint, country text);
INSERT INTO events SELECT u, (u * 7 + n * n) % 10, CASE WHEN u % 2 = 0 THEN 'de' ELSE 'fr' END FROM generate_series(1, 40) u, generate_series(1, 5) n;
CREATE INDEX ON events (user_id);
SELECT country, recsys.save_model('of ' || country, recsys.train_item_knn(user_id, item_id)) FROM events GROUP BY country ORDER BY 1;
SELECT recsys.create_model('shop', 'events', 'item_knn');
SELECT recsys.train('shop');
RESET ROLE;

-- before, after, and back again
CREATE TABLE tries (n int GENERATED ALWAYS AS IDENTITY, what text, statement text);
INSERT INTO tries (what, statement) VALUES
	('see', $$SELECT string_agg(model, ',' ORDER BY model) FROM recsys.models$$),
	('versions', $$SELECT count(*) FROM recsys.model_versions$$),
	('recommend', $$SELECT count(*) FROM recsys.recommend_for_items('{1,2}'::bigint[], 3, 'of de')$$),
	('version 1', $$SELECT count(*) FROM recsys.similar_items(1::bigint, 3, 'of de', version => 1)$$),
	('bytes', $$SELECT length(recsys.load_model('of de')::bytea) > 100$$),
	('history', $$SELECT count(*) FROM recsys.recommend(1::bigint, 3, 'shop')$$),
	('cart', $$SELECT count(*) FROM recsys.recommend_for_items('{1,2}'::bigint[], 3, 'shop')$$),
	('train', $$SELECT recsys.train('shop')$$),
	('save', $$SELECT recsys.save_model('of de', recsys.train_item_knn(1, 1::bigint))$$),
	('deploy', $$SELECT recsys.deploy('of de', 1)$$),
	('alter', $$SELECT recsys.alter_model('shop', new_name => 'mine')$$),
	('drop', $$SELECT recsys.drop_model('of de')$$),
	('drop_version', $$SELECT recsys.drop_version('of de', 1)$$),
	('grant', $$SELECT recsys.grant_model('of de', 'regress_grant_other')$$),
	('revoke', $$SELECT recsys.revoke_model('of de', 'regress_Grant "reader')$$),
	('forge', $$UPDATE recsys.model_registry SET readers = '{NULL}' WHERE name = 'of de' RETURNING name$$),
	('readers', $$SELECT string_agg(model || ': ' || reader, ', ' ORDER BY model, reader) FROM recsys.model_readers$$);
SELECT what, attempt('regress_Grant "reader', statement) AS reader FROM tries ORDER BY n;

-- who has no right to a model cannot tell it from none, whatever is asked: of all
-- functions that take the name of one; those with rights on the tables meet the name
-- as taken where they give it, as by any unique index
CREATE FUNCTION says(role name, statement text, model text, OUT said text) LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	EXECUTE pg_catalog.format('SET LOCAL ROLE %I', role);
	BEGIN
		EXECUTE replace(statement, 'MODEL', quote_literal(model));
		RAISE EXCEPTION USING ERRCODE = 'P0000', MESSAGE = 'done';	-- leave nothing behind
	EXCEPTION WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
		said := concat_ws('|', SQLSTATE, SQLERRM, detail, hint);
	END;
	RESET ROLE;
	said := replace(replace(said, quote_literal(model), 'MODEL'), quote_ident(model), 'MODEL');
END
$$;
CREATE TABLE asked (statement text);
INSERT INTO asked VALUES ('recommend(1, 3, MODEL)'), ('recommend(''1'', 3, MODEL)'), ('recommend(1, 3, MODEL, version => 1)'), ('recommend_as(NULL::text, ''1'', 3, MODEL)'),
	('recommend_for_items(ARRAY[1], 3, MODEL)'), ('recommend_for_features(''{}'', 3, MODEL)'), ('similar_items(1, 3, MODEL)'), ('recommend_batch(ARRAY[1], 3, MODEL)'), ('recommend_batch_as(NULL::text, ARRAY[1], 3, MODEL)'),
	('explain(1, 1, MODEL)'), ('explain_for_items(ARRAY[1], 1, MODEL)'), ('because(1, ARRAY[1], MODEL)'), ('similar_users(1, 3, MODEL)'), ('warm(MODEL)'), ('load_model(MODEL)'), ('load_model(MODEL, 1)'), ('train(MODEL)'), ('train(MODEL, false)'), ('deploy(MODEL, 1)'), ('deploy(MODEL, 9)'), ('drop_model(MODEL)'), ('drop_version(MODEL, 1)'),
	('alter_model(MODEL, new_name => ''free'')'), ('grant_model(MODEL, ''public'')'), ('revoke_model(MODEL, ''public'')'),
	('save_model(MODEL, recsys.train_item_knn(1, 1::bigint))'), ('create_model(MODEL, ''pg_class'')');
SELECT recsys.save_model('secret one', recsys.train_item_knn(1, 1::bigint));
SELECT role, count(*) AS asked, count(*) FILTER (WHERE says(role, s, 'secret one') IS DISTINCT FROM says(role, s, 'absent one')) AS differ,
	string_agg(DISTINCT left(says(role, s, 'secret one'), 5), ' ') AS sqlstates
FROM (SELECT 'SELECT recsys.' || statement AS s FROM asked) a, unnest(ARRAY['regress_grant_member', 'regress_grant_other']::name[]) role GROUP BY role;
SELECT statement, says('regress_grant_other', 'SELECT recsys.' || statement, 'secret one') FROM asked
WHERE says('regress_grant_other', 'SELECT recsys.' || statement, 'secret one') IS DISTINCT FROM says('regress_grant_other', 'SELECT recsys.' || statement, 'absent one');
-- every function that takes the name of a model is in that list
SELECT DISTINCT p.proname AS not_asked FROM pg_proc p WHERE p.pronamespace = 'recsys'::regnamespace AND p.prokind = 'f'
	AND ('model' = ANY (p.proargnames) OR p.proname ~ 'model') AND 'recsys.model'::regtype <> p.proargtypes[0] AND NOT EXISTS (SELECT FROM asked WHERE statement LIKE p.proname || '(%');
SELECT recsys.drop_model('secret one');

SET ROLE regress_grant_owner;
SELECT recsys.grant_model('of de', 'regress_Grant "reader'), recsys.grant_model('shop', 'regress_Grant "reader');
SELECT recsys.grant_model('of de', 'regress_Grant "reader');
SELECT recsys.grant_model('of de', 'regress_grant_team');
RESET ROLE;
SELECT what, attempt('regress_Grant "reader', statement) AS reader, attempt('regress_grant_member', statement) AS member,
	attempt('regress_grant_other', statement) AS other
FROM tries ORDER BY n;
SET ROLE regress_grant_owner;
SELECT * FROM recsys.model_readers ORDER BY 1, 3;
SELECT recsys.revoke_model('of de', 'regress_grant_other');
SELECT recsys.revoke_model('of de', 'regress_grant_team');
SELECT recsys.grant_model('of fr', 'public');
RESET ROLE;
SELECT attempt('regress_grant_member', statement) AS team_no_more, attempt('regress_grant_other', statement) AS everybody FROM tries WHERE what = 'see';
SELECT attempt('regress_grant_other', statement) FROM tries WHERE what = 'readers';
SET ROLE regress_grant_owner;
SELECT recsys.revoke_model('of fr', 'public');
SELECT readers IS NULL AS nobody FROM recsys.model_registry WHERE name = 'of fr';
SELECT recsys.grant_model('of de', 'nobody_of_this_name');
SELECT recsys.grant_model('none', 'regress_grant_team');
SELECT recsys.grant_model('of de', NULL);
-- new version, other name, other owner: readers stay
SELECT recsys.save_model('of de', recsys.train_item_knn(user_id, item_id)) FROM events;
SELECT recsys.alter_model('shop', new_name => 'store');
RESET ROLE;
GRANT SELECT ON events TO regress_grant_other;
SELECT recsys.alter_model('store', owner => 'regress_grant_other');
SELECT attempt('regress_Grant "reader', statement) FROM tries WHERE what = 'see';
SELECT * FROM recsys.model_readers ORDER BY 1, 3;

-- DROP ROLE knows, as of any right; not of models that are gone or rights that were taken back
DROP ROLE "regress_Grant ""reader";
SELECT recsys.drop_model('store');
DROP ROLE "regress_Grant ""reader";
DROP OWNED BY "regress_Grant ""reader";
SELECT readers FROM recsys.model_registry;
DROP ROLE "regress_Grant ""reader";
SELECT recsys.grant_model('of de', 'regress_grant_team'), recsys.grant_model('of fr', 'regress_grant_team');
SELECT recsys.revoke_model('of de', 'regress_grant_team');
DROP ROLE regress_grant_team;
SELECT recsys.revoke_model('of fr', 'regress_grant_team');
DROP ROLE regress_grant_team;
SELECT recsys.grant_model('of fr', 'regress_grant_member');
SELECT recsys.drop_model('of fr');
DROP ROLE regress_grant_member;
-- by hand: what is no role is left out
UPDATE recsys.model_registry SET readers = '{-,NULL,regress_grant_other,no_such_role}';
SELECT readers FROM recsys.model_registry;
UPDATE recsys.model_registry SET readers = '{-}';
SELECT readers FROM recsys.model_registry;
UPDATE recsys.model_registry SET readers = '{{regress_grant_other,regress_grant_owner},{NULL,regress_grant_owner}}';
SELECT attempt('regress_grant_other', statement) FROM tries WHERE what = 'see';
SELECT recsys.revoke_model('of de', 'regress_grant_owner');
SELECT readers FROM recsys.model_registry;
SELECT recsys.drop_model('of de');
SET client_min_messages = error;
DROP SCHEMA grant_test CASCADE;
REVOKE ALL ON recsys.model_registry, recsys.model_version, recsys.model_chunk FROM regress_grant_owner, regress_grant_other;
DROP OWNED BY regress_grant_owner, regress_grant_other;
DROP ROLE regress_grant_owner, regress_grant_other;
