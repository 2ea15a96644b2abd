--
-- measure.sql
--		Split events: events_kept to train on and to ask from; asked: up to 2,000
--		users with the items that are new to them in the rest.  :kept is the
--		condition of what is kept.
--
CREATE VIEW events_kept AS SELECT * FROM events WHERE :kept;
CREATE TABLE asked AS
SELECT user_id, array_agg(DISTINCT item_id) AS relevant
FROM events e
WHERE NOT (:kept)
	AND NOT EXISTS (SELECT FROM events_kept k WHERE (k.user_id, k.item_id) = (e.user_id, e.item_id))
	AND EXISTS (SELECT FROM events_kept k WHERE k.user_id = e.user_id)
	AND item_id IN (SELECT item_id FROM events_kept)
GROUP BY user_id
ORDER BY hashtextextended(user_id::text, 3)
LIMIT 2000;
CREATE TABLE quality (model text, recall double precision, ndcg double precision,
	train_seconds double precision, ms double precision);
