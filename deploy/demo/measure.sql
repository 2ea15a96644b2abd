--
-- measure.sql
--		Split events: events_kept to train on and to ask from; asked: up to 2,000
--		users with the items that are new to them in the rest.  :kept is the
--		condition of what is kept.
--
CREATE TABLE events_kept AS SELECT * FROM events WHERE :kept;
CREATE INDEX ON events_kept (user_id);
ANALYZE events_kept;
CREATE TABLE asked AS
SELECT user_id, array_agg(item_id) AS relevant
FROM (SELECT user_id, item_id FROM events WHERE NOT (:kept)
	EXCEPT SELECT user_id, item_id FROM events_kept) fresh
WHERE user_id IN (SELECT user_id FROM events_kept)
	AND item_id IN (SELECT item_id FROM events_kept)
GROUP BY user_id
ORDER BY hashtextextended(user_id::text, 3)
LIMIT 2000;
CREATE TABLE quality (model text, recall double precision, ndcg double precision,
	train_seconds double precision, ms double precision);
