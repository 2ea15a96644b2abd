#!/bin/bash
#
# variety.sh
#		What variety costs: NDCG@10 of recommend() at settings of diversity, beside how
#		varied the lists are; a table, and a picture in docs/measurements.
#
# Data sets with categories from DATASETS (default ../shared/data; those that are
# missing are left out): ml-1m-ncf, the last event of each user held out, genres;
# lastfm-2k, a tenth of each user's artists held out by a hash, tags.  USERS (2000) of
# them are asked for, by a hash.
#
set -euo pipefail
. "$(dirname "$0")/../tools/server.sh"
data=${DATASETS:-$top/../shared/data}
users=${USERS:-2000}
sql() { "$bindir/psql" -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }

scratch_make
stage_make
server_start "shared_buffers = 256MB" "autovacuum = off" "jit = off"
sql -c "CREATE EXTENSION recsys" -c "CREATE TABLE events (user_id bigint, item_id bigint)" \
	-c "CREATE TABLE held (user_id bigint, item_id bigint)" -c "CREATE TABLE raw (a text, b text, c text, d text, e text)" \
	-c "CREATE INDEX ON events (user_id)"

# measure NAME ALGORITHM…: events and held are there, categories in $scratch/items.csv
measure() {
	local name=$1
	shift
	for algorithm in "$@"; do
		sql -c "SET client_min_messages = warning" -c "SELECT recsys.create_model('$name $algorithm', 'events', '$algorithm')" \
			-c "SELECT recsys.train('$name $algorithm')" >/dev/null
		sql -c "COPY (SELECT method, d, u, string_agg(r.item_id::text, ' ' ORDER BY rank),
				(SELECT string_agg(item_id::text, ' ') FROM held WHERE user_id = u)
			FROM (SELECT u FROM (SELECT DISTINCT user_id AS u FROM held) h ORDER BY hashint8(u), u LIMIT $users) h,
				(VALUES ('dpp'), ('mmr')) m(method), unnest(ARRAY[0, .05, .1, .2, .3, .4, .5, .6, .8, 1]) d,
				recsys.recommend(u, 10, '$name $algorithm', diversity => d, diversity_method => method) r
			GROUP BY 1, 2, 3) TO STDOUT (FORMAT csv)" >"$scratch/lists.csv"
		python3 "$top/test/bench/variety.py" "$name" "$algorithm" "$scratch/lists.csv" "$scratch/items.csv" \
			"$(sql -c "SELECT count(DISTINCT item_id) FROM events")" >>"$scratch/table"
	done
}

if [ -d "$data/ml-1m-ncf" ]; then
	gzip -dc "$data/ml-1m-ncf/items.csv.gz" >"$scratch/items.csv"
	sql -c "\\copy raw FROM PROGRAM 'gzip -dc $data/ml-1m-ncf/train.csv.gz' (FORMAT csv, HEADER)" \
		-c "INSERT INTO events SELECT a::bigint, b::bigint FROM raw; TRUNCATE raw" \
		-c "\\copy raw FROM PROGRAM 'gzip -dc $data/ml-1m-ncf/test.csv.gz' (FORMAT csv, HEADER)" \
		-c "INSERT INTO held SELECT a::bigint, b::bigint FROM raw; TRUNCATE raw; ANALYZE events"
	measure ml-1m-ncf als ease
fi
if [ -d "$data/lastfm-2k" ]; then
	gzip -dc "$data/lastfm-2k/items.csv.gz" >"$scratch/items.csv"
	sql -c "TRUNCATE events, held" \
		-c "\\copy raw FROM PROGRAM 'gzip -dc $data/lastfm-2k/interactions.csv.gz' (FORMAT csv, HEADER)" \
		-c "INSERT INTO held SELECT a::bigint, b::bigint FROM raw WHERE hashtext(a || ' ' || b) % 10 = 0" \
		-c "INSERT INTO events SELECT a::bigint, b::bigint FROM raw WHERE hashtext(a || ' ' || b) % 10 <> 0; TRUNCATE raw; ANALYZE events"
	measure lastfm-2k als
fi
[ -f "$scratch/table" ] || { echo "variety: skipped: no data sets in $data"; exit 0; }
python3 "$top/test/bench/variety.py" picture "$scratch/table" "$top/docs/measurements/variety.svg"
echo "| data set | algorithm | method | diversity | NDCG@10 | of plain | distance | categories | coverage |"
echo "|---|---|---|---|---|---|---|---|---|"
cat "$scratch/table"
