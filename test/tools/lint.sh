#!/bin/bash
#
# lint.sh
#		Prove what the architecture promises: arrows between rooms, exported and
#		undefined symbols, no BLAS at link time, unique names, formatting, and no
#		test file that no suite runs.
#
# Prints every breach; fails if there is one.  Builds first: it reads objects.
#
set -euo pipefail
cd "$(dirname "$0")/../.."
make -s --no-print-directory -j"$(nproc)" all

breaches=0
breach() {
	printf 'lint: %s\n' "$@" >&2
	breaches=$((breaches + 1))
}
# none "what must not be" COMMAND…: breach when the command prints anything
none() {
	local what=$1 found
	shift
	found=$("$@" 2>&1) || [ $? -eq 1 ] || breach "$what: $* failed" # grep: 1 = no match
	[ -z "$found" ] || breach "$what:" "$found"
}
includes() { # PATTERN FOLDER…
	local pattern=$1
	shift
	grep -rnE --include='*.[ch]' "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]($pattern)" "$@"
}

# arrows: pg → kafka → core, pg → core
none "src/core includes another room" \
	includes 'postgres|fmgr|utils/|access/|catalog/|executor/|miscadmin|storage/|librdkafka|rdkafka|pg/|kafka/|\.\.' src/core
if [ -d src/kafka ]; then
	none "src/kafka includes PostgreSQL or src/pg" \
		includes 'postgres|fmgr|utils/|access/|catalog/|executor/|miscadmin|storage/|pg/|\.\.' src/kafka
fi
none "rdkafka.h outside src/kafka" includes '(librdkafka/)?rdkafka|kafka/(api|configure)\.h' src/core src/pg
none "a BLAS header: OpenBLAS is opened at run time" includes '.*(cblas|openblas|lapacke)' src
none "dlopen outside src/core/math/linalg.c and src/kafka/api.c" \
	grep -rnE --include='*.[ch]' --exclude=linalg.c --exclude=api.c '\b(dlopen|dlsym) *\(' src
none "src/core or src/kafka prints or exits" \
	grep -rnE '\b(printf|fprintf|puts|abort|exit|longjmp|ereport|elog|palloc) *\(' src/core src/kafka

# rooms inside of core and pg, and files in a circle
none "the map in docs/architecture.md does not hold" python3 test/tools/rooms.py

# symbols
none "exported symbol without our prefix" \
	sh -c "nm -D --defined-only recsys.so | awk '{print \$3}' |
		grep -vE '^(rs_|rsk_|rspg_|recsys_|pg_finfo_|Pg_magic_func\$|_PG_init\$|_PG_fini\$)'"
for object in $(find src/core src/kafka -name '*.o'); do
	[ -f "${object%.o}.c" ] || continue
	none "$object wants a symbol of PostgreSQL" \
		sh -c "nm -u $object | awk '{print \$2}' |
			grep -E '^(palloc|pfree|repalloc|MemoryContext|errstart|errmsg|errfinish|elog|ereport|SPI_|CurrentMemoryContext|InterruptPending|ProcessInterrupts|pg_|Datum|heap_|rspg_|recsys_)'"
	none "$object wants BLAS at link time" sh -c "nm -u $object | grep -E ' (cblas_|openblas_|[sd](gemm|syrk|potr[fi])_)'"
done
none "BLAS or Kafka as a needed library" \
	sh -c "readelf -d recsys.so | grep NEEDED | grep -iE 'blas|lapack|kafka'"
none "a function of librdkafka at link time: it is opened at run time" \
	sh -c "nm -D --undefined-only recsys.so | grep ' rd_kafka_'"
none "a flag that changes the server's floats, or is not portable" \
	grep -nE -- '-ffast-math|-Ofast|-funsafe-math|-march=native|crtfastmath' Makefile
none "set_fast_math in the library" sh -c "nm recsys.so | grep -i fast_math"

# names and sizes
none "basename used twice" sh -c "git ls-files 'src/*.c' | xargs -n 1 basename | sort | uniq -d"
none "a file in sql/ without -- in its name" sh -c "git ls-files sql | grep -v -e --"
none "longer than 800 lines" \
	sh -c "git ls-files '*.c' '*.h' '*.sh' '*.pl' | xargs wc -l | awk '\$1 > 800 && \$2 != \"total\"'"
none "trailing blank" git grep -nE '[[:blank:]]+$' -- '*.c' '*.h' '*.sh' '*.sql' '*.md' '*.pl' '*.mk' Makefile .ci

# formatting
for file in $(git ls-files '*.c' '*.h'); do
	none "formatting (make format)" sh -c "clang-format-14 --dry-run -Werror '$file' 2>&1 | head -n 3"
done

# every test is in the run, and has what it is compared with
for file in test/sql/*.sql; do
	[ -e "$file" ] || continue
	[ -f "expected/$(basename "$file" .sql).out" ] || breach "$file has no expected/$(basename "$file" .sql).out"
done
for file in expected/*.out; do
	[ -e "$file" ] || continue
	base=$(basename "$file" .out)
	[ -f "test/sql/$base.sql" ] || [ -f "test/sql/${base%_[0-9]}.sql" ] || breach "$file belongs to no test"
done
for file in test/isolation/specs/*.spec; do
	[ -e "$file" ] || continue
	[ -f "test/isolation/expected/$(basename "$file" .spec).out" ] || breach "$file has no expected output"
done
# What the suites pick up by name: test_*.c (unit), fuzz_*.c and its make_corpus.c, *.sql, *.spec, *.pl
none "a test file that no suite runs" sh -c "git ls-files test/sql test/isolation test/t test/unit test/fuzz |
	grep -E '\.(c|sql|spec|pl)$' |
	grep -vE '^(test/sql/[a-z0-9_]+\.sql|test/isolation/specs/[a-z0-9_]+\.spec|test/t/[0-9]{3}_[a-z0-9_]+\.pl|test/unit/test_[a-z0-9_]+\.c|test/fuzz/(fuzz_[a-z0-9_]+|make_corpus)\.c)$'"
none "shell script that does not parse" \
	sh -c "for f in \$(git ls-files '*.sh' .ci/run); do bash -n \$f; done"

none "Python that does not parse" python3 -c '
import ast, pathlib
for file in [*pathlib.Path("deploy").rglob("*.py"), *pathlib.Path("test").rglob("*.py")]:
    ast.parse(file.read_text(encoding="utf-8"), str(file))'

[ "$breaches" -eq 0 ] || { echo "lint: $breaches breaches" >&2; exit 1; }
echo "lint: no breach"
