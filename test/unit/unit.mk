# unit.mk: the core without a server.  Included by the top Makefile; everything
# is built below $(UNIT_BUILD), never beside PGXS's objects.
#
#   make unit        every test/unit/test_*.c under ASan and UBSan
#   make unit-tsan   the same under TSan
#   make coverage    branch coverage of src/core; fails below COVERAGE_MIN percent
#   make fuzz        libFuzzer over model bytes and messages, FUZZ_SECONDS long each (needs clang)
#   make bench-topk  times of the exact top k
#   make bench-open  times to open the bytes of a model
#   make bench-decode time to decode a message
#   make bench-als   build build/bench/als_solver, which compares ALS's solvers

UNIT_BUILD   ?= build
UNIT_CC      ?= gcc
UNIT_SRC     := $(or $(srcdir),.)
UNIT_CORE    := $(sort $(shell find $(UNIT_SRC)/src/core -name '*.c'))
UNIT_TESTS   := $(sort $(basename $(notdir $(wildcard $(UNIT_SRC)/test/unit/test_*.c))))
UNIT_HEADERS := $(shell find $(UNIT_SRC)/src/core -name '*.h') $(wildcard $(UNIT_SRC)/test/unit/*.h)
UNIT_WARN    := -std=gnu11 -Wall -Wextra -Wdeclaration-after-statement
UNIT_CFLAGS   = $(UNIT_WARN) -DUNIT_TOP='"$(UNIT_SRC)"' -g -fno-math-errno -ffp-contract=fast -I$(UNIT_SRC)/src -I$(UNIT_SRC)/test/unit
UNIT_LIBS    := -lm -ldl -lpthread
UNIT_FLAGS_asan := -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
UNIT_FLAGS_tsan := -O1 -fsanitize=thread
UNIT_FLAGS_cov  := -O0 --coverage -fprofile-update=atomic -fprofile-abs-path
UNIT_FLAGS_bench := -O3

# $(call unit-variant,NAME): rules for build/NAME/*.o, libcore.a (so that a test
# links what it needs only) and the test programs
define unit-variant
$(UNIT_BUILD)/$(1)/core/%.o: $(UNIT_SRC)/src/core/%.c $$(UNIT_HEADERS)
	@mkdir -p $$(@D)
	$$(UNIT_CC) $$(UNIT_CFLAGS) $$(UNIT_FLAGS_$(1)) -c $$< -o $$@
$(UNIT_BUILD)/$(1)/libcore.a: $$(UNIT_CORE:$(UNIT_SRC)/src/core/%.c=$(UNIT_BUILD)/$(1)/core/%.o)
	@rm -f $$@
	$$(AR) rcs $$@ $$^
$(UNIT_BUILD)/$(1)/test_%: $(UNIT_SRC)/test/unit/test_%.c $(UNIT_BUILD)/$(1)/libcore.a $$(UNIT_HEADERS)
	@mkdir -p $$(@D)
	$$(UNIT_CC) $$(UNIT_CFLAGS) $$(UNIT_FLAGS_$(1)) $$< $(UNIT_BUILD)/$(1)/libcore.a $$(UNIT_LIBS) -o $$@
.PRECIOUS: $(UNIT_BUILD)/$(1)/core/%.o
endef
$(foreach v,asan tsan cov bench,$(eval $(call unit-variant,$(v))))

# Run programs $(1), one a core; each prints its closing line, then the total
define unit-run
@printf '%s\n' $(1) | xargs -P $$(nproc) -I {} sh -c '{} >{}.out 2>&1; echo $$? >{}.status'; \
passed=0; failed=0; \
for t in $(1); do \
	rc=`cat $$t.status`; \
	line=`grep -E '^[0-9]+ passed, [0-9]+ failed$$' $$t.out | tail -1`; \
	if [ $$rc -ne 0 ] || [ -z "$$line" ]; then cat $$t.out; fi; \
	echo "$$(basename $$t): $${line:-died with status $$rc}"; \
	p=`echo "$${line:-0 passed, 1 failed}" | cut -d' ' -f1`; \
	f=`echo "$${line:-0 passed, 1 failed}" | cut -d' ' -f3`; \
	if [ $$rc -ne 0 ] && [ "$$f" = 0 ]; then f=1; fi; \
	passed=$$((passed + p)); failed=$$((failed + f)); \
done; \
echo "unit: $$passed passed, $$failed failed"; [ $$failed -eq 0 ]
endef

.PHONY: unit unit-tsan
unit: $(UNIT_TESTS:%=$(UNIT_BUILD)/asan/%)
	$(call unit-run,$^)
unit-tsan: $(UNIT_TESTS:%=$(UNIT_BUILD)/tsan/%)
	$(call unit-run,$^)

.PHONY: bench-topk
bench-topk: $(UNIT_BUILD)/bench/topk
	$<
$(UNIT_BUILD)/bench/topk: $(UNIT_SRC)/test/bench/topk.c $(UNIT_BUILD)/bench/libcore.a
	$(UNIT_CC) $(UNIT_CFLAGS) $(UNIT_FLAGS_bench) $^ $(UNIT_LIBS) -o $@

.PHONY: bench-open
bench-open: $(UNIT_BUILD)/bench/open
	$<
$(UNIT_BUILD)/bench/open: $(UNIT_SRC)/test/bench/open.c $(UNIT_BUILD)/bench/libcore.a
	$(UNIT_CC) $(UNIT_CFLAGS) $(UNIT_FLAGS_bench) $^ $(UNIT_LIBS) -o $@

COVERAGE_MIN ?= 90
.PHONY: coverage
coverage: $(UNIT_TESTS:%=$(UNIT_BUILD)/cov/%)
	@find $(UNIT_BUILD)/cov -name '*.gcda' -delete
	$(call unit-run,$^)
	@if command -v gcovr >/dev/null; then \
		gcovr --root $(UNIT_SRC) --filter src/core/ --branches --fail-under-branch $(COVERAGE_MIN) $(UNIT_BUILD)/cov; \
	else \
		find $(UNIT_BUILD)/cov/core -name '*.gcda' | xargs gcov --branch-counts --no-output | \
		awk -v min=$(COVERAGE_MIN) '/^File/ {f = $$2} \
			/^Taken at least once/ && f ~ /src\/core/ {split($$4, x, /[:%]/); n = $$NF; \
				printf "%s %s%% of %d branches\n", f, x[2], n; sum += x[2] * n; all += n} \
			END {printf "branches: %.1f %%\n", sum / all; exit sum / all < min}'; \
	fi

FUZZ_SECONDS ?= 60
FUZZ_CC      ?= $(firstword $(foreach c,clang clang-14 clang-15 clang-16,$(shell command -v $(c) 2>/dev/null)))
FUZZ_DECODE  := $(UNIT_SRC)/src/kafka/decode_json.c $(UNIT_SRC)/src/kafka/decode_csv.c $(UNIT_SRC)/src/kafka/utf8.c
# PostgreSQL's JSON parser, what messages are held against; the libraries lie where its packager put them
FUZZ_PGLIBS   = $(addprefix -L,$(shell $(PG_CONFIG) --pkglibdir --libdir)) -lpgcommon -lpgport
FUZZ_FLAGS   := -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined
.PHONY: fuzz fuzz-corpus
fuzz:
ifeq (,$(FUZZ_CC))
	@echo "fuzz: skipped, no clang here"
else
	@mkdir -p $(UNIT_BUILD)/fuzz/found
	$(FUZZ_CC) $(UNIT_CFLAGS) $(FUZZ_FLAGS) $(UNIT_SRC)/test/fuzz/fuzz_model.c $(UNIT_CORE) $(UNIT_LIBS) -o $(UNIT_BUILD)/fuzz/fuzz_model
	$(UNIT_BUILD)/fuzz/fuzz_model -max_total_time=$(FUZZ_SECONDS) -max_len=8192 -timeout=10 -print_final_stats=1 \
		-artifact_prefix=$(UNIT_BUILD)/fuzz/ $(UNIT_BUILD)/fuzz/found $(UNIT_SRC)/test/fuzz/corpus
	@mkdir -p $(UNIT_BUILD)/fuzz/found_encoder
	$(FUZZ_CC) $(UNIT_CFLAGS) $(FUZZ_FLAGS) $(UNIT_SRC)/test/fuzz/fuzz_encoder.c $(UNIT_CORE) $(UNIT_LIBS) -o $(UNIT_BUILD)/fuzz/fuzz_encoder
	$(UNIT_BUILD)/fuzz/fuzz_encoder -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -timeout=10 -print_final_stats=1 \
		-artifact_prefix=$(UNIT_BUILD)/fuzz/ $(UNIT_BUILD)/fuzz/found_encoder $(UNIT_SRC)/test/fuzz/corpus_encoder
	@mkdir -p $(UNIT_BUILD)/fuzz/found_decode
	$(FUZZ_CC) $(UNIT_WARN) -Wno-unused-parameter -Wno-sign-compare -Wno-ignored-attributes $(FUZZ_FLAGS) -DFRONTEND -I$(UNIT_SRC)/src -I$(shell $(PG_CONFIG) --includedir-server) \
		$(UNIT_SRC)/test/fuzz/fuzz_decode.c $(FUZZ_DECODE) $(FUZZ_PGLIBS) $(UNIT_LIBS) -o $(UNIT_BUILD)/fuzz/fuzz_decode
	$(UNIT_BUILD)/fuzz/fuzz_decode -max_total_time=$(FUZZ_SECONDS) -max_len=2048 -timeout=10 -print_final_stats=1 \
		-artifact_prefix=$(UNIT_BUILD)/fuzz/ $(UNIT_BUILD)/fuzz/found_decode $(UNIT_SRC)/test/fuzz/corpus_decode
endif
fuzz-corpus: $(UNIT_BUILD)/bench/libcore.a
	$(UNIT_CC) $(UNIT_CFLAGS) $(UNIT_FLAGS_bench) $(UNIT_SRC)/test/fuzz/make_corpus.c $< $(UNIT_LIBS) -o $(UNIT_BUILD)/make_corpus
	mkdir -p $(UNIT_SRC)/test/fuzz/corpus && $(UNIT_BUILD)/make_corpus $(UNIT_SRC)/test/fuzz/corpus

.PHONY: bench-als
bench-als: $(UNIT_BUILD)/bench/als_solver
$(UNIT_BUILD)/bench/als_solver: $(UNIT_SRC)/test/bench/als_solver.c $(UNIT_BUILD)/bench/libcore.a
	@mkdir -p $(@D)
	$(UNIT_CC) $(UNIT_CFLAGS) $(UNIT_FLAGS_bench) $^ $(UNIT_LIBS) -o $@

.PHONY: bench-decode
bench-decode: $(UNIT_BUILD)/bench/decode
	$<
$(UNIT_BUILD)/bench/decode: $(UNIT_SRC)/test/bench/decode.c $(FUZZ_DECODE) $(UNIT_SRC)/src/kafka/decode_json.h
	@mkdir -p $(@D)
	$(UNIT_CC) $(UNIT_CFLAGS) $(UNIT_FLAGS_bench) $(filter %.c,$^) -o $@
