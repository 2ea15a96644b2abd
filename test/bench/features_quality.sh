#!/bin/bash
#
# features_quality.sh
#		Ranking quality of the network on MovieLens, by SQL on a throw-away
#		server: demographics alone, history alone, both, beside popularity and als.
#
#	DATASETS=FOLDER features_quality.sh [FILTER]
#
# ml-1m-ncf: trained on train.csv.gz, each user's test item ranked among the 99
# negatives that come with the data.  ml-100k: each user's last event held out and
# ranked among all items that the user has no event with.  FILTER is a pattern
# for "data set model"; data sets that are missing are skipped.
#
set -euo pipefail
. "$(dirname "$0")/../tools/server.sh"
data=$(realpath -m "${DATASETS:-$top/../shared/data}")
filter=${1:-}

if [ ! -d "$data" ]; then
	echo "skipped: no data folder $data: set DATASETS to the folder of the data sets" >&2
	exit 0
fi
sql() { "$bindir/psql" -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }

# load TABLE FILE.csv.gz: a table of text columns, named by the header
load() {
	local header
	header=$(gzip -dc "$2" | head -n 1 | tr -d '\r" ') || true # head closes the pipe
	sql -c "CREATE TABLE $1 (${header//,/ text, } text)"
	gzip -dc "$2" | sql -c "\\copy $1 FROM pstdin WITH (FORMAT csv, HEADER)"
}

load_ml_1m_ncf() {
	load raw_train "$data/ml-1m-ncf/train.csv.gz"
	load raw_test "$data/ml-1m-ncf/test.csv.gz"
	load raw_negatives "$data/ml-1m-ncf/test_negatives.csv.gz"
	load raw_users "$data/ml-1m-ncf/users.csv.gz"
	# For some users the test item is among its own negatives: count it once
	sql <<-'SQL'
		CREATE TABLE train AS SELECT user_id::bigint, item_id::bigint FROM raw_train;
		CREATE TABLE asked AS
		SELECT t.user_id::bigint, t.item_id::bigint,
			array_remove(string_to_array(negatives, ' '), t.item_id)::bigint[] || t.item_id::bigint AS candidates
		FROM raw_test t JOIN raw_negatives n USING (user_id);
		CREATE TABLE users AS SELECT user_id::bigint, age, gender, occupation, zip_code FROM raw_users;
	SQL
	age='{"encode": "one_hot"}' # a code of seven bands
}
load_ml_100k() {
	load raw_events "$data/ml-100k/interactions.csv.gz"
	load raw_users "$data/ml-100k/users.csv.gz"
	sql <<-'SQL'
		CREATE TABLE asked AS
		SELECT DISTINCT ON (user_id) user_id::bigint, item_id::bigint, NULL::bigint[] AS candidates
		FROM raw_events ORDER BY user_id, ts::double precision DESC, item_id::bigint DESC;
		CREATE TABLE train AS
		SELECT user_id::bigint, item_id::bigint FROM raw_events r
		WHERE NOT EXISTS (SELECT FROM asked a WHERE a.user_id = r.user_id::bigint AND a.item_id = r.item_id::bigint);
		CREATE TABLE users AS SELECT user_id::bigint, age::real, gender, occupation, zip_code FROM raw_users;
	SQL
	age='{"bucketize": 8, "encode": "one_hot"}'
}

# measure MODEL ALGORITHM OPTIONS [ARGUMENTS]
measure() {
	case "$set_name $1" in *"$filter"*) ;; *) return 0 ;; esac
	sql <<-SQL
		SET client_min_messages = warning;
		SET recsys.train_memory = '4GB';
		SELECT recsys.create_model('$1', 'train', '$2', '$3'${4:+, $4}) \g /dev/null
		SELECT clock_timestamp() AS began \gset
		SELECT recsys.train('$1') \g /dev/null
		SELECT round(extract(epoch FROM clock_timestamp() - :'began'::timestamptz), 1) AS seconds \gset
		SELECT format('| %-10s | %-42s | %s | %s | %6s |', '$set_name', '$1',
			round(avg(recsys.hit_rate_at_k(items, ARRAY[item_id], 10))::numeric, 4),
			round(avg(recsys.ndcg_at_k(items, ARRAY[item_id], 10))::numeric, 4), :'seconds')
		FROM asked a, LATERAL (SELECT coalesce(array_agg(r.item_id ORDER BY rank), '{}') AS items
			FROM recsys.recommend(a.user_id, 10, '$1', candidates => a.candidates) r) r;
	SQL
}

scratch_make
stage_make
server_start "shared_preload_libraries = 'recsys'" "shared_buffers = 512MB" "fsync = off"

echo "| data set   | model                                      | HR@10 | NDCG@10 | train s |"
echo "|---|---|---|---|---|"
for set_name in ml-1m-ncf ml-100k; do
	if [ ! -d "$data/$set_name" ]; then
		echo "$set_name: not in $data, skipped"
		continue
	fi
	export PGDATABASE=${set_name//-/_}
	createdb "$PGDATABASE"
	"load_$PGDATABASE"
	sql <<-'SQL'
		CREATE EXTENSION recsys;
		CREATE INDEX ON train (user_id);
		ALTER TABLE users ADD PRIMARY KEY (user_id);
		VACUUM ANALYZE;
	SQL
	people="users => 'users', features => '{\"age\": $age, \"gender\": {\"encode\": \"one_hot\"}, \"occupation\": {\"encode\": \"one_hot\"}}'"
	measure "popularity" popularity '{}'
	measure "als" als '{}'
	measure "mlp, demographics" mlp '{"history": 0}' "$people"
	measure "mlp, demographics, sampled softmax" mlp '{"history": 0, "samples": 512}' "$people"
	measure "mlp, history" mlp '{"history": 64}'
	measure "mlp, history and demographics" mlp '{"history": 64}' "$people"
	measure "mlp, history and demographics, sampled" mlp '{"history": 64, "samples": 512}' "$people"
done
