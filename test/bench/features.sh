#!/bin/bash
#
# features.sh
#		Speed of encoders and of the network on a throw-away server, beside Keras,
#		scikit-learn and Spark where they can be had; prints one table of medians.
#
# PARTS="mlp encoders answer" chooses some of the parts.
# RUNS=n sets how often each is measured (default 3), in turns: ours, then each
# peer.  SCALE=0.1 shrinks the data.  PEER_PYTHON names a Python that has
# tensorflow, scikit-learn, pandas and pyspark, else they are installed from PyPI
# into the scratch directory (about 3 GB); PEER=no leaves the peers out.
#
set -euo pipefail
. "$(dirname "$0")/../tools/server.sh"

scale=${SCALE:-1}
runs=${RUNS:-3}
threads=2
ticks=$(getconf CLK_TCK)
parts=${PARTS:-mlp encoders answer}
bench=$top/test/bench

times() { awk -v n="$1" -v s="$scale" 'BEGIN { printf "%d", n * s }'; }
median() { sort -g | awk '{ v[NR] = $1 } END { if (NR) print v[int((NR + 1) / 2)] }'; }
percentile() { sort -n | awk -v p="$1" '{ v[NR] = $1 } END { print v[int(NR * p) + (NR * p > int(NR * p))] }'; }
sql() { "$bindir/psql" -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }
part() { case " $parts " in *" $1 "*) ;; *) return 1 ;; esac; }
row() { printf "| %-36s | %-22s | %10s | %7s | %10s | %7s | %6s |\n" "$@"; }

scratch_make
stage_make
chmod 755 "$scratch"
# As many processes as the peers have threads
server_start "shared_buffers = 2GB" "max_wal_size = 8GB" "shared_preload_libraries = 'recsys'" \
	"autovacuum = off" "jit = off" "work_mem = 64MB" "max_parallel_workers_per_gather = $((threads - 1))"
sql -c "CREATE EXTENSION recsys"

# What can be had of the peers
python=${PEER_PYTHON:-}
peers=
if [ "${PEER:-yes}" = yes ]; then
	if [ -z "$python" ] && python3 -m venv "$scratch/venv" >/dev/null 2>&1; then
		python=$scratch/venv/bin/python
		for package in tensorflow-cpu "scikit-learn pandas" "pyspark==3.5.3 setuptools pandas"; do
			# shellcheck disable=SC2086
			"$scratch/venv/bin/pip" -q install $package >/dev/null 2>&1 || true
		done
	fi
	for module in tensorflow sklearn pyspark; do
		version=$([ -z "$python" ] || TF_CPP_MIN_LOG_LEVEL=3 "$python" -c "import $module, pandas; print($module.__version__)" 2>/dev/null) || version=
		[ "$module" != pyspark ] || command -v java >/dev/null || version=
		if [ -n "$version" ]; then peers+=" $module-$version"; else echo "skipped: the peer $module cannot be had"; fi
	done
fi
has() { case "$peers" in *" $1-"*) ;; *) return 1 ;; esac; }

echo "machine: $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), PostgreSQL $(sql -c 'SHOW server_version'); load $(cut -d ' ' -f 1 /proc/loadavg)"
echo "peers:$peers; $threads threads or processes each; medians of $runs interleaved runs"
echo
row "what" "by" "a second" "recsys" "a CPU s" "recsys" "loss"
row "---" "---" "---" "---" "---" "---" "---"

# ratio OURS RATE: how many times as fast ours is
ratio() { [ -z "$2" ] || awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2fx", a / b }'; }
column() { cut -s -f "$2" "$1" | median; }
# report WHAT FILE…: a row a file, the first ours; its lines have a rate, and
# perhaps a rate by CPU seconds and a loss
report() {
	local what=$1 ours=$2 file
	shift
	for file in "$@"; do
		[ -s "$file" ] || continue
		row "$what" "${file##*/}" "$(cut -f 1 "$file" | median)" \
			"$(ratio "$(cut -f 1 "$ours" | median)" "$(cut -f 1 "$file" | median)")" \
			"$(column "$file" 2)" "$(ratio "$(column "$ours" 2)" "$(column "$file" 2)")" "$(column "$file" 3)"
	done
}

# ---- the network: 32 features, 128 hidden, so many items, batches of 256

# samples ITEMS COUNT: table samples and the same as a file; items by popularity
samples() {
	sql <<-SQL
		SET client_min_messages = warning;
		DROP TABLE IF EXISTS samples;
		SELECT setseed(0.5) \g /dev/null
		CREATE TABLE samples AS
		SELECT ARRAY(SELECT (2 * random() - 1)::real FROM generate_series(1, 32) WHERE s > 0) AS features,
			floor($1 * random() ^ 3)::bigint AS item_id
		FROM generate_series(1, $2) s;
		-- every item is there, so that the output has its width
		UPDATE samples SET item_id = s.item FROM (
			SELECT ctid, row_number() OVER () - 1 AS item FROM samples LIMIT $1) s
		WHERE samples.ctid = s.ctid;
		VACUUM ANALYZE samples;
		COPY (SELECT item_id || ',' || array_to_string(features, ',') FROM samples) TO STDOUT \g $scratch/samples.csv
	SQL
}

# ours NAME EPOCHS OPTIONS: samples/s of train_mlp, reading the table included
ours() {
	sql <<-SQL >>"$scratch/$1"
		SET recsys.threads = $threads;
		SET recsys.train_memory = '4GB';
		SELECT pg_backend_pid() AS pid \gset
		\setenv PID :pid
		\set cpu \`awk '{ print (\$14 + \$15) / $ticks }' /proc/\$PID/stat\`
		SELECT clock_timestamp() AS began \gset
		CREATE TEMPORARY TABLE trained AS
		SELECT recsys.train_mlp(features, item_id, '$3') AS model FROM samples;
		SELECT round($2 * (SELECT count(*) FROM samples)
			/ extract(epoch FROM clock_timestamp() - :'began'::timestamptz)) AS rate \gset
		\set cpu_end \`awk '{ print (\$14 + \$15) / $ticks }' /proc/\$PID/stat\`
		-- The header of a model is JSON, whose length is in the first 8 bytes
		SELECT format(E'%s\t%s\t%s', :'rate', round($2 * (SELECT count(*) FROM samples)
			/ (:cpu_end::numeric - :cpu::numeric)), round((convert_from(substr(bytes, 9, get_byte(bytes, 0)
			+ 256 * get_byte(bytes, 1)), 'UTF8')::jsonb -> '__metadata__' ->> 'loss')::numeric, 4))
		FROM (SELECT model::bytea AS bytes FROM trained) t;
	SQL
}
# keras NAME ITEMS EPOCHS VARIANT
keras() {
	! has tensorflow || "$python" "$bench/peer_mlp.py" "$scratch/samples.csv" "$2" 128 256 "$3" $threads "$4" \
		2>/dev/null >>"$scratch/$1" || echo "$1: failed" >&2
}

# race WHAT ITEMS COUNT EPOCHS
race() {
	local what=$1 items=$2 epochs=$4 options variant
	[ "$3" -ge "$items" ] || { echo "$what: SCALE=$scale leaves fewer samples than items" >&2; return 1; }
	options="\"hidden\": [128], \"epochs\": $epochs, \"batch_size\": 256"
	samples "$items" "$3"
	for _ in $(seq "$runs"); do
		ours "$items/recsys" "$epochs" "{$options}"
		[ "$items" -lt 10000 ] || ours "$items/recsys, 1,024 sampled" "$epochs" "{$options, \"samples\": 1024}"
		for variant in fit jit loop; do
			keras "$items/Keras $variant" "$items" "$epochs" $variant
		done
		[ "$items" -lt 10000 ] || keras "$items/TensorFlow sampled" "$items" "$epochs" sampled
	done
	set -- "$scratch/$items/Keras "{fit,jit,loop}
	report "$what" "$scratch/$items/recsys" "$@"
	[ "$items" -lt 10000 ] || report "$what" "$scratch/$items/recsys, 1,024 sampled" "$@" "$scratch/$items/TensorFlow sampled"
}
mkdir "$scratch"/{1000,20000}
if part mlp; then
	race "samples, 32 -> 128 -> 1,000 items" 1000 "$(times 102400)" 10
	race "samples, 32 -> 128 -> 20,000 items" 20000 "$(times 51200)" 3
fi

# ---- encoders: age imputed and scaled, kind one-hot, city an index: a number with gaps, 3 categories, 1,000 categories

count=$(times 1000000)
sql <<-SQL
	SET client_min_messages = warning;
	SELECT setseed(0.5) \g /dev/null
	CREATE TABLE people AS
	SELECT CASE WHEN p % 50 > 0 THEN floor(14 + 76 * random())::double precision END AS age,
		'kind ' || floor(3 * random()) AS kind, 'city ' || floor(1000 * random() ^ 1.5) AS city
	FROM generate_series(1, $count) p;
	VACUUM ANALYZE people;
	CREATE TABLE fitted (encoder recsys.encoder);
	\copy people TO '$scratch/people.csv' WITH (FORMAT csv)
SQL
spec='{"age": {"impute": "mean", "scale": "standard"}, "kind": {"encode": "one_hot"}, "city": {"encode": "index"}}'
# encoders_of MODULE PEER NAME
encoders_of() {
	! has "$1" || "$python" "$bench/peer_encoders.py" "$scratch/people.csv" "$2" $threads 2>/dev/null >>"$scratch/encoders_$3" ||
		echo "encoders of $3: failed" >&2
}
# Parallel workers are processes of their own: no CPU seconds here
encoders() {
	for turn in $(seq "$runs"); do
		sql <<-SQL >>"$scratch/encoders_recsys"
			TRUNCATE fitted;
			SELECT clock_timestamp() AS a \gset
			INSERT INTO fitted SELECT recsys.fit_encoder(p, '$spec') FROM people p;
			SELECT clock_timestamp() AS b \gset
			SELECT count(recsys.encode(encoder, p)) FROM people p, fitted \g /dev/null
			SELECT clock_timestamp() AS c \gset
			SELECT concat_ws(E'\t', round($count / extract(epoch FROM :'b'::timestamptz - :'a'::timestamptz)),
				round($count / extract(epoch FROM :'c'::timestamptz - :'b'::timestamptz)),
				round($count / extract(epoch FROM :'c'::timestamptz - :'a'::timestamptz)));
		SQL
		encoders_of sklearn sklearn scikit-learn
		encoders_of pyspark spark Spark
	done
	column=0
	for what in "rows fitted" "rows encoded" "rows fitted and encoded"; do
		column=$((column + 1))
		for file in encoders_recsys encoders_scikit-learn encoders_Spark; do
			[ ! -s "$scratch/$file" ] || cut -f $column "$scratch/$file" >"$scratch/${file#encoders_}"
		done
		report "$what" "$scratch"/{recsys,scikit-learn,Spark}
	done
}
if part encoders; then encoders; fi

# ---- one answer for typed features, over one prepared connection
part answer || exit 0
sql <<-SQL
	SET client_min_messages = warning;
	CREATE TABLE events AS
	SELECT row_number() OVER () AS user_id, floor(1000 * random() ^ 2)::bigint AS item_id FROM people LIMIT 100000;
	CREATE TABLE users AS
	SELECT row_number() OVER () AS user_id, age, kind, city FROM people LIMIT 100000;
	ALTER TABLE users ADD PRIMARY KEY (user_id);
	CREATE INDEX ON events (user_id);
	ANALYZE;
	SELECT recsys.create_model('net', 'events', 'mlp', '{"epochs": 1}', users => 'users', features => '$spec') \g /dev/null
	SELECT recsys.train('net') \g /dev/null
SQL
cat >"$scratch/ask.sql" <<-'SQL'
	\set age random(14, 89)
	\set kind random(0, 2)
	\set city random(0, 999)
	SELECT * FROM recsys.recommend_for_features(jsonb_build_object('age', :age::integer, 'kind', 'kind ' || :kind::integer, 'city', 'city ' || :city::integer), 10, 'net');
SQL
chmod 644 "$scratch/ask.sql"
as_server "$bindir/pgbench" -n -M prepared -c 1 -T 2 -f "$scratch/ask.sql" >/dev/null
as_server "$bindir/pgbench" -n -M prepared -c 1 -T 5 -l --log-prefix="$scratch/latency" -f "$scratch/ask.sql" >/dev/null
cat "$scratch"/latency.* | awk '{ print $3 }' >"$scratch/latencies"
echo
echo "recommend_for_features, 10 of 1,000 items, ms p50 / p95: $(awk -v a="$(percentile .5 <"$scratch/latencies")" \
	-v b="$(percentile .95 <"$scratch/latencies")" 'BEGIN { printf "%.3f / %.3f", a / 1000, b / 1000 }')"
