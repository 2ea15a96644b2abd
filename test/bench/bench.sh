#!/bin/bash
#
# bench.sh
#		Speed on a throw-away server, beside peers where they can be had; prints
#		one table of medians.
#
# SCALE=0.1 shrinks the data (default 1: 5 M pairs, 100k users, 20k items),
# RUNS=n sets how often a training is repeated (default 3), PEER=no leaves the
# peer out.
#
set -euo pipefail
. "$(dirname "$0")/../tools/server.sh"

scale=${SCALE:-1}
runs=${RUNS:-3}
factors=64
iterations=15
threads=2
alpha=10
growth="1 2 4 8"

times() { awk -v n="$1" -v s="$scale" 'BEGIN { printf "%d", n * s }'; }
median() { sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
percentile() { sort -n | awk -v p="$1" '{ v[NR] = $1 } END { print v[int(NR * p) + (NR * p > int(NR * p))] }'; }
sql() { "$bindir/psql" -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }
row() { printf "| %-58s | %-14s | %s |\n" "$1" "$2" "$3"; }

scratch_make
stage_make
chmod 755 "$scratch"
server_start "shared_buffers = 1GB" "max_wal_size = 8GB" "shared_preload_libraries = 'recsys'" \
	"autovacuum = off"
sql -c "CREATE EXTENSION recsys"
gcc -O2 -o "$scratch/synthetic" "$top/test/bench/synthetic.c" -lm
[ ! -f "$top/test/bench/topk.c" ] || gcc -O3 -fno-math-errno -I"$top/src" -o "$scratch/topk" \
	"$top/test/bench/topk.c" $(find "$top/src/core" -name "*.c") -lm -ldl -lpthread

# load USERS PAIRS: table pairs, files train.csv and test.csv
load() {
	"$scratch/synthetic" "$1" 20000 "$2" 42 "$scratch/train.csv" "$scratch/test.csv"
	sql <<-SQL
		SET client_min_messages = warning;
		CREATE TABLE IF NOT EXISTS pairs (user_id bigint, item_id bigint);
		CREATE TABLE IF NOT EXISTS held (user_id bigint, item_id bigint);
		CREATE INDEX IF NOT EXISTS pairs_user ON pairs (user_id);
		TRUNCATE pairs, held;
		\copy pairs FROM '$scratch/train.csv' CSV
		\copy held FROM '$scratch/test.csv' CSV
		VACUUM ANALYZE pairs;
	SQL
}

# train MODEL: prints "seconds peak-MB"; peak is the backend's memory above its start
train() {
	sql <<-SQL
		SET client_min_messages = warning;
		SET recsys.threads = $threads;
		SET recsys.train_memory = '4GB';
		SELECT pg_backend_pid() AS pid \gset
		\setenv PID :pid
		\! awk '/VmRSS/ { print \$2 }' /proc/\$PID/status >$scratch/rss
		SELECT recsys.train('$1') AS version \gset
		\! awk '/VmHWM/ { print \$2 }' /proc/\$PID/status >$scratch/hwm
		\! awk '/RssShmem/ { print \$2 }' /proc/\$PID/status >$scratch/shmem
		SELECT round(seconds::numeric, 2) FROM recsys.model_versions WHERE model = '$1' AND version = :version;
	SQL
}
memory_mb() {
	awk -v b="$(cat "$scratch/rss")" -v h="$(cat "$scratch/hwm")" -v s="$(cat "$scratch/shmem")" \
		'BEGIN { printf "%d", (h - b - s) / 1024 }'
}

echo "machine: $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), PostgreSQL $(sql -c 'SHOW server_version')"
echo "data: seeded, $(times 5000000) pairs, $(times 100000) users, 20000 items; $factors factors, $iterations iterations, $threads threads"
echo
row "what" "recsys" "beside"
row "---" "---" "---"

load "$(times 100000)" "$(times 5000000)"
options="{\"factors\": $factors, \"iterations\": $iterations, \"alpha\": $alpha, \"unobserved_weight\": 1, \"regularization\": 0.01, \"regularization_exponent\": 0}"
sql -c "SET client_min_messages = warning; SELECT recsys.create_model('speed', 'pairs', 'als', '$options')" >/dev/null

venv=
if [ "${PEER:-yes}" = yes ]; then
	if python3 -m venv "$scratch/venv" >/dev/null 2>&1 &&
		"$scratch/venv/bin/pip" -q install implicit >/dev/null 2>&1; then
		venv=$scratch/venv
	else
		echo "skipped: the peer implicit could not be installed"
	fi
fi
: >"$scratch/ours"
: >"$scratch/peer"
for _ in $(seq "$runs"); do
	train speed >>"$scratch/ours"
	[ -z "$venv" ] || OPENBLAS_NUM_THREADS=1 "$venv/bin/python" "$top/test/bench/peer_implicit.py" \
		"$scratch/train.csv" "$scratch/test.csv" $factors $iterations $threads $alpha 0.01 2>/dev/null >>"$scratch/peer"
done
ours=$(median <"$scratch/ours")
peer=-
[ -z "$venv" ] || peer=$(cut -f 1 "$scratch/peer" | median)
row "train als from the table, seconds (median of $runs)" "$ours" \
	"$([ -z "$venv" ] || awk -v a="$ours" -v b="$peer" 'BEGIN { printf "implicit fit from memory %s, ratio %.2f", b, a / b }')"
ndcg=$(sql -c "SELECT round(avg(coalesce(recsys.ndcg_at_k(ARRAY(SELECT r.item_id FROM recsys.recommend(h.user_id, 10, 'speed') r ORDER BY r.rank), ARRAY[h.item_id], 10), 0))::numeric, 4) FROM held h")
row "NDCG@10 of held-out items, every tenth user" "$ndcg" "$([ -z "$venv" ] || echo "implicit $(cut -f 2 "$scratch/peer" | median)")"
row "memory of that training, MB above the start" "$(memory_mb)" "recsys.train_memory 4096"

# recommend over one prepared connection
cat >"$scratch/recommend.sql" <<-SQL
	\set u random(0, $(times 100000) - 1)
	SELECT * FROM recsys.recommend(:u::bigint, 10, 'speed');
SQL
chmod 644 "$scratch/recommend.sql"
as_server "$bindir/pgbench" -n -M prepared -c 1 -T 2 -f "$scratch/recommend.sql" >/dev/null
as_server "$bindir/pgbench" -n -M prepared -c 1 -T 10 -l --log-prefix="$scratch/latency" -f "$scratch/recommend.sql" >/dev/null
cat "$scratch"/latency.* | awk '{ print $3 }' >"$scratch/latencies"
row "recommend(u, 10), 20k x 64, ms p50 / p95" \
	"$(awk -v a="$(percentile .5 <"$scratch/latencies")" -v b="$(percentile .95 <"$scratch/latencies")" 'BEGIN { printf "%.3f / %.3f", a / 1000, b / 1000 }')" \
	"$([ -z "$venv" ] || echo "implicit p50 $(cut -f 3 "$scratch/peer" | median), history and call in its own process")"

for millions in $growth; do
	load "$(times $((millions * 20000)))" "$(times $((millions * 1000000)))"
	seconds=$(train speed)
	row "train als, $(times $((millions * 1000000))) events, seconds" "$seconds" ""
done
if [ -x "$scratch/topk" ]; then
	echo
	"$scratch/topk"
fi
