--
-- events_typed.sql
--		From raw to events: ids are bigint where all of them are numbers, else
--		text; times are unix seconds or timestamps; ratings are left aside (that
--		someone rated counts, not how); a weight a type of event.
--
SELECT CASE WHEN bool_and(user_id ~ '^\d{1,18}$' AND item_id ~ '^\d{1,18}$') THEN 'bigint' ELSE 'text' END AS id
FROM raw \gset
CREATE TABLE events (
	user_id :id NOT NULL,
	item_id :id NOT NULL,
	event_type text,
	ts timestamptz
);
INSERT INTO events
SELECT CAST(user_id AS :id), CAST(item_id AS :id), event_type,
	CASE WHEN ts ~ '^\d+(\.\d+)?$' THEN to_timestamp(ts::double precision) ELSE nullif(ts, '')::timestamptz END
FROM raw;
DROP TABLE raw;
CREATE INDEX ON events (user_id);
VACUUM ANALYZE events;

-- Purchases count five times a view where there are views too
CREATE TABLE event_weights AS
WITH weight AS (
	SELECT event_type, CASE event_type WHEN 'cart' THEN 3 WHEN 'addtocart' THEN 3
		WHEN 'purchase' THEN 5 WHEN 'transaction' THEN 5
		WHEN 'cancel' THEN -5 WHEN 'return' THEN -5 ELSE 1 END AS w
	FROM (SELECT DISTINCT event_type FROM events) t)
SELECT jsonb_object_agg(event_type, w / (SELECT min(w) FROM weight WHERE w > 0)) AS weights FROM weight;
