#!/bin/bash
#
# seen.sh
#		What should count as seen in a shop with views, carts and purchases?  One
#		purchase of each buyer of RetailRocket is held out, with what they looked at
#		left in; prints HR@10 by what is left out of the answers.
#
# DATASETS=folder of the data sets (../shared/data).  make bench-seen
#
set -euo pipefail
. "$(dirname "$0")/../tools/server.sh"
data=${DATASETS:-$top/../shared/data}/retailrocket-small/interactions.csv.gz
[ -f "$data" ] || { echo "skipped: $data is not there"; exit 0; }
scratch_make
stage_make
chmod 755 "$scratch"
server_start "autovacuum = off"
zcat "$data" >"$scratch/events.csv"
chmod 644 "$scratch/events.csv"
echo "machine: $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
"$bindir/psql" -X -q -v ON_ERROR_STOP=1 <<-SQL
	SET client_min_messages = warning;
	CREATE EXTENSION recsys;
	CREATE TABLE events (user_id bigint, item_id bigint, event_type text, rating real, ts text);
	\copy events FROM '$scratch/events.csv' CSV HEADER
	CREATE TABLE held AS SELECT DISTINCT ON (user_id) user_id, item_id FROM events
		WHERE event_type = 'purchase' ORDER BY user_id, hashint8(user_id * 7919 + item_id);
	DELETE FROM events e USING held h
		WHERE e.user_id = h.user_id AND e.item_id = h.item_id AND e.event_type <> 'view';
	CREATE INDEX ON events (user_id);
	ANALYZE;
	\pset format unaligned
	\pset tuples_only
	SELECT count(*) || ' held-out purchases, ' || count(*) FILTER (WHERE EXISTS (SELECT FROM events e
		WHERE e.user_id = h.user_id AND e.item_id = h.item_id)) || ' of them of items that the buyer had looked at' FROM held h;
	SELECT recsys.create_model(a, 'events', a, event_column => 'event_type',
		event_weights => '{"view": 1, "addtocart": 3, "purchase": 5}') FROM unnest(ARRAY['als', 'item_knn', 'ease']) a \g /dev/null
	SELECT recsys.train(a) FROM unnest(ARRAY['als', 'item_knn', 'ease']) a \g /dev/null
	\pset tuples_only off
	\pset footer off
	\pset format aligned
	SELECT a AS algorithm, what AS left_out, round(avg(coalesce(recsys.hit_rate_at_k(
		ARRAY(SELECT r.item_id FROM recsys.recommend(h.user_id, 10, a, exclude_seen => what <> 'nothing', exclude_events => types) r ORDER BY rank),
		ARRAY[h.item_id], 10), 0))::numeric, 3) AS "HR@10"
	FROM held h, unnest(ARRAY['als', 'ease', 'item_knn']) a, (VALUES ('all seen', NULL::text[]), ('carts and purchases', '{addtocart,purchase}'),
		('purchases', '{purchase}'), ('nothing', NULL)) v (what, types) GROUP BY 1, 2 ORDER BY 1, 3;
SQL
