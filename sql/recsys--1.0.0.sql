\echo Use "CREATE EXTENSION recsys" to load this file. \quit

-- A schema of that name may be there already: it must not be a stranger's, who
-- could add functions to it later.
DO $$
BEGIN
	IF (SELECT nspowner FROM pg_catalog.pg_namespace WHERE nspname OPERATOR(pg_catalog.=) 'recsys')
		OPERATOR(pg_catalog.<>)
		(SELECT oid FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) current_user)
	THEN
		RAISE EXCEPTION 'schema "recsys" belongs to another role'
			USING ERRCODE = '42501', HINT = 'Drop it, or make the installing role its owner.';
	END IF;
END
$$;

GRANT USAGE ON SCHEMA recsys TO PUBLIC;
-- What only the extension itself calls is out of the way of \df recsys.*
CREATE SCHEMA recsys_support;
COMMENT ON SCHEMA recsys_support IS 'support functions of recsys: of its types, casts, aggregates, views and triggers';
GRANT USAGE ON SCHEMA recsys_support TO PUBLIC;

-- type model
CREATE TYPE recsys.model;
CREATE FUNCTION recsys_support.model_in(cstring) RETURNS recsys.model
	AS 'MODULE_PATHNAME', 'recsys_model_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION recsys_support.model_out(recsys.model) RETURNS cstring
	AS 'MODULE_PATHNAME', 'recsys_model_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION recsys_support.model_recv(internal) RETURNS recsys.model
	AS 'MODULE_PATHNAME', 'recsys_model_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION recsys_support.model_send(recsys.model) RETURNS bytea
	AS 'MODULE_PATHNAME', 'recsys_model_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE TYPE recsys.model (
	INPUT = recsys_support.model_in, OUTPUT = recsys_support.model_out,
	RECEIVE = recsys_support.model_recv, SEND = recsys_support.model_send,
	ALIGNMENT = double, STORAGE = external
);
COMMENT ON TYPE recsys.model IS 'trained model: item vectors or weights, popularity and item ids, as safetensors bytes';
COMMENT ON FUNCTION recsys_support.model_in(cstring) IS 'model from its text form, base64';
COMMENT ON FUNCTION recsys_support.model_out(recsys.model) IS 'text form of a model, base64';
COMMENT ON FUNCTION recsys_support.model_recv(internal) IS 'model from its binary form';
COMMENT ON FUNCTION recsys_support.model_send(recsys.model) IS 'binary form of a model';

CREATE FUNCTION recsys_support.bytea_to_model(bytea) RETURNS recsys.model
	AS 'MODULE_PATHNAME', 'recsys_bytea_to_model' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION recsys_support.bytea_to_model(bytea) IS 'model from the bytes of a safetensors file, validated';
CREATE FUNCTION recsys_support.model_to_bytea(recsys.model) RETURNS bytea
	AS 'MODULE_PATHNAME', 'recsys_model_to_bytea' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION recsys_support.model_to_bytea(recsys.model) IS 'model as the bytes of a safetensors file';
CREATE CAST (bytea AS recsys.model) WITH FUNCTION recsys_support.bytea_to_model(bytea);
COMMENT ON CAST (bytea AS recsys.model) IS 'import of a safetensors file';
CREATE CAST (recsys.model AS bytea) WITH FUNCTION recsys_support.model_to_bytea(recsys.model);
COMMENT ON CAST (recsys.model AS bytea) IS 'export as a safetensors file';

-- options and progress
CREATE FUNCTION recsys.algorithm_options(
	OUT algorithm text, OUT option text, OUT type text, OUT default_value text, OUT range text,
	OUT description text)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'recsys_algorithm_options' LANGUAGE C STABLE PARALLEL SAFE ROWS 50;
COMMENT ON FUNCTION recsys.algorithm_options() IS 'options of every algorithm with their defaults and ranges';

CREATE FUNCTION recsys_support.training_progress_rows(
	OUT pid integer, OUT datid oid, OUT role oid, OUT model text, OUT algorithm text,
	OUT phase text, OUT iteration integer, OUT iterations integer, OUT loss double precision,
	OUT rows bigint, OUT seconds double precision)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'recsys_training_progress' LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 4;
COMMENT ON FUNCTION recsys_support.training_progress_rows() IS 'support for recsys.training_progress';
CREATE VIEW recsys.training_progress AS
	SELECT p.pid, d.datname AS database, r.rolname AS role, p.model, p.algorithm, p.phase,
		p.iteration, p.iterations, p.loss, p.rows, p.seconds
	FROM recsys_support.training_progress_rows() p
		LEFT JOIN pg_catalog.pg_database d ON d.oid OPERATOR(pg_catalog.=) p.datid
		LEFT JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) p.role;
COMMENT ON VIEW recsys.training_progress IS 'trainings that run now, of every session: who trains what and how far it is';
GRANT SELECT ON recsys.training_progress TO PUBLIC;

-- training aggregates: support functions
-- One C function serves every aggregate.  Not VARIADIC: an aggregate that is not
-- cannot have such a transition function.
DO $$
DECLARE
	arguments text := 'internal, "any"';
BEGIN
	FOR i IN 2..5 LOOP
		arguments := arguments OPERATOR(pg_catalog.||) ', "any"';
		EXECUTE pg_catalog.format(
			'CREATE FUNCTION recsys_support.train_transfn(%s) RETURNS internal
				AS ''MODULE_PATHNAME'', ''recsys_train_transfn'' LANGUAGE C IMMUTABLE PARALLEL RESTRICTED',
			arguments);
		EXECUTE pg_catalog.format(
			'COMMENT ON FUNCTION recsys_support.train_transfn(%s) IS ''support for the training aggregates''',
			arguments);
	END LOOP;
END
$$;
CREATE FUNCTION recsys_support.train_finalfn(internal) RETURNS recsys.model
	AS 'MODULE_PATHNAME', 'recsys_train_finalfn' LANGUAGE C IMMUTABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION recsys_support.train_finalfn(internal) IS 'support for the training aggregates: trains and returns the model';

-- training aggregates: (user_id, item_id [, weight [, options]]); sequence has ts
-- after item_id; mlp takes (features, item_id [, options])
-- SSPACE is high so that GROUP BY sorts rather than keeps the events of all
-- groups in memory at once.
DO $$
DECLARE
	algorithm text;
	head text;
	tails text[];
	meaning text;
	item text;
	tail text;
BEGIN
	FOR algorithm, head, tails, meaning IN
		SELECT a.*, 'user_id "any", item_id %s', ARRAY['', ', weight double precision', ', weight double precision, options jsonb'],
			'model trained on the rows by algorithm ' OPERATOR(pg_catalog.||) a.*
		FROM pg_catalog.unnest(ARRAY['als', 'ease', 'item_knn', 'popularity']) a
		UNION ALL VALUES
			('sequence', 'user_id "any", item_id %s, ts timestamptz',
				ARRAY['', ', weight double precision', ', weight double precision, options jsonb'],
				'model of what follows what, trained on the rows in order of ts'),
			('mlp', 'features real[], item_id %s', ARRAY['', ', options jsonb'],
				'multilayer perceptron trained on rows of features and the item taken')
	LOOP
		FOREACH item IN ARRAY ARRAY['bigint', 'uuid', 'text'] LOOP
			FOREACH tail IN ARRAY tails LOOP
				tail := pg_catalog.format(head, item) OPERATOR(pg_catalog.||) tail;
				EXECUTE pg_catalog.format(
					'CREATE AGGREGATE recsys.train_%s(%s) (
						SFUNC = recsys_support.train_transfn, STYPE = internal, SSPACE = 67108864,
						FINALFUNC = recsys_support.train_finalfn, FINALFUNC_MODIFY = READ_WRITE,
						PARALLEL = RESTRICTED)',
					algorithm, tail);
				EXECUTE pg_catalog.format('COMMENT ON AGGREGATE recsys.train_%s(%s) IS %L', algorithm, tail, meaning);
			END LOOP;
		END LOOP;
	END LOOP;
END
$$;

-- types of what a row names, for tables that are dumped: names that nothing has do
-- not fail, and what is gone is "-" and never a number.  Binary the same as oid.
DO $$
DECLARE
	kind text;
	reg text;
BEGIN
	FOR kind, reg IN VALUES ('role', 'regrole'), ('relation', 'regclass') LOOP
		EXECUTE pg_catalog.format('CREATE TYPE recsys_support.%I', kind);
		EXECUTE pg_catalog.format(
			'CREATE FUNCTION recsys_support.%1$s_in(cstring) RETURNS recsys_support.%1$I
				AS ''MODULE_PATHNAME'', ''recsys_%1$s_in'' LANGUAGE C STABLE STRICT PARALLEL SAFE', kind);
		EXECUTE pg_catalog.format(
			'CREATE FUNCTION recsys_support.%1$s_out(recsys_support.%1$I) RETURNS cstring
				AS ''MODULE_PATHNAME'', ''recsys_%1$s_out'' LANGUAGE C STABLE STRICT PARALLEL SAFE', kind);
		EXECUTE pg_catalog.format(
			'CREATE TYPE recsys_support.%1$I (INPUT = recsys_support.%1$s_in, OUTPUT = recsys_support.%1$s_out,
				LIKE = pg_catalog.oid)', kind);
		EXECUTE pg_catalog.format('CREATE CAST (recsys_support.%I AS pg_catalog.oid) WITHOUT FUNCTION AS IMPLICIT', kind);
		EXECUTE pg_catalog.format('CREATE CAST (recsys_support.%I AS pg_catalog.%I) WITHOUT FUNCTION AS ASSIGNMENT', kind, reg);
		EXECUTE pg_catalog.format('CREATE CAST (pg_catalog.%I AS recsys_support.%I) WITHOUT FUNCTION AS ASSIGNMENT', reg, kind);
		EXECUTE pg_catalog.format('COMMENT ON TYPE recsys_support.%I IS ''%s that a dumped row names''', kind, kind);
		EXECUTE pg_catalog.format('COMMENT ON FUNCTION recsys_support.%s_in(cstring) IS ''%s by name; 0 if there is none''', kind, kind);
		EXECUTE pg_catalog.format('COMMENT ON FUNCTION recsys_support.%s_out(recsys_support.%I) IS ''name of a %s; - if it is gone''', kind, kind, kind);
		EXECUTE pg_catalog.format('COMMENT ON CAST (recsys_support.%I AS pg_catalog.oid) IS ''%s as an oid''', kind, kind);
		EXECUTE pg_catalog.format('COMMENT ON CAST (recsys_support.%I AS pg_catalog.%I) IS ''%s as one of PostgreSQL''', kind, reg, kind);
		EXECUTE pg_catalog.format('COMMENT ON CAST (pg_catalog.%I AS recsys_support.%I) IS ''%s as one that is dumped''', reg, kind, kind);
	END LOOP;
END
$$;

-- registry
-- Rows are seen by the owner's role, by who may read the source, and by readers (null
-- is everybody); written by the owner's role only.  To let a role create, train, deploy and drop models:
--	GRANT INSERT, UPDATE, DELETE ON recsys.model_registry, recsys.model_version,
--		recsys.model_chunk TO role;
-- No foreign keys between them: pg_restore -j loads an extension's tables in any
-- order, with their keys already in place.
-- The checks refuse what create_model() and alter_model() would not write, as far
-- as a row tells by itself: on restore nothing else may be there yet.
CREATE TABLE recsys.model_registry (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name text NOT NULL UNIQUE
		CHECK (pg_catalog.octet_length(name) OPERATOR(pg_catalog.>=) 1
			AND pg_catalog.octet_length(name) OPERATOR(pg_catalog.<=) 63),
	owner recsys_support.role NOT NULL,
	source recsys_support.relation,
	algorithm text NOT NULL,
	options jsonb NOT NULL,
	user_column name,
	item_column name,
	weight_column name,
	event_column name,
	event_weights jsonb,
	time_column name,
	half_life interval,
	users recsys_support.relation,
	items recsys_support.relation,
	features jsonb,
	exclude_events text[],
	exclude_for interval,
	history_limit integer,
	live_version integer,
	live_key bigint,
	created timestamptz NOT NULL DEFAULT pg_catalog.now(),
	readers recsys_support.role[],
	CONSTRAINT options CHECK (pg_catalog.jsonb_typeof(options) OPERATOR(pg_catalog.=) 'object'),
	CONSTRAINT source CHECK (CASE WHEN source IS NULL
		THEN pg_catalog.num_nonnulls(user_column, item_column, weight_column, event_column, event_weights,
			time_column, half_life, users, items, features, exclude_events, exclude_for, history_limit) OPERATOR(pg_catalog.=) 0
		ELSE pg_catalog.num_nulls(user_column, item_column) OPERATOR(pg_catalog.=) 0 END),
	CONSTRAINT event_weights CHECK (pg_catalog.num_nulls(event_column, event_weights) OPERATOR(pg_catalog.<>) 1
		AND pg_catalog.jsonb_typeof(event_weights) OPERATOR(pg_catalog.=) 'object'
		AND event_weights OPERATOR(pg_catalog.<>) '{}'
		AND NOT pg_catalog.jsonb_path_exists(event_weights, 'strict $.* ? (@.type() != "number" || @ > 1e12 || @ < -1e12)')),
	CONSTRAINT time_column CHECK (time_column IS NOT NULL
		OR (half_life IS NULL AND (source IS NULL OR algorithm OPERATOR(pg_catalog.<>) 'sequence'))),
	CONSTRAINT half_life CHECK (pg_catalog.date_part('epoch', half_life) OPERATOR(pg_catalog.>) 0),
	CONSTRAINT features CHECK (features IS NULL OR users IS NOT NULL),
	CONSTRAINT exclude_events CHECK (exclude_events IS NULL
		OR (event_column IS NOT NULL AND pg_catalog.array_position(exclude_events, NULL) IS NULL)),
	CONSTRAINT exclude_for CHECK (exclude_for IS NULL
		OR (time_column IS NOT NULL AND pg_catalog.date_part('epoch', exclude_for) OPERATOR(pg_catalog.>) 0)),
	CONSTRAINT history_limit CHECK (history_limit IS NULL
		OR (time_column IS NOT NULL AND history_limit OPERATOR(pg_catalog.>) 0)),
	CONSTRAINT live CHECK (pg_catalog.num_nulls(live_version, live_key) OPERATOR(pg_catalog.<>) 1
		AND live_version OPERATOR(pg_catalog.>) 0)
);
COMMENT ON TABLE recsys.model_registry IS 'registered models: source, algorithm, options and the version that answers';
CREATE TABLE recsys.model_version (
	model_id bigint NOT NULL,
	version integer NOT NULL CHECK (version OPERATOR(pg_catalog.>) 0),
	key bigint NOT NULL UNIQUE,
	algorithm text NOT NULL,
	options jsonb NOT NULL,
	id_type text NOT NULL,
	bytes bigint NOT NULL,
	users bigint NOT NULL,
	items bigint NOT NULL,
	events bigint NOT NULL,
	rows_read bigint,
	rows_skipped bigint,
	iterations integer NOT NULL,
	loss double precision,
	epoch_loss double precision[],
	epoch_validation_loss double precision[],
	epoch_validation_hit_rate double precision[],
	seconds double precision,
	trained_by recsys_support.role NOT NULL,
	trained_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	PRIMARY KEY (model_id, version)
);
COMMENT ON TABLE recsys.model_version IS 'versions of registered models; never changed once written';
CREATE TABLE recsys.model_chunk (
	model_id bigint NOT NULL,
	version integer NOT NULL,
	seq integer NOT NULL,
	crc bigint NOT NULL,
	bytes bytea NOT NULL,
	PRIMARY KEY (model_id, version, seq)
);
ALTER TABLE recsys.model_chunk ALTER COLUMN bytes SET STORAGE EXTERNAL;
COMMENT ON TABLE recsys.model_chunk IS 'bytes of model versions, in pieces of 4 MB with their CRC-32C';

SELECT pg_catalog.pg_extension_config_dump('recsys.model_registry', '');
SELECT pg_catalog.pg_extension_config_dump('recsys.model_registry_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('recsys.model_version', '');
SELECT pg_catalog.pg_extension_config_dump('recsys.model_chunk', '');

ALTER TABLE recsys.model_registry ENABLE ROW LEVEL SECURITY;
ALTER TABLE recsys.model_version ENABLE ROW LEVEL SECURITY;
ALTER TABLE recsys.model_chunk ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON recsys.model_registry, recsys.model_version, recsys.model_chunk, recsys.model_registry_id_seq TO PUBLIC;
CREATE POLICY owner_writes ON recsys.model_registry
	USING (pg_catalog.pg_has_role(owner::oid, 'USAGE'));
CREATE POLICY reader_sees ON recsys.model_registry FOR SELECT
	USING (source IS NOT NULL AND pg_catalog.has_table_privilege(source::oid, 'SELECT'));
CREATE POLICY granted_sees ON recsys.model_registry FOR SELECT
	USING (readers IS NOT NULL AND EXISTS (SELECT FROM pg_catalog.unnest(readers) g
		WHERE g IS NULL OR pg_catalog.pg_has_role(g::oid, 'USAGE')));
CREATE POLICY owner_writes ON recsys.model_version
	USING (EXISTS (SELECT FROM recsys.model_registry r
		WHERE r.id OPERATOR(pg_catalog.=) model_id AND pg_catalog.pg_has_role(r.owner::oid, 'USAGE')));
CREATE POLICY reader_sees ON recsys.model_version FOR SELECT
	USING (EXISTS (SELECT FROM recsys.model_registry r WHERE r.id OPERATOR(pg_catalog.=) model_id));
CREATE POLICY owner_writes ON recsys.model_chunk
	USING (EXISTS (SELECT FROM recsys.model_registry r
		WHERE r.id OPERATOR(pg_catalog.=) model_id AND pg_catalog.pg_has_role(r.owner::oid, 'USAGE')));
CREATE POLICY reader_sees ON recsys.model_chunk FOR SELECT
	USING (EXISTS (SELECT FROM recsys.model_registry r WHERE r.id OPERATOR(pg_catalog.=) model_id));
COMMENT ON POLICY owner_writes ON recsys.model_registry IS 'members of the owner see and change a model';
COMMENT ON POLICY reader_sees ON recsys.model_registry IS 'who may read the source sees the model';
COMMENT ON POLICY granted_sees ON recsys.model_registry IS 'who was granted a model sees it';
COMMENT ON POLICY owner_writes ON recsys.model_version IS 'members of the owner see and change a model';
COMMENT ON POLICY reader_sees ON recsys.model_version IS 'who sees the model sees its versions';
COMMENT ON POLICY owner_writes ON recsys.model_chunk IS 'members of the owner see and change a model';
COMMENT ON POLICY reader_sees ON recsys.model_chunk IS 'who sees the model sees its bytes';

-- A row that is deleted by hand, or gets another id, leaves nothing to who takes its
-- id next
CREATE FUNCTION recsys_support.forget_model() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP OPERATOR(pg_catalog.=) 'TRUNCATE' THEN
		DELETE FROM recsys.model_chunk;
		DELETE FROM recsys.model_version;
		RETURN NULL;
	END IF;
	IF TG_TABLE_NAME OPERATOR(pg_catalog.=) 'model_version' THEN
		DELETE FROM recsys.model_chunk c WHERE c.model_id OPERATOR(pg_catalog.=) OLD.model_id
			AND c.version OPERATOR(pg_catalog.=) OLD.version;
	ELSE
		DELETE FROM recsys.model_chunk c WHERE c.model_id OPERATOR(pg_catalog.=) OLD.id;
		DELETE FROM recsys.model_version v WHERE v.model_id OPERATOR(pg_catalog.=) OLD.id;
	END IF;
	IF TG_OP OPERATOR(pg_catalog.=) 'UPDATE' THEN
		RETURN NEW;
	END IF;
	RETURN OLD;
END
$$;
COMMENT ON FUNCTION recsys_support.forget_model() IS 'support for the registry: what belongs to a model or version goes with it';
CREATE TRIGGER forget BEFORE DELETE ON recsys.model_registry
	FOR EACH ROW EXECUTE FUNCTION recsys_support.forget_model();
CREATE TRIGGER forget_all BEFORE TRUNCATE ON recsys.model_registry
	FOR EACH STATEMENT EXECUTE FUNCTION recsys_support.forget_model();
CREATE TRIGGER forget BEFORE DELETE ON recsys.model_version
	FOR EACH ROW EXECUTE FUNCTION recsys_support.forget_model();
CREATE TRIGGER forget_old BEFORE UPDATE OF id ON recsys.model_registry
	FOR EACH ROW WHEN (OLD.id OPERATOR(pg_catalog.<>) NEW.id) EXECUTE FUNCTION recsys_support.forget_model();
CREATE TRIGGER forget_old BEFORE UPDATE OF model_id, version ON recsys.model_version
	FOR EACH ROW WHEN (OLD.model_id OPERATOR(pg_catalog.<>) NEW.model_id OR OLD.version OPERATOR(pg_catalog.<>) NEW.version)
	EXECUTE FUNCTION recsys_support.forget_model();
COMMENT ON TRIGGER forget ON recsys.model_registry IS 'versions and bytes go with their model';
COMMENT ON TRIGGER forget_all ON recsys.model_registry IS 'versions and bytes go with their models';
COMMENT ON TRIGGER forget ON recsys.model_version IS 'bytes go with their version';
COMMENT ON TRIGGER forget_old ON recsys.model_registry IS 'what belongs to a model''s old id goes';
COMMENT ON TRIGGER forget_old ON recsys.model_version IS 'what belongs to a version''s old number goes';

CREATE VIEW recsys.models WITH (security_invoker = true) AS
	SELECT r.name AS model, r.owner::regrole AS owner, r.source::regclass AS source, r.algorithm, r.options,
		CASE WHEN r.live_version IS NOT NULL THEN 'live'
			WHEN EXISTS (SELECT FROM recsys.model_version w WHERE w.model_id OPERATOR(pg_catalog.=) r.id) THEN 'not deployed'
			ELSE 'untrained' END AS state,
		r.live_version AS version, v.users, v.items, v.events, v.bytes, v.seconds, v.loss,
		v.trained_by::regrole AS trained_by, v.trained_at, r.created
	FROM recsys.model_registry r
		LEFT JOIN recsys.model_version v
			ON v.model_id OPERATOR(pg_catalog.=) r.id AND v.version OPERATOR(pg_catalog.=) r.live_version;
COMMENT ON VIEW recsys.models IS 'registered models that you may use, with their live version';
CREATE VIEW recsys.model_versions WITH (security_invoker = true) AS
	SELECT r.name AS model, v.version, v.version OPERATOR(pg_catalog.=) r.live_version AS live,
		v.algorithm, v.options, v.id_type, v.bytes, v.users, v.items, v.events, v.rows_read,
		v.rows_skipped, v.iterations, v.loss, v.seconds,
		v.trained_by::regrole AS trained_by, v.trained_at
	FROM recsys.model_version v
		JOIN recsys.model_registry r ON r.id OPERATOR(pg_catalog.=) v.model_id;
COMMENT ON VIEW recsys.model_versions IS 'every version of the registered models that you may use';
CREATE VIEW recsys.model_readers WITH (security_invoker = true) AS
	SELECT r.name AS model, r.owner::regrole AS owner, COALESCE(a.rolname, 'public') AS reader
	FROM recsys.model_registry r CROSS JOIN LATERAL pg_catalog.unnest(r.readers) g
		LEFT JOIN pg_catalog.pg_roles a ON a.oid OPERATOR(pg_catalog.=) g::oid
	WHERE g IS NULL OR a.oid IS NOT NULL;
COMMENT ON VIEW recsys.model_readers IS 'who was granted the registered models that you may use; public is everybody';
GRANT SELECT ON recsys.models, recsys.model_versions, recsys.model_readers TO PUBLIC;

-- shared memory
CREATE FUNCTION recsys_support.cache_status_rows(
	OUT datid oid, OUT owner oid, OUT bytes bigint, OUT state text, OUT model text,
	OUT version integer, OUT in_use integer, OUT calls bigint, OUT loaded_at timestamptz,
	OUT last_used timestamptz)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'recsys_cache_status' LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 10;
COMMENT ON FUNCTION recsys_support.cache_status_rows() IS 'support for recsys.cache_status';
CREATE VIEW recsys.cache_status AS
	SELECT d.datname AS database, r.rolname AS owner, c.model, c.version, c.bytes, c.state,
		c.in_use, c.calls, c.loaded_at, c.last_used
	FROM recsys_support.cache_status_rows() c
		LEFT JOIN pg_catalog.pg_database d ON d.oid OPERATOR(pg_catalog.=) c.datid
		LEFT JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) c.owner;
COMMENT ON VIEW recsys.cache_status IS 'models in shared memory, of every database: how large they are and how much they are used';
GRANT SELECT ON recsys.cache_status TO PUBLIC;

CREATE FUNCTION recsys_support.warm_model(model text) RETURNS boolean
	AS 'MODULE_PATHNAME', 'recsys_warm_model' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION recsys_support.warm_model(text) IS 'support for recsys.warm';
-- A model of somebody's that cannot be read is no reason to leave the others out
CREATE FUNCTION recsys.warm(model text DEFAULT NULL) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
	one text;
	warm integer := 0;
BEGIN
	IF model IS NOT NULL THEN
		RETURN recsys_support.warm_model(model)::integer;
	END IF;
	FOR one IN SELECT r.name FROM recsys.model_registry r WHERE r.live_version IS NOT NULL ORDER BY r.id LOOP
		BEGIN
			warm := warm OPERATOR(pg_catalog.+) recsys_support.warm_model(one)::integer;
		EXCEPTION
			WHEN object_not_in_prerequisite_state THEN
				RAISE;
			WHEN OTHERS THEN
				RAISE WARNING 'model "%" was left out: %', one, SQLERRM;
		END;
	END LOOP;
	RETURN warm;
END
$$;
COMMENT ON FUNCTION recsys.warm(text) IS 'have the live versions of all models that you may use, or of one, in shared memory; how many are';

CREATE FUNCTION recsys.create_model(name text, source regclass, algorithm text DEFAULT 'als',
	options jsonb DEFAULT '{}', user_column name DEFAULT 'user_id', item_column name DEFAULT 'item_id',
	weight_column name DEFAULT NULL, event_column name DEFAULT NULL, event_weights jsonb DEFAULT NULL,
	time_column name DEFAULT NULL, half_life interval DEFAULT NULL, users regclass DEFAULT NULL,
	items regclass DEFAULT NULL, features jsonb DEFAULT NULL, exclude_events text[] DEFAULT NULL,
	exclude_for interval DEFAULT NULL, history_limit integer DEFAULT NULL)
	RETURNS void
	AS 'MODULE_PATHNAME', 'recsys_create_model' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION recsys.create_model(text, regclass, text, jsonb, name, name, name, name, jsonb, name, interval, regclass, regclass, jsonb, text[], interval, integer)
	IS 'register a model over a table or view of events';
CREATE FUNCTION recsys.alter_model(name text, source regclass DEFAULT NULL, algorithm text DEFAULT NULL,
	options jsonb DEFAULT NULL, user_column name DEFAULT NULL, item_column name DEFAULT NULL,
	weight_column name DEFAULT NULL, event_column name DEFAULT NULL, event_weights jsonb DEFAULT NULL,
	time_column name DEFAULT NULL, half_life interval DEFAULT NULL, users regclass DEFAULT NULL,
	items regclass DEFAULT NULL, features jsonb DEFAULT NULL, exclude_events text[] DEFAULT NULL,
	exclude_for interval DEFAULT NULL, history_limit integer DEFAULT NULL, new_name text DEFAULT NULL,
	owner regrole DEFAULT NULL, reset text[] DEFAULT NULL)
	RETURNS void
	AS 'MODULE_PATHNAME', 'recsys_alter_model' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION recsys.alter_model(text, regclass, text, jsonb, name, name, name, name, jsonb, name, interval, regclass, regclass, jsonb, text[], interval, integer, text, regrole, text[])
	IS 'change a registered model; null leaves a thing as it is';
CREATE FUNCTION recsys.train(model text, deploy boolean DEFAULT true) RETURNS integer
	AS 'MODULE_PATHNAME', 'recsys_train' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION recsys.train(text, boolean) IS 'train a registered model from its source, make the new version live unless deploy is false, return its number';
CREATE FUNCTION recsys.save_model(model text, value recsys.model) RETURNS integer
	AS 'MODULE_PATHNAME', 'recsys_save_model' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION recsys.save_model(text, recsys.model) IS 'store a model value as the next version of a registered model, a new one if there is none of that name';
CREATE FUNCTION recsys.load_model(model text DEFAULT NULL, version integer DEFAULT NULL) RETURNS recsys.model
	AS 'MODULE_PATHNAME', 'recsys_load_model' LANGUAGE C STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION recsys.load_model(text, integer) IS 'a stored version as a value; null means the default model, its live version';
CREATE FUNCTION recsys.deploy(model text, version integer) RETURNS void
	AS 'MODULE_PATHNAME', 'recsys_deploy' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION recsys.deploy(text, integer) IS 'make a stored version the live one';
CREATE FUNCTION recsys.drop_model(model text, if_exists boolean DEFAULT false) RETURNS void
	AS 'MODULE_PATHNAME', 'recsys_drop_model' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION recsys.drop_model(text, boolean) IS 'drop a registered model with all its versions';
CREATE FUNCTION recsys.drop_version(model text, version integer) RETURNS void
	AS 'MODULE_PATHNAME', 'recsys_drop_version' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION recsys.drop_version(text, integer) IS 'drop a stored version that is not the live one';
CREATE FUNCTION recsys.grant_model(model text, role name) RETURNS void
	AS 'MODULE_PATHNAME', 'recsys_grant_model' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION recsys.grant_model(text, name) IS 'let a role use a registered model, and read its bytes; public is everybody';
CREATE FUNCTION recsys.revoke_model(model text, role name) RETURNS void
	AS 'MODULE_PATHNAME', 'recsys_revoke_model' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION recsys.revoke_model(text, name) IS 'take back what grant_model gave';

-- serving: for item ids of bigint, uuid and text.  Untyped parameters resolve to
-- text, which takes any id in its text form; hence lists of items and features as
-- text beside arrays and jsonb, and names of their own for functions on a model value.
-- One C function reads the arguments, by their names, and answers.
-- COST: a call reads a history and scores a catalogue, some 100 µs; ROWS: k's default.
-- RESTRICTED: a source may be a temporary table, and a filter call what is no safer;
-- a value is all that the functions on one read
CREATE FUNCTION recsys_support.answer_rows(internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'recsys_answer_rows' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION recsys_support.answer_rows(internal) IS 'support for recommend and its like: k as the number of rows';
DO $$
DECLARE
	-- what a call may ask for beside k, in every function; T is the type of item ids
	masks text := 'exclude T[] DEFAULT NULL, candidates T[] DEFAULT NULL';
	filters text := 'filter text DEFAULT NULL, filter_values text[] DEFAULT NULL';
	varied text := 'diversity double precision DEFAULT NULL, diversity_method text DEFAULT ''dpp''';
	groups text := 'max_per_group jsonb DEFAULT NULL';
	pages text := 'skip integer DEFAULT 0';
	fresh text := 'explore double precision DEFAULT NULL, seed bigint DEFAULT NULL';
	-- by a name: of items, of a history; a value knows no relation of items
	by_name text := 'k integer DEFAULT 10, model text DEFAULT NULL, %s, version integer DEFAULT NULL';
	items_tail text := pg_catalog.concat_ws(', ', masks, filters, groups, pages);
	tail text := pg_catalog.concat_ws(', ', 'exclude_seen boolean DEFAULT true', masks, filters, varied, groups, pages, fresh);
	user_tail text := pg_catalog.concat_ws(', ', 'exclude_seen boolean DEFAULT true', masks, filters,
		'exclude_events text[] DEFAULT NULL, exclude_for interval DEFAULT NULL', varied, groups, pages, fresh);
	by_value text := 'k integer DEFAULT 10, %s';
	value_tail text := pg_catalog.concat_ws(', ', 'exclude_seen boolean DEFAULT true', masks, varied, pages);
	visit text := 'items T[] DEFAULT NULL';	-- beside features
	result text := 'item_id T, score real, rank integer, source text, version integer';
	name text;
	head text;	-- V: one of the types of values
	arguments text;
	columns text;
	ids text[];
	types text[];
	meaning text;
	id text;
	type text;
	made oid;
BEGIN
	FOR name, head, arguments, columns, ids, types, meaning IN
		SELECT f.name, f.head, pg_catalog.format(f.arguments, f.tail), f.columns, f.ids::text[], f.types::text[], f.meaning FROM (VALUES
			('recommend', 'user_id T', by_name, user_tail, result, '{bigint,uuid,text}', '{""}',
				'the k best items for a user, from what the user did until now'),
			('recommend_as', 'item_type T, user_id V', by_name, user_tail, result, '{bigint,uuid,text}', '{bigint,uuid,text}',
				'the k best items for a user, with ids of the type of the first argument'),
			('recommend_for_items', 'items V', by_name, tail, result, '{bigint,uuid,text}', '{T[]}',
				'the k best items for a session, a cart or a visitor without a name: items, oldest first'),
			('recommend_for_items', 'items V', by_name, tail, result, '{text}', '{text}',
				'the same for a list that is the text of an array'),
			('recommend_with', 'model recsys.model, items V', by_value, value_tail, result, '{bigint,uuid,text}', '{T[]}',
				'the k best items for a list of items, by a model value'),
			('recommend_with', 'model recsys.model, items V', by_value, value_tail, result, '{text}', '{text}',
				'the same for a list that is the text of an array'),
			('recommend_for_features', 'features V', by_name, pg_catalog.concat_ws(', ', tail, visit), result, '{text}', '{jsonb,real[],text}',
				'the k best items for somebody of these features, and of the items given'),
			('recommend_for_features_with', 'model recsys.model, features V', by_value, pg_catalog.concat_ws(', ', value_tail, visit), result, '{text}', '{jsonb,real[],text}',
				'the k best items for somebody of these features, by a model value'),
			('similar_items', 'item_id T', by_name, items_tail, 'item_id T, score real, rank integer, version integer', '{bigint,uuid,text}', '{""}',
				'the k items most like an item')
		) f (name, head, arguments, tail, columns, ids, types, meaning)
	LOOP
		FOREACH id IN ARRAY ids LOOP
			FOREACH type IN ARRAY types LOOP
				EXECUTE pg_catalog.regexp_replace(pg_catalog.regexp_replace(pg_catalog.format(
					'CREATE FUNCTION recsys.%I(%s, %s) RETURNS TABLE (%s)
						AS ''MODULE_PATHNAME'', ''recsys_recommend'' LANGUAGE C STABLE PARALLEL %s COST 10000 ROWS 10
						SUPPORT recsys_support.answer_rows',
					name, head, arguments, columns, CASE WHEN pg_catalog.starts_with(head, 'model ') THEN 'SAFE' ELSE 'RESTRICTED' END), '\mV\M', type, 'g'), '\mT\M', id, 'g');
				SELECT p.oid INTO STRICT made FROM pg_catalog.pg_proc p
					WHERE p.pronamespace OPERATOR(pg_catalog.=) 'recsys'::pg_catalog.regnamespace AND p.proname OPERATOR(pg_catalog.=) name
						AND pg_catalog.obj_description(p.oid, 'pg_proc') IS NULL;
				EXECUTE pg_catalog.format('COMMENT ON FUNCTION %s IS %L', made::pg_catalog.regprocedure, meaning);
			END LOOP;
		END LOOP;
	END LOOP;
	-- many users at a time; the type of their ids by that of the list
	FOREACH id IN ARRAY ARRAY['bigint', 'uuid', 'text'] LOOP
		FOREACH head IN ARRAY ARRAY['bigint[]', 'uuid[]', 'text[]', 'text'] LOOP
			type := pg_catalog.rtrim(head, '[]');
			FOREACH name IN ARRAY CASE WHEN type OPERATOR(pg_catalog.=) id THEN ARRAY['recommend_batch', 'recommend_batch_as'] ELSE ARRAY['recommend_batch_as'] END LOOP
				arguments := CASE name WHEN 'recommend_batch' THEN 'users ' ELSE 'item_type T, users ' END OPERATOR(pg_catalog.||) head;
				EXECUTE pg_catalog.regexp_replace(pg_catalog.format(
					'CREATE FUNCTION recsys.%I(%s, %s) RETURNS TABLE (user_id %s, %s)
						AS ''MODULE_PATHNAME'', ''recsys_recommend_batch'' LANGUAGE C STABLE PARALLEL RESTRICTED COST 10000000 ROWS 100000',
					name, arguments, pg_catalog.format(by_name, user_tail), type, result), '\mT\M', id, 'g');
				SELECT p.oid INTO STRICT made FROM pg_catalog.pg_proc p
					WHERE p.pronamespace OPERATOR(pg_catalog.=) 'recsys'::pg_catalog.regnamespace AND p.proname OPERATOR(pg_catalog.=) name
						AND pg_catalog.obj_description(p.oid, 'pg_proc') IS NULL;
				EXECUTE pg_catalog.format('COMMENT ON FUNCTION %s IS %L', made::pg_catalog.regprocedure,
					'the k best items for each of many users, null for all of the source, as recommend has them');
			END LOOP;
		END LOOP;
	END LOOP;
END
$$;

-- why: what of a score comes from which past item
DO $$
DECLARE
	by_name text := ', model text DEFAULT NULL, version integer DEFAULT NULL';
	parts text := 'item_id %1$s, input text, contribution double precision, method text';
	name text;
	arguments text;
	columns text;
	types text;
	code text;
	meaning text;
	ids text;	-- types of item ids; a list is as text, too
	id text;
BEGIN
	FOR name, arguments, columns, types, code, meaning, ids IN VALUES
		('explain', 'user_id %1$s, item_id %1$s' || by_name, parts, '%1$s, %1$s, text, integer', 'explain',
			'what of the score of an item for a user comes from which past item, which column of their features, and from neither', '{bigint,uuid,text}'),
		('explain_for_items', 'items %1$s[], item_id %1$s' || by_name, parts, '%1$s[], %1$s, text, integer', 'explain',
			'what of the score of an item for a list of items comes from which of them', '{bigint,uuid,text}'),
		('explain_for_items', 'items text, item_id %1$s' || by_name, parts, 'text, %1$s, text, integer', 'explain',
			'the same for a list that is the text of an array', '{text}'),
		('explain_with', 'model recsys.model, items %1$s[], item_id %1$s', parts, 'recsys.model, %1$s[], %1$s', 'explain',
			'what of the score of an item for a list of items comes from which of them, by a model value', '{bigint,uuid,text}'),
		('explain_with', 'model recsys.model, items text, item_id %1$s', parts, 'recsys.model, text, %1$s', 'explain',
			'the same for a list that is the text of an array', '{text}'),
		('because', 'user_id %1$s, items %1$s[]' || by_name, 'item_id %1$s, because_item_id %1$s, contribution double precision',
			'%1$s, %1$s[], text, integer', 'because',
			'for each item of a list the past item of a user that speaks for it most, null where none does', '{bigint,uuid,text}'),
		('because', 'user_id %1$s, items text' || by_name, 'item_id %1$s, because_item_id %1$s, contribution double precision',
			'%1$s, text, text, integer', 'because',
			'the same for a list that is the text of an array', '{text}')
	LOOP
		FOREACH id IN ARRAY ids::text[] LOOP
			EXECUTE pg_catalog.format(
				'CREATE FUNCTION recsys.' || name || '(' || arguments || ') RETURNS TABLE (' || columns || ')
					AS ''MODULE_PATHNAME'', ''recsys_' || code || ''' LANGUAGE C STABLE PARALLEL RESTRICTED COST 10000 ROWS 20', id);
			EXECUTE pg_catalog.format('COMMENT ON FUNCTION recsys.' || name || '(' || types || ') IS %2$L', id, meaning);
		END LOOP;
	END LOOP;
END
$$;

-- people, and what a model has learnt of items
DO $$
DECLARE
	id text;
	list text;
BEGIN
	FOR id, list IN VALUES ('bigint', 'bigint[]'), ('uuid', 'uuid[]'), ('text', 'text[]') LOOP
		EXECUTE pg_catalog.format(
			'CREATE FUNCTION recsys.similar_users(user_id %1$s, k integer DEFAULT 10, model text DEFAULT NULL, among %2$s DEFAULT NULL,
				version integer DEFAULT NULL) RETURNS TABLE (user_id %1$s, score real, rank integer)
				AS ''MODULE_PATHNAME'', ''recsys_similar_users'' LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 ROWS 10', id, list);
		EXECUTE pg_catalog.format('COMMENT ON FUNCTION recsys.similar_users(%1$s, integer, text, %2$s, integer)
				IS ''the k users most like a user, among those of a list or all, by what they did until now''', id, list);
	END LOOP;
END
$$;
CREATE FUNCTION recsys.model_factors(model recsys.model) RETURNS TABLE (item_id text, factors real[])
	AS 'MODULE_PATHNAME', 'recsys_model_factors' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000 ROWS 10000;
COMMENT ON FUNCTION recsys.model_factors(recsys.model) IS 'the vector of every item of a model that has vectors';
CREATE FUNCTION recsys.model_neighbors(model recsys.model) RETURNS TABLE (item_id text, neighbor_id text, weight real)
	AS 'MODULE_PATHNAME', 'recsys_model_neighbors' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000 ROWS 100000;
COMMENT ON FUNCTION recsys.model_neighbors(recsys.model) IS 'the weights between items of a model that has them: of an item of a history for another';

-- metrics
DO $$
DECLARE
	metric text;
BEGIN
	FOREACH metric IN ARRAY ARRAY['recall', 'precision', 'hit_rate', 'ndcg', 'average_precision', 'reciprocal_rank'] LOOP
		EXECUTE pg_catalog.format(
			'CREATE FUNCTION recsys.%1$s_at_k(recommended anycompatiblearray, relevant anycompatiblearray, k integer DEFAULT 10)
				RETURNS double precision
				AS ''MODULE_PATHNAME'', ''recsys_%1$s_at_k'' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10',
			metric);
		EXECUTE pg_catalog.format(
			'COMMENT ON FUNCTION recsys.%1$s_at_k(anycompatiblearray, anycompatiblearray, integer)
				IS ''%2$s at k of a ranked list; null where nothing is relevant''',
			metric, pg_catalog.replace(metric, '_', ' '));
	END LOOP;
END
$$;

-- experiments
-- IMMUTABLE: the text forms of these three types depend on nothing
DO $$
DECLARE
	id text;
BEGIN
	FOREACH id IN ARRAY ARRAY['bigint', 'uuid', 'text'] LOOP
		EXECUTE pg_catalog.format(
			'CREATE FUNCTION recsys.bucket(user_id %1$s, experiment text, weights double precision[] DEFAULT ''{1,1}'')
				RETURNS integer
				AS ''MODULE_PATHNAME'', ''recsys_bucket'' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10', id);
		EXECUTE pg_catalog.format(
			'COMMENT ON FUNCTION recsys.bucket(%1$s, text, double precision[])
				IS ''arm of an experiment, from 1, that a user is in: always the same, shared out by the weights''', id);
	END LOOP;
END
$$;
CREATE FUNCTION recsys.rate_interval(users bigint, converted bigint, confidence double precision DEFAULT 0.95,
	OUT low double precision, OUT high double precision)
	AS 'MODULE_PATHNAME', 'recsys_rate_interval' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION recsys.rate_interval(bigint, bigint, double precision)
	IS 'interval of a rate that holds however often one looks';
CREATE FUNCTION recsys.lift_interval(control_users bigint, control_converted bigint, users bigint, converted bigint,
	confidence double precision DEFAULT 0.95, expected_lift double precision DEFAULT 0.1,
	OUT low double precision, OUT high double precision)
	AS 'MODULE_PATHNAME', 'recsys_lift_interval' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION recsys.lift_interval(bigint, bigint, bigint, bigint, double precision, double precision)
	IS 'interval of the relative difference of two rates that holds however often one looks';

-- support for experiments: the type of a column, an error where there is none; then the
-- statement that writes a list.  Statements run with the caller's search path: every
-- name has its schema
CREATE FUNCTION recsys_support.column_type(relation regclass, column_name name, argument text) RETURNS oid
	LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	type oid;
BEGIN
	IF relation IS NULL OR column_name IS NULL THEN
		RAISE EXCEPTION '% must not be null', argument USING ERRCODE = '22004';
	END IF;
	SELECT a.atttypid INTO type FROM pg_attribute a
		WHERE a.attrelid = relation AND a.attname = column_name AND a.attnum > 0 AND NOT a.attisdropped;
	IF type IS NULL THEN
		RAISE EXCEPTION 'column "%" of % does not exist', column_name, relation USING ERRCODE = '42703',
			HINT = CASE argument WHEN 'impressions'
				THEN 'A table of impressions has the columns user_id, item_id, rank, experiment, arm and shown_at.'
				ELSE format('Name it by %s.', argument) END;
	END IF;
	RETURN type;
END
$$;
COMMENT ON FUNCTION recsys_support.column_type(regclass, name, text) IS 'support for experiments: the type of a column, an error where there is none';
CREATE FUNCTION recsys_support.impressions_statement(impressions regclass) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	SELECT format('INSERT INTO %s (user_id, item_id, rank, experiment, arm)
			SELECT $1::%s, i.item::%s, i.rank::pg_catalog.int4, $3, $4
			FROM ROWS FROM (pg_catalog.unnest($2)) WITH ORDINALITY i(item, rank)',
		recsys_support.clean_relation(impressions),
		format_type(recsys_support.column_type(impressions, 'user_id', 'impressions'), NULL),
		format_type(recsys_support.column_type(impressions, 'item_id', 'impressions'), NULL))
$$;
COMMENT ON FUNCTION recsys_support.impressions_statement(regclass) IS 'support for record_impressions: the INSERT';
-- text takes any id in its text form, and parameters without a type
DO $$
DECLARE
	users text;
	items text;
BEGIN
	FOR users, items IN VALUES ('anyelement', 'anycompatiblearray'), ('text', 'anycompatiblearray'), ('text', 'text') LOOP
		EXECUTE pg_catalog.format($f$
			CREATE FUNCTION recsys.record_impressions(impressions regclass, user_id %1$s, items %2$s,
				experiment text DEFAULT NULL, arm integer DEFAULT NULL)
				RETURNS bigint LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $body$
			DECLARE
				n bigint;
			BEGIN
				EXECUTE recsys_support.impressions_statement(impressions) USING user_id, %3$s, experiment, arm;
				GET DIAGNOSTICS n = ROW_COUNT;
				RETURN n;
			END
			$body$ $f$, users, items, CASE items WHEN 'text' THEN 'items::pg_catalog.text[]' ELSE 'items' END);
		EXECUTE pg_catalog.format(
			'COMMENT ON FUNCTION recsys.record_impressions(regclass, %s, %s, text, integer)
				IS ''write down that a list was shown to a user, in a table of yours; returns the rows written''', users, items);
	END LOOP;
END
$$;

-- support for experiment_report: the query, of
--	$1 experiment, $2 as_of, $3 within, $4 metrics, $5 control, $6 confidence, $7 expected_lift
-- A user belongs to the arm that they were shown first, and is observed for $3 from
-- then on; until that is over, they wait and do not count, so that each counts once
-- and for good.
CREATE FUNCTION recsys_support.experiment_statement(impressions regclass, source regclass, metrics jsonb,
	within interval, shown_only boolean, user_column name, item_column name, event_column name, time_column name)
	RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	same_user text := recsys_support.type_operator(recsys_support.column_type(impressions, 'user_id', 'impressions'), '=');
	same_item text := recsys_support.type_operator(recsys_support.column_type(impressions, 'item_id', 'impressions'), '=');
	of_metric text := 'true';
	of_list text := 'true';
BEGIN
	IF num_nulls(source, within, shown_only) > 0 THEN
		RAISE EXCEPTION 'source, within and shown_only must not be null' USING ERRCODE = '22004';
	END IF;
	PERFORM recsys_support.column_type(impressions, c, 'impressions') FROM unnest(ARRAY['experiment', 'arm', 'shown_at']) c;
	PERFORM recsys_support.column_type(source, c.name, c.argument || '_column')
		FROM (VALUES (user_column, 'user'), (item_column, 'item'), (time_column, 'time'), (event_column, 'event')) c(name, argument)
		WHERE c.argument <> 'event' OR c.name IS NOT NULL;
	IF within <= interval '0' THEN
		RAISE EXCEPTION 'within must be a time above 0' USING ERRCODE = '22023';
	ELSIF jsonb_typeof(metrics) IS DISTINCT FROM 'object' OR metrics = '{}'
			OR jsonb_path_exists(metrics, 'strict $.* ? (@.type() != "array" || exists (@[*] ? (@.type() != "string")))') THEN
		RAISE EXCEPTION 'metrics must be a JSON object of lists of event types' USING ERRCODE = '22023',
			HINT = 'For example: {"click": ["view", "click"], "purchase": ["purchase"]}.';
	END IF;
	IF event_column IS NOT NULL THEN
		of_metric := format('e.%I::pg_catalog.text OPERATOR(pg_catalog.=) ANY (m.types)', event_column);
	END IF;
	IF shown_only THEN
		of_list := format('EXISTS (SELECT FROM seen s WHERE s.user_id %s p.user_id AND s.item_id %s e.%I
			AND s.at OPERATOR(pg_catalog.<=) e.%I)', same_user, same_item, item_column, time_column);
	END IF;
	RETURN format($q$
		WITH m AS (
			SELECT j.key AS metric, ARRAY(SELECT pg_catalog.jsonb_array_elements_text(j.value)) AS types
			FROM pg_catalog.jsonb_each($4) j),
		seen AS MATERIALIZED (
			SELECT i.user_id, i.item_id, i.arm, i.shown_at::pg_catalog.timestamptz AS at,
				pg_catalog.first_value(i.arm) OVER w AS first_arm,
				pg_catalog.first_value(i.shown_at) OVER w::pg_catalog.timestamptz AS since
			FROM %1$s i
			WHERE i.experiment OPERATOR(pg_catalog.=) $1 AND i.shown_at OPERATOR(pg_catalog.<=) $2
				AND i.user_id IS NOT NULL AND i.arm IS NOT NULL
			WINDOW w AS (PARTITION BY i.user_id ORDER BY i.shown_at, i.arm)),
		people AS MATERIALIZED (
			SELECT s.user_id, s.first_arm AS arm, s.since, s.since OPERATOR(pg_catalog.+) $3 AS until,
				pg_catalog.count(*) FILTER (WHERE s.arm OPERATOR(pg_catalog.=) s.first_arm) AS shown,
				pg_catalog.bool_or(s.arm OPERATOR(pg_catalog.<>) s.first_arm) AS switched,
				s.since OPERATOR(pg_catalog.+) $3 OPERATOR(pg_catalog.<=) $2 AS ended
			FROM seen s WHERE s.at OPERATOR(pg_catalog.<) (s.since OPERATOR(pg_catalog.+) $3)
			GROUP BY s.user_id, s.first_arm, s.since),
		g AS (
			SELECT p.arm, pg_catalog.count(*) FILTER (WHERE p.ended) AS users,
				pg_catalog.count(*) FILTER (WHERE NOT p.ended) AS waiting,
				pg_catalog.count(*) FILTER (WHERE p.ended AND p.switched) AS switched,
				COALESCE(pg_catalog.sum(p.shown) FILTER (WHERE p.ended), 0)::pg_catalog.int8 AS shown
			FROM people p GROUP BY p.arm),
		did AS (
			SELECT p.user_id, p.arm, m.metric, pg_catalog.count(*) AS events
			FROM people p
				JOIN %2$s e ON e.%3$I %4$s p.user_id AND e.%5$I OPERATOR(pg_catalog.>=) p.since
					AND e.%5$I OPERATOR(pg_catalog.<) p.until
				JOIN m ON %6$s
			WHERE p.ended AND %7$s
			GROUP BY p.user_id, p.arm, m.metric),
		total AS (
			SELECT d.arm, d.metric, pg_catalog.sum(d.events)::pg_catalog.int8 AS events, pg_catalog.count(*) AS converted
			FROM did d GROUP BY d.arm, d.metric),
		a AS MATERIALIZED (
			SELECT m.metric, g.*, COALESCE(t.events, 0) AS events, COALESCE(t.converted, 0) AS converted,
				COALESCE(t.converted, 0)::pg_catalog.float8 OPERATOR(pg_catalog./) NULLIF(g.users, 0)::pg_catalog.float8 AS rate
			FROM m CROSS JOIN g LEFT JOIN total t ON t.arm OPERATOR(pg_catalog.=) g.arm AND t.metric OPERATOR(pg_catalog.=) m.metric)
		SELECT a.metric, a.arm::pg_catalog.int4, a.users, a.waiting, a.switched, a.shown, a.events, a.converted, a.rate, r.low, r.high,
			a.rate OPERATOR(pg_catalog./) NULLIF(c.rate, 0) OPERATOR(pg_catalog.-) 1, l.low, l.high
		FROM a CROSS JOIN LATERAL recsys.rate_interval(a.users, a.converted, $6) r
			LEFT JOIN a c ON c.metric OPERATOR(pg_catalog.=) a.metric AND c.arm OPERATOR(pg_catalog.<>) a.arm
				AND c.arm OPERATOR(pg_catalog.=) COALESCE($5, (SELECT pg_catalog.min(g.arm) FROM g))
			LEFT JOIN LATERAL recsys.lift_interval(c.users, c.converted, a.users, a.converted, $6, $7) l ON c.arm IS NOT NULL
		ORDER BY a.metric, a.arm$q$,
		recsys_support.clean_relation(impressions), recsys_support.clean_relation(source),
		user_column, same_user, time_column, of_metric, of_list);
END
$$;
COMMENT ON FUNCTION recsys_support.experiment_statement(regclass, regclass, jsonb, interval, boolean, name, name, name, name)
	IS 'support for experiment_report: the query';
CREATE FUNCTION recsys.experiment_report(experiment text, impressions regclass, source regclass,
	metrics jsonb DEFAULT '{"click": ["click"], "purchase": ["purchase"]}', within interval DEFAULT '7 days',
	control integer DEFAULT NULL, confidence double precision DEFAULT 0.95, expected_lift double precision DEFAULT 0.1,
	shown_only boolean DEFAULT true, as_of timestamptz DEFAULT pg_catalog.now(),
	user_column name DEFAULT 'user_id', item_column name DEFAULT 'item_id', event_column name DEFAULT 'event_type',
	time_column name DEFAULT 'ts')
	RETURNS TABLE (metric text, arm integer, users bigint, waiting bigint, switched bigint, shown bigint, events bigint,
		converted bigint, rate double precision, rate_low double precision, rate_high double precision,
		lift double precision, lift_low double precision, lift_high double precision)
	LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 4 COST 10000 AS $$
BEGIN
	-- an error of theirs, without the whole query for a context
	PERFORM recsys.lift_interval(0, 0, 0, 0, confidence, expected_lift);
	RETURN QUERY EXECUTE recsys_support.experiment_statement(impressions, source, metrics, within, shown_only,
			user_column, item_column, event_column, time_column)
		USING experiment, as_of, within, metrics, control, confidence, expected_lift;
END
$$;
COMMENT ON FUNCTION recsys.experiment_report(text, regclass, regclass, jsonb, interval, integer, double precision, double precision, boolean, timestamptz, name, name, name, name)
	IS 'arms of an experiment: users, what they were shown and did, rates and lift with intervals that hold however often one looks';

-- encoding
CREATE TYPE recsys.encoder;
CREATE FUNCTION recsys_support.encoder_in(cstring) RETURNS recsys.encoder
	AS 'MODULE_PATHNAME', 'recsys_encoder_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION recsys_support.encoder_out(recsys.encoder) RETURNS cstring
	AS 'MODULE_PATHNAME', 'recsys_encoder_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION recsys_support.encoder_recv(internal) RETURNS recsys.encoder
	AS 'MODULE_PATHNAME', 'recsys_encoder_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION recsys_support.encoder_send(recsys.encoder) RETURNS bytea
	AS 'MODULE_PATHNAME', 'recsys_encoder_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE TYPE recsys.encoder (
	INPUT = recsys_support.encoder_in, OUTPUT = recsys_support.encoder_out,
	RECEIVE = recsys_support.encoder_recv, SEND = recsys_support.encoder_send,
	STORAGE = external
);
COMMENT ON TYPE recsys.encoder IS 'fitted encoder: for each column what to impute, scale, bucketize and encode, as JSON';
COMMENT ON FUNCTION recsys_support.encoder_in(cstring) IS 'encoder from its text form, JSON';
COMMENT ON FUNCTION recsys_support.encoder_out(recsys.encoder) IS 'text form of an encoder, JSON';
COMMENT ON FUNCTION recsys_support.encoder_recv(internal) IS 'encoder from its binary form';
COMMENT ON FUNCTION recsys_support.encoder_send(recsys.encoder) IS 'binary form of an encoder';
CREATE TYPE recsys.string_indexer_model;
CREATE FUNCTION recsys_support.string_indexer_model_in(cstring) RETURNS recsys.string_indexer_model
	AS 'MODULE_PATHNAME', 'recsys_string_indexer_model_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION recsys_support.string_indexer_model_out(recsys.string_indexer_model) RETURNS cstring
	AS 'MODULE_PATHNAME', 'recsys_encoder_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION recsys_support.string_indexer_model_recv(internal) RETURNS recsys.string_indexer_model
	AS 'MODULE_PATHNAME', 'recsys_string_indexer_model_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION recsys_support.string_indexer_model_send(recsys.string_indexer_model) RETURNS bytea
	AS 'MODULE_PATHNAME', 'recsys_encoder_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE TYPE recsys.string_indexer_model (
	INPUT = recsys_support.string_indexer_model_in, OUTPUT = recsys_support.string_indexer_model_out,
	RECEIVE = recsys_support.string_indexer_model_recv, SEND = recsys_support.string_indexer_model_send,
	STORAGE = external
);
COMMENT ON TYPE recsys.string_indexer_model IS 'labels of a string indexer in their order, as a JSON array';
COMMENT ON FUNCTION recsys_support.string_indexer_model_in(cstring) IS 'labels from their text form, a JSON array';
COMMENT ON FUNCTION recsys_support.string_indexer_model_out(recsys.string_indexer_model) IS 'text form of labels, a JSON array';
COMMENT ON FUNCTION recsys_support.string_indexer_model_recv(internal) IS 'labels from their binary form';
COMMENT ON FUNCTION recsys_support.string_indexer_model_send(recsys.string_indexer_model) IS 'binary form of labels';

CREATE FUNCTION recsys_support.string_indexer_transfn(internal, text) RETURNS internal
	AS 'MODULE_PATHNAME', 'recsys_string_indexer_transfn' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION recsys_support.string_indexer_transfn(internal, text) IS 'support for string_indexer';
CREATE FUNCTION recsys_support.string_indexer_finalfn(internal) RETURNS recsys.string_indexer_model
	AS 'MODULE_PATHNAME', 'recsys_string_indexer_finalfn' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION recsys_support.string_indexer_finalfn(internal) IS 'support for string_indexer';
CREATE AGGREGATE recsys.string_indexer(value text) (
	SFUNC = recsys_support.string_indexer_transfn, STYPE = internal, SSPACE = 65536,
	FINALFUNC = recsys_support.string_indexer_finalfn, FINALFUNC_MODIFY = READ_WRITE, PARALLEL = SAFE);
COMMENT ON AGGREGATE recsys.string_indexer(text) IS 'distinct texts by frequency, ties alphabetical';
CREATE FUNCTION recsys.string_index(value text, fitted recsys.string_indexer_model, unseen text DEFAULT 'error')
	RETURNS integer
	AS 'MODULE_PATHNAME', 'recsys_string_index' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION recsys.string_index(text, recsys.string_indexer_model, text) IS 'place of a text among the labels, from 0';
CREATE FUNCTION recsys.one_hot(index integer, size integer, drop_last boolean DEFAULT true) RETURNS real[]
	AS 'MODULE_PATHNAME', 'recsys_one_hot' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION recsys.one_hot(integer, integer, boolean) IS 'vector of zeros with a one at the place of index';
CREATE FUNCTION recsys.vector_assembler(VARIADIC "any") RETURNS real[]
	AS 'MODULE_PATHNAME', 'recsys_vector_assembler' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION recsys.vector_assembler("any") IS 'numbers, booleans and arrays of them as one vector';
-- STABLE: the text forms of dates and times depend on settings.  UNSAFE: it may
-- start a subtransaction, which a parallel query forbids
CREATE FUNCTION recsys.try_cast(value text, type anyelement) RETURNS anyelement
	AS 'MODULE_PATHNAME', 'recsys_try_cast' LANGUAGE C STABLE PARALLEL UNSAFE;
COMMENT ON FUNCTION recsys.try_cast(text, anyelement) IS 'value as the type of the second argument, null where the cast fails';

CREATE FUNCTION recsys_support.fit_encoder_transfn(internal, "any", jsonb) RETURNS internal
	AS 'MODULE_PATHNAME', 'recsys_fit_encoder_transfn' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION recsys_support.fit_encoder_transfn(internal, "any", jsonb) IS 'support for fit_encoder';
CREATE FUNCTION recsys_support.fit_encoder_finalfn(internal) RETURNS recsys.encoder
	AS 'MODULE_PATHNAME', 'recsys_fit_encoder_finalfn' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION recsys_support.fit_encoder_finalfn(internal) IS 'support for fit_encoder';
CREATE AGGREGATE recsys.fit_encoder("row" record, spec jsonb) (
	SFUNC = recsys_support.fit_encoder_transfn, STYPE = internal, SSPACE = 1048576,
	FINALFUNC = recsys_support.fit_encoder_finalfn, FINALFUNC_MODIFY = READ_WRITE, PARALLEL = SAFE);
COMMENT ON AGGREGATE recsys.fit_encoder(record, jsonb) IS 'encoder fitted on rows by a spec';
CREATE AGGREGATE recsys.fit_encoder("row" jsonb, spec jsonb) (
	SFUNC = recsys_support.fit_encoder_transfn, STYPE = internal, SSPACE = 1048576,
	FINALFUNC = recsys_support.fit_encoder_finalfn, FINALFUNC_MODIFY = READ_WRITE, PARALLEL = SAFE);
COMMENT ON AGGREGATE recsys.fit_encoder(jsonb, jsonb) IS 'encoder fitted on JSON objects by a spec';
CREATE FUNCTION recsys.encode(encoder recsys.encoder, "row" record) RETURNS real[]
	AS 'MODULE_PATHNAME', 'recsys_encode_row' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION recsys.encode(recsys.encoder, record) IS 'vector of a row by a fitted encoder';
CREATE FUNCTION recsys.encode(encoder recsys.encoder, "row" jsonb) RETURNS real[]
	AS 'MODULE_PATHNAME', 'recsys_encode_jsonb' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION recsys.encode(recsys.encoder, jsonb) IS 'vector of a JSON object by a fitted encoder';
CREATE FUNCTION recsys.encoder_columns(encoder recsys.encoder)
	RETURNS TABLE ("position" integer, name text, column_name text, step text, category text, meaning text)
	AS 'MODULE_PATHNAME', 'recsys_encoder_columns' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 100;
COMMENT ON FUNCTION recsys.encoder_columns(recsys.encoder) IS 'what each position of an encoder''s vectors means';

-- cleaning
CREATE TYPE recsys.reject AS (
	row_number bigint, column_name text, value text, reason text, source_row jsonb, rejected_at timestamptz);
COMMENT ON TYPE recsys.reject IS 'what recsys.clean() keeps of a value that it refused: CREATE TABLE rejects (LIKE recsys.reject)';
CREATE FUNCTION recsys.try_cast(value text, type anyelement, typmod integer) RETURNS anyelement
	AS 'MODULE_PATHNAME', 'recsys_try_cast' LANGUAGE C STABLE PARALLEL UNSAFE;
COMMENT ON FUNCTION recsys.try_cast(text, anyelement, integer) IS 'the same within a length or precision, as pg_attribute.atttypmod has it';

-- support for clean: the rules of one column, checked
CREATE FUNCTION recsys_support.clean_rule(column_name text, type_name text, rule jsonb) RETURNS void
	LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	key text;
	kind text;
	wanted text;
	value text;
	failed boolean;
BEGIN
	IF jsonb_typeof(rule) <> 'object' THEN
		RAISE EXCEPTION 'rules of column "%" must be a JSON object', column_name USING ERRCODE = '22023';
	END IF;
	FOR key, kind IN SELECT r.key, jsonb_typeof(r.value) FROM jsonb_each(rule) r LOOP
		wanted := CASE key
			WHEN 'from' THEN 'string'
			WHEN 'required' THEN 'boolean'
			WHEN 'trim' THEN 'boolean'
			WHEN 'lower' THEN 'boolean'
			WHEN 'allowed' THEN 'array'
			WHEN 'null_values' THEN 'array'
			WHEN 'min' THEN 'number or string'
			WHEN 'max' THEN 'number or string'
			WHEN 'default' THEN 'number, string or boolean' END;
		IF wanted IS NULL THEN
			RAISE EXCEPTION 'unrecognized rule "%" of column "%"', key, column_name USING ERRCODE = '22023',
				HINT = 'The rules are from, required, trim, lower, null_values, default, min, max and allowed.';
		ELSIF strpos(wanted, kind) = 0 THEN
			RAISE EXCEPTION 'rule "%" of column "%" must be of type %', key, column_name, wanted USING ERRCODE = '22023';
		ELSIF kind = 'array' AND EXISTS (SELECT FROM jsonb_array_elements(rule -> key) e
				WHERE jsonb_typeof(e) NOT IN ('string', 'number', 'boolean')) THEN
			RAISE EXCEPTION 'rule "%" of column "%" must be an array of strings, numbers or booleans', key, column_name
				USING ERRCODE = '22023';
		END IF;
	END LOOP;
	FOR key, value IN SELECT r.key, r.value FROM jsonb_each_text(rule) r WHERE r.key IN ('min', 'max', 'default')
		UNION ALL SELECT 'allowed', e FROM jsonb_array_elements_text(rule -> 'allowed') e
	LOOP
		EXECUTE format('SELECT recsys.try_cast(%L, NULL::%s) IS NOT DISTINCT FROM NULL', value, type_name) INTO failed;
		IF failed THEN
			RAISE EXCEPTION 'rule "%" of column "%": "%" is not of type %', key, column_name, value, type_name USING ERRCODE = '22023';
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION recsys_support.clean_rule(text, text, jsonb) IS 'support for clean: an error unless these are rules';

-- support for clean: the operator by which a type orders its values (of <, = or >),
-- written with its schema
CREATE FUNCTION recsys_support.type_operator(type oid, operator text) RETURNS text
	AS 'MODULE_PATHNAME', 'recsys_type_operator' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION recsys_support.type_operator(oid, text) IS 'support for clean: the operator of that name of a type''s default order';

-- support for clean: the text of a column after trim and lower, then after
-- null_values and default; then what is wrong with it, null where nothing is.
-- `source` is a column as text, `given` and `taken` are expressions for that text
-- and its value.  They run with the caller's search path: every name has its schema
CREATE FUNCTION recsys_support.clean_trim(source text, rule jsonb) RETURNS text
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	expression text := source;
BEGIN
	IF (rule ->> 'trim')::boolean THEN
		expression := format('pg_catalog.btrim(%s, E'' \t\n\r\f\v'')', expression);
	END IF;
	IF (rule ->> 'lower')::boolean THEN
		expression := format('pg_catalog.lower(%s)', expression);
	END IF;
	RETURN expression;
END
$$;
COMMENT ON FUNCTION recsys_support.clean_trim(text, jsonb) IS 'support for clean: SQL that trims and lowers a column''s text';
CREATE FUNCTION recsys_support.clean_text(source text, rule jsonb) RETURNS text
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	expression text := source;
	nulls text;
BEGIN
	SELECT string_agg(format('%s OPERATOR(pg_catalog.=) %L', source, e), ' OR ') INTO nulls
		FROM jsonb_array_elements_text(coalesce(rule -> 'null_values', '[""]')) e;
	IF nulls IS NOT NULL THEN
		expression := format('CASE WHEN %s THEN NULL ELSE %s END', nulls, source);
	END IF;
	IF rule ? 'default' THEN
		expression := format('coalesce(%s, %L)', expression, rule ->> 'default');
	END IF;
	RETURN expression;
END
$$;
COMMENT ON FUNCTION recsys_support.clean_text(text, jsonb) IS 'support for clean: SQL that makes a column''s text ready to cast';
CREATE FUNCTION recsys_support.clean_fault(given text, taken text, type oid, type_name text, required boolean, rule jsonb) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	expression text := 'CASE';
	equal text;
	allowed text;
BEGIN
	IF required THEN
		expression := expression || format(' WHEN %s IS NULL THEN ''required''', given);
	END IF;
	-- IS NULL is true of a composite value of nulls too
	expression := expression || format(' WHEN %s IS NOT NULL AND %s IS NOT DISTINCT FROM NULL THEN %L', given, taken, 'not of type ' || type_name);
	IF rule ? 'min' THEN
		expression := expression || format(' WHEN %s %s %L::%s THEN %L', taken, recsys_support.type_operator(type, '<'),
			rule ->> 'min', type_name, 'below ' || (rule ->> 'min'));
	END IF;
	IF rule ? 'max' THEN
		expression := expression || format(' WHEN %s %s %L::%s THEN %L', taken, recsys_support.type_operator(type, '>'),
			rule ->> 'max', type_name, 'above ' || (rule ->> 'max'));
	END IF;
	IF rule ? 'allowed' THEN
		equal := recsys_support.type_operator(type, '=');
		-- a list of arrays would be an array of their elements
		IF type_name LIKE '%[]' THEN
			SELECT string_agg(format('%s %s %L::%s', taken, equal, e, type_name), ' OR ') INTO allowed
				FROM jsonb_array_elements_text(rule -> 'allowed') e;
		ELSE
			SELECT format('%s %s ANY (ARRAY[%s]::%s[])', taken, equal, string_agg(format('%L::%s', e, type_name), ', '), type_name) INTO allowed
				FROM jsonb_array_elements_text(rule -> 'allowed') e;
		END IF;
		expression := expression || format(' WHEN %s IS NOT NULL AND NOT (%s) THEN ''not allowed''', taken, coalesce(allowed, 'false'));
	END IF;
	RETURN expression || ' END';
END
$$;
COMMENT ON FUNCTION recsys_support.clean_fault(text, text, oid, text, boolean, jsonb) IS 'support for clean: SQL that says what is wrong with a column, or null';

-- support for clean: a relation's name with its schema
CREATE FUNCTION recsys_support.clean_relation(relation oid) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$
	SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
	FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
	WHERE c.oid OPERATOR(pg_catalog.=) relation
$$;
COMMENT ON FUNCTION recsys_support.clean_relation(oid) IS 'support for clean: a relation''s name with its schema';
CREATE FUNCTION recsys_support.clean_statement(source regclass, target regclass, rules jsonb, rejects regclass) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	c record;
	i integer := 0;
	names text := '';
	trims text := '';
	texts text := '';
	source_text text;
	casts text := '';
	faults text := '';
	fault_names text := '';
	checks text := '';
	cells text := '';
	row_alias text := 's';
	attributes integer[] := '{}';	-- of the target, in the order of v1, v2, ...
	k record;
	uniques text := '';
	unique_names text := '';
	unique_cells text := '';
	bad jsonb;
	source_name text := recsys_support.clean_relation(source);
	target_name text := recsys_support.clean_relation(target);
	rejects_name text := recsys_support.clean_relation(rejects);
BEGIN
	IF source IS NULL OR target IS NULL THEN
		RAISE EXCEPTION 'source and target must not be null' USING ERRCODE = '22004';
	ELSIF jsonb_typeof(coalesce(rules, '{}')) <> 'object' THEN
		RAISE EXCEPTION 'rules must be a JSON object of columns' USING ERRCODE = '22023',
			HINT = 'For example: {"age": {"required": true, "min": 0, "max": 120}}.';
	END IF;
	rules := coalesce(rules, '{}');
	SELECT to_jsonb(r.key) INTO bad FROM jsonb_object_keys(rules) r(key) WHERE NOT EXISTS (
		SELECT FROM pg_attribute a WHERE a.attrelid = target AND a.attnum > 0 AND NOT a.attisdropped
			AND a.attname = r.key AND a.attgenerated = '' AND a.attidentity <> 'a');
	IF FOUND THEN
		RAISE EXCEPTION 'rules name column "%", which is not one of % to write', bad #>> '{}', target USING ERRCODE = '42703';
	END IF;
	IF rejects IS NOT NULL AND (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = rejects AND a.attnum > 0 AND NOT a.attisdropped
			AND a.attname IN ('row_number', 'column_name', 'value', 'reason', 'source_row', 'rejected_at')) < 6 THEN
		RAISE EXCEPTION '% is not a table of rejects', rejects USING ERRCODE = '42703',
			HINT = format('Make one with CREATE TABLE %s (LIKE recsys.reject).', 'users_rejects');
	END IF;
	WHILE EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = source AND a.attname = row_alias) LOOP
		row_alias := row_alias || 's';	-- so that it means the row
	END LOOP;
	FOR c IN
		SELECT a.attnum::integer AS attribute, a.attname::text AS name, a.atttypid AS type, format_type(a.atttypid, a.atttypmod) AS type_name, a.atttypmod AS typmod,
			format_type(a.atttypid, NULL) AS plain_type,
			(WITH RECURSIVE b(type) AS (SELECT a.atttypid UNION ALL SELECT d.typbasetype FROM b JOIN pg_type d ON d.oid = b.type WHERE d.typtype = 'd')
				SELECT format_type(b.type, NULL) FROM b JOIN pg_type d ON d.oid = b.type WHERE d.typtype <> 'd') AS base_type,
			a.attnotnull AS not_null, a.atthasdef OR a.attidentity <> '' AS has_default, s.attname::text AS source_name,
			coalesce(rules -> a.attname::text, '{}') AS rule
		FROM pg_attribute a LEFT JOIN pg_attribute s ON s.attrelid = source AND s.attnum > 0 AND NOT s.attisdropped
			AND s.attname = coalesce(rules -> a.attname::text ->> 'from', a.attname::text)
		WHERE a.attrelid = target AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND a.attidentity <> 'a'
		ORDER BY a.attnum
	LOOP
		-- not the domain: its constraint runs with the caller's search path, in the statement
		PERFORM recsys_support.clean_rule(c.name, c.base_type, c.rule);
		IF c.source_name IS NULL THEN
			IF rules ? c.name OR (c.not_null AND NOT c.has_default) THEN
				RAISE EXCEPTION 'column "%" is not in %', coalesce(c.rule ->> 'from', c.name), source USING ERRCODE = '42703',
					HINT = 'The rule "from" names the column that it comes from.';
			END IF;
			CONTINUE;	-- the target's own default
		END IF;
		i := i + 1;
		attributes := attributes || c.attribute;
		names := names || format(', %I', c.name);
		source_text := format('%I.%I::pg_catalog.text', row_alias, c.source_name);
		-- for the text is looked at more than once
		IF recsys_support.clean_trim(source_text, c.rule) <> source_text THEN
			trims := trims || format(', %s AS r%s', recsys_support.clean_trim(source_text, c.rule), i);
			source_text := 'r.r' || i;
		END IF;
		texts := texts || format(', %s AS t%s', recsys_support.clean_text(source_text, c.rule), i);
		casts := casts || format(', recsys.try_cast(t.t%s, NULL::%s, %s) AS v%s', i, c.plain_type, c.typmod, i);
		faults := faults || format(', %s AS f%s', recsys_support.clean_fault('t.t' || i, 'v.v' || i, c.type, c.type_name,
			c.not_null OR coalesce((c.rule ->> 'required')::boolean, false), c.rule), i);
		fault_names := fault_names || format(', f.f%s', i);
		cells := cells || format(', (%L, %I.%I::pg_catalog.text, f.f%s)', c.name, row_alias, c.source_name, i);
		checks := checks || format(', v.v%s', i);
	END LOOP;
	IF i = 0 THEN
		RAISE EXCEPTION '% and % have no column in common', source, target USING ERRCODE = '42703';
	END IF;
	-- what else the target's unique indexes would refuse: repetitions in the
	-- source, and what the caller can see in the target
	i := 0;
	FOR k IN
		SELECT string_agg(a.attname, ', ' ORDER BY o) AS names, string_agg('v' || array_position(attributes, a.attnum::integer), ', ' ORDER BY o) AS vs,
			string_agg(format('x.%I %s j.v%s', a.attname, eq.name, array_position(attributes, a.attnum::integer)), ' AND ' ORDER BY o) AS same,
			string_agg(format('(x.%1$I %2$s j.v%3$s OR x.%1$I IS NULL AND j.v%3$s IS NULL)', a.attname, eq.name,
				array_position(attributes, a.attnum::integer)), ' AND ' ORDER BY o) AS same_nulls, nulls.alike AS nulls_alike
		FROM pg_index x,	-- NULLS NOT DISTINCT came with PostgreSQL 15
			LATERAL (SELECT coalesce((to_jsonb(x) ->> 'indnullsnotdistinct')::boolean, false)) nulls(alike),
			unnest(x.indkey::int2[]) WITH ORDINALITY u(attnum, o) LEFT JOIN pg_attribute a ON a.attrelid = target AND a.attnum = u.attnum,
			-- the index's own equality, for the search path has no other schema's
			LATERAL (SELECT coalesce((SELECT format('OPERATOR(%I.%s)', s.nspname, r.oprname)
				FROM pg_opclass c JOIN pg_amop m ON m.amopfamily = c.opcfamily AND m.amoplefttype = c.opcintype AND m.amoprighttype = c.opcintype
					JOIN pg_am h ON h.oid = c.opcmethod JOIN pg_operator r ON r.oid = m.amopopr JOIN pg_namespace s ON s.oid = r.oprnamespace
				WHERE c.oid = x.indclass[o - 1] AND h.amname = 'btree' AND m.amopstrategy = 3), recsys_support.type_operator(a.atttypid, '='))) eq(name)
		WHERE x.indrelid = target AND x.indisunique AND x.indisvalid AND x.indpred IS NULL AND o <= x.indnkeyatts
		GROUP BY x.indexrelid, nulls.alike HAVING bool_and(u.attnum::integer = ANY (attributes)) ORDER BY x.indexrelid
	LOOP
		i := i + 1;
		uniques := uniques || format(', CASE WHEN %4$s THEN CASE
			WHEN pg_catalog.row_number() OVER (PARTITION BY faults IS NULL, %1$s ORDER BY n) OPERATOR(pg_catalog.>) 1 THEN ''duplicate''%2$s END END AS u%3$s', k.vs,
			CASE WHEN has_table_privilege(target, 'SELECT') THEN
				format(' WHEN pg_catalog.num_nulls(%1$s) OPERATOR(pg_catalog.=) 0 AND EXISTS (SELECT FROM %2$s x WHERE %3$s) THEN ''already in the table''', k.vs, target_name, k.same)
				|| CASE WHEN k.nulls_alike THEN format(' WHEN pg_catalog.num_nulls(%1$s) OPERATOR(pg_catalog.>) 0 AND EXISTS (SELECT FROM %2$s x WHERE %3$s) THEN ''already in the table''',
					k.vs, target_name, k.same_nulls) ELSE '' END END, i,
			CASE WHEN k.nulls_alike THEN 'true' ELSE format('pg_catalog.num_nulls(%s) OPERATOR(pg_catalog.=) 0', k.vs) END);
		unique_names := unique_names || ', u' || i;
		unique_cells := unique_cells || format(', (%L, pg_catalog.concat_ws('', '', %s), u%s)', k.names, k.vs, i);
	END LOOP;
	-- one pass over the source; OFFSET 0 keeps each expression from being run twice
	RETURN format($query$
		WITH typed AS MATERIALIZED (
			SELECT pg_catalog.row_number() OVER () AS n, %1$s, %12$I AS source_row,
				CASE WHEN pg_catalog.num_nonnulls(%2$s) OPERATOR(pg_catalog.>) 0 THEN ARRAY(SELECT pg_catalog.jsonb_build_array(x.name, x.value, x.fault)
					FROM (VALUES %3$s) x(name, value, fault) WHERE x.fault IS NOT NULL) END AS faults
			FROM %4$s %12$I%14$s
				CROSS JOIN LATERAL (SELECT %5$s OFFSET 0) t
				CROSS JOIN LATERAL (SELECT %6$s OFFSET 0) v
				CROSS JOIN LATERAL (SELECT %7$s OFFSET 0) f
		)%13$s, written AS (
			INSERT INTO %8$s (%9$s) SELECT %10$s FROM judged v WHERE v.faults IS NULL RETURNING 1
		), refused AS (
			SELECT j.n, e OPERATOR(pg_catalog.->>) 0 AS name, e OPERATOR(pg_catalog.->>) 1 AS value, e OPERATOR(pg_catalog.->>) 2 AS fault, j.source_row
			FROM judged j, pg_catalog.unnest(j.faults) e
		)%11$s
		SELECT (SELECT pg_catalog.count(*) FROM judged), (SELECT pg_catalog.count(*) FROM written),
			(SELECT pg_catalog.count(*) FROM judged WHERE faults IS NOT NULL),
			(SELECT coalesce(pg_catalog.jsonb_object_agg(r.reason, r.n), '{}') FROM (
				SELECT name OPERATOR(pg_catalog.||) ': ' OPERATOR(pg_catalog.||) fault AS reason, pg_catalog.count(*) AS n FROM refused GROUP BY 1) r),
			(SELECT pg_catalog.to_jsonb(r) FROM (SELECT n, name, value, fault FROM refused ORDER BY n LIMIT 1) r)$query$,
		substr(checks, 3), substr(fault_names, 3), substr(cells, 3), source_name, substr(texts, 3), substr(casts, 3), substr(faults, 3),
		target_name, substr(names, 3), substr(checks, 3),
		CASE WHEN rejects IS NOT NULL THEN format($query$, kept AS (
			INSERT INTO %s (row_number, column_name, value, reason, source_row, rejected_at)
			SELECT n, name, value, fault, pg_catalog.to_jsonb(source_row), pg_catalog.now() FROM refused)$query$, rejects_name) ELSE '' END,
		row_alias,
		CASE WHEN uniques = '' THEN ', judged AS (TABLE typed)' ELSE format($query$, judged AS MATERIALIZED (
			SELECT n, %1$s, source_row, CASE WHEN faults IS NULL AND pg_catalog.num_nonnulls(%2$s) OPERATOR(pg_catalog.>) 0
				THEN ARRAY(SELECT pg_catalog.jsonb_build_array(x.name, x.value, x.fault) FROM (VALUES %3$s) x(name, value, fault) WHERE x.fault IS NOT NULL)
				ELSE faults END AS faults
			FROM (SELECT j.*%4$s FROM typed j) j)$query$, replace(substr(checks, 3), 'v.', ''), substr(unique_names, 3), substr(unique_cells, 3), uniques) END,
		CASE WHEN trims = '' THEN '' ELSE format(' CROSS JOIN LATERAL (SELECT %s OFFSET 0) r', substr(trims, 3)) END);
END
$$;
COMMENT ON FUNCTION recsys_support.clean_statement(regclass, regclass, jsonb, regclass) IS 'support for clean: the statement that does it, or an error';

-- Memoize would only cost time: no two rows are alike.  The search path is the
-- caller's: what the target and the source run of their own (defaults, triggers,
-- views, constraints) may count on it
CREATE FUNCTION recsys.clean(source regclass, target regclass, rules jsonb DEFAULT '{}', rejects regclass DEFAULT NULL)
	RETURNS TABLE (rows_read bigint, rows_written bigint, rows_rejected bigint, reasons jsonb)
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET enable_memoize = off AS $$
DECLARE
	bad jsonb;
BEGIN
	EXECUTE recsys_support.clean_statement(source, target, rules, rejects)
		INTO rows_read, rows_written, rows_rejected, reasons, bad;
	IF rejects IS NULL AND rows_rejected OPERATOR(pg_catalog.>) 0 THEN
		RAISE EXCEPTION 'row %, column "%": value % is %', bad OPERATOR(pg_catalog.->>) 'n', bad OPERATOR(pg_catalog.->>) 'name',
			coalesce(pg_catalog.quote_literal(pg_catalog.left(bad OPERATOR(pg_catalog.->>) 'value', 60)), 'null'), bad OPERATOR(pg_catalog.->>) 'fault'
			USING ERRCODE = '22000', DETAIL = pg_catalog.format('%s of %s rows cannot be written: %s', rows_rejected, rows_read, reasons),
			HINT = 'Name a table for what is refused: CREATE TABLE users_rejects (LIKE recsys.reject).';
	END IF;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION recsys.clean(regclass, regclass, jsonb, regclass) IS 'rows of text into a typed table; what cannot be written is kept with the reason';

-- streaming
-- Rows belong to the stream's owner, whose worker writes them.  To let a role
-- create streams:
--	GRANT INSERT ON recsys.stream TO role;
-- No foreign keys between them, for the reason given at the registry.
CREATE TABLE recsys.stream (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name text NOT NULL UNIQUE
		CHECK (pg_catalog.octet_length(name) OPERATOR(pg_catalog.>=) 1
			AND pg_catalog.octet_length(name) OPERATOR(pg_catalog.<=) 63),
	owner recsys_support.role NOT NULL,
	brokers text NOT NULL,
	topic text NOT NULL,
	target recsys_support.relation NOT NULL,
	mapping jsonb,
	options jsonb NOT NULL DEFAULT '{}',
	enabled boolean NOT NULL DEFAULT true,
	generation bigint NOT NULL DEFAULT 1,
	system_id bigint NOT NULL,
	database_id oid NOT NULL,
	cluster_id text,
	seek_to text,
	stop_reason text,
	stop_sqlstate text,
	stopped_at timestamptz,
	created timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE recsys.stream IS 'streams: which topic goes into which table, how, and as whom';
CREATE TABLE recsys.stream_offset (
	stream_id bigint NOT NULL,
	partition integer NOT NULL,
	next_offset bigint NOT NULL,
	rows bigint NOT NULL DEFAULT 0,
	rejected bigint NOT NULL DEFAULT 0,
	last_offset bigint,
	last_event_time timestamptz,
	skip bigint[], -- offsets of messages to be dead letters unread
	end_offset bigint, -- of the broker, when it was last looked at
	updated timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	PRIMARY KEY (stream_id, partition)
) WITH (fillfactor = 50);
COMMENT ON TABLE recsys.stream_offset IS 'where each partition of a stream is: written in the transaction that writes its rows';
CREATE TABLE recsys.dead_letter (
	id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
	stream_id bigint NOT NULL,
	partition integer NOT NULL,
	message_offset bigint NOT NULL,
	message_time timestamptz,
	key bytea,
	payload bytea,
	headers jsonb,
	sqlstate text NOT NULL,
	error text NOT NULL,
	rejected_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	retries integer NOT NULL DEFAULT 0,
	UNIQUE (stream_id, partition, message_offset)
);
COMMENT ON TABLE recsys.dead_letter IS 'messages that could not be written, byte for byte, and why';
CREATE TABLE recsys.stream_loss (
	stream_id bigint NOT NULL,
	partition integer NOT NULL,
	from_offset bigint NOT NULL,
	to_offset bigint NOT NULL, -- the first that was there again
	policy text NOT NULL,
	reason text NOT NULL,
	noticed timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	PRIMARY KEY (stream_id, partition, from_offset, noticed)
);
COMMENT ON TABLE recsys.stream_loss IS 'offsets that a stream went past without reading them, because the broker no longer had them or by a seek';

SELECT pg_catalog.pg_extension_config_dump('recsys.stream', '');
SELECT pg_catalog.pg_extension_config_dump('recsys.stream_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('recsys.stream_offset', '');
SELECT pg_catalog.pg_extension_config_dump('recsys.dead_letter', '');
SELECT pg_catalog.pg_extension_config_dump('recsys.dead_letter_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('recsys.stream_loss', '');

-- Members of the owner see and change their streams; members of pg_read_all_stats
-- see all but the messages in dead_letter.
ALTER TABLE recsys.stream ENABLE ROW LEVEL SECURITY;
ALTER TABLE recsys.stream_offset ENABLE ROW LEVEL SECURITY;
ALTER TABLE recsys.dead_letter ENABLE ROW LEVEL SECURITY;
ALTER TABLE recsys.stream_loss ENABLE ROW LEVEL SECURITY;
GRANT SELECT, UPDATE, DELETE ON recsys.stream TO PUBLIC;
-- for pg_dump
GRANT SELECT ON recsys.stream_id_seq, recsys.dead_letter_id_seq TO PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON recsys.stream_offset, recsys.dead_letter, recsys.stream_loss TO PUBLIC;
CREATE POLICY owner_writes ON recsys.stream
	USING (pg_catalog.pg_has_role(owner::oid, 'USAGE'));
CREATE POLICY monitor_sees ON recsys.stream FOR SELECT
	USING (pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE'));
COMMENT ON POLICY owner_writes ON recsys.stream IS 'members of the owner see and change a stream';
COMMENT ON POLICY monitor_sees ON recsys.stream IS 'members of pg_read_all_stats see every stream';
DO $$
DECLARE
	part text;
BEGIN
	FOREACH part IN ARRAY ARRAY['stream_offset', 'dead_letter', 'stream_loss'] LOOP
		EXECUTE pg_catalog.format(
			'CREATE POLICY owner_writes ON recsys.%I
				USING (stream_id OPERATOR(pg_catalog.=) ANY (
					SELECT s.id FROM recsys.stream s WHERE pg_catalog.pg_has_role(s.owner::oid, ''USAGE'')))',
			part);
		EXECUTE pg_catalog.format(
			'COMMENT ON POLICY owner_writes ON recsys.%I IS ''members of the owner see and change what belongs to a stream''',
			part);
		IF part OPERATOR(pg_catalog.<>) 'dead_letter' THEN
			EXECUTE pg_catalog.format(
				'CREATE POLICY monitor_sees ON recsys.%I FOR SELECT
					USING (pg_catalog.pg_has_role(''pg_read_all_stats'', ''USAGE''))',
				part);
			EXECUTE pg_catalog.format(
				'COMMENT ON POLICY monitor_sees ON recsys.%I IS ''members of pg_read_all_stats see it of every stream''',
				part);
		END IF;
	END LOOP;
END
$$;

-- A row that is deleted by hand leaves nothing to who takes its id next
CREATE FUNCTION recsys_support.stream_deletefn() RETURNS trigger
	AS 'MODULE_PATHNAME', 'recsys_stream_deletefn' LANGUAGE C;
COMMENT ON FUNCTION recsys_support.stream_deletefn() IS 'support for recsys.stream: what belongs to a stream goes with it';
CREATE TRIGGER forget BEFORE DELETE OR UPDATE OF id ON recsys.stream
	FOR EACH ROW EXECUTE FUNCTION recsys_support.stream_deletefn();
COMMENT ON TRIGGER forget ON recsys.stream IS 'what belongs to a stream goes with it';
CREATE TRIGGER forget_all BEFORE TRUNCATE ON recsys.stream
	FOR EACH STATEMENT EXECUTE FUNCTION recsys_support.stream_deletefn();
COMMENT ON TRIGGER forget_all ON recsys.stream IS 'what belongs to a stream goes with it';

-- owners: there is one, and DROP ROLE and DROP OWNED know of what they own
CREATE FUNCTION recsys_support.ownerfn() RETURNS trigger
	AS 'MODULE_PATHNAME', 'recsys_ownerfn' LANGUAGE C;
COMMENT ON FUNCTION recsys_support.ownerfn() IS 'support for models and streams: an owner that is a role, and that cannot be dropped';
-- not on tables of others, whose columns are other ones
REVOKE EXECUTE ON FUNCTION recsys_support.ownerfn() FROM PUBLIC;
CREATE TRIGGER owner BEFORE INSERT OR UPDATE OF owner ON recsys.model_registry
	FOR EACH ROW EXECUTE FUNCTION recsys_support.ownerfn();
CREATE TRIGGER owner BEFORE INSERT OR UPDATE OF owner ON recsys.stream
	FOR EACH ROW EXECUTE FUNCTION recsys_support.ownerfn();
CREATE FUNCTION recsys_support.readersfn() RETURNS trigger
	AS 'MODULE_PATHNAME', 'recsys_readersfn' LANGUAGE C;
COMMENT ON FUNCTION recsys_support.readersfn() IS 'support for grant_model: readers that are roles, which are not dropped before they are none';
REVOKE EXECUTE ON FUNCTION recsys_support.readersfn() FROM PUBLIC;
CREATE TRIGGER readers BEFORE INSERT OR UPDATE OF readers ON recsys.model_registry
	FOR EACH ROW EXECUTE FUNCTION recsys_support.readersfn();
CREATE TRIGGER readers_gone AFTER DELETE OR UPDATE OF readers ON recsys.model_registry
	FOR EACH ROW EXECUTE FUNCTION recsys_support.readersfn();
COMMENT ON TRIGGER readers ON recsys.model_registry IS 'readers are roles, and cannot be dropped';
COMMENT ON TRIGGER readers_gone ON recsys.model_registry IS 'who reads no model any more can be dropped';
COMMENT ON TRIGGER owner ON recsys.model_registry IS 'an owner that is a role, and that cannot be dropped';
COMMENT ON TRIGGER owner ON recsys.stream IS 'an owner that is a role, and that cannot be dropped';
CREATE FUNCTION recsys_support.owner_leftfn() RETURNS trigger
	AS 'MODULE_PATHNAME', 'recsys_owner_leftfn' LANGUAGE C;
COMMENT ON FUNCTION recsys_support.owner_leftfn() IS 'support for models and streams: who owns nothing any more can be dropped';
REVOKE EXECUTE ON FUNCTION recsys_support.owner_leftfn() FROM PUBLIC;
CREATE TRIGGER owner_left AFTER DELETE OR UPDATE OF owner ON recsys.model_registry
	FOR EACH ROW EXECUTE FUNCTION recsys_support.owner_leftfn();
CREATE TRIGGER owner_left AFTER DELETE OR UPDATE OF owner ON recsys.stream
	FOR EACH ROW EXECUTE FUNCTION recsys_support.owner_leftfn();
COMMENT ON TRIGGER owner_left ON recsys.model_registry IS 'who owns nothing any more can be dropped';
COMMENT ON TRIGGER owner_left ON recsys.stream IS 'who owns nothing any more can be dropped';
CREATE FUNCTION recsys_support.drop_ownedfn() RETURNS event_trigger
	AS 'MODULE_PATHNAME', 'recsys_drop_ownedfn' LANGUAGE C;
COMMENT ON FUNCTION recsys_support.drop_ownedfn() IS 'support for models and streams: refuses DROP OWNED BY their owner, takes what grant_model gave';
CREATE EVENT TRIGGER recsys_drop_owned ON ddl_command_end WHEN TAG IN ('DROP OWNED')
	EXECUTE FUNCTION recsys_support.drop_ownedfn();
COMMENT ON EVENT TRIGGER recsys_drop_owned IS 'refuses DROP OWNED BY the owner of a model or stream, takes what grant_model gave';

-- what workers say of themselves, and the views
CREATE FUNCTION recsys_support.stream_state_rows(
	OUT database oid, OUT stream_id bigint, OUT worker integer, OUT pid integer, OUT state text,
	OUT partition integer, OUT end_offset bigint, OUT rows_per_second double precision,
	OUT error text, OUT sqlstate text, OUT error_at timestamptz)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'recsys_stream_state_rows' LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 16;
COMMENT ON FUNCTION recsys_support.stream_state_rows() IS 'support for recsys.stream_status';

-- state: what the row says comes before what a worker says of itself.  A row of
-- the worker's whose partition is null speaks for its other partitions.
CREATE VIEW recsys.stream_status WITH (security_invoker = true) AS
	WITH w AS MATERIALIZED (
		SELECT r.* FROM recsys_support.stream_state_rows() r
		WHERE r.database OPERATOR(pg_catalog.=)
			(SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())
	)
	SELECT s.name AS stream, p.partition,
		CASE
			WHEN s.system_id OPERATOR(pg_catalog.<>) (SELECT c.system_identifier FROM pg_catalog.pg_control_system() c)
				OR s.database_id OPERATOR(pg_catalog.<>)
					(SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())
				THEN 'cloned'
			WHEN s.stop_reason IS NOT NULL THEN 'stopped'
			WHEN NOT s.enabled THEN 'paused'
			ELSE COALESCE(p.state, l.state, 'not running')
		END AS state,
		p.next_offset, p.end_offset,
		CASE WHEN p.next_offset OPERATOR(pg_catalog.>) p.end_offset THEN 0
			ELSE p.end_offset OPERATOR(pg_catalog.-) p.next_offset END AS lag,
		p.rows, p.rejected, p.rows_per_second, p.last_event_time, p.updated,
		CASE WHEN s.stop_reason IS NOT NULL THEN s.stop_reason
			WHEN p.state IS NOT NULL THEN p.error ELSE l.error END AS error,
		CASE WHEN s.stop_reason IS NOT NULL THEN s.stop_sqlstate
			WHEN p.state IS NOT NULL THEN p.sqlstate ELSE l.sqlstate END AS sqlstate,
		CASE WHEN s.stop_reason IS NOT NULL THEN s.stopped_at
			WHEN p.state IS NOT NULL THEN p.error_at ELSE l.error_at END AS error_at,
		COALESCE(p.pid, l.pid) AS pid
	FROM recsys.stream s
		LEFT JOIN (
			SELECT COALESCE(o.stream_id, r.stream_id) AS stream_id, COALESCE(o.partition, r.partition) AS partition,
				o.next_offset, o.rows, o.rejected, o.last_event_time, o.updated, r.state,
				COALESCE(r.end_offset, o.end_offset) AS end_offset,
				r.rows_per_second, r.error, r.sqlstate, r.error_at, r.pid
			FROM recsys.stream_offset o
				FULL JOIN (SELECT w.* FROM w WHERE w.partition IS NOT NULL) r
				ON r.stream_id OPERATOR(pg_catalog.=) o.stream_id AND r.partition OPERATOR(pg_catalog.=) o.partition
		) p ON p.stream_id OPERATOR(pg_catalog.=) s.id
		LEFT JOIN (
			SELECT DISTINCT ON (w.stream_id) w.* FROM w ORDER BY w.stream_id, w.error_at DESC NULLS LAST, w.worker
		) l ON l.stream_id OPERATOR(pg_catalog.=) s.id;
COMMENT ON VIEW recsys.stream_status IS 'where the streams are: a row a partition, or one of a stream that has none yet';

CREATE VIEW recsys.streams WITH (security_invoker = true) AS
	SELECT s.name AS stream, s.owner::regrole AS owner, s.brokers, s.topic, s.target::regclass AS target, s.mapping, s.options, t.state,
		t.partitions, t.lag, t.rows, t.rejected, t.last_event_time, t.error, t.sqlstate, t.error_at,
		s.seek_to, s.created
	FROM recsys.stream s
		JOIN (
			SELECT p.stream, (pg_catalog.array_agg(p.state ORDER BY p.state OPERATOR(pg_catalog.=) 'running', p.state))[1] AS state, pg_catalog.count(p.partition) AS partitions,
				pg_catalog.sum(p.lag)::bigint AS lag, COALESCE(pg_catalog.sum(p.rows)::bigint, 0) AS rows,
				COALESCE(pg_catalog.sum(p.rejected)::bigint, 0) AS rejected,
				pg_catalog.max(p.last_event_time) AS last_event_time,
				(pg_catalog.array_agg(p.error ORDER BY p.error_at DESC NULLS LAST))[1] AS error,
				(pg_catalog.array_agg(p.sqlstate ORDER BY p.error_at DESC NULLS LAST))[1] AS sqlstate,
				pg_catalog.max(p.error_at) AS error_at
			FROM recsys.stream_status p GROUP BY p.stream
		) t ON t.stream OPERATOR(pg_catalog.=) s.name;
COMMENT ON VIEW recsys.streams IS 'streams that you may see: what they are, and how all their partitions together are doing';

-- One table, so that rows can be deleted through it
CREATE VIEW recsys.dead_letters WITH (security_invoker = true) AS
	SELECT d.id, (SELECT s.name FROM recsys.stream s WHERE s.id OPERATOR(pg_catalog.=) d.stream_id) AS stream,
		d.partition, d.message_offset, d.message_time, d.key, d.payload, d.headers, d.sqlstate, d.error,
		d.rejected_at, d.retries
	FROM recsys.dead_letter d;
COMMENT ON VIEW recsys.dead_letters IS 'messages that your streams could not write, byte for byte, and why';
CREATE VIEW recsys.stream_losses WITH (security_invoker = true) AS
	SELECT s.name AS stream, l.partition, l.from_offset, l.to_offset,
		l.to_offset OPERATOR(pg_catalog.-) l.from_offset AS offsets, l.policy, l.reason, l.noticed
	FROM recsys.stream_loss l JOIN recsys.stream s ON s.id OPERATOR(pg_catalog.=) l.stream_id;
COMMENT ON VIEW recsys.stream_losses IS 'offsets that a stream went past without reading them, because the broker no longer had them or by a seek';

-- Names and types as Prometheus wants them, one row a sample.  No dead letters of
-- streams whose messages the caller may not see: zero would be a lie.
CREATE VIEW recsys.stream_metrics WITH (security_invoker = true) AS
	WITH p AS MATERIALIZED (SELECT t.* FROM recsys.stream_status t)
	SELECT m.metric, m.type, m.help, m.labels, m.value
	FROM (
		SELECT v.metric, v.type, v.help,
			pg_catalog.jsonb_build_object('stream', p.stream, 'partition', p.partition::text) AS labels, v.value
		FROM p CROSS JOIN LATERAL (VALUES
			('recsys_stream_next_offset', 'gauge', 'Offset of the next message to write.', p.next_offset::double precision),
			('recsys_stream_end_offset', 'gauge', 'Offset behind the last message of the broker.', p.end_offset::double precision),
			('recsys_stream_lag', 'gauge', 'Offsets between the next message to write and the end.', p.lag::double precision),
			('recsys_stream_rows_total', 'counter', 'Rows written to the target.', p.rows::double precision),
			('recsys_stream_rejected_total', 'counter', 'Messages written to dead_letters.', p.rejected::double precision),
			('recsys_stream_last_event_age_seconds', 'gauge', 'Age of the last message written, by the time that it has from the broker.',
				EXTRACT(epoch FROM pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) p.last_event_time)::double precision)
		) v (metric, type, help, value)
		WHERE p.partition IS NOT NULL
		UNION ALL
		SELECT 'recsys_stream_up', 'gauge', 'Whether the stream runs.', pg_catalog.jsonb_build_object('stream', p.stream),
			pg_catalog.bool_and(p.state OPERATOR(pg_catalog.=) 'running')::integer
		FROM p GROUP BY p.stream
		UNION ALL
		SELECT 'recsys_stream_paused', 'gauge', 'Whether it was paused, by somebody and not by an error.',
			pg_catalog.jsonb_build_object('stream', p.stream),
			pg_catalog.bool_and(p.state OPERATOR(pg_catalog.=) 'paused')::integer
		FROM p GROUP BY p.stream
		UNION ALL
		SELECT 'recsys_stream_lost_offsets_total', 'counter', 'Offsets that the broker no longer had.',
			pg_catalog.jsonb_build_object('stream', s.name),
			COALESCE(pg_catalog.sum(l.to_offset OPERATOR(pg_catalog.-) l.from_offset), 0)::double precision
		FROM recsys.stream s LEFT JOIN recsys.stream_loss l ON l.stream_id OPERATOR(pg_catalog.=) s.id
				AND l.policy OPERATOR(pg_catalog.<>) 'seek'
		GROUP BY s.name
		UNION ALL
		SELECT 'recsys_stream_dead_letters', 'gauge', 'Messages in dead_letters now.',
			pg_catalog.jsonb_build_object('stream', s.name),
			pg_catalog.count(d.stream_id)::double precision
		FROM recsys.stream s LEFT JOIN recsys.dead_letter d ON d.stream_id OPERATOR(pg_catalog.=) s.id
		WHERE pg_catalog.pg_has_role(s.owner::oid, 'USAGE')
		GROUP BY s.name
	) m (metric, type, help, labels, value)
	WHERE m.value IS NOT NULL;
COMMENT ON VIEW recsys.stream_metrics IS 'the streams in numbers, named and typed for Prometheus';
GRANT SELECT ON recsys.stream_status, recsys.streams, recsys.dead_letters, recsys.stream_losses, recsys.stream_metrics TO PUBLIC;
GRANT DELETE ON recsys.dead_letters TO PUBLIC;

CREATE FUNCTION recsys.create_stream(name text, brokers text, topic text, target regclass,
	mapping jsonb DEFAULT NULL, options jsonb DEFAULT '{}')
	RETURNS void
	AS 'MODULE_PATHNAME', 'recsys_create_stream' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION recsys.create_stream(text, text, text, regclass, jsonb, jsonb)
	IS 'create a stream: the messages of a Kafka topic into a table, as you';
CREATE FUNCTION recsys.alter_stream(name text, brokers text DEFAULT NULL, topic text DEFAULT NULL,
	target regclass DEFAULT NULL, mapping jsonb DEFAULT NULL, options jsonb DEFAULT NULL,
	owner regrole DEFAULT NULL)
	RETURNS void
	AS 'MODULE_PATHNAME', 'recsys_alter_stream' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION recsys.alter_stream(text, text, text, regclass, jsonb, jsonb, regrole)
	IS 'change a stream; null leaves a thing as it is';
CREATE FUNCTION recsys.pause_stream(stream text) RETURNS void
	AS 'MODULE_PATHNAME', 'recsys_pause_stream' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION recsys.pause_stream(text) IS 'stop a stream behind the batch in flight';
CREATE FUNCTION recsys.resume_stream(stream text) RETURNS void
	AS 'MODULE_PATHNAME', 'recsys_resume_stream' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION recsys.resume_stream(text)
	IS 'let a stream run that was paused, stopped by an error, or restored from a dump';
CREATE FUNCTION recsys.seek_stream(stream text, start text) RETURNS void
	AS 'MODULE_PATHNAME', 'recsys_seek_stream' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION recsys.seek_stream(text, text)
	IS 'go on from earliest, latest, a timestamp, or the offsets of a JSON object by partition';
CREATE FUNCTION recsys.skip_message(stream text, partition integer, message_offset bigint) RETURNS void
	AS 'MODULE_PATHNAME', 'recsys_skip_message' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION recsys.skip_message(text, integer, bigint)
	IS 'have a message that holds up a stream be a dead letter, unread';
CREATE FUNCTION recsys.drop_stream(stream text) RETURNS void
	AS 'MODULE_PATHNAME', 'recsys_drop_stream' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION recsys.drop_stream(text) IS 'drop a stream with its offsets and dead letters; its rows stay in the target';
CREATE FUNCTION recsys.retry_dead_letters(stream text, since timestamptz DEFAULT NULL,
	until timestamptz DEFAULT NULL, partition integer DEFAULT NULL, from_offset bigint DEFAULT NULL,
	to_offset bigint DEFAULT NULL, sqlstate text DEFAULT NULL, max_messages bigint DEFAULT NULL,
	OUT retried bigint, OUT written bigint, OUT rejected bigint)
	AS 'MODULE_PATHNAME', 'recsys_retry_dead_letters' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION recsys.retry_dead_letters(text, timestamptz, timestamptz, integer, bigint, bigint, text, bigint)
	IS 'write dead letters of a stream again; those that go in are dead letters no more';

-- what a training says of each epoch, kept with the version
CREATE VIEW recsys.training_log WITH (security_invoker = true) AS
	SELECT r.name AS model, v.version, e.epoch::integer, e.loss, e.validation_loss, e.validation_hit_rate
	FROM recsys.model_version v
		JOIN recsys.model_registry r ON r.id OPERATOR(pg_catalog.=) v.model_id
		CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(v.epoch_loss),
			pg_catalog.unnest(v.epoch_validation_loss), pg_catalog.unnest(v.epoch_validation_hit_rate))
			WITH ORDINALITY e(loss, validation_loss, validation_hit_rate, epoch);
COMMENT ON VIEW recsys.training_log IS 'loss and validation metrics of every epoch of the models that you may use';
GRANT SELECT ON recsys.training_log TO PUBLIC;

