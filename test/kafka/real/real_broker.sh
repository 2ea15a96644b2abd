#!/bin/bash
#
# real_broker.sh
#		One Apache Kafka broker on free ports of 127.0.0.1, for tests.
#
#	real_broker.sh available		status 0 if it can be started; else says why not in a line
#	real_broker.sh fetch			get its jars by Maven, once, into $KAFKA_JARS
#	real_broker.sh jars				where they are
#	real_broker.sh prepare DIR [PORT…]	certificates, configuration, formatted storage;
#								five ports, where it shall not look for free ones
#	real_broker.sh run DIR			become the broker (exec), until SIGTERM
#	real_broker.sh start DIR		prepare where needed, run in the background, wait until it answers
#	real_broker.sh wait DIR			wait until it answers
#	real_broker.sh stop DIR			SIGTERM, wait for its end
#
# prepare writes DIR/env, to be sourced:
#	PLAINTEXT SASL TLS WRONGNAME	host:port of each listener.  SASL: PLAIN and
#							SCRAM-SHA-256, user and password below, without TLS.
#							WRONGNAME: TLS whose certificate is of another name
#	CA				the certificate of the authority that signed both others
#	SASL_USER SASL_PASSWORD
#
# The broker has low limits where waiting would cost time: it looks for old
# segments and dirty ones several times a second, and soon forgets one that was
# killed.
#
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=$(sed -n '/kafka_2.13/{n;s/.*>\(.*\)<.*/\1/p}' "$here/pom.xml")
jars=${KAFKA_JARS:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/recsys-tests/kafka-$version}
# A test's broker lives for seconds: the first compiler is enough, unless told otherwise
java_options=${KAFKA_JAVA_OPTIONS:--Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1}

available() {
	local program
	for program in java openssl perl; do
		command -v "$program" >/dev/null || { echo "no program $program"; return 1; }
	done
	[ -f "$jars/complete" ] || { echo "no jars of Apache Kafka $version (real_broker.sh fetch gets them)"; return 1; }
}

fetch() {
	[ ! -f "$jars/complete" ] || return 0
	command -v mvn >/dev/null || { echo "no program mvn, so no Apache Kafka $version"; return 1; }
	local work=$jars.$$
	mkdir -p "$work"
	# A half-fetched set never gets the final name
	if ! mvn -B -q -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$work" \
		</dev/null >"$work/log" 2>&1; then
		echo "Maven could not get Apache Kafka $version: $(grep -m 1 ERROR "$work/log")"
		rm -rf "$work"
		return 1
	fi
	touch "$work/complete"
	rm -rf "$jars"
	mv "$work" "$jars"
}

free_ports() { # NUMBER
	perl -MIO::Socket::INET -e '
		my @s = map { IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1") or die } 1 .. shift;
		print join(" ", map { $_->sockport } @s), "\n"' "$1"
}

# A key with a certificate for these names, in one file as Kafka reads it
certificate() { # NAME SUBJECT-ALTERNATIVE-NAMES
	openssl req -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$1" 2>/dev/null
	openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
		-extfile <(echo "subjectAltName=$2") -out "$1.crt" 2>/dev/null
	(umask 077 && cat "$1.key" "$1.crt" >"$1.pem")
}

prepare() {
	local dir=$1 ports
	mkdir -p "$dir"
	cd "$dir"
	dir=$PWD
	openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 \
		-subj "/CN=authority of a test" 2>/dev/null
	certificate broker "IP:127.0.0.1,DNS:localhost"
	certificate stranger "DNS:stranger.invalid"
	read -r -a ports < <([ -n "${2:-}" ] && echo "${@:2}" || free_ports 5)
	local secret
	secret=$(openssl rand -hex 12)
	cat >env <<-END
		PLAINTEXT=127.0.0.1:${ports[0]}
		SASL=127.0.0.1:${ports[1]}
		TLS=127.0.0.1:${ports[2]}
		WRONGNAME=127.0.0.1:${ports[3]}
		CA=$dir/ca.pem
		SASL_USER=shop
		SASL_PASSWORD=$secret
	END
	properties "$dir" "$secret" "${ports[@]}" >server.properties
	java $java_options -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$jars/*" \
		kafka.tools.StorageTool format -t "$(openssl rand 16 | base64 | tr '+/' '-_' | tr -d =)" \
		--add-scram "SCRAM-SHA-256=[name=shop,password=$secret]" \
		-c server.properties >format.log 2>&1 || { cat format.log >&2; return 1; }
}

properties() { # DIR SECRET PORT…
	local dir=$1 secret=$2
	shift 2
	cat <<-END
		process.roles=broker,controller
		node.id=1
		controller.quorum.voters=1@127.0.0.1:$5
		controller.listener.names=CONTROLLER
		listeners=PLAINTEXT://127.0.0.1:$1,SASL://127.0.0.1:$2,TLS://127.0.0.1:$3,WRONGNAME://127.0.0.1:$4,CONTROLLER://127.0.0.1:$5
		advertised.listeners=PLAINTEXT://127.0.0.1:$1,SASL://127.0.0.1:$2,TLS://127.0.0.1:$3,WRONGNAME://127.0.0.1:$4
		listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT,TLS:SSL,WRONGNAME:SSL
		inter.broker.listener.name=PLAINTEXT
		listener.name.sasl.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256
		listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_shop="$secret";
		listener.name.sasl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
		listener.name.tls.ssl.keystore.type=PEM
		listener.name.tls.ssl.keystore.location=$dir/broker.pem
		listener.name.wrongname.ssl.keystore.type=PEM
		listener.name.wrongname.ssl.keystore.location=$dir/stranger.pem
		log.dirs=$dir/log
		auto.create.topics.enable=false
		offsets.topic.num.partitions=1
		offsets.topic.replication.factor=1
		transaction.state.log.num.partitions=1
		transaction.state.log.replication.factor=1
		transaction.state.log.min.isr=1
		group.initial.rebalance.delay.ms=0
		broker.session.timeout.ms=1000
		broker.heartbeat.interval.ms=200
		log.retention.check.interval.ms=300
		log.initial.task.delay.ms=100
		log.segment.delete.delay.ms=100
		log.cleaner.backoff.ms=200
		message.max.bytes=20000000
		socket.request.max.bytes=209715200
	END
}

run() {
	cd "$1"
	rm -f broker.log
	echo $$ >pid
	exec java $java_options -Dorg.slf4j.simpleLogger.defaultLogLevel=warn \
		-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info \
		-cp "$jars/*" kafka.Kafka server.properties >broker.log 2>&1
}

wait_for() {
	local i
	for i in $(seq 600); do
		! grep -q "Kafka Server started" "$1/broker.log" 2>/dev/null || return 0
		[ ! -f "$1/pid" ] || kill -0 "$(cat "$1/pid")" 2>/dev/null || break
		sleep 0.1
	done
	echo "the broker does not start; the end of $1/broker.log:" >&2
	tail -n 5 "$1/broker.log" >&2
	return 1
}

stop() {
	local pid
	[ -f "$1/pid" ] || return 0
	pid=$(cat "$1/pid")
	kill -TERM "$pid" 2>/dev/null || true
	while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
	rm -f "$1/pid" "$1/broker.log"
}

case "${1:-}:$#" in
	available:1) available ;;
	fetch:1) fetch ;;
	jars:1) echo "$jars" ;;
	prepare:2 | prepare:7) prepare "${@:2}" ;;
	run:2) run "$2" ;;
	start:2)
		[ -f "$2/server.properties" ] || (prepare "$2")
		rm -f "$2/broker.log" # of one that was killed
		"$here/real_broker.sh" run "$2" </dev/null >/dev/null 2>&1 &
		echo $! >"$2/pid" # the same process: run becomes the broker
		wait_for "$2"
		;;
	wait:2) wait_for "$2" ;;
	stop:2) stop "$2" ;;
	*) sed -n '3,/^set /s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
