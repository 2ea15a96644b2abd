#!/bin/bash
#
# docs.sh FILE.md…
#		Run every ```sql block of each page, in order and in one session of a new
#		database; the first error fails the page.  Where a block without a
#		language (```) follows, it must be what psql prints, but for blanks at the
#		end of lines and for notices.  A ```text block is not compared.
#
set -euo pipefail
[ $# -gt 0 ] || { echo "usage: docs.sh FILE.md…" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Writes $work/script, and $work/expected.N for block N where output is shown
cut_page() {
	awk -v work="$work" '
		/^```sql$/ { n++; print "\\echo @@" n; inside = 1; next }
		/^```$/ && inside == 1 { inside = 0; fresh = 1; next }
		/^```$/ && fresh { inside = 2; fresh = 0; printf "" > (work "/expected." n); next }
		/^```/ && inside == 2 { inside = 0; next }
		/^```/ { inside = (inside == 3 ? 0 : 3); fresh = 0; next }
		inside == 1 { print; next }
		inside == 2 { sub(/[ \t]+$/, ""); if ($0 != "") print > (work "/expected." n); next }
		/[^ \t]/ { fresh = 0 }' "$1" >"$work/script"
}

run_page() {
	local page=$1 shown=0 expected
	rm -f "$work"/*
	cut_page "$page"
	dropdb --if-exists docs 2>/dev/null
	createdb docs
	psql -X -q -v ON_ERROR_STOP=1 -f "$work/script" docs >"$work/out" 2>"$work/err" || {
		cat "$work/out" "$work/err"
		echo "docs: an error in $page"
		return 1
	}
	awk -v work="$work" '
		/^@@[0-9]+$/ { file = work "/got." substr($0, 3); printf "" > file; next }
		{ sub(/[ \t]+$/, ""); if ($0 != "") print > file }' "$work/out"
	for expected in "$work"/expected.*; do
		[ -f "$expected" ] || continue
		shown=$((shown + 1))
		diff -u --label "$page" --label "what block ${expected##*.} prints" "$expected" \
			"$work/got.${expected##*.}" || return 1
	done
	echo "docs: All $(grep -c '^@@' "$work/out") tests passed ($page, output of $shown compared)"
}

for page in "$@"; do
	run_page "$page"
done
