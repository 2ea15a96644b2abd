#!/bin/bash
#
# stream_writer.sh [ROWS]
#		Rows per second of the writer of streams, from JSON in memory to the
#		commit, beside COPY of the same rows from CSV files in the same batches
#		and INSERT … SELECT from jsonb_to_recordset.  Runs alternate; the median
#		of ROUNDS is printed.  make bench-writer
#
set -euo pipefail
. "$(dirname "$0")/../tools/server.sh"

rows=${1:-${ROWS:-200000}}
rounds=${ROUNDS:-3}
sizes=${BATCHES:-100 1000 10000}

includes=$("${PG_CONFIG:-pg_config}" --includedir-server) # the stage has none
scratch_make
stage_make
cc -O2 -fPIC -shared -I"$top/src" -I"$includes" "$top/test/bench/stream_writer.c" -o "$scratch/stream_writer.so"
chmod 755 "$scratch/stream_writer.so"
server_start "shared_buffers = 512MB" "max_wal_size = 4GB" "autovacuum = off"
sql() {
	as_server psql -X -q -A -t -F " " -v ON_ERROR_STOP=1 -d postgres "$@"
}
sql <<SQL
CREATE EXTENSION recsys;
CREATE PROCEDURE bench_write(stream text, batch integer) AS '$scratch/stream_writer' LANGUAGE C;
CREATE ROLE bench LOGIN;
CREATE TABLE events (user_id bigint, item_id bigint, event_type text, ts timestamptz, weight real);
CREATE TABLE payloads AS SELECT n, json_build_object('event_type', (ARRAY['view', 'cart', 'purchase'])[1 + n % 3],
	'user_id', n * 7919 % 100003, 'item_id', n * 104729 % 20011,
	'ts', to_char(timestamptz '2026-01-01' + n * interval '37 ms', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'weight', 1 + n % 5)::text AS payload
	FROM generate_series(1::bigint, $rows) n;
VACUUM ANALYZE payloads;
INSERT INTO recsys.stream (name, owner, brokers, topic, target, system_id, database_id)
	VALUES ('bench', 'bench', 'localhost:9092', 'bench', 'events', 0, 0);
SQL
# The same rows for COPY, a file a batch
copy_files() {
	local size=$1 i
	as_server mkdir -p "$scratch/$size"
	sql -c "COPY (SELECT payload::jsonb ->> 'user_id', payload::jsonb ->> 'item_id', payload::jsonb ->> 'event_type',
		payload::jsonb ->> 'ts', payload::jsonb ->> 'weight' FROM payloads ORDER BY n) TO '$scratch/all.csv' (FORMAT csv)"
	as_server split -l "$size" -a 6 -d "$scratch/all.csv" "$scratch/$size/"
	as_server sh -c "for f in $scratch/$size/*; do echo \"COPY events FROM '\$f' (FORMAT csv);\"; done >$scratch/copy-$size.sql"
	for ((i = 0; i < rows; i += size)); do
		echo "INSERT INTO events SELECT r.* FROM (SELECT payload FROM payloads WHERE n > $i AND n <= $((i + size)) ORDER BY n) p,
			jsonb_to_record(p.payload::jsonb) r(user_id bigint, item_id bigint, event_type text, ts timestamptz, weight real);"
	done >"$scratch/insert-$size.sql"
	chmod 644 "$scratch/insert-$size.sql"
}
reset() {
	sql -c "TRUNCATE events; DROP INDEX IF EXISTS by_user" 2>/dev/null
	[ "$1" = none ] || sql -c "CREATE INDEX by_user ON events (user_id, ts)"
	sql -c CHECKPOINT
}
# one WAY SIZE: rows per second, and microseconds of the backend's processor per row
one() {
	local way=$1 run=$scratch/$1-$2.sql
	[ "$way" != writer ] || run=$scratch/writer.sql
	echo "CALL bench_write('bench', $2);" >"$scratch/writer.sql"
	{
		echo "LOAD 'recsys'; SELECT * FROM clock(); \\o /dev/null"
		cat "$run"
		echo "\\o
SELECT * FROM clock();"
	} >"$scratch/run.sql"
	chmod 644 "$scratch/run.sql"
	sql -f "$scratch/run.sql" 2>"$scratch/notice" | awk -v rows="$rows" 'NF { wall[++n] = $1; cpu[n] = $2 }
		END { printf "%.0f %.2f\n", rows / (wall[2] - wall[1]), (cpu[2] - cpu[1]) / rows * 1e6 }' >"$scratch/one"
	if [ "$way" = writer ]; then # without reading the payloads
		awk -v rows="$rows" '/NOTICE.*rows / { for (i = 1; i < NF; i++) if ($i == "rows") break; if ($(i + 1) != rows) exit 1; printf "%.0f %.2f\n", rows / $(i + 3), $(i + 6) / rows * 1e6 }' "$scratch/notice"
	else
		cat "$scratch/one"
	fi
	[ "$(sql -c 'SELECT count(*) FROM events')" = "$rows" ] || { echo "$1: rows are missing" >&2; exit 1; }
}
median() { # COLUMN FILE
	awk -v c="$1" '{ print $c }' "$2" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}
sql <<'SQL'
CREATE FUNCTION clock(OUT wall float8, OUT cpu float8) LANGUAGE sql VOLATILE AS $$
	SELECT extract(epoch FROM clock_timestamp())::float8, (s[14]::float8 + s[15]::float8) / 100
	FROM string_to_array(pg_read_file('/proc/self/stat'), ' ') s $$;
SQL
sql -c "CREATE INDEX ON payloads (n)"
echo "rows/s of $rows rows, median of $rounds runs that alternate; a commit after each batch"
echo "| index | batch | COPY csv | writer, JSON | writer / COPY | INSERT … jsonb_to_record | CPU µs/row: COPY | writer | INSERT |"
echo "|---|---|---|---|---|---|---|---|---|"
for index in none "(user_id, ts)"; do
	for size in $sizes; do
		[ -d "$scratch/$size" ] || copy_files "$size"
		rm -f "$scratch"/result-*
		for ((round = 0; round < rounds; round++)); do
			for way in copy writer insert; do
				reset "$index"
				one $way "$size" >>"$scratch/result-$way"
			done
		done
		c=$(median 1 "$scratch/result-copy")
		w=$(median 1 "$scratch/result-writer")
		echo "| $index | $size | $c | $w | $(awk -v w="$w" -v c="$c" 'BEGIN { printf "%.2f", w / c }') | $(median 1 "$scratch/result-insert") |" \
			"$(median 2 "$scratch/result-copy") | $(median 2 "$scratch/result-writer") | $(median 2 "$scratch/result-insert") |"
	done
done
