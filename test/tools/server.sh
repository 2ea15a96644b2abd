#
# server.sh
#		Shell library: a scratch directory, a stage and throw-away servers.
#
# Source it, then:
#	scratch_make			makes $scratch (only the server's user and root can
#							enter it), removed with all its servers at exit
#	stage_make				sets $bindir to the stage's programs
#	server_start [LINE…]	starts a server with these lines of configuration;
#							sets PGHOST, PGPORT and PGUSER for clients
#	server_stop
#	as_server COMMAND…		runs a command as the server's user, in $scratch
#
# The server has its own directory, its own socket in it and no TCP address.
# PostgreSQL refuses to run as root: root hands over to the user postgres.
#
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$tools/../.." && pwd)

server_user=
if [ "$(id -u)" -eq 0 ]; then
	server_user=postgres
	getent passwd postgres >/dev/null || server_user=nobody
fi

as_server() {
	if [ -n "$server_user" ]; then
		(cd "$scratch" && HOME=$scratch exec setpriv --reuid="$server_user" \
			--regid="$(id -g "$server_user")" --clear-groups -- "$@")
	else
		(cd "$scratch" && HOME=$scratch exec "$@")
	fi
}

scratch_remove() {
	local status=$?
	trap - EXIT INT TERM HUP
	server_stop || true # it may not have started: what counts is $status
	rm -rf "$scratch"
	exit "$status"
}

scratch_make() {
	scratch=$(mktemp -d "${TMPDIR:-/tmp}/recsys.XXXXXX")
	# A socket's path may have 107 characters
	if [ ${#scratch} -gt 80 ]; then
		rmdir "$scratch"
		scratch=$(mktemp -d /tmp/recsys.XXXXXX)
	fi
	trap scratch_remove EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	[ -z "$server_user" ] || chown "$server_user" "$scratch"
	chmod 700 "$scratch"
	export TMPDIR=$scratch
}

stage_make() {
	bindir=$("$tools/stage.sh" "$scratch/stage")
	export PATH="$bindir:$PATH"
}

server_start() {
	export PGHOST=$scratch PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
	unset PGDATA PGSERVICE PGSSLMODE PGOPTIONS PGPASSFILE PGHOSTADDR
	as_server "$bindir/initdb" -D "$scratch/data" -U postgres -A trust -E UTF8 \
		--locale=C --no-sync >"$scratch/initdb.log" 2>&1 || {
		cat "$scratch/initdb.log" >&2
		return 1
	}
	{
		echo "listen_addresses = ''"
		echo "unix_socket_directories = '$scratch'"
		echo "port = $PGPORT"
		[ $# -eq 0 ] || printf '%s\n' "$@"
	} | as_server tee -a "$scratch/data/postgresql.conf" >/dev/null
	as_server "$bindir/pg_ctl" -D "$scratch/data" -l "$scratch/server.log" -w -s start || {
		tail -n 20 "$scratch/server.log" >&2
		return 1
	}
}

server_stop() {
	[ -f "$scratch/data/postmaster.pid" ] || return 0
	as_server "$bindir/pg_ctl" -D "$scratch/data" -m fast -w -s stop
}
