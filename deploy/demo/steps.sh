#
# steps.sh
#		Shell library of the demos, sourced after server.sh: steps with their
#		seconds, and SQL in the database shop.
#
started=$EPOCHREALTIME

seconds_since() {
	awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }'
}
steps=
# step "what it does": ends the step before, with its seconds
step() {
	step_end
	printf '\n== %s\n' "$1"
	step_name=$1 step_started=$EPOCHREALTIME
}
step_end() {
	[ -z "${step_name:-}" ] || steps+=$(printf '%8s s  %s' "$(seconds_since "$step_started")" "$step_name")$'\n'
}
sql() { psql -X -q -v ON_ERROR_STOP=1 "$@" shop; }
# Statements from the input, shown as they run
show() { sql -v client_min_messages=notice -P footer=off -P null=- -e; }
# One value
value() { sql -At -c "$1"; }

# A file's rows, packed or not
unpacked() {
	case "$1" in *.gz) gzip -dc "$1" ;; *) cat "$1" ;; esac
}

# steps_end MAKE-TARGET LINE…: the seconds of all steps, and what to type to look
# around; waits for Enter where KEEP=1
steps_end() {
	local target=$1 look="psql -h $scratch -p $PGPORT -U $PGUSER shop"
	shift
	step_end
	step_name=
	printf '\n== Seconds\n%s%8s s  in all\n' "$steps" "$(seconds_since "$started")"
	printf '\n== Look around\nWhile the server runs (make %s KEEP=1 waits for you):\n' "$target"
	[ -z "$server_user" ] || look="$look      # as root or $server_user"
	printf '  %s\n' "$look" "$@"
	if [ "${KEEP:-}" = 1 ]; then
		read -r -p "Enter (or Ctrl-C) stops the server and removes everything. " ||
			printf '\nNo input to wait for: the server is stopped.\n'
	fi
}
