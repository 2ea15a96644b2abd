-- explain, because: parts that sum to the score, of every algorithm
SET client_min_messages = warning;
CREATE SCHEMA explain_test;
SET search_path = explain_test, public;
CREATE TABLE events AS
SELECT u::bigint AS user_id, ((u * 7 + n * n * 3) % 23)::bigint AS item_id, 1 + (u + n) % 3 AS weight,
	timestamptz '2026-01-01 00:00 UTC' + n * interval '1 hour' AS ts
FROM generate_series(1, 40) u, generate_series(1, 3 + u % 5) n;
INSERT INTO events SELECT user_id, item_id, -1, ts FROM events WHERE user_id = 5 AND item_id < 6;
CREATE TABLE users AS SELECT u::bigint AS user_id, 20 + u % 30 AS age, CASE u % 3 WHEN 0 THEN 'a' WHEN 1 THEN 'b' ELSE 'c' END AS city
FROM generate_series(1, 40) u;
CREATE VIEW events_text AS SELECT user_id, 'item ' || lpad(item_id::text, 2, '0') AS item_id, weight FROM events;
SELECT recsys.create_model(name, 'events', coalesce(algorithm, name), options::jsonb, weight_column => 'weight',
	time_column => CASE name WHEN 'sequence' THEN 'ts' END)
FROM (VALUES ('als', NULL, '{"factors": 8}'), ('ease', NULL, '{}'), ('thin', 'ease', '{"dense_items": 0, "neighbors": 5}'),
	('item_knn', NULL, '{}'), ('sequence', NULL, '{}'), ('popularity', NULL, '{}'),
	('net', 'mlp', '{"history": 4, "epochs": 3, "hidden": [6]}')) m(name, algorithm, options);
SELECT recsys.create_model('both', 'events', 'mlp', '{"history": 4, "epochs": 3, "hidden": [6]}', weight_column => 'weight',
	users => 'users', features => '{"age": {"scale": "standard"}, "city": {"encode": "one_hot"}}');
SELECT recsys.create_model('named', 'events_text', 'als', '{"factors": 8}', weight_column => 'weight');
SELECT sum(recsys.train(model)) FROM recsys.models;

-- they sum to the score: of all items, for all users, by all models
SELECT m.model, count(*) > 400 AS many, bool_and(abs(r.score - e.sum) < 1e-4 * (1 + e.size)) AS sums, min(e.method) AS method, max(e.method) AS methods
FROM recsys.models m, generate_series(1::bigint, 40) u, recsys.recommend(u, 100, m.model, exclude_seen => false) r,
	LATERAL (SELECT coalesce(sum(contribution), 0) AS sum, coalesce(sum(abs(contribution)), 0) AS size, max(method) AS method
		FROM recsys.explain(u, r.item_id, m.model)) e
WHERE m.model <> 'named' AND r.source = 'model' GROUP BY 1 ORDER BY 1;
-- rows of item_knn and ease are weights: the contribution of an item is weight times weight
SELECT m, bool_and(abs(e.contribution - h.weight * s.score) < 1e-5) AS same, count(*) > 500 AS many
FROM unnest(ARRAY['item_knn', 'ease', 'thin']) m, generate_series(1::bigint, 40) u, generate_series(0::bigint, 22) i,
	recsys.explain(u, i, m) e,
	LATERAL (SELECT sum(weight) AS weight FROM events WHERE user_id = u AND item_id = e.item_id) h,
	recsys.recommend_for_items(ARRAY[e.item_id], 100, m, exclude_seen => false) s
WHERE s.item_id = i GROUP BY 1 ORDER BY 1;
-- of a history of one item all comes from it
SELECT bool_and(e.n = 1 AND abs(e.contribution - r.score) < 1e-5) AS all_of_one
FROM generate_series(0::bigint, 22) i, recsys.recommend_for_items(ARRAY[7::bigint], 100, 'als', exclude_seen => false) r,
	LATERAL (SELECT count(*) AS n, sum(contribution) AS contribution FROM recsys.explain_for_items(ARRAY[7::bigint], i, 'als')) e
WHERE r.item_id = i;
-- each past item once, the greatest first; what is not known of is not there
SELECT bool_and(n = 1) AS once FROM (SELECT count(*) AS n FROM recsys.explain(5::bigint, 11::bigint, 'als') GROUP BY item_id) e;
SELECT bool_and(contribution <= before) AS descending
FROM (SELECT contribution, lag(contribution) OVER () AS before FROM recsys.explain(7::bigint, 11::bigint, 'ease')) e;
SELECT bool_and(item_id IN (SELECT item_id FROM events WHERE user_id = 7) AND input IS NULL) AS of_the_history
FROM recsys.explain(7::bigint, 11::bigint, 'ease');
-- columns of the network's features, history, and the rest
SELECT count(*) FILTER (WHERE item_id IS NOT NULL) AS items, array_agg(input ORDER BY input) FILTER (WHERE input IS NOT NULL) AS inputs,
	count(*) FILTER (WHERE item_id IS NULL AND input IS NULL) AS rest, array_agg(DISTINCT method) AS method
FROM recsys.explain(7::bigint, 11::bigint, 'both');
-- a value, without names of columns and with them; lists
SELECT count(*) > 0 AS rows, bool_and(a.contribution = b.contribution) AS same
FROM recsys.explain_with(recsys.load_model('ease'), '{3,4,4,9}'::bigint[], 11::bigint) a
	FULL JOIN recsys.explain_for_items('{3,4,4,9}'::bigint[], 11::bigint, 'ease') b USING (item_id);
-- an id has the type of the call
SELECT item_id, pg_typeof(item_id) FROM recsys.explain('7', 'item 11', 'named') LIMIT 1;
SELECT bool_and(a.contribution = b.contribution) AS text_form
FROM recsys.explain(7::bigint, 11::bigint, 'als') a FULL JOIN recsys.explain('7', '11', 'als') b ON a.item_id::text = b.item_id;
PREPARE untyped AS SELECT count(*) AS rows FROM recsys.explain_for_items($1, $2, 'als');
EXECUTE untyped('{3,4}', '11');
SELECT count(*) AS rows, count(because_item_id) AS because FROM recsys.because('7', '{11,12}', 'als');
SELECT count(*) AS rows FROM recsys.explain_with(recsys.load_model('als'), '{3,4}', '11');
DEALLOCATE untyped;
-- no user, nobody's item, nothing known
SELECT count(*) FROM recsys.explain(NULL::bigint, 11::bigint, 'als');
SELECT count(*) FROM recsys.explain(7::bigint, 999::bigint, 'als');
SELECT count(*) FROM recsys.explain(7::bigint, NULL::bigint, 'als');
SELECT count(*) FROM recsys.explain(999::bigint, 11::bigint, 'als');
SELECT item_id, input, contribution = (SELECT sum(weight) FROM events WHERE item_id = 11) AS popularity, method
FROM recsys.explain(999::bigint, 11::bigint, 'popularity');
SELECT count(*) FROM recsys.explain_for_items(NULL::bigint[], 11::bigint, 'als');
SELECT count(*) FROM recsys.explain_with(NULL, ARRAY[1::bigint], 11::bigint);
SELECT recsys.explain(7::bigint, 11::bigint, 'named');
SELECT recsys.explain(7::bigint, 11::bigint, 'als', 2);
SELECT recsys.explain(7::bigint, 11::bigint, 'als', 0);

-- because: the greatest of the parts, but for the item itself
SELECT m, count(*) AS rows, bool_and(b.because_item_id IS NOT DISTINCT FROM e.item_id AND b.contribution IS NOT DISTINCT FROM e.contribution) AS right
FROM unnest(ARRAY['als', 'ease', 'item_knn', 'sequence', 'net', 'popularity']) m, generate_series(1::bigint, 40, 3) u,
	recsys.because(u, (SELECT array_agg(i) FROM generate_series(0::bigint, 23) i), m) b
	LEFT JOIN LATERAL (SELECT * FROM recsys.explain(u, b.item_id, m) e WHERE e.item_id <> b.item_id AND e.contribution > 0
		ORDER BY e.contribution DESC, e.item_id LIMIT 1) e ON true
GROUP BY 1 ORDER BY 1;
-- in the order of the list, the unknown too
SELECT item_id, because_item_id IS NOT NULL AS because FROM recsys.because(7::bigint, ARRAY[11, 999, 11]::bigint[], 'als');
SELECT count(*) FROM recsys.because(7::bigint, '{}'::bigint[], 'als');
SELECT count(*) FROM recsys.because(7::bigint, NULL::bigint[], 'als');
SELECT count(because_item_id) FROM recsys.because(NULL::bigint, ARRAY[11]::bigint[], 'als');
SELECT recsys.because(7::bigint, ARRAY[NULL]::bigint[], 'als');
-- whose rights hold: the history is what the caller may see
ALTER TABLE events ENABLE ROW LEVEL SECURITY;
CREATE POLICY some_items ON events USING (item_id % 2 = 0);
CREATE ROLE explain_reader;
GRANT USAGE ON SCHEMA explain_test TO explain_reader;
GRANT SELECT ON events TO explain_reader;
SET ROLE explain_reader;
SELECT count(*) > 0 AS some, bool_and(item_id % 2 = 0) AS even FROM recsys.explain(7::bigint, 11::bigint, 'ease');
RESET ROLE;
DROP OWNED BY explain_reader;
DROP ROLE explain_reader;
SELECT recsys.drop_model(model) FROM recsys.models;
DROP SCHEMA explain_test CASCADE;
