-- filter: an SQL condition over the relation of items, against brute force
SET client_min_messages = warning;
CREATE SCHEMA filter_test;
SET search_path = filter_test, public;
CREATE TABLE events (user_id bigint, item_id bigint);
INSERT INTO events SELECT u, (u * 7 + n * n * 3 + u * n) % 3000 FROM generate_series(1, 400) u, generate_series(1, 30) n;
CREATE INDEX ON events (user_id);
CREATE TABLE products (item_id int PRIMARY KEY, price numeric, in_stock boolean, category text, tags text[]);
INSERT INTO products SELECT i, (i * 7919) % 1000, i % 3 = 0, 'c' || i % 200, ARRAY['t' || i % 7, 't' || i % 11]
FROM generate_series(0, 3200) i WHERE i % 17 <> 1;
CREATE TABLE mine (category text);
INSERT INTO mine VALUES ('c7'), ('c9');
ANALYZE;
SELECT recsys.create_model('als', 'events', 'als', '{"factors": 8, "iterations": 2}', items => 'products'),
	recsys.create_model('knn', 'events', 'item_knn', '{"neighbors": 3}', items => 'products'),
	recsys.create_model('bare', 'events', 'popularity');
SELECT recsys.train(m) FROM unnest(ARRAY['als', 'knn', 'bare']) m;

-- brute force: the whole list, the condition in SQL, the first k
CREATE FUNCTION wrong(model text, u bigint, condition text, k int, vals text[] DEFAULT NULL, skip int DEFAULT 0) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	n bigint;
	literal text := condition;
BEGIN
	FOR i IN REVERSE coalesce(cardinality(vals), 0)..1 LOOP
		literal := replace(literal, '$' || i, quote_literal(vals[i]));
	END LOOP;
	EXECUTE format($q$
		WITH brute AS (
			SELECT r.item_id, r.score, r.source, row_number() OVER (ORDER BY r.rank) AS place
			FROM recsys.recommend($1, 1000000, $2) r WHERE r.item_id IN (SELECT products.item_id FROM products WHERE %s
			))
		SELECT count(*) FROM (SELECT * FROM brute WHERE place BETWEEN $6 + 1 AND $6 + $4) b
			FULL JOIN recsys.recommend($1, $4, $2, filter => $3, filter_values => $5, skip => $6) r ON r.rank = b.place
		WHERE (b.item_id, b.score, b.source) IS DISTINCT FROM (r.item_id, r.score, r.source)$q$, literal)
		INTO n USING u, model, condition, k, vals, skip;
	RETURN n;
END
$$;
SELECT condition, sum(wrong(m, u, condition, k, NULL, skip)) AS wrong
FROM unnest(ARRAY['true', 'false', 'NULL', 'in_stock', 'in_stock AND price < 50', 'price = 77', 'category = ''c7''', 'products.item_id % 100 = 3',
		'category IN (SELECT category FROM mine)', 'EXISTS (SELECT FROM mine m WHERE m.category = products.category) OR price > 990',
		'tags && ARRAY[''t1''] AND NOT in_stock', 'item_id = 5', '''t3'' = ANY (tags) -- a comment']) condition,
	unnest(ARRAY['als', 'knn']) m, unnest(ARRAY[1, 77]) u, (VALUES (1, 0), (10, 0), (10, 10), (500, 3)) v (k, skip)
GROUP BY 1 ORDER BY 1;
-- random conditions
SELECT sum(wrong(m, 1 + n, format('price BETWEEN %s AND %s %s item_id %% %s = 0', (n * 97) % 1000, (n * 97) % 1000 + n * n, CASE n % 3 WHEN 0 THEN 'OR' ELSE 'AND' END, 1 + n % 13), 1 + n * 3)) AS wrong
FROM generate_series(1, 40) n, unnest(ARRAY['als', 'knn']) m;
-- values, each of the type that its place asks for
SELECT sum(wrong('als', u, 'price < $1 AND category <> $2 AND item_id > $1 AND in_stock = $3', 10, ARRAY['300', 'c7', 'true'])) AS wrong FROM generate_series(1, 20) u;
SELECT wrong('als', 3, 'category = $1', 10, ARRAY[p]) FROM unnest(ARRAY['c7', 'no such', 'c7'' OR true OR category = ''']) p;
SELECT count(*) FROM recsys.recommend(3::bigint, 10, 'als', filter => 'category = $1', filter_values => ARRAY[NULL]);
SELECT count(*) FROM recsys.recommend(3::bigint, 10, 'als', filter => '$1 IS NULL AND price < $1', filter_values => ARRAY['1000']);
-- whatever the planner expects, the rows are the same: statistics that are wrong both ways
ALTER TABLE products SET (autovacuum_enabled = false);
UPDATE products SET category = 'c7' WHERE category <> 'c9';
SELECT sum(wrong('als', u, 'category = ''c7''', 10)) + sum(wrong('als', u, 'category = ''c9''', 10)) AS wrong FROM generate_series(1, 5) u;
ANALYZE products;
UPDATE products SET category = 'c' || item_id % 200;
SELECT sum(wrong('als', u, 'category = ''c7''', 10)) + sum(wrong('als', u, 'category = ''c9''', 10)) + sum(wrong('als', u, 'category = ''c11''', 10)) AS wrong FROM generate_series(1, 5) u;
ANALYZE products;
-- no index on the ids, a view, ids of another type, an id twice
CREATE VIEW seen AS SELECT item_id::text AS item_id, price, category FROM products UNION ALL SELECT '5', 1, 'x';
SELECT recsys.alter_model('als', items => 'seen');
SELECT array_agg(item_id ORDER BY rank) = (SELECT array_agg(item_id ORDER BY rank) FROM recsys.recommend(3::bigint, 10, 'knn', filter => 'price < 100', version => 1)) IS NOT NULL AS answers, count(*)
FROM recsys.recommend(3::bigint, 10, 'als', filter => 'price < 100');
SELECT recsys.alter_model('als', items => 'products');
-- with the masks, other functions
SELECT item_id FROM recsys.recommend(3::bigint, 10, 'als', candidates => '{3,4,5,6}', exclude => '{6}', filter => 'in_stock');
SELECT count(*), bool_and(item_id::bigint % 3 = 0) FROM recsys.recommend_for_items('{1,2,3}', 7, 'als', filter => 'in_stock');
SELECT count(*), bool_and(item_id % 3 = 0) FROM recsys.similar_items(3::bigint, 7, 'als', filter => 'in_stock');
SELECT count(*), bool_and(item_id % 3 = 0) FROM recsys.recommend_as(NULL::bigint, '4', 7, 'als', filter => 'in_stock');
-- nobody's history: popular ones, filtered too
SELECT count(*), bool_and(item_id % 3 = 0), min(source) FROM recsys.recommend(NULL::bigint, 7, 'als', filter => 'in_stock');

-- what is not one expression, and what is wrong with it
\set VERBOSITY default
SELECT recsys.recommend(3::bigint, 3, 'als', filter => 'in_stock; DROP TABLE products');
SELECT recsys.recommend(3::bigint, 3, 'als', filter => 'in_stock) OR (true');
SELECT recsys.recommend(3::bigint, 3, 'als', filter => '');
SELECT recsys.recommend(3::bigint, 3, 'als', filter => 'in_stock, true');
SELECT recsys.recommend(3::bigint, 3, 'als', filter => 'in_stock AS x');
SELECT recsys.recommend(3::bigint, 3, 'als', filter => 'true FROM mine');
SELECT recsys.recommend(3::bigint, 3, 'als', filter => 'true LIMIT 1');
SELECT recsys.recommend(3::bigint, 3, 'als', filter => 'true UNION SELECT true');
SELECT recsys.recommend(3::bigint, 3, 'als', filter => 'true /*');
SELECT recsys.recommend(3::bigint, 3, 'als', filter => '*');
SELECT recsys.recommend(3::bigint, 3, 'als', filter => 'in_stock AND prise < 3');
SELECT recsys.recommend(3::bigint, 3, 'als', filter => 'price');
SELECT recsys.recommend(3::bigint, 3, 'als', filter => 'count(*) > 1');
SELECT recsys.recommend(3::bigint, 3, 'als', filter => 'row_number() OVER () > 1');
SELECT recsys.recommend(3::bigint, 3, 'als', filter => 'generate_series(1, 2) > 1');
SELECT recsys.recommend(3::bigint, 3, 'als', filter => 'price < $1');
SELECT recsys.recommend(3::bigint, 3, 'als', filter => 'price < $1', filter_values => '{1,2}');
SELECT recsys.recommend(3::bigint, 3, 'als', filter => 'price < $2', filter_values => '{1,2}');
SELECT recsys.recommend(3::bigint, 3, 'als', filter => 'price < $1', filter_values => '{cheap}');
SELECT recsys.recommend(3::bigint, 3, 'als', filter_values => '{cheap}');
SELECT recsys.recommend(3::bigint, 3, 'als', filter => 'nosuch(price)');
SELECT recsys.recommend(3::bigint, 3, 'bare', filter => 'true');
SELECT recsys.recommend(3::bigint, 3, 'als', filter => '(WITH d AS (DELETE FROM mine RETURNING 1) SELECT count(*) FROM d) > 0');
SELECT recsys.recommend(3::bigint, 3, 'als', filter => '1 / (price - price) > 0');

-- the caller's rights and row security, search_path, and what changes under it
CREATE ROLE regress_recsys_buyer;
CREATE ROLE regress_recsys_other;
GRANT USAGE ON SCHEMA filter_test TO regress_recsys_buyer, regress_recsys_other;
GRANT SELECT ON events TO regress_recsys_buyer, regress_recsys_other;
GRANT SELECT ON products TO regress_recsys_buyer;
ALTER TABLE products ENABLE ROW LEVEL SECURITY;
CREATE POLICY cheap ON products TO regress_recsys_buyer USING (price < 500);
SET ROLE regress_recsys_buyer;
SELECT count(*), max(p.price) < 500 AS cheap FROM recsys.recommend(3::bigint, 20, 'als', filter => 'in_stock') r JOIN products p ON p.item_id = r.item_id;
SELECT count(*) FROM recsys.recommend(3::bigint, 20, 'als', filter => 'category IN (SELECT category FROM mine)');
SET ROLE regress_recsys_other;
-- which of its queries is first, the planner's costs say
\set SHOW_CONTEXT never
SELECT count(*) FROM recsys.recommend(3::bigint, 20, 'als', filter => 'in_stock');
\set SHOW_CONTEXT errors
RESET ROLE;
SELECT sum(wrong('als', 3, 'in_stock', 10)) AS wrong;
CREATE SCHEMA elsewhere;
CREATE FUNCTION elsewhere.wanted(i int) RETURNS boolean LANGUAGE sql AS 'SELECT i % 2 = 1';
CREATE FUNCTION wanted(i int) RETURNS boolean LANGUAGE sql AS 'SELECT i % 2 = 0';
SELECT bool_and(item_id % 2 = 0) FROM recsys.recommend(3::bigint, 20, 'als', filter => 'wanted(item_id)');
SET search_path = elsewhere, filter_test;
SELECT bool_and(item_id % 2 = 1) FROM recsys.recommend(3::bigint, 20, 'als', filter => 'wanted(item_id)');
SET search_path = filter_test, public;
-- a column of another type, a column that is gone, a relation that is
SELECT count(*) FROM recsys.recommend(3::bigint, 5, 'als', filter => 'price < $1', filter_values => '{500}');
DROP VIEW seen;
DROP POLICY cheap ON products;
ALTER TABLE products ALTER price TYPE text;
SELECT count(*) FROM recsys.recommend(3::bigint, 5, 'als', filter => 'price < $1', filter_values => '{a}');
ALTER TABLE products DROP price;
SELECT count(*) FROM recsys.recommend(3::bigint, 5, 'als', filter => 'price < $1', filter_values => '{a}');
-- ids of another type than the model's, of which some are no number, or another form of one:
-- whichever way they are found, the rows are the same
CREATE TABLE odd AS SELECT CASE WHEN item_id % 2 = 0 THEN item_id::text ELSE lpad(item_id::text, 5, '0') END AS item_id, item_id % 50 AS part FROM products;
INSERT INTO odd SELECT 'x' || i, 7 FROM generate_series(1, 20000) i;
CREATE INDEX ON odd (item_id);
CREATE INDEX ON odd (part);
ANALYZE odd;
SELECT recsys.alter_model('als', items => 'odd');
SELECT condition, count(*), count(*) FILTER (WHERE item_id % 2 = 0) AS even
FROM unnest(ARRAY['part = 4', 'part = 5', 'part = 7', 'part >= 0']) condition, LATERAL recsys.recommend(3::bigint, 50, 'als', filter => condition) GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM recsys.recommend(3::bigint, 5, 'als', max_per_group => '{"part": 1}');
SELECT count(*) FILTER (WHERE source = 'new') AS new FROM recsys.recommend(3::bigint, 5, 'als', explore => 0.5);
SELECT recsys.alter_model('als', items => 'products');
-- of char(n), as training reads them
CREATE TABLE coded AS SELECT ('u' || user_id)::char(8) AS user_id, ('i' || item_id)::char(9) AS item_id FROM events;
CREATE TABLE codes AS SELECT DISTINCT item_id, length(item_id) AS long FROM coded;
SELECT recsys.create_model('coded', 'coded', 'als', '{"factors": 8, "iterations": 2}', items => 'codes');
SELECT recsys.train('coded');
SELECT count(*) FROM recsys.recommend('u3'::text, 5, 'coded', filter => 'true');
SELECT count(*) FROM recsys.recommend('u3'::text, 500, 'coded', max_per_group => '{"long": 1}');
SELECT count(*) FILTER (WHERE source = 'new') AS new FROM recsys.recommend('u3'::text, 5, 'coded', explore => 0.5);
SELECT count(*) FILTER (WHERE user_id LIKE 'u3 %' OR user_id = 'u3') AS self FROM recsys.similar_users('u3'::text, 1000, 'coded');
SELECT recsys.drop_model('coded');
ALTER TABLE products RENAME item_id TO id;
SELECT count(*) FROM recsys.recommend(3::bigint, 5, 'als', filter => 'in_stock');
DROP TABLE products CASCADE;
SELECT count(*) FROM recsys.recommend(3::bigint, 5, 'als', filter => 'in_stock');
SELECT count(*) FROM recsys.recommend(3::bigint, 5, 'als');
SELECT recsys.create_model('other', 'events', items => 'mine');
SELECT recsys.create_model('other', 'events', items => 'pg_class_oid_index');
SELECT recsys.drop_model(m) FROM unnest(ARRAY['als', 'knn', 'bare']) m;
DROP SCHEMA filter_test, elsewhere CASCADE;
DROP ROLE regress_recsys_buyer, regress_recsys_other;
