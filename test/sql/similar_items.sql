-- similar_items: masks, unknown items, the three id types, every kind of model
SET client_min_messages = warning;
CREATE SCHEMA similar_test;
SET search_path = similar_test, public;
CREATE TABLE events AS
SELECT u AS user_id, (u * 7 + n * n * 3) % 23 AS item_id
FROM generate_series(1, 40) u, generate_series(1, 3 + u % 5) n;
CREATE VIEW events_uuid AS SELECT user_id, ('00000000-0000-0000-0000-' || lpad(item_id::text, 12, '0'))::uuid AS item_id FROM events;
CREATE VIEW events_text AS SELECT user_id, 'item ' || lpad(item_id::text, 2, '0') AS item_id FROM events;
SELECT recsys.create_model(name, source, algorithm, CASE algorithm WHEN 'als' THEN '{"factors": 8}' ELSE '{}' END::jsonb)
FROM (VALUES ('number', 'events'::regclass, 'als'), ('uuid', 'events_uuid', 'als'), ('text', 'events_text', 'als'),
	('knn', 'events', 'item_knn'), ('ease', 'events', 'ease'), ('popular', 'events', 'popularity')) m(name, source, algorithm);
SELECT recsys.train(m) FROM unnest(ARRAY['number', 'uuid', 'text', 'knn', 'ease', 'popular']) m;

-- ids sort alike, so the three models are the same but for the names of items
SELECT count(*) AS rows, bool_and(n.score = u.score AND n.score = t.score
	AND right(u.item_id::text, 2)::int = n.item_id AND right(t.item_id, 2)::int = n.item_id) AS same
FROM recsys.similar_items(3::bigint, 100, 'number') n
	JOIN recsys.similar_items('00000000-0000-0000-0000-000000000003'::uuid, 100, 'uuid') u USING (rank)
	JOIN recsys.similar_items('item 03', 100, 'text') t USING (rank);
SELECT bool_and(n.item_id::text = t.item_id AND n.score = t.score) AS text_form
FROM recsys.similar_items(3::bigint, 100, 'number') n JOIN recsys.similar_items('3', 100, 'number') t USING (rank);
-- cosine is symmetric and at most 1; ranks are 1, 2, …
SELECT bool_and(abs(a.score - b.score) < 1e-5) AS symmetric, bool_and(a.score <= 1.00001) AS cosine
FROM generate_series(0, 22) i, recsys.similar_items(i::bigint, 100, 'number') a,
	recsys.similar_items(a.item_id, 100, 'number') b WHERE b.item_id = i;
SELECT array_agg(rank ORDER BY score DESC, item_id) = ARRAY[1, 2, 3, 4, 5] AS ranks FROM recsys.similar_items(3::bigint, 5, 'number');
-- the first k of a longer answer
SELECT (SELECT array_agg(item_id ORDER BY rank) FROM recsys.similar_items(3::bigint, 4, 'number'))
	= (SELECT array_agg(item_id ORDER BY rank) FROM recsys.similar_items(3::bigint, 100, 'number') WHERE rank <= 4) AS prefix;
-- masks
SELECT array_agg(item_id ORDER BY item_id) FROM recsys.similar_items(3::bigint, 100, 'number', candidates => ARRAY[3, 4, 5, 999]);
SELECT count(*) FROM recsys.similar_items(3::bigint, 100, 'number', candidates => '{}'::bigint[]);
SELECT count(*) FROM recsys.similar_items(3::bigint, 100, 'number', exclude => ARRAY[4, 5, 999]);
SELECT count(*) FROM recsys.similar_items(3::bigint, 100, 'number', exclude => ARRAY[4], candidates => ARRAY[4, 5]);
-- nobody's item, no item, no row wanted
SELECT count(*) FROM recsys.similar_items(777::bigint, 10, 'number');
SELECT count(*) FROM recsys.similar_items(NULL::bigint, 10, 'number');
SELECT count(*) FROM recsys.similar_items(3::bigint, 0, 'number');
SELECT count(*) FROM recsys.similar_items(3::bigint, NULL, 'number');
SELECT count(*) > 0 AS knn FROM recsys.similar_items(3::bigint, 10, 'knn');
SELECT count(*) > 0 AS ease FROM recsys.similar_items(3::bigint, 10, 'ease');
-- popularity knows of no likeness
SELECT count(*) FROM recsys.similar_items(3::bigint, 10, 'popular');
SELECT recsys.similar_items(3::bigint, -1, 'number');
SELECT recsys.similar_items('x', 1, 'number');
SELECT recsys.similar_items(3::bigint, 1, 'text');
SELECT recsys.similar_items(3::bigint, 1, 'uuid');
SELECT recsys.drop_model(m) FROM unnest(ARRAY['number', 'uuid', 'text', 'knn', 'ease', 'popular']) m;
DROP SCHEMA similar_test CASCADE;
