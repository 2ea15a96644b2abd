#!/bin/bash
#
# features.sh
#		From a dirty CSV file of users to the ten best books for someone who is
#		described by hand, on a throw-away server.
#
#	KEEP=1					wait for Enter at the end, so that one can look around
#	USERS=FILE.csv[.gz]		real users instead of the generated ones: a header with
#							user_id, age, gender and occupation among its columns
#	EVENTS=FILE.csv[.gz]	their events: a header with user_id, item_id and ts (unix
#							seconds or blank) among its columns
#	ITEMS=FILE.csv[.gz]		titles: item_id and title among its columns (optional)
#
# Called by make demo-features, which installs the packages first.
#
set -euo pipefail
. "$(dirname "$0")/../../test/tools/server.sh"
. "$(dirname "$0")/steps.sh"
demo=$top/deploy/demo
users=${USERS:-} events=${EVENTS:-} items=${ITEMS:-}

for file in $users $events $items; do
	[ -r "$file" ] || { echo "cannot read $file" >&2; exit 1; }
done
if [ -n "$users$events" ] && { [ -z "$users" ] || [ -z "$events" ]; }; then
	echo "USERS and EVENTS go together" >&2
	exit 1
fi

# load TABLE FILE: a table of text columns, named by the file's header
load() {
	local header
	header=$(unpacked "$2" | head -n 1 | tr -d '\r" ') || true # head closes the pipe
	sql -c "CREATE TABLE $1 (${header//,/ text, } text)"
	unpacked "$2" | sql -c "\\copy $1 FROM pstdin WITH (FORMAT csv, HEADER)"
}

step "Build, and make a private copy of the server with recsys in it"
scratch_make
stage_make

step "Start a throw-away server"
server_start "shared_preload_libraries = 'recsys'" "shared_buffers = 256MB"
createdb shop
sql -c "CREATE EXTENSION recsys"

if [ -z "$users" ]; then
	step "Open a bookshop, and write its users to a file as dirty as such files are"
	sql -f "$demo/books.sql"
	users=$scratch/users.csv
	sql -c "\\copy (SELECT * FROM dirty_users) TO '$users' WITH (FORMAT csv, HEADER)"
	sql -c "DROP VIEW dirty_users; DROP TABLE people CASCADE"
else
	step "Load $(basename "$events")"
	load raw_events "$events"
	sql <<-'SQL'
		CREATE TABLE events AS
		SELECT user_id::bigint, item_id::bigint, to_timestamp(nullif(ts, '')::double precision) AS ts FROM raw_events;
		DROP TABLE raw_events;
		CREATE INDEX ON events (user_id);
		VACUUM ANALYZE events;
	SQL
	if [ -n "$items" ]; then
		load books "$items"
		sql -c "ALTER TABLE books ALTER item_id TYPE bigint USING item_id::bigint"
		sql -c "ALTER TABLE books RENAME genres TO genre" 2>/dev/null || sql -c "ALTER TABLE books ADD genre text"
	else
		sql -c "CREATE TABLE books AS SELECT DISTINCT item_id, item_id::text AS title, NULL AS genre FROM events"
	fi
fi
echo "The file's first line, and some that are not as they should be:"
unpacked "$users" | awk 'NR == 1 || !/^[0-9]+,[0-9]+,[FMX],/ && shown++ < 8 { print "  " $0 }'

step "Read the file as it stands, then clean it"
load raw_users "$users"
show <<'SQL'
CREATE VIEW read_users AS SELECT DISTINCT user_id, age, gender, occupation FROM raw_users;
SELECT count(*) AS lines, (SELECT count(*) FROM read_users) AS without_repeated_lines FROM raw_users;

CREATE TABLE users (user_id bigint PRIMARY KEY, age real, gender text, occupation text);
CREATE TABLE users_rejects (LIKE recsys.reject);
SELECT rows_read, rows_written, rows_rejected FROM recsys.clean('read_users', 'users', '{
	"age": {"trim": true, "null_values": ["", "unknown"], "min": 0, "max": 110},
	"gender": {"trim": true, "lower": true, "required": true, "allowed": ["f", "m", "x"]},
	"occupation": {"trim": true}}', 'users_rejects');
SELECT column_name, reason, count(*), (array_agg(source_row ORDER BY row_number))[1] AS for_example
FROM users_rejects GROUP BY column_name, reason ORDER BY column_name, reason;
SQL

step "Fit the encoders, and look at what a user becomes"
show <<'SQL'
CREATE TABLE fitted AS
SELECT recsys.fit_encoder(u, '{
	"age": {"impute": "median", "scale": "standard"},
	"gender": {"encode": "one_hot"},
	"occupation": {"impute": "most_frequent", "encode": "one_hot", "unseen": "ignore"}}') AS encoder
FROM users u;
SELECT position, name, step, meaning FROM fitted, recsys.encoder_columns(encoder);
SELECT u.*, recsys.encode(encoder, u) AS features FROM users u, fitted ORDER BY user_id LIMIT 3;
SQL

step "Hold out each user's last event, and train on the others"
sql <<'SQL'
CREATE TABLE asked AS
SELECT DISTINCT ON (user_id) user_id, item_id FROM events WHERE user_id IN (SELECT user_id FROM users)
ORDER BY user_id, ts DESC NULLS LAST, item_id;
CREATE TABLE kept AS
SELECT e.* FROM events e JOIN users USING (user_id)
WHERE NOT EXISTS (SELECT FROM asked a WHERE a.user_id = e.user_id AND a.item_id = e.item_id);
CREATE INDEX ON kept (user_id);
VACUUM ANALYZE kept;
SQL
# Exact softmax scores every item for every event: too many of both, and a sample does
network=$(value "SELECT CASE WHEN count(*) * count(DISTINCT item_id) > 1e9 THEN '{\"hidden\": [128], \"epochs\": 4, \"samples\": 512}'
	ELSE '{\"hidden\": [128], \"epochs\": 10}' END FROM kept")
show <<SQL
SELECT recsys.create_model('reader', 'kept', 'mlp', '$network', users => 'users',
	features => '{
	"age": {"impute": "median", "scale": "standard"},
	"gender": {"encode": "one_hot"},
	"occupation": {"impute": "most_frequent", "encode": "one_hot", "unseen": "ignore"}}');
SELECT recsys.train('reader');
SELECT epoch, round(loss::numeric, 4) AS loss
FROM recsys.training_log WHERE model = 'reader' ORDER BY epoch;
SQL

step "Measure: the held-out event among ten"
sql <<'SQL'
SET client_min_messages = warning;
SELECT recsys.create_model('popular', 'kept', 'popularity') \g /dev/null
SELECT recsys.train('popular') \g /dev/null
SQL
sql -P footer=off -P "title=$(value "SELECT count(*) FROM asked") users, each asked for 10 items they did not have:" <<'SQL'
SELECT model, round(avg(recsys.hit_rate_at_k(r.items, ARRAY[item_id], 10))::numeric, 4) AS "HR@10",
	round(avg(recsys.ndcg_at_k(r.items, ARRAY[item_id], 10))::numeric, 4) AS "NDCG@10"
FROM (VALUES ('popular'), ('reader')) m (model), asked,
	LATERAL (SELECT coalesce(array_agg(r.item_id ORDER BY rank), '{}') AS items
		FROM recsys.recommend(user_id, 10, model) r) r
GROUP BY model ORDER BY 2;
SQL

step "Ask for people who are described by hand"
ask() {
	echo "$1:"
	show <<SQL
SELECT rank, title, genre, round(score::numeric, 2) AS score
FROM recsys.recommend_for_features('$1'::jsonb, 10, 'reader') r JOIN books b ON b.item_id = r.item_id::bigint
ORDER BY rank;
SQL
}
# shellcheck disable=SC2046
if [ -z "${USERS:-}" ]; then
	ask '{"age": 17, "gender": "m", "occupation": "student"}'
	ask '{"age": 44, "gender": "f", "occupation": "nurse"}'
else
	ask "{\"age\": 25, \"gender\": \"m\", \"occupation\": $(value "SELECT to_json(min(occupation)) FROM users")}"
	ask "{\"age\": 56, \"gender\": \"f\", \"occupation\": $(value "SELECT to_json(max(occupation)) FROM users")}"
fi

step "Take the model out, as a file that any safetensors reader opens"
model=$scratch/reader.safetensors
value "SELECT encode(recsys.load_model('reader')::bytea, 'base64')" | base64 -di >"$model"
echo "reader.safetensors, $(stat -c %s "$model") bytes, made by"
echo "  psql -XAtc \"SELECT encode(recsys.load_model('reader')::bytea, 'base64')\" | base64 -di >reader.safetensors"
# Its first 8 bytes are the length of the JSON header that follows
show <<'SQL'
SELECT name, tensor ->> 'dtype' AS type, tensor ->> 'shape' AS shape
FROM (SELECT recsys.load_model('reader')::bytea AS bytes) m,
	jsonb_each(convert_from(substr(bytes, 9, get_byte(bytes, 0) + 256 * get_byte(bytes, 1)
		+ 65536 * get_byte(bytes, 2)), 'UTF8')::jsonb) t (name, tensor)
WHERE name <> '__metadata__' ORDER BY name;
SQL

steps_end demo-features "TABLE recsys.models;  TABLE recsys.training_log;" \
	"SELECT * FROM recsys.encoder_columns((SELECT encoder FROM fitted));" \
	"SELECT * FROM recsys.recommend(1, 10, 'reader') JOIN books USING (item_id);"
