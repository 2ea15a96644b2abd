-- every function for four roles: the owner, a member of the owner, a reader of
-- the source, and somebody else
SET client_min_messages = error;
CREATE ROLE regress_recsys_owner LOGIN;
CREATE ROLE regress_recsys_member IN ROLE regress_recsys_owner;
CREATE ROLE regress_recsys_reader;
CREATE ROLE regress_recsys_other;
GRANT INSERT, UPDATE, DELETE ON recsys.model_registry, recsys.model_version, recsys.model_chunk TO regress_recsys_owner;
GRANT INSERT ON recsys.stream TO regress_recsys_owner;
CREATE SCHEMA security_test;
GRANT USAGE ON SCHEMA security_test TO PUBLIC;
SET search_path = security_test, public;
CREATE TABLE events (user_id bigint, item_id bigint);
INSERT INTO events SELECT i % 7, i % 11 FROM generate_series(1, 200) i;
CREATE INDEX ON events (user_id);
ALTER TABLE events OWNER TO regress_recsys_owner;
GRANT SELECT ON events TO regress_recsys_reader;
CREATE TABLE shown (user_id bigint, item_id bigint, rank integer, experiment text, arm integer, shown_at timestamptz DEFAULT now());
ALTER TABLE shown OWNER TO regress_recsys_owner;

-- run a statement as a role: its SQLSTATE, or ok.  22012 tells whether rows were
-- seen (1 / count(*)) or changed (1 / 0)
CREATE FUNCTION attempt(role name, statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE pg_catalog.format('SET LOCAL ROLE %I', role);
	BEGIN
		EXECUTE statement;
		RAISE EXCEPTION USING ERRCODE = 'P0000';	-- leave nothing behind
	EXCEPTION WHEN SQLSTATE 'P0000' THEN
		RESET ROLE;
		RETURN 'ok';
	WHEN OTHERS THEN
		RESET ROLE;
		RETURN SQLSTATE;
	END;
END
$$;
SET ROLE regress_recsys_owner;
SELECT recsys.create_model('mine', 'events', 'item_knn');
SELECT recsys.train('mine');
SELECT recsys.create_stream('mine', 'kafka', 'topic', 'events');
SELECT recsys.seek_stream('mine', '{"0": 7}');
INSERT INTO recsys.dead_letter (stream_id, partition, message_offset, sqlstate, error) SELECT id, 0, 6, '22P02', 'secret' FROM recsys.stream;
RESET ROLE;
CREATE TABLE statements (n int GENERATED ALWAYS AS IDENTITY, what text, statement text);
INSERT INTO statements (what, statement) VALUES
	('create_model', $$SELECT recsys.create_model('other', 'security_test.events')$$),
	('alter_model', $$SELECT recsys.alter_model('mine', options => '{}')$$),
	('train', $$SELECT recsys.train('mine')$$),
	('save_model new', $$SELECT recsys.save_model('new', recsys.train_als(1, 2::bigint))$$),
	('save_model', $$SELECT recsys.save_model('mine', recsys.train_item_knn(1, 2::bigint))$$),
	('load_model', $$SELECT recsys.load_model('mine')$$),
	('deploy', $$SELECT recsys.deploy('mine', 1)$$),
	('drop_version', $$SELECT recsys.drop_version('mine', 2)$$),
	('drop_model', $$SELECT recsys.drop_model('mine')$$),
	('grant_model', $$SELECT recsys.grant_model('mine', 'public')$$),
	('revoke_model', $$SELECT recsys.revoke_model('mine', 'public')$$),
	('model_readers', $$SELECT count(*) FROM recsys.model_readers$$),
	('recommend', $$SELECT * FROM recsys.recommend(1::bigint, 3, 'mine')$$),
	('recommend text', $$SELECT * FROM recsys.recommend('1', 3, 'mine')$$),
	('recommend_as', $$SELECT * FROM recsys.recommend_as(NULL::bigint, '1', 3, 'mine')$$),
	('recommend_batch', $$SELECT * FROM recsys.recommend_batch(ARRAY[1]::bigint[], 3, 'mine'), recsys.recommend_batch_as(NULL::bigint, '{1}', 3, 'mine')$$),
	('recommend_for_items', $$SELECT * FROM recsys.recommend_for_items(ARRAY[1]::bigint[], 3, 'mine')$$),
	('recommend_for_features', $$SELECT recsys.recommend_for_features('{}'::jsonb, 3, 'mine')$$),
	('recommend_for_features by value', $$SELECT recsys.recommend_for_features_with((SELECT recsys.train_mlp(ARRAY[1]::real[], 2::bigint)), ARRAY[1]::real[])$$),
	('explain', $$SELECT * FROM recsys.explain(1, 1, 'mine'), recsys.explain_for_items(ARRAY[1], 1, 'mine'), recsys.because(1, ARRAY[1], 'mine')$$),
	('explain by value', $$SELECT * FROM recsys.explain_with((SELECT recsys.train_item_knn(1, 2::bigint)), ARRAY[2], 2::bigint)$$),
	('similar_users', $$SELECT * FROM recsys.similar_users(1, 3, 'mine', among => ARRAY[1, 2])$$),
	('rows of a model', $$SELECT recsys.model_factors(recsys.train_als(1, 2::bigint)), recsys.model_neighbors(recsys.train_item_knn(1, 2::bigint))$$),
	('similar_items', $$SELECT * FROM recsys.similar_items(1::bigint, 3, 'mine')$$),
	('recommend by value', $$SELECT recsys.recommend_with((SELECT recsys.train_als(1, 2::bigint)), ARRAY[2]::bigint[])$$),
	('train_als', $$SELECT recsys.train_als(1, 2::bigint)$$),
	('train_ease', $$SELECT recsys.train_ease(1, 2::bigint)$$),
	('train_popularity', $$SELECT recsys.train_popularity(1, 2::bigint)$$),
	('train_mlp', $$SELECT recsys.train_mlp(ARRAY[1]::real[], 2::bigint)$$),
	('train_sequence', $$SELECT recsys.train_sequence(1, 2::bigint, now())$$),
	('model to bytea', $$SELECT recsys.train_als(1, 2::bigint)::bytea::recsys.model::text::recsys.model$$),
	('bucket', $$SELECT recsys.bucket(1, 'home'), recsys.rate_interval(2, 1), recsys.lift_interval(2, 1, 2, 1)$$),
	('record_impressions', $$SELECT recsys.record_impressions('security_test.shown', 1, ARRAY[1])$$),
	('experiment_report', $$SELECT * FROM recsys.experiment_report('home', 'security_test.shown', 'security_test.shown', event_column => NULL, time_column => 'shown_at')$$),
	('support of experiments', $$SELECT recsys_support.column_type('security_test.events', 'user_id', ''), recsys_support.impressions_statement('security_test.shown'), recsys_support.experiment_statement('security_test.shown', 'security_test.events', '{"a": []}', '1 day', true, 'user_id', 'item_id', NULL, 'item_id')$$),
	('metrics', $$SELECT recsys.ndcg_at_k(ARRAY[1]::bigint[], ARRAY[1]::bigint[])$$),
	('algorithm_options', $$SELECT * FROM recsys.algorithm_options()$$),
	('training_progress', $$SELECT * FROM recsys.training_progress$$),
	('cache_status', $$SELECT * FROM recsys.cache_status$$),
	('warm', $$DO 'BEGIN PERFORM recsys.warm(''mine''); EXCEPTION WHEN object_not_in_prerequisite_state THEN NULL; END'$$),
	('models', $$SELECT 1 / count(*) FROM recsys.models$$),
	('model_versions', $$SELECT 1 / count(*) FROM recsys.model_versions$$),
	('training_log', $$SELECT count(*) FROM recsys.training_log$$),
	('chunks are seen', $$SELECT 1 / count(*) FROM recsys.model_chunk$$),
	('forge a row', $$INSERT INTO recsys.model_registry (name, owner, algorithm, options) VALUES ('forged', 'regress_recsys_owner', 'als', '{}')$$),
	('forge a version', $$UPDATE recsys.model_registry SET live_version = 7 WHERE name = 'mine' RETURNING 1 / (id - id)$$),
	('forge bytes', $$DELETE FROM recsys.model_chunk RETURNING 1 / (seq - seq)$$),
	('create_stream', $$SELECT recsys.create_stream('other', 'kafka', 'topic', 'security_test.events')$$),
	('alter_stream', $$SELECT recsys.alter_stream('mine', topic => 'topic')$$),
	('pause_stream', $$SELECT recsys.pause_stream('mine')$$),
	('resume_stream', $$SELECT recsys.resume_stream('mine')$$),
	('seek_stream', $$SELECT recsys.seek_stream('mine', 'latest')$$),
	('skip_message', $$SELECT recsys.skip_message('mine', 0, 7)$$),
	('retry_dead_letters', $$SELECT recsys.retry_dead_letters('mine')$$),
	('drop_stream', $$SELECT recsys.drop_stream('mine')$$),
	('streams', $$SELECT 1 / count(*) FROM recsys.streams$$),
	('stream_status', $$SELECT 1 / count(*) FROM recsys.stream_status$$),
	('stream_metrics', $$SELECT 1 / count(*) FROM recsys.stream_metrics$$),
	('dead_letters', $$SELECT 1 / count(*) FROM recsys.dead_letters$$),
	('forge a stream', $$INSERT INTO recsys.stream (name, owner, brokers, topic, target, system_id, database_id) VALUES ('forged', 'regress_recsys_owner', 'kafka', 't', 'security_test.events', 1, 1)$$),
	('move offsets', $$UPDATE recsys.stream_offset SET next_offset = 0 RETURNING 1 / (partition - partition)$$),
	('throw dead letters away', $$DELETE FROM recsys.dead_letter RETURNING 1 / (partition - partition)$$),
	('allowed_brokers', $$SET recsys.allowed_brokers = ''$$),
	('secrets_file', $$SHOW recsys.secrets_file$$),
	('string_indexer', $$SELECT recsys.string_index('a', (SELECT recsys.string_indexer('a')))$$),
	('one_hot', $$SELECT recsys.one_hot(0, 2)$$),
	('vector_assembler', $$SELECT recsys.vector_assembler(1, true)$$),
	('try_cast', $$SELECT recsys.try_cast('1', NULL::integer)$$),
	('clean', $$SELECT * FROM recsys.clean('security_test.events', 'security_test.events')$$),
	('support of clean', $$SELECT recsys_support.clean_rule('a', 'integer', '{}'), recsys_support.clean_trim('a', '{}'), recsys_support.clean_text('a', '{}'), recsys_support.clean_fault('a', 'b', 23, 'integer', true, '{"min": 1}')$$),
	('fit_encoder', $$SELECT * FROM recsys.encoder_columns((SELECT recsys.fit_encoder('{"a": 1}'::jsonb, '{"a": {}}')))$$),
	('encode', $$SELECT recsys.encode((SELECT recsys.fit_encoder('{"a": 1}'::jsonb, '{"a": {}}')), '{"a": 1}'::jsonb)$$),
	('max_model_size', $$SET recsys.max_model_size = '1MB'$$),
	('threads', $$SET recsys.threads = 1$$);
SELECT what, attempt('regress_recsys_owner', statement) AS owner, attempt('regress_recsys_member', statement) AS member,
	attempt('regress_recsys_reader', statement) AS reader, attempt('regress_recsys_other', statement) AS other
FROM statements ORDER BY n;
-- every function of the extension is in that list
SELECT DISTINCT p.proname AS not_walked FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid AND d.classid = 'pg_proc'::regclass
WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'recsys')
	AND NOT EXISTS (SELECT FROM statements WHERE statement LIKE '%recsys.' || p.proname || '(%')
	AND p.pronamespace = 'recsys'::regnamespace AND p.proname !~ '_at_k$' ORDER BY 1;
-- nothing runs with another's rights, and every object says what it is for
SELECT count(*) AS security_definer FROM pg_proc WHERE prosecdef AND pronamespace IN ('recsys'::regnamespace, 'recsys_support'::regnamespace);
SELECT pg_describe_object(classid, objid, 0) AS without_comment FROM pg_depend
WHERE refclassid = 'pg_extension'::regclass AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'recsys') AND deptype = 'e'
	AND classid <> 'pg_type'::regclass AND obj_description(objid, classid::regclass::name) IS NULL
	AND NOT (classid = 'pg_class'::regclass AND (SELECT relkind FROM pg_class WHERE oid = objid) IN ('S', 'i')) ORDER BY 1;

-- who lacks a right on the registry is told how it is given
REVOKE UPDATE, DELETE ON recsys.model_version FROM regress_recsys_owner;
REVOKE INSERT ON recsys.model_chunk FROM regress_recsys_owner;
SET ROLE regress_recsys_owner;
SELECT recsys.train('mine');
SELECT recsys.save_model('mine', recsys.train_item_knn(1, 2::bigint));
SELECT recsys.drop_model('mine');
RESET ROLE;
REVOKE INSERT, UPDATE ON recsys.model_registry FROM regress_recsys_owner;
SET ROLE regress_recsys_owner;
SELECT recsys.create_model('more', 'security_test.events');
SELECT recsys.save_model('more', recsys.train_item_knn(1, 2::bigint));
SELECT recsys.deploy('mine', 1);
RESET ROLE;
GRANT INSERT, UPDATE, DELETE ON recsys.model_registry, recsys.model_version, recsys.model_chunk TO regress_recsys_owner;
SET ROLE regress_recsys_other;
SELECT recsys.create_model('more', 'pg_class');
RESET ROLE;

-- a function in the source runs as the caller, not as the model's owner
CREATE FUNCTION whoami() RETURNS bigint LANGUAGE plpgsql STABLE AS $$ BEGIN RAISE NOTICE 'as %', current_user; RETURN 1; END $$;
CREATE VIEW spy WITH (security_invoker = true) AS SELECT user_id, item_id FROM events WHERE whoami() = 1 LIMIT 5;
ALTER VIEW spy OWNER TO regress_recsys_owner;
GRANT SELECT ON spy TO regress_recsys_reader;
SET ROLE regress_recsys_owner;
SELECT recsys.create_model('spy', 'spy', 'popularity');
SELECT recsys.train('spy');
RESET ROLE;
SET client_min_messages = notice;
SET ROLE regress_recsys_reader;
SELECT count(*) FROM recsys.recommend(1::bigint, 2, 'spy');
RESET ROLE;
SET client_min_messages = warning;
SELECT recsys.drop_model('spy'), recsys.drop_model('mine'), recsys.drop_stream('mine');
DROP SCHEMA security_test CASCADE;
REVOKE ALL ON recsys.model_registry, recsys.model_version, recsys.model_chunk, recsys.stream FROM regress_recsys_owner;
DROP ROLE regress_recsys_owner, regress_recsys_member, regress_recsys_reader, regress_recsys_other;
