#!/bin/bash
#
# topic.sh
#		Shell library of the demo: the topic that the shop's events come by.
#
#	topic_shop LINE…		build, and start a server with these lines of configuration, the
#						database and role shop with the extension, and the broker
#	topic_open BUILD		an embedded broker (librdkafka's mock cluster) with the
#						topic, or with BROKERS=host:port,… the cluster there: TOPIC
#						is made when it is missing, and must be empty
#	topic_stream			a stream from the topic into table events
#	topic_play TABLE		all rows of a table, by the user's id as key
#	topic_clicks_open		before the first topic_send; its first message is not JSON
#	topic_send JSON			one event; sets $sent_to_visible_ms when it can be seen
#
# step, sql, value and show are the caller's.  Sets $brokers and $topic.
#
# The mock keeps 5 MiB of a partition
topic_partitions=12

topic_shop() {
	step "Build, and make a private copy of the server with recsys in it"
	scratch_make
	stage_make
	make -C "$top" -s --no-print-directory kafka-tools

	step "Start a throw-away server and a broker"
	server_start "shared_preload_libraries = 'recsys'" "shared_buffers = 256MB" "$@"
	createuser shop
	createdb -O shop shop
	psql -X -q -v ON_ERROR_STOP=1 -e shop <<-SQL
		CREATE EXTENSION recsys;
		GRANT INSERT ON recsys.stream TO shop;
		GRANT INSERT, UPDATE, DELETE ON recsys.model_registry, recsys.model_version, recsys.model_chunk TO shop;
	SQL
	# All that follows as role shop: it owns tables and stream, and a superuser may not
	export PGUSER=shop
	topic_open "$top/build/kafka"
}

topic_open() {
	topic_tools=$1
	topic=${TOPIC:-user-behavior-topic}
	if [ -z "${BROKERS:-}" ]; then
		coproc BROKER { exec "$topic_tools/broker" --topic "$topic:$topic_partitions" 2>"$scratch/broker.log"; }
		# Kept beyond the coprocess's own variables: the broker ends with its input
		exec {broker_commands}>&"${BROKER[1]}"
		read -r -t 10 _ brokers <&"${BROKER[0]}" || {
			cat "$scratch/broker.log" >&2
			return 1
		}
		echo "An embedded broker at $brokers with topic $topic, $topic_partitions partitions"
		return
	fi
	brokers=$BROKERS
	local there
	there=$("$topic_tools/real" "$brokers" count "$topic")
	case "$there" in
		none) "$topic_tools/real" "$brokers" create "$topic" $topic_partitions ;;
		0) ;;
		*)
			echo "Topic $topic of $brokers holds $there messages." >&2
			echo "The demo plays a generated shop's events: name another topic by TOPIC=…" >&2
			return 1
			;;
	esac
	echo "The cluster at $brokers, topic $topic"
}

# A producer that stays connected, as a shop's own would
topic_clicks_open() {
	mkfifo "$scratch/clicks.pipe"
	topic_produce -X linger.ms=0 <"$scratch/clicks.pipe" >/dev/null &
	exec {topic_clicks}>"$scratch/clicks.pipe"
	printf 'nobody\tnot JSON\n' >&"$topic_clicks"
}

topic_stream() {
	# The mock answers a waiting fetch only when its time is over; Kafka answers at
	# the first message
	local options="{}"
	[ -n "${BROKERS:-}" ] || options='{"kafka": {"fetch.wait.max.ms": 5}}'
	show <<-SQL
		SELECT recsys.create_stream('shop', '$brokers', '$topic', 'events', options => '$options',
			mapping => '{"user_id": "user_id", "item_id": "item_id", "event_type": "event_type", "ts": "ts", "sent": {"from": "timestamp"}}');
	SQL
}

topic_produce() {
	"$topic_tools/producer" --brokers "$brokers" --topic "$topic" --keyed "$@"
}

topic_play() {
	value "SELECT user_id || e'\t' || to_json(t) FROM $1 t ORDER BY ts" | topic_produce
}

# topic_wait SQL: until the query answers t, at most a minute
topic_wait() {
	local i answer
	for i in $(seq 3000); do
		answer=$(value "$1") || return 1
		[ "$answer" != t ] || return 0
		sleep 0.01
	done
	echo "the stream did not bring what was sent:" >&2
	sql -c "SELECT * FROM recsys.stream_status" >&2
	tail -n 20 "$scratch/server.log" >&2
	return 1
}

# The commit's time is kept by the server, the time of sending by the message
topic_send() {
	local user
	user=$(value "SELECT '$1'::jsonb ->> 'user_id'")
	value "SELECT coalesce(max(sent), '-infinity') FROM events" >"$scratch/last_sent"
	printf '%s\t%s\n' "$user" "$1" >&"$topic_clicks"
	topic_wait "SELECT max(sent) > '$(cat "$scratch/last_sent")' FROM events"
	sent_to_visible_ms=$(value "SELECT round(1000 * extract(epoch FROM pg_xact_commit_timestamp(xmin) - sent))
		FROM events WHERE sent IS NOT NULL ORDER BY sent DESC LIMIT 1")
}
