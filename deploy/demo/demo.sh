#!/bin/bash
#
# demo.sh
#		A shop's recommender on a throw-away server, from nothing to answers: its
#		events come by a Kafka topic, and each changes the next answer.
#
#	BROKERS=host:port,…	a Kafka cluster instead of an embedded broker
#	TOPIC=name			another topic than user-behavior-topic
#	KEEP=1				wait for Enter at the end, so that one can look around
#	EVENTS=FILE.csv.gz	real events instead of the generated shop, in the form
#						user_id,item_id,event_type,rating,ts (blank where not
#						available, ts in unix seconds or as a timestamp); these are
#						loaded from the file, only what happens later comes by the topic
#
# Called by make demo, which installs the packages first.
#
set -euo pipefail
. "$(dirname "$0")/../../test/tools/server.sh"
. "$(dirname "$0")/steps.sh"
. "$(dirname "$0")/topic.sh"
demo=$top/deploy/demo
events=${EVENTS:-}

if [ -n "$events" ]; then
	[ -r "$events" ] || { echo "cannot read $events" >&2; exit 1; }
	events=$(realpath "$events")
fi

topic_shop "track_commit_timestamp = on" # for the milliseconds of the click

if [ -z "$events" ]; then
	step "Open a shop: users, items and two months of events"
	sql -f "$demo/shop.sql"
	sql -c "ALTER TABLE events RENAME TO played; CREATE TABLE events (LIKE played, sent timestamptz); CREATE INDEX ON events (user_id)"

	step "Play the events onto the topic, and let a stream bring them into the table"
	topic_stream
	topic_play played
	topic_clicks_open
	topic_wait "SELECT sum(rows) >= (SELECT count(*) FROM played) AND sum(rejected) = 1 FROM recsys.stream_status"
	show <<-'SQL'
		SELECT partition, state, next_offset, lag, rows, rejected, updated::time(3) FROM recsys.stream_status ORDER BY partition;
		SELECT partition, message_offset, convert_from(key, 'UTF8') AS key, sqlstate, error FROM recsys.dead_letters;
	SQL
	sql -c "VACUUM ANALYZE events"
	show <<-'SQL'
		SELECT (SELECT count(*) FROM users) AS users, (SELECT count(*) FROM items) AS items,
			count(*) AS events, min(ts)::date AS first, max(ts)::date AS last FROM events;
	SQL
	sql -c "CREATE VIEW label AS SELECT item_id, title || ', ' || price AS item FROM items"
	weights='{"view": 1, "cart": 3, "purchase": 5}'
	id=bigint has_time=t
	cutoff="'2026-04-23 00:00+00'"
	kept="ts < $cutoff" split="trained on what came before the last week, asked for what is new in it"
else
	step "Load $(basename "$events")"
	sql -f "$demo/events.sql"
	unpacked "$events" | sql -c '\copy raw FROM pstdin WITH (FORMAT csv, HEADER)'
	sql -f "$demo/events_typed.sql"
	sql -c "ALTER TABLE events ADD COLUMN sent timestamptz"
	topic_stream
	topic_clicks_open
	show <<-'SQL'
		SELECT count(DISTINCT user_id) AS users, count(DISTINCT item_id) AS items, count(*) AS events,
			min(ts)::date AS first, max(ts)::date AS last FROM events;
	SQL
	sql -c "CREATE VIEW label AS SELECT DISTINCT item_id, item_id::text AS item FROM events"
	weights=$(value "SELECT weights FROM event_weights")
	id=$(value "SELECT format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = 'events'::regclass AND attname = 'item_id'")
	has_time=$(value "SELECT count(*) = count(ts) FROM events")
	if [ "$has_time" = t ]; then
		cutoff=$(value "SELECT quote_literal(percentile_disc(0.9) WITHIN GROUP (ORDER BY ts)) FROM events")
		kept="ts < $cutoff" split="trained on the first nine tenths of the time, asked for what is new in the last"
	else
		kept="hashtextextended(user_id || ' ' || item_id, 1) % 10 <> 0"
		split="one pair in ten held out by its hash"
	fi
fi

# What follows what, asked mostly of the last click: query_decay 1.  In the shop a
# look counts as much as a purchase; real events may hold cancellations
next_weights=
[ -z "$events" ] || next_weights=", event_column => 'event_type', event_weights => '$weights'"
models=als
time_argument=
if [ "$has_time" = t ]; then
	models="als sequence"
	time_argument="time_column => 'ts', "
fi

# Where hardly any pair of a user and an item has an event, what did not happen
# says less than als assumes (docs/measurements/quality.md)
als_options={}
if [ "$(value "SELECT count(*) < 0.001 * count(DISTINCT user_id) * count(DISTINCT item_id) FROM events")" = t ]; then
	als_options='{"unobserved_weight": 0.01}'
fi

step "Train"
show <<SQL
SELECT recsys.create_model('shop', 'events', 'als', '$als_options', event_column => 'event_type',
	event_weights => '$weights');
SELECT recsys.train('shop') AS version;
SQL
if [ "$has_time" = t ]; then
	show <<SQL
SELECT recsys.create_model('next', 'events', 'sequence', '{"query_decay": 1}',
	time_column => 'ts'$next_weights);
SELECT recsys.train('next') AS version;
SQL
fi

# Three people with a middling history; the first of them clicks later on
people=$(value "SELECT string_agg(user_id::text, ' ') FROM (SELECT user_id FROM events GROUP BY user_id
	HAVING count(*) BETWEEN 20 AND 80 ORDER BY hashtextextended(user_id::text, 8) LIMIT 3) p")
[ -n "$people" ] || { echo "No user has 20 to 80 events: these are too few to show anything" >&2; exit 1; }
me=${people%% *}

step "Recommend for three users"
for user in $people; do
	if [ -z "$events" ]; then
		value "SELECT format('User %s, %s, from %s, looked last at:', user_id, age, city) FROM users WHERE user_id = $user"
	else
		echo "User $user, some of whose items are:"
	fi
	value "SELECT '  ' || item FROM (SELECT item_id, max(ts) AS last FROM events WHERE user_id = '$user'
		GROUP BY item_id ORDER BY last DESC NULLS LAST, item_id LIMIT 3) seen JOIN label USING (item_id) ORDER BY last DESC NULLS LAST"
	show <<SQL
SELECT rank, item, round(score::numeric, 3) AS score, source
FROM recsys.recommend('$user'::$id, 5, 'shop') JOIN label USING (item_id) ORDER BY rank;
SQL
done

# The lists before and after one event of $me, side by side
keep_lists() {
	local model
	sql -c "CREATE TABLE list_$1 (model text, rank integer, item_id $id)"
	for model in shop ${models#als}; do
		[ "$model" = shop ] || model=next
		sql -c "INSERT INTO list_$1 SELECT '$model', rank, item_id FROM recsys.recommend('$me'::$id, 6, '$model')"
	done
}
step "The same user, one more click"
keep_lists before
clicked=$(value "SELECT item_id FROM events WHERE item_id NOT IN (SELECT item_id FROM events WHERE user_id = '$me')
	AND item_id NOT IN (SELECT item_id FROM recsys.recommend('$me'::$id, 100, 'shop'))
	GROUP BY item_id HAVING count(*) > 20 ORDER BY hashtextextended(item_id::text, 5) LIMIT 1")
[ -n "$clicked" ] || { echo "No item has 20 events and is none of the first 100: these are too few to show anything" >&2; exit 1; }
echo "User $me now looks at: $(value "SELECT item FROM label WHERE item_id = '$clicked'")"
type=$(value "SELECT event_type FROM events GROUP BY 1 ORDER BY count(*) DESC LIMIT 1")
click=$(value "SELECT json_strip_nulls(json_build_object('user_id', user_id, 'item_id', item_id, 'event_type', '$type',
	'ts', CASE WHEN '$has_time' = 't' THEN (SELECT max(ts) + interval '1 minute' FROM events) END))
	FROM (SELECT '$me'::$id AS user_id, '$clicked'::$id AS item_id) c")
echo "Sent to $topic: $click"
topic_send "$click"
echo "Visible in the table $sent_to_visible_ms ms after it was sent."
keep_lists after
for model in shop ${models#als}; do
	[ "$model" = shop ] || model=next
	echo "Model $model (nothing was trained again; * marks what is new in the list):"
	sql -P footer=off -P null= <<SQL
SELECT rank, b.item AS before, CASE WHEN a.item_id IN (SELECT item_id FROM list_before WHERE model = '$model') THEN '  ' ELSE '* ' END || a.item AS after
FROM (SELECT * FROM list_before JOIN label USING (item_id) WHERE model = '$model') b
FULL JOIN (SELECT * FROM list_after JOIN label USING (item_id) WHERE model = '$model') a USING (rank)
ORDER BY rank;
SQL
done

step "Someone who was unknown when the models were trained"
if [ "$id" = text ]; then visitor="a new visitor"; else
	visitor=$(value "SELECT max(user_id) + 1 FROM events"); fi
echo "Visitor $visitor without any event:"
show <<SQL
SELECT rank, item, source FROM recsys.recommend('$visitor'::$id, 3, 'shop') JOIN label USING (item_id) ORDER BY rank;
SQL
value "SELECT json_strip_nulls(json_build_object('user_id', '$visitor'::$id, 'item_id', item_id, 'event_type', '$type', 'ts', last))
	FROM (SELECT item_id, max(ts) AS last FROM events WHERE user_id = '$me' AND item_id <> '$clicked'
		GROUP BY item_id ORDER BY last DESC NULLS LAST, item_id LIMIT 3) seen" >"$scratch/clicks"
while read -r click; do
	topic_send "$click"
	echo "Sent and visible after $sent_to_visible_ms ms: $click"
done <"$scratch/clicks"
echo "The same visitor after three clicks:"
value "SELECT '  ' || item FROM events JOIN label USING (item_id) WHERE user_id = '$visitor'"
show <<SQL
SELECT rank, item, source FROM recsys.recommend('$visitor'::$id, 5, 'shop') JOIN label USING (item_id) ORDER BY rank;
SQL

step "Measure: $split"
sql -v kept="$kept" -f "$demo/measure.sql"
for algorithm in popularity $models; do
	time_part= options={}
	[ "$algorithm" != als ] || options=$als_options
	[ "$algorithm" != sequence ] || time_part=$time_argument
	sql <<SQL
SET client_min_messages = warning;
INSERT INTO quality (model, train_seconds)
SELECT '$algorithm', 0;
SELECT clock_timestamp() AS t \gset
SELECT recsys.create_model('$algorithm', 'events_kept', '$algorithm', '$options', ${time_part}event_column => 'event_type', event_weights => '$weights') \g /dev/null
SELECT recsys.train('$algorithm') \g /dev/null
UPDATE quality SET train_seconds = extract(epoch FROM clock_timestamp() - :'t'::timestamptz) WHERE model = '$algorithm';
SELECT clock_timestamp() AS t \gset
UPDATE quality SET (recall, ndcg) = (
	SELECT avg(recsys.recall_at_k(r.items, a.relevant, 10)), avg(recsys.ndcg_at_k(r.items, a.relevant, 10))
	FROM asked a, LATERAL (SELECT coalesce(array_agg(item_id ORDER BY rank), '{}') AS items
		FROM recsys.recommend(a.user_id, 10, '$algorithm')) r)
WHERE model = '$algorithm';
UPDATE quality SET ms = 1000 * extract(epoch FROM clock_timestamp() - :'t'::timestamptz) / (SELECT count(*) FROM asked)
WHERE model = '$algorithm';
SQL
done
sql -P footer=off -P "title=$(value "SELECT count(*) FROM asked") users, each asked for 10 items:" <<-'SQL'
	SELECT model, round(recall::numeric, 4) AS "recall@10", round(ndcg::numeric, 4) AS "NDCG@10",
		round(train_seconds::numeric, 1) AS "train s", round(ms::numeric, 2) AS "ms a user"
	FROM quality ORDER BY ndcg;
SQL

steps_end demo "TABLE recsys.models;  TABLE recsys.model_versions;  SELECT * FROM recsys.stream_status;" \
	"SELECT * FROM recsys.similar_items('$clicked'::$id, 5, 'shop') JOIN label USING (item_id);" \
	"SELECT * FROM recsys.recommend_for_items('{$clicked}'::$id[], 5, 'shop') JOIN label USING (item_id);"
