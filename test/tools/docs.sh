#!/bin/bash
#
# docs.sh FILE.md
#		Run every ```sql block of a page, in order and in one session of a new
#		database; the first error fails it.
#
set -euo pipefail
page=${1:?usage: docs.sh FILE.md}
dropdb --if-exists docs 2>/dev/null
createdb docs
blocks=$(grep -c '^```sql$' "$page")
awk '/^```sql$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$page" |
	psql -X -q -v ON_ERROR_STOP=1 docs
echo "docs: All $blocks tests passed ($page)"
