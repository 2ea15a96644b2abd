#!/bin/bash
#
# compare.sh OTHER
#		This tree beside another checkout of the project (say a release, or the
#		commit before a change): the same statements on two throw-away servers, in
#		turn, ROUNDS times (5).  Prints a row a figure: the medians, and the median
#		and range of the ratios this / other of each turn.  make compare OTHER=DIR
#
# FIGURES="train als,recommend als" takes some alone (a model answers once it was
# trained).  PAIRS (500,000) sets the size of the events, ITEMS (1,000,000) that of the wide
# model whose opening is timed.
#
set -euo pipefail
. "$(dirname "$0")/../tools/server.sh"
other=$(cd "${1:?usage: compare.sh OTHER}" && pwd)
rounds=${ROUNDS:-5}
pairs=${PAIRS:-500000}
items=${ITEMS:-1000000}

scratch_make
chmod 755 "$scratch"
gcc -O2 -o "$scratch/synthetic" "$top/test/bench/synthetic.c" -lm
"$scratch/synthetic" $((pairs / 25)) 5000 "$pairs" 42 "$scratch/pairs.csv" "$scratch/held.csv"

declare -A bin tree=([this]=$top [other]=$other)
servers=$scratch
sides="other this"
on() { # SIDE [PSQL OPTION…]: psql on its server
	local side=$1
	shift
	PGHOST=$servers/$side "${bin[$side]}/psql" -X -q -A -t -v ON_ERROR_STOP=1 -U postgres -p 5432 postgres "$@"
}
stop_both() {
	local status=$? side
	for side in $sides; do
		scratch=$servers/$side
		server_stop || true
	done
	scratch=$servers
	trap - EXIT
	rm -rf "$scratch"
	exit $status
}
trap stop_both EXIT
for side in $sides; do
	bin[$side]=$("${tree[$side]}/test/tools/stage.sh" "$servers/stage-$side")
	as_server mkdir -p "$servers/$side"
	scratch=$servers/$side bindir=${bin[$side]}
	server_start "shared_buffers = 1GB" "max_wal_size = 8GB" "shared_preload_libraries = 'recsys'" "autovacuum = off"
	scratch=$servers
	on $side <<-SQL
		SET client_min_messages = warning;
		CREATE EXTENSION recsys;
		CREATE TABLE pairs (user_id bigint, item_id bigint);
		\copy pairs FROM '$scratch/pairs.csv' CSV
		CREATE TABLE events AS SELECT user_id, item_id,
			timestamptz '2026-01-01' + (hashint8(user_id * 7919 + item_id) & 8388607) * interval '1 s' AS ts FROM pairs;
		CREATE TABLE users AS SELECT DISTINCT user_id, user_id % 60 AS age, 'city ' || user_id % 50 AS city FROM events;
		ALTER TABLE users ADD PRIMARY KEY (user_id);
		CREATE INDEX ON events (user_id);
		CREATE TABLE wide AS SELECT n / 4 AS user_id, n AS item_id FROM generate_series(1, $items) n;
		VACUUM ANALYZE;
		SELECT recsys.create_model('als', 'events'), recsys.create_model('item_knn', 'events', 'item_knn'),
			recsys.create_model('ease', 'events', 'ease'),
			recsys.create_model('sequence', 'events', 'sequence', time_column => 'ts'),
			recsys.create_model('popularity', 'events', 'popularity'),
			recsys.create_model('mlp', 'events', 'mlp', '{"epochs": 1}', users => 'users',
				features => '{"age": {"scale": "standard"}, "city": {"encode": "one_hot"}}'),
			recsys.create_model('wide', 'wide', 'als', '{"iterations": 1}');
		SET recsys.train_memory = '4GB';
		SELECT recsys.train('wide');
	SQL
done

seconds() { # SIDE, SQL on standard input: seconds of its last statement, in a new session
	{
		echo "\\timing on"
		cat
	} | on "$1" | sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' | tail -n 1 | awk '{ printf "%.4f\n", $1 / 1000 }'
}
latency() { # SIDE MODEL: median milliseconds of recommend over one prepared connection
	cat >"$servers/recommend.sql" <<-SQL
		\set u random(0, $((pairs / 25 - 1)))
		SELECT * FROM recsys.recommend(:u::bigint, 10, '$2');
	SQL
	chmod 644 "$servers/recommend.sql"
	rm -f "$servers/$1"/latency.*
	PGHOST=$servers/$1 as_server "${bin[$1]}/pgbench" -U postgres -n -M prepared -c 1 -T 3 -l \
		--log-prefix="$servers/$1/latency" -f "$servers/recommend.sql" postgres >/dev/null 2>&1
	cat "$servers/$1"/latency.* | awk '{ print $3 }' | sort -n | awk '{ v[NR] = $1 } END { print v[int(NR / 2)] / 1000 }'
}
figure() { # NAME SIDE: one number
	case $1 in
		"train "*) seconds "$2" <<<"SET recsys.threads = 2; SET recsys.train_memory = '4GB'; SET client_min_messages = warning;
			SELECT recsys.train('${1#train }');" ;;
		"recommend "*) latency "$2" "${1#recommend }" ;;
		"open wide") seconds "$2" <<<"SET recsys.local_cache_size = '2GB'; LOAD 'recsys'; SELECT count(*) FROM recsys.recommend_for_items(ARRAY[5], 10, 'wide');" ;;
		"open als") seconds "$2" <<<"LOAD 'recsys'; SELECT count(*) FROM recsys.recommend_for_items(ARRAY[5], 10, 'als');" ;;
		"similar wide") seconds "$2" <<<"SET recsys.local_cache_size = '2GB'; SELECT count(*) FROM recsys.similar_items(5::bigint, 10, 'wide');
			SELECT count(*) FROM generate_series(1, 50) n, LATERAL recsys.similar_items(n::bigint, 10, 'wide');" ;;
		"fit encoder") seconds "$2" <<<"LOAD 'recsys'; SELECT recsys.fit_encoder(u, '{\"age\": {\"impute\": \"median\", \"scale\": \"standard\"}, \"city\": {\"encode\": \"one_hot\"}}')
			FROM (SELECT age, city FROM users, generate_series(1, 20)) u;" ;;
		"encode") seconds "$2" <<<"SELECT recsys.fit_encoder(u, '{\"age\": {\"scale\": \"standard\"}, \"city\": {\"encode\": \"one_hot\"}}') AS e
			FROM (SELECT age, city FROM users) u \\gset
			SELECT count(recsys.encode(:'e'::recsys.encoder, u)) FROM (SELECT age, city FROM users, generate_series(1, 20)) u;" ;;
		"stream writer") # µs of the writer's processor a row
			ROWS=100000 ROUNDS=1 BATCHES=10000 TMPDIR=$servers bash "${tree[$2]}/test/bench/stream_writer.sh" 2>/dev/null |
				awk -F'|' '/user_id/ { print 1e6 / $5 }' ;;
		"decode") make -s -C "${tree[$2]}" build/bench/decode >/dev/null 2>&1 || true
			"${tree[$2]}/build/bench/decode" | sed -n 's/.*: \([0-9.]*\) us.*/\1/p' ;;
	esac
}
median() { sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

echo "machine: $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), PostgreSQL $(on this -c 'SHOW server_version')"
echo "this: $(git -C "$top" rev-parse --short HEAD), other: $(git -C "$other" rev-parse --short HEAD); $rounds turns, $pairs pairs, $items items in the wide model"
echo
echo "| figure | other | this | this / other | least | most |"
echo "|---|---|---|---|---|---|"
figures=("train als" "train ease" "train item_knn" "train sequence" "train popularity" "train mlp"
	"recommend als" "recommend ease" "recommend item_knn" "recommend sequence" "recommend mlp"
	"open wide" "open als" "similar wide" "fit encoder" "encode" "stream writer" "decode")
[ -z "${FIGURES:-}" ] || IFS=, read -r -a figures <<<"$FIGURES"
for name in "${figures[@]}"; do
	rm -f "$servers"/value-*
	for ((round = 0; round < rounds; round++)); do
		for side in $sides; do
			figure "$name" $side >>"$servers/value-$side"
		done
		# whoever comes first is not always the same
		sides=$([ "$sides" = "other this" ] && echo "this other" || echo "other this")
	done
	paste "$servers/value-this" "$servers/value-other" | awk '{ print $1 / $2 }' >"$servers/ratio"
	printf '| %s | %s | %s | %s | %s | %s |\n' "$name" "$(median <"$servers/value-other")" "$(median <"$servers/value-this")" \
		"$(median <"$servers/ratio" | cut -c 1-5)" "$(sort -g "$servers/ratio" | head -n 1 | cut -c 1-5)" "$(sort -g "$servers/ratio" | tail -n 1 | cut -c 1-5)"
done
echo
echo "trainings, openings, fits: seconds; recommend: median ms; similar: seconds of 50 calls; stream writer: µs a row; decode: µs a message"
