-- encoders against what Spark and scikit-learn answered (test/data, recorded by
-- test/reference): every recorded case is compared, or named with the reason
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE SCHEMA reference_test;
SET search_path = reference_test, public;
\getenv directory PG_ABS_SRCDIR
\set file :directory '/data/spark_encoders.json'
\set spark `cat :'file'`
\set file :directory '/data/sklearn_encoders.json'
\set sklearn `cat :'file'`
CREATE TABLE cases AS
SELECT source, c ->> 'name' AS name, c ->> 'kind' AS kind, c -> 'options' AS o, c -> 'input' AS i, c -> 'expected' -> 'values' AS want,
	c -> 'expected' AS expected, c ? 'error' AS refused
FROM (VALUES ('spark', :'spark'::jsonb), ('sklearn', :'sklearn')) f(source, j), jsonb_array_elements(j -> 'cases') c;

-- numbers within 1e-6, relative where they are large; all else the same
CREATE FUNCTION same(a jsonb, b jsonb) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	IF jsonb_typeof(a) = 'number' AND jsonb_typeof(b) = 'number' THEN
		RETURN abs(a::float8 - b::float8) <= 1e-6 * greatest(1, abs(b::float8));
	ELSIF jsonb_typeof(a) = 'array' AND jsonb_typeof(b) = 'array' THEN
		RETURN jsonb_array_length(a) = jsonb_array_length(b) AND NOT EXISTS (SELECT FROM generate_series(0, jsonb_array_length(a) - 1) n WHERE NOT same(a -> n, b -> n));
	END IF;
	RETURN coalesce(a = b OR (a = '0' AND b = '"-0"'), false);
END $$;
-- [1, "NaN"] as {"c0": 1, "c1": null}: what is NaN to them is missing to us
CREATE FUNCTION object(r jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
	SELECT jsonb_object_agg('c' || n - 1, CASE WHEN e = '"NaN"' THEN 'null' ELSE e END)
	FROM jsonb_array_elements(CASE WHEN jsonb_typeof(r) = 'array' THEN r ELSE jsonb_build_array(r) END) WITH ORDINALITY x(e, n) $$;
CREATE FUNCTION columns(r jsonb, steps jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
	SELECT jsonb_agg(jsonb_build_object('column', key) || steps ORDER BY length(key), key) FROM jsonb_object_keys(object(r)) key $$;
CREATE FUNCTION fitted(input jsonb, steps jsonb) RETURNS recsys.encoder LANGUAGE sql AS $$
	SELECT recsys.fit_encoder(object(r), columns(input -> 'fit' -> 0, steps)) FROM jsonb_array_elements(input -> 'fit') r $$;
-- vectors of the values; `single` takes them out of their vectors
CREATE FUNCTION encoded(e recsys.encoder, vals jsonb, single boolean) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_agg(CASE WHEN single THEN coalesce(v -> 0, 'null') ELSE coalesce(v, 'null') END ORDER BY n)
	FROM (SELECT n, to_jsonb(recsys.encode(e, object(r))) AS v FROM jsonb_array_elements(vals) WITH ORDINALITY x(r, n)) y $$;
CREATE FUNCTION lists(vals jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
	SELECT jsonb_agg(jsonb_build_array(v) ORDER BY n) FROM jsonb_array_elements(vals) WITH ORDINALITY x(v, n) $$;
CREATE FUNCTION number(v jsonb) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$ SELECT (v #>> '{}')::float8 $$;

-- why a case has no counterpart here; null where it has
CREATE FUNCTION different(c cases) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE
		WHEN c.kind = 'string_indexer' AND c.o ->> 'order' IN ('frequencyAsc', 'alphabetDesc') THEN 'descending orders only by frequency'
		WHEN c.name ~ '^string_indexer fit on nothing' THEN 'an aggregate over no rows is null'
		WHEN c.name ~ '^one_hot (NaN|fraction)' THEN 'an index is a whole number'
		WHEN c.kind = 'k_bins_discretizer' AND c.name ~ 'ties|constant' AND c.o ->> 'strategy' = 'quantile' THEN 'an empty first bucket is kept, as in Spark'
		WHEN c.kind = 'vector_assembler' AND c.o ->> 'handle_invalid' <> 'error' THEN 'handleInvalid is error'
		WHEN c.kind = 'imputer' AND c.o ->> 'missing_value' <> 'NaN' THEN 'what is missing is null or NaN'
		WHEN c.kind = 'standard_scaler' AND c.o ->> 'with_std' = 'false' THEN 'scales by the deviation'
		WHEN c.kind = 'robust_scaler' AND (c.o ->> 'with_scaling' = 'false' OR c.o ->> 'lower' <> '0.25') THEN 'scales by the quartiles'
		WHEN c.kind ~ 'scaler' AND c.i::text ~ 'NaN' THEN 'NaN is missing, an error where nothing is imputed'
		WHEN c.kind = 'bucketizer' AND c.i -> 'values' @> 'null' THEN 'null is missing, as NaN is'
		WHEN c.kind = 'bucketizer' AND c.i -> 'values' @> '"-0"' THEN '-0 is 0'
		WHEN c.kind IN ('hashing_tf') THEN 'hashes column=value as FeatureHasher'
		WHEN c.kind = 'feature_hasher' AND (jsonb_array_length(c.o -> 'columns') > 1 OR c.o -> 'columns' -> 0 ->> 1 = 'number') THEN 'hashes texts, each column in bins of its own'
		WHEN c.kind = 'count_vectorizer' AND (c.o ->> 'vocabulary_size')::int < 3 THEN 'min_frequency bounds the categories'
		WHEN c.kind = 'count_vectorizer' AND (c.o ->> 'min_df')::int > 1 THEN 'min_frequency counts occurrences'
		WHEN c.kind = 'simple_imputer' AND c.o ? 'add_indicator' THEN 'no indicators'
		WHEN c.kind = 'sklearn_min_max_scaler' AND (c.name ~ 'constant|one row') THEN 'a constant column is 0.5 as in Spark'
		WHEN c.kind = 'sklearn_min_max_scaler' AND c.o ? 'clip' THEN 'does not clip'
		WHEN c.kind = 'sklearn_one_hot' AND c.o ->> 'drop' IN ('first', 'if_binary') THEN 'drops the last as Spark'
		WHEN c.kind = 'sklearn_one_hot' AND c.o ->> 'handle_unknown' = 'infrequent_if_exist' AND c.o ? 'max_categories' THEN 'min_frequency bounds the categories'
		WHEN c.kind = 'ordinal_encoder' AND c.o ? 'unknown_value' THEN 'keep gives unseen the number after the last'
		WHEN c.kind = 'multi_label_binarizer' AND c.name ~ 'code points' THEN 'texts go by UTF-16 as in Spark'
		WHEN c.kind = 'k_bins_discretizer' AND c.o ->> 'strategy' <> 'quantile' THEN 'buckets by quantiles or as given'
	END $$;

CREATE FUNCTION ours(c cases) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	o jsonb := c.o;
	i jsonb := c.i;
	fit jsonb := c.i -> 'fit';
	vals jsonb := c.i -> 'values';
	unseen text := coalesce(c.o ->> 'index_handle_invalid', c.o ->> 'handle_invalid');
	labels recsys.string_indexer_model;
	e recsys.encoder;
	size integer;
	result jsonb;
BEGIN
	CASE c.kind
	WHEN 'string_indexer' THEN
		IF o ->> 'order' = 'alphabetAsc' THEN
			SELECT recsys.fit_encoder(jsonb_build_object('c', v), jsonb_build_object('c', jsonb_build_object('encode', 'index', 'order', 'alphabetical', 'unseen', unseen)))
			INTO e FROM jsonb_array_elements(fit) v;
			SELECT jsonb_agg((recsys.encode(e, jsonb_build_object('c', v)))[1] ORDER BY n) INTO result FROM jsonb_array_elements(vals) WITH ORDINALITY x(v, n);
			RETURN result;
		END IF;
		SELECT recsys.string_indexer(v #>> '{}') INTO labels FROM jsonb_array_elements(fit) v;
		IF labels::text::jsonb <> c.expected -> 'labels' THEN
			RETURN labels::text::jsonb;
		END IF;
		SELECT jsonb_agg(recsys.string_index(v #>> '{}', labels, unseen) ORDER BY n) INTO result
		FROM jsonb_array_elements(vals) WITH ORDINALITY x(v, n);
		RETURN result;
	WHEN 'one_hot' THEN
		SELECT max(v::int) + 1 INTO size FROM jsonb_array_elements(fit) v WHERE v <> 'null';
		SELECT jsonb_agg(recsys.one_hot(CASE WHEN unseen = 'keep' AND v::int NOT BETWEEN 0 AND size - 1 THEN size ELSE v::int END,
			CASE WHEN unseen = 'keep' THEN size + 1 ELSE size END, (o ->> 'drop_last')::boolean) ORDER BY n) INTO result
		FROM (SELECT nullif(v, 'null') AS v, n FROM jsonb_array_elements(vals) WITH ORDINALITY x(v, n)) x;
		RETURN result;
	WHEN 'indexed_one_hot' THEN
		SELECT recsys.string_indexer(v #>> '{}') INTO labels FROM jsonb_array_elements(fit) v;
		-- each "keep" adds a category: that of the index, and that of the encoder
		size := jsonb_array_length(labels::text::jsonb) + (unseen = 'keep')::int + (o ->> 'handle_invalid' = 'keep')::int;
		SELECT jsonb_agg(recsys.one_hot(recsys.string_index(v #>> '{}', labels, unseen), size, (o ->> 'drop_last')::boolean) ORDER BY n) INTO result
		FROM jsonb_array_elements(vals) WITH ORDINALITY x(v, n);
		IF o ->> 'handle_invalid' = 'error' AND NOT same(result, encoded(fitted(i, jsonb_build_object('encode', 'one_hot', 'unseen', unseen, 'drop_last', o -> 'drop_last')), vals, false)) THEN
			RETURN '"encode differs from one_hot"';
		END IF;
		RETURN result;
	WHEN 'vector_assembler' THEN
		SELECT jsonb_agg(v ORDER BY n) INTO result FROM (SELECT n, CASE jsonb_array_length(r)
			WHEN 1 THEN recsys.vector_assembler(number(r -> 0))
			WHEN 2 THEN CASE WHEN o -> 'vector_sizes' = '[0, 2]' THEN recsys.vector_assembler(number(r -> 0), CASE WHEN r -> 1 <> 'null' THEN translate((r -> 1)::text, '[]', '{}')::float8[] END)
				ELSE recsys.vector_assembler(number(r -> 0), number(r -> 1)) END
			WHEN 3 THEN recsys.vector_assembler(number(r -> 0), number(r -> 1), number(r -> 2))
			WHEN 4 THEN recsys.vector_assembler(number(r -> 0), translate((r -> 1)::text, '[]', '{}')::float8[], number(r -> 2), translate((r -> 3)::text, '[]', '{}')::float8[])
			END AS v FROM jsonb_array_elements(i -> 'rows') WITH ORDINALITY x(r, n)) y;
		RETURN result;
	WHEN 'imputer' THEN
		RETURN encoded(fitted(i, jsonb_build_object('impute', CASE o ->> 'strategy' WHEN 'mode' THEN 'most_frequent' ELSE o ->> 'strategy' END)), vals, true);
	WHEN 'standard_scaler' THEN
		RETURN encoded(fitted(i, jsonb_build_object('scale', 'standard', 'center', o -> 'with_mean')), vals, false);
	WHEN 'max_abs_scaler' THEN
		RETURN encoded(fitted(i, '{"scale": "max_abs"}'), vals, false);
	WHEN 'min_max_scaler' THEN
		SELECT jsonb_agg((SELECT jsonb_agg(v::float8 * ((o ->> 'max')::float8 - (o ->> 'min')::float8) + (o ->> 'min')::float8 ORDER BY m)
			FROM jsonb_array_elements(r) WITH ORDINALITY y(v, m)) ORDER BY n) INTO result
		FROM jsonb_array_elements(encoded(fitted(i, '{"scale": "min_max"}'), vals, false)) WITH ORDINALITY x(r, n);
		RETURN result;
	WHEN 'robust_scaler' THEN
		RETURN encoded(fitted(i, jsonb_build_object('scale', 'robust', 'center', o -> 'with_centering')), vals, false);
	WHEN 'bucketizer' THEN
		SELECT recsys.fit_encoder(ROW(NULL::float8), jsonb_build_array(jsonb_build_object('column', 'c', 'bucketize',
			replace(replace((o -> 'splits')::text, 'Infinity', 'infinity'), '+', '')::jsonb, 'unseen', unseen))) INTO e;
		SELECT jsonb_agg((recsys.encode(e, ROW(number(v))))[1] ORDER BY n) INTO result FROM jsonb_array_elements(vals) WITH ORDINALITY x(v, n);
		RETURN result;
	WHEN 'quantile_discretizer' THEN
		RETURN encoded(fitted(i, jsonb_build_object('bucketize', o -> 'buckets', 'unseen', unseen)), vals, true);
	WHEN 'feature_hasher' THEN
		SELECT recsys.fit_encoder('{}'::jsonb, jsonb_build_array(jsonb_build_object('column', o -> 'columns' -> 0 ->> 0, 'encode', 'hash', 'size', o -> 'num_features'))) INTO e;
		SELECT jsonb_agg((SELECT coalesce(jsonb_object_agg(p - 1, f), '{}') FROM unnest(recsys.encode(e, jsonb_build_object(o -> 'columns' -> 0 ->> 0, r -> 0)))
			WITH ORDINALITY u(f, p) WHERE f <> 0) ORDER BY n) INTO result FROM jsonb_array_elements(i -> 'rows') WITH ORDINALITY x(r, n);
		RETURN result;
	WHEN 'count_vectorizer' THEN
		i := jsonb_build_object('fit', lists(fit));
		RETURN encoded(fitted(i, '{"encode": "multi_hot", "unseen": "ignore"}'), lists(vals), false);
	WHEN 'multi_label_binarizer' THEN
		i := jsonb_build_object('fit', lists(fit));
		RETURN encoded(fitted(i, '{"encode": "multi_hot", "unseen": "ignore", "order": "alphabetical"}'), lists(vals), false);
	WHEN 'simple_imputer' THEN
		RETURN CASE WHEN c.name ~ 'text'
			THEN (SELECT jsonb_agg(jsonb_build_array((SELECT category FROM recsys.encoder_columns(f.e) k WHERE k.position = (v -> 0)::int + 1)) ORDER BY n)
				FROM (SELECT fitted(i, '{"impute": "most_frequent", "encode": "one_hot"}') AS e) f,
				LATERAL (SELECT n, to_jsonb(ARRAY[array_position(recsys.encode(f.e, object(r)), 1) - 1]) AS v FROM jsonb_array_elements(vals) WITH ORDINALITY x(r, n)) y)
			ELSE encoded(fitted(i, jsonb_build_object('impute', o ->> 'strategy') || CASE o ->> 'strategy' WHEN 'constant' THEN jsonb_build_object('value', o -> 'fill_value')
				WHEN 'median' THEN '{"interpolate": true}' ELSE '{}' END), vals, false) END;
	WHEN 'sklearn_standard_scaler' THEN
		RETURN encoded(fitted(i, '{"scale": "standard", "deviation": "population"}'), vals, false);
	WHEN 'sklearn_min_max_scaler' THEN
		RETURN encoded(fitted(i, '{"scale": "min_max"}'), vals, false);
	WHEN 'sklearn_robust_scaler' THEN
		RETURN encoded(fitted(i, '{"scale": "robust", "interpolate": true}'), vals, false);
	WHEN 'sklearn_one_hot' THEN
		RETURN encoded(fitted(i, jsonb_build_object('encode', 'one_hot', 'order', 'alphabetical', 'unseen',
			CASE o ->> 'handle_unknown' WHEN 'infrequent_if_exist' THEN 'keep' ELSE o ->> 'handle_unknown' END)
			|| CASE WHEN o ? 'min_frequency' THEN jsonb_build_object('min_frequency', o -> 'min_frequency') ELSE '{}' END), vals, false);
	WHEN 'ordinal_encoder' THEN
		RETURN encoded(fitted(i, '{"encode": "index", "order": "alphabetical"}'), vals, false);
	WHEN 'log1p' THEN
		RETURN encoded(fitted(i, '{"log": true}'), vals, false);
	WHEN 'k_bins_discretizer' THEN
		RETURN encoded(fitted(i, jsonb_build_object('bucketize', o -> 'bins', 'interpolate', true)), vals, false);
	END CASE;
END $$;
CREATE FUNCTION attempt(c cases) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
	RETURN ours(c);
EXCEPTION WHEN data_exception OR invalid_parameter_value OR no_data_found OR null_value_not_allowed THEN
	RETURN to_jsonb('refused: ' || sqlerrm);
END $$;
CREATE TABLE answers AS SELECT c.*, different(c) AS reason, CASE WHEN different(c) IS NULL THEN attempt(c) END AS got FROM cases c;
ALTER TABLE answers ADD ok boolean;
UPDATE answers SET ok = CASE WHEN refused THEN got #>> '{}' LIKE 'refused: %' ELSE same(got, want) END WHERE reason IS NULL;
SELECT source, kind, count(*) AS cases, count(ok) AS compared, count(*) FILTER (WHERE ok) AS same FROM answers GROUP BY 1, 2 ORDER BY 1 DESC, 2;
SELECT count(*) AS cases, count(ok) AS compared, count(*) FILTER (WHERE ok) AS same FROM answers;
-- what differs, in full
SELECT name, o, i, want, got FROM answers WHERE NOT ok ORDER BY name;
-- what was not compared, and why
SELECT source, kind, reason, count(*) FROM answers WHERE reason IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 1 DESC, 2, 3;
DROP SCHEMA reference_test CASCADE;
