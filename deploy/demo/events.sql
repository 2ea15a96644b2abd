--
-- events.sql
--		Where events of a CSV file are read into, as they stand there.
--
CREATE TABLE raw (user_id text, item_id text, event_type text, rating text, ts text);
