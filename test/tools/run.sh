#!/bin/bash
#
# run.sh SUITE…
#		Run test suites against a stage, as an unprivileged user, in a scratch
#		directory: regress, isolation, tap, docs, service.
#
# One test only: REGRESS=name, ISOLATION=name, PROVE_TESTS=test/t/NNN_name.pl,
# SERVICE_TESTS=test_name.
# TAP tests run JOBS at a time (two a core: they wait more than they compute).
# Prints each suite's own closing line; fails if any suite does, after having
# run them all.
#
set -euo pipefail
. "$(dirname "$0")/server.sh"

scratch_make
stage_make
pgxs=$(cd "$(dirname "$("$bindir/pg_config" --pgxs)")/.." && pwd)
for part in test expected docs deploy; do
	[ ! -d "$top/$part" ] || cp -r "$top/$part" "$scratch/"
done
cp "$top/README.md" "$scratch/"
# KafkaTest.pm builds test/kafka/reader.c from these
mkdir -p "$scratch/src/kafka"
cp "$top"/src/kafka/*.[ch] "$scratch/src/kafka/"
[ -z "$server_user" ] || chown -R "$server_user" "$scratch"/{README.md,test,expected,docs,deploy}

failed=()
closing() {
	grep -E "tests passed|tests successful|^Files=|^Result:|^service: " "$1" || tail -n 3 "$1"
}
# A suite's log in full if it failed, else its closing lines
suite() {
	local name=$1 log="$scratch/$1.log" diffs=$2
	shift 2
	echo "--- $name"
	if as_server "$@" >"$log" 2>&1; then
		sed -n '/^ok \|^test .* ok \|^\[.*\.\. ok\|^# [0-9]* rounds on .* lost\|^# .*SEED=\|^# [0-9]* answers \| \.\.\. # \| \.\.\. skipped /p' "$log"
		closing "$log"
	else
		failed+=("$name")
		cat "$log"
		[ ! -f "$diffs" ] || cat "$diffs"
	fi
}
names() {
	local f
	for f in "$1"/*."$2"; do
		[ ! -f "$f" ] || basename "$f" ."$2"
	done
}

suite_regress() {
	# shellcheck disable=SC2046 # names hold no blanks
	set -- ${REGRESS:-$(names "$top/test/sql" sql)}
	suite regress "$scratch/regression.diffs" "$pgxs/test/regress/pg_regress" \
		--bindir="$bindir" --inputdir=test --outputdir=. --load-extension=recsys \
		--host="$PGHOST" --port="$PGPORT" --user=postgres --dbname=regression "$@"
}

suite_isolation() {
	# shellcheck disable=SC2046
	set -- ${ISOLATION:-$(names "$top/test/isolation/specs" spec)}
	as_server mkdir -p output_iso
	suite isolation "$scratch/output_iso/regression.diffs" \
		"$pgxs/test/isolation/pg_isolation_regress" \
		--bindir="$bindir" --inputdir=test/isolation --outputdir=output_iso \
		--load-extension=recsys --host="$PGHOST" --port="$PGPORT" --user=postgres \
		--dbname=isolation "$@"
}

# The jars of a real Kafka broker, where the server's user can read them.  Fetched
# once where Maven is there; where they cannot be had, those tests say so
real_broker_jars() {
	local broker=$top/test/kafka/real/real_broker.sh why
	why=$(timeout 180 "$broker" fetch) || true
	why=${why:-$("$broker" available)} || true
	if [ -n "$why" ]; then
		echo "skipped: tests beside a real Kafka broker: $why"
		return
	fi
	cp -r "$("$broker" jars)" "$scratch/kafka-jars"
	export KAFKA_JARS=$scratch/kafka-jars
}

# Tests whose figures are times of the machine: after the others, by themselves
tap_alone=(002_cancel)

suite_tap() {
	local test together=() alone=() options=(-I "$pgxs/test/perl" -I test/t --timer)
	real_broker_jars
	# The largest first, so that none of them ends long after the others
	# shellcheck disable=SC2046,SC2086
	set -- ${PROVE_TESTS:-$(cd "$top" && ls -S test/t/*.pl)}
	for test in "$@"; do
		case " ${tap_alone[*]} " in
			*" $(basename "$test" .pl) "*) alone+=("$test") ;;
			*) case $test in -*) options+=("$test") ;; *) together+=("$test") ;; esac ;;
		esac
	done
	# TAP starts servers of its own, beside ours
	local environment=(env -u PGHOST -u PGUSER -u PGDATABASE TESTDIR="$scratch" PATH="$bindir:$PATH" PGPORT=65432
		PG_REGRESS="$pgxs/test/regress/pg_regress" top_builddir="$scratch")
	[ ${#together[@]} -eq 0 ] ||
		suite tap /dev/null "${environment[@]}" prove -j "${JOBS:-$((2 * $(nproc)))}" "${options[@]}" "${together[@]}"
	[ ${#alone[@]} -eq 0 ] || suite "tap, one at a time" /dev/null "${environment[@]}" prove "${options[@]}" "${alone[@]}"
}

suite_docs() {
	suite docs /dev/null bash test/tools/docs.sh README.md docs/tutorial.md docs/features.md docs/experiments.md docs/cookbook.md
}

# The broker is built from the tree (make kafka-tools), servers are the tests' own
suite_service() {
	as_server mkdir -p build
	cp -r "$top/build/kafka" "$scratch/build/"
	[ ! -d "$top/build/service-tools" ] || cp -r "$top/build/service-tools" "$scratch/build/"
	chmod -R a+rX "$scratch/build"
	# shellcheck disable=SC2086
	suite service /dev/null env -u PGHOST -u PGPORT -u PGUSER -u PGDATABASE PATH="$bindir:$PATH" \
		/usr/bin/python3 test/service/run.py ${SERVICE_TESTS:-}
}

server_start "fsync = off" "max_prepared_transactions = 10"
for name in "$@"; do
	"suite_$name"
done
if [ ${#failed[@]} -gt 0 ]; then
	echo "FAILED: ${failed[*]}"
	exit 1
fi
