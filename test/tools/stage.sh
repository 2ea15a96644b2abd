#!/bin/bash
#
# stage.sh DIR
#		Make a private copy of the installed PostgreSQL under DIR, with recsys in
#		it, and print its bin directory.
#
# The programs are copied (postgres finds its files relative to its own path),
# libraries and shared files are links.  Nothing is written outside DIR.
#
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
stage=${1:?usage: stage.sh DIR}
pg_config=${PG_CONFIG:-pg_config}

bindir=$("$pg_config" --bindir)
pkglibdir=$("$pg_config" --pkglibdir)
sharedir=$("$pg_config" --sharedir)

mkdir -p "$stage$bindir" "$stage$pkglibdir" "$stage$sharedir"
cp -a "$bindir/." "$stage$bindir/"
cp -as "$pkglibdir/." "$stage$pkglibdir/"
cp -as "$sharedir/." "$stage$sharedir/"
make -C "$top" -s -j"$(nproc)" --no-print-directory install DESTDIR="$stage" PG_CONFIG="$pg_config" >&2
chmod -R a+rX "$stage"
echo "$stage$bindir"
