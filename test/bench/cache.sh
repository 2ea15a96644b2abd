#!/bin/bash
#
# cache.sh
#		What a model costs each session, and its first call: from shared memory and from
#		copies of the sessions' own, on two throw-away servers.  make bench-cache
#
# ITEMS (1,000,000) and FACTORS (64) set the size of the model, SESSIONS ("1 10 50 100")
# how many there are at a time, OWN_SESSIONS ("1 4") how many where each has a copy.
#
set -euo pipefail
. "$(dirname "$0")/../tools/server.sh"
items=${ITEMS:-1000000}
factors=${FACTORS:-64}

scratch_make
stage_make
sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }
ask="SELECT count(*) FROM recsys.recommend_for_items(ARRAY[5::bigint, 700, 90000], 10, 'wide')"

open="SELECT count(*) FROM recsys.recommend_for_items('{}'::bigint[], 10, 'wide')"

# Sessions that have asked, and wait: mean kB of anonymous memory of a session, and of
# its share of all
memory() { # SESSIONS [STATEMENT]
	local n
	for ((n = 0; n < $1; n++)); do
		sql -c "${2:-$ask}" -c "SELECT 'held', pg_sleep(1000)" >/dev/null 2>&1 &
	done
	while [ "$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT ''held''%'")" -lt "$1" ]; do
		sleep 0.2
	done
	sql -c "SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT ''held''%'" | while read -r pid; do
		cat "/proc/$pid/smaps_rollup"
	done | awk -v n="$1" '/^Anonymous:/ { own += $2 } /^Pss:/ { pss += $2 }
		END { printf "%.2f | %.1f\n", own / n / 1024, pss / n / 1024 }'
	sql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT ''held''%'" >/dev/null
	wait
}
# Milliseconds of the processor that a new session takes for its first call, and for one
# more: of popular items alone, which is opening, then with a query.  Medians of 21
calls() {
	local n look="\\! cut -d ' ' -f 1 /proc/\$P/schedstat"
	for ((n = 0; n < 21; n++)); do
		# shellcheck disable=SC1003
		printf '%s\n' 'SELECT pg_backend_pid() AS p \gset' '\setenv P :p' '\o /dev/null' "$look" "$open;" "$look" \
			"$open;" "$look" "$ask;" "$look" "$ask;" "$look" | sql | paste -sd ' '
	done | awk '{ for (i = 1; i < 5; i++) print i, ($(i + 1) - $i) / 1e6 }' | sort -k 1,1n -k 2,2g |
		awk '{ v[$1, ++n[$1]] = $2 } END { for (i = 1; i < 5; i++) printf "%.2f%s", v[i, 11], i < 4 ? " | " : "\n" }'
}

echo "machine: $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), load $(cut -d ' ' -f 1 /proc/loadavg)"
for size in 1GB 0; do
	server_start "shared_buffers = 1GB" "max_wal_size = 4GB" "fsync = off" "max_connections = 120" \
		"shared_preload_libraries = 'recsys'" "recsys.cache_size = $size"
	[ "$size" != 1GB ] || echo "PostgreSQL $(sql -c 'SHOW server_version')"
	sql <<-SQL
		SET client_min_messages = warning;
		CREATE EXTENSION recsys;
		CREATE TABLE wide AS SELECT n / 4 AS user_id, n AS item_id FROM generate_series(1, $items) n;
		SELECT recsys.create_model('wide', 'wide', 'als', '{"iterations": 1, "factors": $factors}') \g /dev/null
		SET recsys.train_memory = '4GB';
		SELECT recsys.train('wide') \g /dev/null
		SELECT 'a model of ' || bytes / 1000000 || ' MB, recsys.cache_size = $size' FROM recsys.models;
	SQL
	echo "| sessions | anonymous memory of a session, MB | with its share of what is shared, MB |"
	echo "|---|---|---|"
	echo "| 1, which asks nothing | $(memory 1 'SELECT 1') |"
	sizes=${SESSIONS:-1 10 50 100}
	[ "$size" != 0 ] || sizes=${OWN_SESSIONS:-1 4}
	for n in $sizes; do
		echo "| $n | $(memory "$n") |"
	done
	echo "| ms of the processor: first call, popular items | second | first with a query | second |"
	echo "|---|---|---|---|"
	echo "| $(calls) |"
	server_stop
	rm -rf "$scratch/data"
done
