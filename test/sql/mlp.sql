-- train_mlp, models over features of users, recommend_for_features, training_log
\set VERBOSITY default
SET client_min_messages = warning;
CREATE SCHEMA mlp;
SET search_path = mlp;

-- what somebody takes follows from two numbers
CREATE TABLE taken AS
	SELECT i, ARRAY[sin(i), cos(i)]::real[] AS features,
		CASE WHEN sin(i) > 0 THEN 10 ELSE 20 END + CASE WHEN cos(i) > 0 THEN 1 ELSE 2 END AS item_id
	FROM generate_series(1, 2000) i;
CREATE TABLE trained AS
	SELECT recsys.train_mlp(features, item_id, '{"epochs": 30, "hidden": [16], "learning_rate": 0.02}') AS model FROM taken;
SELECT item_id, rank, source
	FROM trained, recsys.recommend_for_features_with(model, ARRAY[0.7, 0.7]::real[], 1);
SELECT item_id, pg_typeof(item_id), rank
	FROM trained, recsys.recommend_for_features_with(model, ARRAY[-0.7, 0.7]::real[], 2, exclude => '{21}');
-- how many of the answers are right
SELECT count(*) FILTER (WHERE t.item_id = r.item_id::bigint) > 0.98 * count(*)
	FROM trained, taken t, recsys.recommend_for_features_with(model, t.features, 1) r;
-- exclude, candidates, k
SELECT array_agg(item_id ORDER BY rank) FROM trained,
	recsys.recommend_for_features_with(model, ARRAY[0.7, 0.7]::real[], 10, exclude => '{11}', candidates => '{11,22,99}');
SELECT count(*) FROM trained, recsys.recommend_for_features_with(model, ARRAY[0.7, 0.7]::real[], 10);
SELECT count(*) FROM trained, recsys.recommend_for_features_with(model, ARRAY[0.7, 0.7]::real[], 0);
SELECT count(*) FROM trained, recsys.recommend_for_features_with(model, NULL::real[], 2) WHERE source = 'popularity';
-- the same whatever the order of the rows and the number of threads
SELECT recsys.train_mlp(features, item_id, '{"epochs": 2}' ORDER BY i)::text
	= recsys.train_mlp(features, item_id, '{"epochs": 2}' ORDER BY i DESC)::text FROM taken;
SET recsys.threads = 1;
CREATE TABLE one AS SELECT recsys.train_mlp(features, item_id, '{"epochs": 2}')::text AS model FROM taken;
SET recsys.threads = 3;
SELECT recsys.train_mlp(features, item_id, '{"epochs": 2}')::text = (SELECT model FROM one) FROM taken;
RESET recsys.threads;
-- every type of id; null items are left out; no rows, no model
SELECT item_id FROM recsys.recommend_for_features_with(
	(SELECT recsys.train_mlp(features, 'item ' || item_id, '{"epochs": 20}') FROM taken), ARRAY[0.7, 0.7]::real[], 1);
SELECT item_id FROM recsys.recommend_for_features_with(
	(SELECT recsys.train_mlp(features, lpad(item_id::text, 32, '0')::uuid, '{"epochs": 20}') FROM taken),
	ARRAY[0.7, 0.7]::real[], 1);
SELECT recsys.train_mlp(features, nullif(item_id, 11)) IS NOT NULL FROM taken;
SELECT recsys.train_mlp(features, item_id) IS NULL FROM taken WHERE false;
SELECT recsys.train_mlp(features, NULL::text) FROM taken;
-- out and in
SELECT (model::bytea)::recsys.model::text = model::text FROM trained;

-- features that are none
SELECT recsys.train_mlp(CASE i WHEN 3 THEN ARRAY[1]::real[] ELSE features END, item_id) FROM taken;
SELECT recsys.train_mlp(CASE i WHEN 3 THEN NULL ELSE features END, item_id) FROM taken;
SELECT recsys.train_mlp(CASE i WHEN 3 THEN '{1,NULL}' ELSE features END, item_id) FROM taken;
SELECT recsys.train_mlp(CASE i WHEN 3 THEN '{1,NaN}' ELSE features END, item_id) FROM taken;
SELECT recsys.train_mlp(CASE i WHEN 3 THEN '{-Infinity,1}' ELSE features END, item_id) FROM taken;
SELECT recsys.train_mlp(CASE i WHEN 3 THEN '{{1},{2}}' ELSE features END, item_id) FROM taken;
SELECT recsys.train_mlp('{}', item_id) FROM taken;
SELECT recsys.train_mlp(array_fill(0::real, ARRAY[65537]), item_id) FROM taken;
SELECT (recsys.recommend_for_features_with(recsys.train_mlp(array_fill(i::real, ARRAY[65536]), item_id,
	'{"epochs": 1, "hidden": [1]}'), array_fill(1::real, ARRAY[65536]), 1)).item_id IS NOT NULL AS widest FROM taken WHERE i < 3;
-- options that are wrong
SELECT recsys.train_mlp(features, item_id, '{"hidden": 16}') FROM taken;
SELECT recsys.train_mlp(features, item_id, '{"hidden": ["16"]}') FROM taken;
SELECT recsys.train_mlp(features, item_id, '{"hidden": [1,1,1,1,1,1,1,1,1]}') FROM taken;
SELECT recsys.train_mlp(features, item_id, '{"history": 8}') FROM taken;
SELECT recsys.train_mlp(features, item_id, '{"patience": 2}') FROM taken;
SELECT recsys.train_mlp(features, item_id, '{"learning_rate": 100000}') FROM taken;
SET recsys.train_memory = '1MB';
SELECT recsys.train_mlp(features, item_id, '{"hidden": [4096, 4096]}') FROM taken;
RESET recsys.train_memory;
-- no hidden layer, one item, constant columns, a batch larger than the data
SELECT recsys.train_mlp(features, item_id, '{"hidden": []}') IS NOT NULL FROM taken;
SELECT recsys.train_mlp('{1,2,3}', 7, '{"batch_size": 60000, "dropout": 0.5}') IS NOT NULL FROM taken;
SELECT recsys.train_mlp(features, item_id, '{"samples": 1, "validation_fraction": 0.2, "patience": 1, "epochs": 3}') IS NOT NULL FROM taken;
-- what serving refuses
SELECT recsys.recommend_for_features_with(model, '{1,2,3}'::real[]) FROM trained;
SELECT recsys.recommend_for_features_with(model, '{1,NULL}'::real[]) FROM trained;
SELECT recsys.recommend_for_features_with(model, '{"x": 1}'::jsonb) FROM trained;
SELECT recsys.recommend_for_features_with((SELECT recsys.train_popularity(1, 2)), '{1}'::real[]);

-- a registered model over a table of users
CREATE TABLE users (user_id bigint PRIMARY KEY, age integer, gender text, secret text);
INSERT INTO users SELECT u, CASE WHEN u % 10 = 7 THEN NULL ELSE 20 + u % 30 END, (ARRAY['F', 'M'])[1 + u % 2], 'x'
	FROM generate_series(1, 300) u;
CREATE TABLE events (user_id bigint, item_id bigint);
INSERT INTO events SELECT u, u % 2 * 50 + (u * 13 + n * n) % 20 FROM generate_series(1, 290) u, generate_series(1, 8) n;
CREATE INDEX ON events (user_id);
SELECT recsys.create_model('people', 'events', 'mlp');
SELECT recsys.create_model('people', 'events', 'mlp', features => '{"age": {}}');
SELECT recsys.create_model('people', 'events', 'als', users => 'users', features => '{"age": {}}');
SELECT recsys.create_model('people', 'events', 'mlp', users => 'users', features => '{"agee": {}}');
SELECT recsys.create_model('people', 'events', 'mlp', users => 'taken', features => '{"age": {}}');
-- a spec that is an array; the columns come in its order
SELECT recsys.create_model('listed', 'events', 'mlp', '{"epochs": 3}', users => 'users', features => '[{"column": "gendr"}]');
SELECT recsys.create_model('listed', 'events', 'mlp', '{"epochs": 3}', users => 'users',
	features => '[{"column": "gender", "encode": "one_hot"}, {"column": "age", "impute": "mean"}]');
SELECT recsys.train('listed');
SELECT count(*), min(source) FROM recsys.recommend(299::bigint, 5, 'listed');
SELECT (SELECT array_agg(r.* ORDER BY rank) FROM recsys.recommend('299', 5, 'listed') r)
	= (SELECT array_agg(r.* ORDER BY rank) FROM recsys.recommend_for_features('{"age": 49, "gender": "M"}'::jsonb, 5, 'listed') r) AS same;
ALTER TABLE users RENAME age TO years;
SELECT recsys.train('listed');
ALTER TABLE users RENAME years TO age;
UPDATE recsys.model_registry SET features = '[7]' WHERE name = 'listed';
SELECT recsys.train('listed');
UPDATE recsys.model_registry SET features = '7' WHERE name = 'listed';
SELECT recsys.train('listed');
SELECT recsys.drop_model('listed');
-- columns of the names that a query gives its tables
CREATE TABLE short AS SELECT user_id, age AS u, jsonb_build_object('s', gender, 'u', 1) AS r, gender AS s FROM users;
SELECT recsys.create_model('short', 'events', 'mlp', '{"epochs": 3}', users => 'short', features => '[{"column": "s", "encode": "one_hot"}, {"column": "u", "impute": "mean"}]');
SELECT recsys.train('short');
SELECT count(*), min(source) FROM recsys.recommend(299::bigint, 5, 'short');
-- other features than it was trained on: an error that leaves nothing behind
SELECT recsys.alter_model('short', features => '[{"column": "s", "encode": "one_hot"}]');
SELECT count(*) FROM recsys.recommend(3::bigint, 3, 'short');
CREATE FUNCTION kept_by_failures(times int) RETURNS numeric LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1..times LOOP
		BEGIN
			PERFORM recsys.recommend(3::bigint, 3, 'short');
		EXCEPTION WHEN undefined_column THEN
		END;
	END LOOP;
	RETURN sum(used_bytes) FROM pg_backend_memory_contexts WHERE name LIKE 'recsys%';
END
$$;
SELECT kept_by_failures(10) = kept_by_failures(100) AS same;
SELECT recsys.drop_model('short');
SELECT recsys.create_model('people', 'events', 'mlp', '{"epochs": 20, "validation_fraction": 0.1}', users => 'users',
	features => '{"age": {"impute": "mean", "scale": "standard"}, "gender": {"encode": "one_hot"}}');
SELECT recsys.train('people');
SELECT count(*), bool_and(loss > 0), bool_and(validation_loss > 0), bool_and(validation_hit_rate BETWEEN 0 AND 1),
	(array_agg(loss ORDER BY epoch))[20] < (array_agg(loss ORDER BY epoch))[1] AS falls
	FROM recsys.training_log WHERE model = 'people' AND version = 1;
SELECT l.loss = m.loss FROM recsys.training_log l JOIN recsys.models m USING (model) WHERE epoch = 20;
-- a user without events has features; whom the table does not know gets what is popular
SELECT count(*) FILTER (WHERE item_id >= 50), min(source) FROM recsys.recommend(299::bigint, 5);
SELECT count(*) FILTER (WHERE item_id >= 50), min(source) FROM recsys.recommend(298::bigint, 5);
SELECT count(*), min(source) FROM recsys.recommend(999::bigint, 5);
-- the row as it is now counts
UPDATE users SET gender = 'M' WHERE user_id = 298;
SELECT count(*) FILTER (WHERE item_id >= 50) FROM recsys.recommend(298::bigint, 5);
-- the same features by hand
SELECT (SELECT array_agg(r.* ORDER BY rank) FROM recsys.recommend('299', 5) r)
	= (SELECT array_agg(r.* ORDER BY rank) FROM recsys.recommend_for_features('{"age": 49, "gender": "M"}'::jsonb, 5) r);
SELECT recsys.recommend_for_features('{"age": 49, "gendr": "M"}'::jsonb);
SELECT recsys.recommend_for_features('{"age": 49}'::jsonb);
SELECT recsys.recommend_for_features('{"age": 49, "gender": "X"}'::jsonb);
SELECT count(*) FROM recsys.recommend_for_features('{"gender": "M", "age": null}'::jsonb, 5);
SELECT recsys.recommend_for_features('[1]'::jsonb);
SELECT recsys.recommend_for_features('{1,0}'::real[], k => -1);
-- history beside the features, and history alone
SELECT recsys.create_model('both', 'events', 'mlp', '{"epochs": 3, "history": 16}', users => 'users',
	features => '{"age": {"impute": "mean", "scale": "standard"}}');
SELECT recsys.create_model('past', 'events', 'mlp', '{"epochs": 40, "history": 16, "learning_rate": 0.02}');
SELECT recsys.train('both'), recsys.train('past');
SELECT count(*) FROM recsys.recommend_for_features('{"age": 30}'::jsonb, 4, 'both', items => '{51,52}') WHERE item_id NOT IN ('51', '52');
SELECT bool_and(item_id >= 50) FROM recsys.recommend_for_items('{64,67,52}'::bigint[], 3, 'past');
SELECT bool_and(item_id < 50) FROM recsys.recommend(2::bigint, 5, 'past');
SELECT min(source) FROM recsys.recommend(999::bigint, 5, 'both');
-- where events have a time, only what was before an event is its history: the
-- first item of a pair tells the second, and nothing tells the first
CREATE TABLE timed AS SELECT u AS user_id, u % 5 * 2 + n AS item_id, now() + n * interval '1 day' AS ts
	FROM generate_series(1, 200) u, generate_series(0, 1) n;
CREATE INDEX ON timed (user_id);
SELECT recsys.create_model(m, 'timed', 'mlp', '{"epochs": 60, "history": 8, "learning_rate": 0.02}',
	time_column => CASE m WHEN 'before' THEN 'ts' END) FROM unnest(ARRAY['before', 'all']) m;
SELECT recsys.train('before'), recsys.train('all');
SELECT item_id FROM recsys.recommend_for_items('{4}'::bigint[], 1, 'before');
SELECT item_id FROM recsys.recommend_for_items('{5}'::bigint[], 1, 'all');
SELECT b.loss > 0.7, a.loss < 0.5 FROM recsys.models a, recsys.models b WHERE b.model = 'before' AND a.model = 'all';
SELECT recsys.drop_model('before'), recsys.drop_model('all');
-- of events in order an answer sees what training saw: the last history_length of
-- them, repeats and all.  Everybody goes round and round, so that the last event
-- tells the next; one without a time is seen, but tells nothing
CREATE TABLE rounds AS SELECT u AS user_id, (u + n * 5) % 12 AS item_id, now() + n * interval '1 day' AS ts
	FROM generate_series(1, 24) u, generate_series(1, 40) n;
INSERT INTO rounds SELECT u, 12, NULL FROM generate_series(1, 24) u;
INSERT INTO rounds VALUES (25, 12, now());
CREATE INDEX ON rounds (user_id);
SELECT recsys.create_model('rounds', 'rounds', 'mlp',
	'{"epochs": 60, "history": 8, "history_length": 1, "learning_rate": 0.02}', time_column => 'ts');
SELECT recsys.train('rounds');
SELECT count(*) FILTER (WHERE r.item_id = (u + 41 * 5) % 12) AS hits, count(*)
	FROM generate_series(1, 24) u, recsys.recommend(u::bigint, 1, 'rounds', exclude_seen => false) r;
SELECT item_id FROM recsys.recommend_for_items('{3,8,1,6,3}'::bigint[], 1, 'rounds', exclude_seen => false);
SELECT count(*) FROM recsys.recommend(1::bigint, 20, 'rounds');
SELECT recsys.drop_model('rounds');
-- two rows of one user
CREATE TABLE twice AS SELECT * FROM users UNION ALL SELECT * FROM users WHERE user_id = 3;
SELECT recsys.create_model('twice', 'events', 'mlp', users => 'twice', features => '{"age": {"impute": "mean"}}');
SELECT recsys.train('twice');
SELECT recsys.drop_model('twice');

-- the row is read as the caller: column grants and row security hold
CREATE ROLE mlp_reader;
GRANT USAGE ON SCHEMA mlp TO mlp_reader;
GRANT SELECT ON events TO mlp_reader;
GRANT SELECT (user_id, age) ON users TO mlp_reader;
SET ROLE mlp_reader;
SELECT recsys.recommend(299::bigint, 5, 'people');
RESET ROLE;
GRANT SELECT (gender) ON users TO mlp_reader;
ALTER TABLE users ENABLE ROW LEVEL SECURITY;
CREATE POLICY most ON users USING (user_id < 299);
SET ROLE mlp_reader;
SELECT min(source) FROM recsys.recommend(298::bigint, 5, 'people');
SELECT min(source) FROM recsys.recommend(299::bigint, 5, 'people');
RESET ROLE;
-- what is gone is named
ALTER TABLE users RENAME gender TO sex;
SELECT recsys.recommend(298::bigint, 5, 'people');
SELECT recsys.train('people');
DROP TABLE users;
SELECT recsys.recommend(298::bigint, 5, 'people');
SELECT recsys.drop_model('people'), recsys.drop_model('both'), recsys.drop_model('past');
SELECT count(*) FROM recsys.training_log;
DROP SCHEMA mlp CASCADE;
DROP ROLE mlp_reader;
