-- a source that changed under a model: train() and recommend() say what is gone
CREATE SCHEMA train_errors;
SET search_path = train_errors, public;
SET client_min_messages = error;
CREATE TABLE events (user_id bigint, item_id bigint, kind text, n real, at timestamptz);
INSERT INTO events SELECT u, (u * i) % 7, 'view', i, timestamptz '2026-01-01' + i * interval '1 day'
FROM generate_series(1, 20) u, generate_series(1, 5) i;
CREATE INDEX ON events (user_id);
SELECT recsys.create_model('m', 'events', 'item_knn', weight_column => 'n',
	event_column => 'kind', event_weights => '{"view": 1}', time_column => 'at', half_life => '30 days');
SELECT recsys.train('m');

-- what the statement says: SQLSTATE, message and hint
CREATE FUNCTION says(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	message text;
	hint text;
BEGIN
	EXECUTE statement;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
	RETURN format('%s: %s (%s)', SQLSTATE, message, hint);
END $$;
-- the same with one column of events gone, which comes back afterwards
CREATE FUNCTION says_without(gone text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	EXECUTE format('ALTER TABLE events DROP COLUMN %I', gone);
	answer := says(statement);
	RAISE SQLSTATE 'RB000' USING MESSAGE = answer;
EXCEPTION WHEN SQLSTATE 'RB000' THEN
	RETURN answer;
END $$;
SELECT gone, says_without(gone, $$SELECT recsys.train('m')$$) AS train
FROM unnest('{user_id,item_id,kind,n,at}'::text[]) gone;
SELECT gone, says_without(gone, $$SELECT * FROM recsys.recommend(1, 3, 'm')$$) AS recommend
FROM unnest('{user_id,item_id,kind,n,at}'::text[]) gone;
SELECT says($$SELECT count(*) FROM recsys.recommend(1, 3, 'm')$$) AS whole_again;

-- a column of another type: text ids now, the model knows bigint
BEGIN;
ALTER TABLE events ALTER COLUMN item_id TYPE text;
SELECT says($$SELECT * FROM recsys.recommend(1, 3, 'm')$$) AS recommend;
SELECT says($$SELECT recsys.train('m')$$) AS train;
SELECT says($$SELECT * FROM recsys.recommend(1, 3, 'm')$$) AS recommend_after;
ROLLBACK;

-- renamed and moved: the model follows the table
ALTER TABLE events RENAME TO happenings;
CREATE SCHEMA elsewhere;
ALTER TABLE happenings SET SCHEMA elsewhere;
SELECT recsys.train('m');
ALTER TABLE elsewhere.happenings SET SCHEMA train_errors;

-- the table gone
DROP TABLE happenings;
SELECT says($$SELECT recsys.train('m')$$);
SELECT says($$SELECT * FROM recsys.recommend(1, 3, 'm')$$);
SELECT says($$SELECT count(*) FROM recsys.recommend_for_items(ARRAY[1, 2], 3, 'm')$$);

-- a name twice, models and versions that are not there
CREATE TABLE events (user_id bigint, item_id bigint);
SELECT says($$SELECT recsys.create_model('m', 'events')$$);
SELECT says($$SELECT recsys.train('nobody')$$);
SELECT says($$SELECT recsys.deploy('m', 99)$$);
SELECT says($$SELECT recsys.load_model('m', 99)$$);

SELECT recsys.drop_model('m');
DROP SCHEMA train_errors CASCADE;
DROP SCHEMA elsewhere;
