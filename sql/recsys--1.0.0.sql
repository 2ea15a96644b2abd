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

-- type model
CREATE TYPE recsys.model;
CREATE FUNCTION recsys.model_in(cstring) RETURNS recsys.model
	AS 'MODULE_PATHNAME', 'recsys_model_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION recsys.model_out(recsys.model) RETURNS cstring
	AS 'MODULE_PATHNAME', 'recsys_model_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION recsys.model_recv(internal) RETURNS recsys.model
	AS 'MODULE_PATHNAME', 'recsys_model_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION recsys.model_send(recsys.model) RETURNS bytea
	AS 'MODULE_PATHNAME', 'recsys_model_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE TYPE recsys.model (
	INPUT = recsys.model_in, OUTPUT = recsys.model_out,
	RECEIVE = recsys.model_recv, SEND = recsys.model_send,
	ALIGNMENT = double, STORAGE = external
);
COMMENT ON TYPE recsys.model IS 'trained model: item vectors or weights, popularity and item ids, as safetensors bytes';
COMMENT ON FUNCTION recsys.model_in(cstring) IS 'model from its text form, base64';
COMMENT ON FUNCTION recsys.model_out(recsys.model) IS 'text form of a model, base64';
COMMENT ON FUNCTION recsys.model_recv(internal) IS 'model from its binary form';
COMMENT ON FUNCTION recsys.model_send(recsys.model) IS 'binary form of a model';

CREATE FUNCTION recsys.bytea_to_model(bytea) RETURNS recsys.model
	AS 'MODULE_PATHNAME', 'recsys_bytea_to_model' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION recsys.bytea_to_model(bytea) IS 'model from the bytes of a safetensors file, validated';
CREATE FUNCTION recsys.model_to_bytea(recsys.model) RETURNS bytea
	AS 'MODULE_PATHNAME', 'recsys_model_to_bytea' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION recsys.model_to_bytea(recsys.model) IS 'model as the bytes of a safetensors file';
CREATE CAST (bytea AS recsys.model) WITH FUNCTION recsys.bytea_to_model(bytea);
COMMENT ON CAST (bytea AS recsys.model) IS 'import of a safetensors file';
CREATE CAST (recsys.model AS bytea) WITH FUNCTION recsys.model_to_bytea(recsys.model);
COMMENT ON CAST (recsys.model AS bytea) IS 'export as a safetensors file';

-- options and progress
CREATE FUNCTION recsys.algorithm_options(
	OUT algorithm text, OUT option text, OUT type text, OUT default_value text, OUT range text,
	OUT description text)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'recsys_algorithm_options' LANGUAGE C STABLE PARALLEL SAFE ROWS 50;
COMMENT ON FUNCTION recsys.algorithm_options() IS 'options of every algorithm with their defaults and ranges';

CREATE FUNCTION recsys.training_progress_rows(
	OUT pid integer, OUT datid oid, OUT role oid, OUT model text, OUT algorithm text,
	OUT phase text, OUT iteration integer, OUT iterations integer, OUT loss double precision,
	OUT rows bigint, OUT seconds double precision)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'recsys_training_progress' LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 4;
COMMENT ON FUNCTION recsys.training_progress_rows() IS 'support for recsys.training_progress';
CREATE VIEW recsys.training_progress AS
	SELECT p.pid, d.datname AS database, r.rolname AS role, p.model, p.algorithm, p.phase,
		p.iteration, p.iterations, p.loss, p.rows, p.seconds
	FROM recsys.training_progress_rows() p
		LEFT JOIN pg_catalog.pg_database d ON d.oid OPERATOR(pg_catalog.=) p.datid
		LEFT JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) p.role;
COMMENT ON VIEW recsys.training_progress IS 'trainings that run now, of every session: who trains what and how far it is';
GRANT SELECT ON recsys.training_progress TO PUBLIC;

-- training aggregates: support functions
-- One C function serves every type of item id and every argument list.
DO $$
DECLARE
	item text;
	tail text;
BEGIN
	FOREACH item IN ARRAY ARRAY['bigint', 'uuid', 'text'] LOOP
		FOREACH tail IN ARRAY ARRAY['', ', double precision', ', double precision, jsonb'] LOOP
			EXECUTE pg_catalog.format(
				'CREATE FUNCTION recsys.train_transfn(internal, "any", %1$s%2$s) RETURNS internal
					AS ''MODULE_PATHNAME'', ''recsys_train_transfn'' LANGUAGE C IMMUTABLE PARALLEL RESTRICTED',
				item, tail);
			EXECUTE pg_catalog.format(
				'COMMENT ON FUNCTION recsys.train_transfn(internal, "any", %1$s%2$s) IS ''support for the training aggregates''',
				item, tail);
			EXECUTE pg_catalog.format(
				'CREATE FUNCTION recsys.train_ordered_transfn(internal, "any", %1$s, timestamptz%2$s) RETURNS internal
					AS ''MODULE_PATHNAME'', ''recsys_train_ordered_transfn'' LANGUAGE C IMMUTABLE PARALLEL RESTRICTED',
				item, tail);
			EXECUTE pg_catalog.format(
				'COMMENT ON FUNCTION recsys.train_ordered_transfn(internal, "any", %1$s, timestamptz%2$s) IS ''support for the training aggregates over ordered events''',
				item, tail);
		END LOOP;
	END LOOP;
END
$$;
CREATE FUNCTION recsys.train_finalfn(internal) RETURNS recsys.model
	AS 'MODULE_PATHNAME', 'recsys_train_finalfn' LANGUAGE C IMMUTABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION recsys.train_finalfn(internal) IS 'support for the training aggregates: trains and returns the model';

-- training aggregates: (user_id, item_id [, weight [, options]]); sequence has ts after item_id
-- SSPACE is high so that GROUP BY sorts rather than keeps the events of all
-- groups in memory at once.
DO $$
DECLARE
	algorithm text;
	item text;
	tail text;
BEGIN
	FOREACH algorithm IN ARRAY ARRAY['als', 'ease', 'item_knn', 'popularity'] LOOP
		FOREACH item IN ARRAY ARRAY['bigint', 'uuid', 'text'] LOOP
			FOREACH tail IN ARRAY ARRAY['', ', weight double precision', ', weight double precision, options jsonb'] LOOP
				EXECUTE pg_catalog.format(
					'CREATE AGGREGATE recsys.train_%1$s(user_id "any", item_id %2$s%3$s) (
						SFUNC = recsys.train_transfn, STYPE = internal, SSPACE = 67108864,
						FINALFUNC = recsys.train_finalfn, FINALFUNC_MODIFY = READ_WRITE,
						PARALLEL = RESTRICTED)',
					algorithm, item, tail);
				EXECUTE pg_catalog.format(
					'COMMENT ON AGGREGATE recsys.train_%1$s("any", %2$s%3$s) IS ''model trained on the rows by algorithm %1$s''',
					algorithm, item, pg_catalog.regexp_replace(tail, 'weight |options ', '', 'g'));
			END LOOP;
		END LOOP;
	END LOOP;
	FOREACH item IN ARRAY ARRAY['bigint', 'uuid', 'text'] LOOP
		FOREACH tail IN ARRAY ARRAY['', ', weight double precision', ', weight double precision, options jsonb'] LOOP
			EXECUTE pg_catalog.format(
				'CREATE AGGREGATE recsys.train_sequence(user_id "any", item_id %1$s, ts timestamptz%2$s) (
					SFUNC = recsys.train_ordered_transfn, STYPE = internal, SSPACE = 67108864,
					FINALFUNC = recsys.train_finalfn, FINALFUNC_MODIFY = READ_WRITE,
					PARALLEL = RESTRICTED)',
				item, tail);
			EXECUTE pg_catalog.format(
				'COMMENT ON AGGREGATE recsys.train_sequence("any", %1$s, timestamptz%2$s) IS ''model of what follows what, trained on the rows in order of ts''',
				item, pg_catalog.regexp_replace(tail, 'weight |options ', '', 'g'));
		END LOOP;
	END LOOP;
END
$$;

-- registry
