#!/bin/bash
#
# stream.sh
#		Streams on a throw-away server and a Kafka broker: rows a second beside
#		COPY and INSERT of the same rows in the same batches, produce to visible,
#		idle CPU and memory.  Prints tables of medians.
#
# EVENTS=n (1,000,000), RUNS=n (5), RATE=n events a second for the latency
# (1,000), SECONDS_EACH=n of latency and of idling (30), PARTS="speed batches
# latency idle peer" to leave some out.  Needs a real broker (packages.sh kafka).
# The peer is Kafka Connect with Debezium's JDBC sink, fetched by Maven.
#
set -euo pipefail
. "$(dirname "$0")/../tools/server.sh"

events=${EVENTS:-1000000}
runs=${RUNS:-5}
rate=${RATE:-1000}
seconds_each=${SECONDS_EACH:-30}
parts=${PARTS:-speed batches latency idle peer}
partitions=4
real=$top/test/kafka/real

median() { sort -g | awk '{ v[NR] = $1 } END { if (NR) print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'; }
percentile() { sort -g | awk -v p="$1" '{ v[NR] = $1 } END { print v[int(NR * p) + (NR * p > int(NR * p))] }'; }
sql() { "$bindir/psql" -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }
thousands() { awk -v n="$1" 'BEGIN { printf "%.0fk", n / 1000 }'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }

# --- server and broker

# Runs before the server stops
broker_stop() {
	[ -z "${connect_pid:-}" ] || kill "$connect_pid" 2>/dev/null || true
	[ -z "${broker_dir:-}" ] || "$real/real_broker.sh" stop "$broker_dir"
}
bench_end() {
	local status=$?
	broker_stop || true
	(exit "$status")
	scratch_remove
}

scratch_make
trap bench_end EXIT
stage_make
# The broker's own use of the cores would count against us: its full compiler
export KAFKA_JAVA_OPTIONS="-Xmx512m -XX:+UseSerialGC"
why=$("$real/real_broker.sh" fetch) && why=$("$real/real_broker.sh" available) || {
	echo "no real Kafka broker: $why" >&2
	exit 1
}
broker_dir=$scratch/broker
"$real/real_broker.sh" start "$broker_dir"
. "$broker_dir/env"
gcc -O2 "$real/real.c" -lrdkafka -o "$scratch/real"
gcc -O2 "$top/test/bench/paced_events.c" -lrdkafka -o "$scratch/paced"
# The peer comes by TCP
port=$(perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1")->sockport')
server_start "port = $port" "listen_addresses = '127.0.0.1'" "shared_preload_libraries = 'recsys'" \
	"shared_buffers = 1GB" "max_wal_size = 8GB" "autovacuum = off" "track_commit_timestamp = on" \
	"max_worker_processes = 20"
export PGPORT=$port
sql <<-SQL
	CREATE EXTENSION recsys;
	CREATE ROLE shop LOGIN;
	GRANT INSERT ON recsys.stream TO shop;
	GRANT CREATE ON SCHEMA public TO shop;
SQL

# --- the events: rows, as a file of each batch and as messages

make_events() {
	sql <<-SQL
		CREATE TABLE source AS
		SELECT i, abs(hashint8(i)) % 100000 AS user_id, abs(hashint8(i + 7)) % 20000 AS item_id,
			(ARRAY['view', 'view', 'view', 'cart', 'purchase'])[1 + i % 5] AS event_type,
			timestamptz '2026-01-01 00:00+00' + i * interval '17 milliseconds' AS ts, (1 + i % 3)::real AS weight
		FROM generate_series(0, $events - 1) i;
		SET TimeZone = 'UTC';
	SQL
	"$scratch/real" "$PLAINTEXT" create events $partitions
	local p
	for p in $(seq 0 $((partitions - 1))); do
		sql -c "COPY (SELECT format('{\"user_id\":%s,\"item_id\":%s,\"event_type\":\"%s\",\"ts\":\"%s\",\"weight\":%s}',
			user_id, item_id, event_type, to_char(ts AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MSZ'), weight)
			FROM source WHERE i % $partitions = $p ORDER BY i) TO STDOUT WITH (FORMAT csv, QUOTE e'\x01', DELIMITER e'\x02')" |
			"$scratch/real" "$PLAINTEXT" produce events "$p" >/dev/null
	done
}

# The table before each run: empty, with the index, nothing left to write out
new_table() { # OWNER
	sql <<-SQL
		SET client_min_messages = warning;
		DROP TABLE IF EXISTS events;
		CREATE TABLE events (user_id bigint, item_id bigint, event_type text, ts timestamptz, weight real);
		CREATE INDEX ON events (user_id, ts);
		ALTER TABLE events OWNER TO $1;
		CHECKPOINT;
	SQL
}

# Rows a second from the first commit to the last; the first batch is not counted
rows_a_second() {
	sql -c "SELECT round((sum(n) - (array_agg(n ORDER BY t))[1]) / extract(epoch FROM max(t) - min(t)))
		FROM (SELECT count(*) AS n, pg_xact_commit_timestamp(xmin) AS t FROM events GROUP BY xmin) x"
}

# COPY, server-side, of files of so many rows, a transaction each
batch_files() { # ROWS
	rm -rf "$scratch/batches"
	as_server mkdir "$scratch/batches"
	sql -c "COPY (SELECT user_id, item_id, event_type, ts, weight FROM source ORDER BY i) TO STDOUT" |
		as_server split -a 5 -l "$1" - "$scratch/batches/b"
	for file in "$scratch"/batches/b*; do
		echo "COPY events FROM '$file';"
	done >"$scratch/copy.sql"
}
run_copy() {
	new_table postgres
	sql -f "$scratch/copy.sql"
	rows_a_second
}

# INSERT … SELECT FROM unnest of arrays, a transaction each
run_unnest() { # ROWS
	new_table postgres
	sql <<-SQL
		SET client_min_messages = warning;
		DROP TABLE IF EXISTS arrays;
		CREATE TABLE arrays AS SELECT i / $1 AS batch, array_agg(user_id) AS u, array_agg(item_id) AS i,
			array_agg(event_type) AS e, array_agg(ts) AS t, array_agg(weight) AS w FROM source GROUP BY 1;
		CREATE UNIQUE INDEX ON arrays (batch);
	SQL
	sql -c "SELECT format('INSERT INTO events SELECT x.* FROM arrays, unnest(u, i, e, t, w) AS x WHERE batch = %s;', batch)
		FROM arrays ORDER BY batch" >"$scratch/unnest.sql"
	sql -f "$scratch/unnest.sql"
	rows_a_second
}

as_shop() { sql -U shop "$@"; }
wait_rows() { # STREAM ROWS
	until [ "$(sql -c "SELECT coalesce(sum(rows), 0) >= $2 FROM recsys.stream_status WHERE stream = '$1'")" = t ]; do
		sleep 0.1
	done
}
# Our worker, from the beginning of the topic
run_ours() { # ROWS
	new_table shop
	as_shop -c "SELECT recsys.create_stream('events', '$PLAINTEXT', 'events', 'events', options => '{\"batch_rows\": $1}')" >/dev/null
	wait_rows events "$events"
	rows_a_second
	sql -c "SELECT max(pid) FROM recsys.stream_status WHERE stream = 'events'" >"$scratch/pid"
	awk '/VmHWM/ { print int($2 / 1024) }' "/proc/$(cat "$scratch/pid")/status" >"$scratch/worker_mb"
	as_shop -c "SELECT recsys.drop_stream('events')" >/dev/null
}

# --- the parts

machine() {
	echo "machine: $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), PostgreSQL $(sql -c 'SHOW server_version'), load $(cut -d ' ' -f 1 /proc/loadavg)"
	echo "broker: Apache Kafka, $partitions partitions, on the same machine; $events events of about 110 bytes of JSON"
	echo
}

# Rows a second into a table with an index on (user_id, ts), beside COPY, in turn
part_speed() {
	local i
	: >"$scratch/ours"
	: >"$scratch/copy"
	batch_files 10000
	for i in $(seq "$runs"); do
		run_copy >>"$scratch/copy"
		run_ours 10000 >>"$scratch/ours"
	done
	paste "$scratch/copy" "$scratch/ours" >"$scratch/pairs"
	echo "Rows a second, batches of 10,000, index on (user_id, ts), $runs runs in turn"
	echo "| COPY | recsys | ratio |"
	echo "|---|---|---|"
	awk '{ printf "| %.0fk | %.0fk | %.2f |\n", $1 / 1000, $2 / 1000, $2 / $1 }' "$scratch/pairs"
	echo "| median $(thousands "$(median <"$scratch/copy")") | median $(thousands "$(median <"$scratch/ours")") | median of the ratios $(awk '{ print $2 / $1 }' "$scratch/pairs" | median | xargs printf '%.2f') |"
	echo "Worker's memory at its peak: $(cat "$scratch/worker_mb") MB"
	echo
}

part_batches() {
	local size i
	echo "Rows a second by batch, index on (user_id, ts), medians of $runs"
	echo "| rows a batch | COPY | INSERT … unnest | recsys |"
	echo "|---|---|---|---|"
	for size in 100 1000 10000; do
		: >"$scratch/ours"
		: >"$scratch/copy"
		: >"$scratch/unnest"
		batch_files $size
		for i in $(seq "$runs"); do
			run_copy >>"$scratch/copy"
			run_unnest $size >>"$scratch/unnest"
			run_ours $size >>"$scratch/ours"
		done
		echo "| $size | $(thousands "$(median <"$scratch/copy")") | $(thousands "$(median <"$scratch/unnest")") | $(thousands "$(median <"$scratch/ours")") |"
	done
	echo
}

# Produced at an even rate; visible = the commit's time, by the same clock
part_latency() {
	"$scratch/real" "$PLAINTEXT" create paced $partitions
	sql -c "CREATE TABLE paced (user_id bigint, item_id bigint, event_type text, sent float8); CREATE INDEX ON paced (user_id); ALTER TABLE paced OWNER TO shop"
	as_shop -c "SELECT recsys.create_stream('paced', '$PLAINTEXT', 'paced', 'paced')" >/dev/null
	"$scratch/paced" "$PLAINTEXT" paced $partitions "$rate" 3 >/dev/null # warm
	wait_rows paced $((rate * 3))
	sql -c "TRUNCATE paced"
	"$scratch/paced" "$PLAINTEXT" paced $partitions "$rate" "$seconds_each" >/dev/null
	wait_rows paced $((rate * (3 + seconds_each)))
	sql -c "SELECT 1000 * (extract(epoch FROM pg_xact_commit_timestamp(xmin)) - sent) FROM paced" >"$scratch/latency"
	echo "Produce to visible at $rate events a second, $seconds_each s, $(sql -c "SELECT count(DISTINCT xmin::text) FROM paced") transactions"
	echo "| p50 | p95 | p99 | max |"
	echo "|---|---|---|---|"
	printf '| %.1f ms | %.1f ms | %.1f ms | %.1f ms |\n\n' "$(percentile .5 <"$scratch/latency")" \
		"$(percentile .95 <"$scratch/latency")" "$(percentile .99 <"$scratch/latency")" "$(percentile 1 <"$scratch/latency")"
}

# CPU ticks of a process and all its threads
ticks() { awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$1/stat"; }
part_idle() {
	local pid before after
	sql -c "CREATE TABLE idle (user_id bigint); ALTER TABLE idle OWNER TO shop"
	"$scratch/real" "$PLAINTEXT" create idle $partitions
	as_shop -c "SELECT recsys.create_stream('idle', '$PLAINTEXT', 'idle', 'idle')" >/dev/null
	sleep 5
	pid=$(sql -c "SELECT max(pid) FROM recsys.stream_status WHERE stream = 'idle'")
	before=$(ticks "$pid")
	sleep "$seconds_each"
	after=$(ticks "$pid")
	echo "An idle worker: $(awk -v a="$before" -v b="$after" -v hz="$(getconf CLK_TCK)" -v s="$seconds_each" \
		'BEGIN { printf "%.2f %% of a core", 100 * (b - a) / hz / s }'), $(awk '/RssAnon/ { print int($2 / 1024) }' "/proc/$pid/status") MB of its own"
	as_shop -c "SELECT recsys.drop_stream('idle')" >/dev/null
}

# Kafka Connect needs a schema in each message
part_peer() {
	local jars=${XDG_CACHE_HOME:-$HOME/.cache}/recsys-tests/connect events_peer=$((events / 2)) schema
	if [ ! -f "$jars/complete" ]; then
		mkdir -p "$jars"
		mvn -B -q -f "$top/test/bench/connect/pom.xml" dependency:copy-dependencies -DoutputDirectory="$jars" \
			</dev/null >"$scratch/mvn.log" 2>&1 && touch "$jars/complete" || {
			echo "skipped: Kafka Connect could not be fetched: $(grep -m 1 ERROR "$scratch/mvn.log")"
			return
		}
	fi
	"$scratch/real" "$PLAINTEXT" create peer $partitions
	schema='{"type":"struct","fields":[{"field":"user_id","type":"int64"},{"field":"item_id","type":"int64"},{"field":"event_type","type":"string"},{"field":"ts","type":"string","name":"io.debezium.time.ZonedTimestamp"},{"field":"weight","type":"float"}]}'
	local p
	for p in $(seq 0 $((partitions - 1))); do
		sql -c "SELECT '{\"schema\":$schema,\"payload\":' || json_build_object('user_id', user_id, 'item_id', item_id, 'event_type', event_type,
			'ts', to_char(ts AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), 'weight', weight) || '}'
			FROM source WHERE i % $partitions = $p AND i < $events_peer ORDER BY i" |
			"$scratch/real" "$PLAINTEXT" produce peer "$p" >/dev/null
	done
	new_table postgres
	cat >"$scratch/worker.properties" <<-END
		bootstrap.servers=$PLAINTEXT
		key.converter=org.apache.kafka.connect.storage.StringConverter
		value.converter=org.apache.kafka.connect.json.JsonConverter
		offset.storage.file.filename=$scratch/connect.offsets
		offset.flush.interval.ms=5000
		consumer.max.poll.records=5000
		listeners=HTTP://127.0.0.1:0
	END
	cat >"$scratch/sink.properties" <<-END
		name=peer
		connector.class=io.debezium.connector.jdbc.JdbcSinkConnector
		tasks.max=1
		topics=peer
		connection.url=jdbc:postgresql://127.0.0.1:$PGPORT/postgres?reWriteBatchedInserts=true
		connection.username=postgres
		connection.password=none
		insert.mode=insert
		primary.key.mode=none
		schema.evolution=none
		collection.name.format=events
		batch.size=5000
		consumer.override.auto.offset.reset=earliest
	END
	java -Xmx1g -XX:+UseSerialGC -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$jars/*" \
		org.apache.kafka.connect.cli.ConnectStandalone "$scratch/worker.properties" "$scratch/sink.properties" >"$scratch/connect.log" 2>&1 &
	connect_pid=$!
	local seconds=0
	until [ "$(sql -c "SELECT count(*) FROM events")" = $events_peer ]; do
		sleep 1
		seconds=$((seconds + 1))
		if [ $seconds -gt 120 ] || ! kill -0 "$connect_pid" 2>/dev/null; then
			echo "skipped: Kafka Connect does not write; the end of its log:"
			tail -n 5 "$scratch/connect.log"
			return
		fi
	done
	echo "Kafka Connect 3.9.1 with Debezium's JDBC sink 3.0.7, batches of 5,000, one task, $events_peer events with the schema that it needs: $(thousands "$(rows_a_second)") rows/s, $(awk '/VmHWM/ { print int($2 / 1024) }' "/proc/$connect_pid/status") MB"
	kill "$connect_pid"
	connect_pid=
}

machine
make_events
for part in $parts; do
	"part_$part"
done
