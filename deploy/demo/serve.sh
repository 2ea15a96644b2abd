#!/bin/bash
#
# serve.sh
#		The whole shop on one machine: a throw-away server, an embedded broker, a
#		stream, a trained model, and the service with its pages.  Ctrl-C ends all
#		of it and removes what it made.
#
#	PORT=5000		where the service listens
#	ADDRESS=127.0.0.1
#
# Called by make serve, which installs the packages first.
#
set -euo pipefail
. "$(dirname "$0")/../../test/tools/server.sh"
. "$(dirname "$0")/steps.sh"
. "$(dirname "$0")/topic.sh"
demo=$top/deploy/demo
port=${PORT:-5000} address=${ADDRESS:-127.0.0.1}

topic_shop

step "Open a shop, and let a stream bring its events"
sql -f "$demo/shop.sql"
sql -c "ALTER TABLE events RENAME TO played; CREATE TABLE events (LIKE played, sent timestamptz); CREATE INDEX ON events (user_id, ts DESC)"
topic_stream >/dev/null
topic_play played
topic_wait "SELECT sum(rows) >= (SELECT count(*) FROM played) FROM recsys.stream_status"
# One message that cannot be a row, for the operator's page
echo $'nobody\tnot JSON' | topic_produce
sql -c "VACUUM ANALYZE events"

step "Train"
sql >/dev/null <<-'SQL'
	SELECT recsys.create_model('shop', 'events', 'als', event_column => 'event_type',
		event_weights => '{"view": 1, "cart": 3, "purchase": 5}', time_column => 'ts', items => 'items');
	SELECT recsys.train('shop');
SQL
step_end
step_name=

echo '{"category": "category = $1", "cheaper_than": "price < $1"}' >"$scratch/filters.json"
echo '{"broker.address.family": "v4"}' >"$scratch/kafka.json"
printf '\n== The shop is open: http://%s:%s/   its operator: http://%s:%s/operator\n' \
	"$address" "$port" "$address" "$port"
echo "   Ctrl-C closes it."
RECSYS_HOST=$address RECSYS_PORT=$port RECSYS_PAGES=yes RECSYS_MODEL=shop RECSYS_BROKERS=$brokers RECSYS_TOPIC=$topic \
	RECSYS_DATABASE="postgresql://shop@/shop?host=$scratch&port=$PGPORT" \
	RECSYS_FILTERS=$scratch/filters.json RECSYS_KAFKA=$scratch/kafka.json \
	/usr/bin/python3 "$top/deploy/service" 2>"$scratch/service.log" &
service=$!
trap 'kill -TERM $service 2>/dev/null; wait $service 2>/dev/null; exit 130' INT
trap 'kill -TERM $service 2>/dev/null; wait $service 2>/dev/null; exit 143' TERM HUP
wait $service || { tail -n 5 "$scratch/service.log" >&2; exit 1; }
