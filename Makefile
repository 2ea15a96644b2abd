# recsys: a recommender inside PostgreSQL.  `make help` lists the targets.
EXTENSION  = recsys
EXTVERSION = $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" $(srcdir)/$(EXTENSION).control)
MODULE_big = recsys
DATA       = $(patsubst $(srcdir)/%,%,$(wildcard $(srcdir)/sql/$(EXTENSION)--*.sql))
SOURCES    = $(patsubst $(srcdir)/%,%,$(sort $(shell find $(srcdir)/src -name '*.c')))
OBJS       = $(SOURCES:.c=.o)
PG_CPPFLAGS = -I$(srcdir)/src
PG_CFLAGS  = $(OPTFLAGS) -O3 -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare -fno-math-errno -ffp-contract=fast -MMD -MP
SHLIB_LINK = -lm -ldl -lpthread
REGRESS        = $(patsubst $(srcdir)/test/sql/%.sql,%,$(sort $(wildcard $(srcdir)/test/sql/*.sql)))
REGRESS_OPTS   = --inputdir=$(srcdir)/test --load-extension=$(EXTENSION)
ISOLATION      = $(patsubst $(srcdir)/test/isolation/specs/%.spec,%,$(sort $(wildcard $(srcdir)/test/isolation/specs/*.spec)))
ISOLATION_OPTS = --inputdir=$(srcdir)/test/isolation --load-extension=$(EXTENSION)
EXTRA_CLEAN    = $(OBJS:.o=.d) build
PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)

## all: build the extension (default)
ifeq (,$(PGXS))
# Before the packages are there, only the targets that install them work
srcdir = .
all install installcheck clean:
	@echo "$(PG_CONFIG) not found: install PostgreSQL's server development package" >&2
	@echo "(test/tools/packages.sh demo does it on Debian)" >&2
	@exit 1
else
# Bitcode is optional: skip it where the clang PostgreSQL was built with is absent
PGXS_CLANG := $(shell sed -n 's/^CLANG *= *//p' $(dir $(PGXS))../Makefile.global)
ifeq (,$(shell command -v $(PGXS_CLANG) 2>/dev/null))
override with_llvm := no
endif
include $(PGXS)
-include $(OBJS:.o=.d)
$(OBJS:.o=.bc): %.bc: %.o
# Out-of-tree builds: PGXS makes neither the object folders nor a view of expected/
ifneq ($(abspath $(srcdir)),$(CURDIR))
$(shell mkdir -p $(dir $(OBJS)) && ln -sfn $(abspath $(srcdir))/expected expected)
endif
endif

tools = $(srcdir)/test/tools
# A part of make test and .ci/run: its own make, for it must see what packages.sh installed
submake = $(MAKE) --no-print-directory

.PHONY: packages demo serve test werror regress isolation tap docs-test service-test service-tools test-versions lint format format-check \
	bench bench-serve compare bench-cache bench-quality bench-seen bench-features bench-variety bench-stream bench-writer torture \
	demo-features dist help

## packages: install the Debian packages that the tests need
packages:
	$(tools)/packages.sh test

## demo: install, build and show a shop's recommender on a throw-away server
##	KEEP=1 keeps the server until Enter; EVENTS=FILE.csv.gz takes real events;
##	BROKERS=host:port TOPIC=name takes a Kafka cluster instead of an embedded broker
demo:
	@$(tools)/packages.sh demo
	@$(srcdir)/deploy/demo/demo.sh

## demo-features: from a dirty file of users to a network's top 10
##	KEEP=1 keeps the server; USERS=FILE.csv.gz EVENTS=FILE.csv.gz take real ones
demo-features:
	@$(tools)/packages.sh demo
	@$(srcdir)/deploy/demo/features.sh

## serve: the shop with its page, over HTTP, on a throw-away server and broker; Ctrl-C ends it
##	PORT=5000 ADDRESS=127.0.0.1
serve:
	@$(tools)/packages.sh serve
	@$(srcdir)/deploy/demo/serve.sh

## test: every suite: build without a warning, lint, unit, regress, isolation, TAP, docs
test:
	@$(tools)/packages.sh test
	@$(submake) werror
	@$(submake) lint
	@$(submake) -s -j$$(nproc) unit
	@$(submake) -s -j$$(nproc) kafka-unit
	@$(submake) -s kafka-tools
	@$(tools)/run.sh regress isolation tap docs service
	@echo "make test: all suites passed"

## werror: build, any warning is an error
werror:
	@rm -f $(OBJS)
	@$(submake) -s -j$$(nproc) all OPTFLAGS=-Werror
	@echo "build: no warning"

## regress: SQL tests (REGRESS=name for one)
regress:
	@REGRESS="$(filter-out undefined,$(if $(filter command line environment,$(origin REGRESS)),$(REGRESS)))" $(tools)/run.sh regress

## isolation: tests of concurrent sessions (ISOLATION=name for one)
isolation:
	@ISOLATION="$(if $(filter command line environment,$(origin ISOLATION)),$(ISOLATION))" $(tools)/run.sh isolation

## tap: tests on servers of their own (PROVE_TESTS=test/t/NNN_name.pl for one), JOBS at a time
tap:
	@PROVE_TESTS="$(PROVE_TESTS)" JOBS="$(JOBS)" $(tools)/run.sh tap

## docs-test: run every SQL block of README, tutorial, features, experiments and cookbook, compare the output shown
docs-test:
	@$(tools)/run.sh docs

## service-test: the service over HTTP, its pages in a browser (SERVICE_TESTS="test_service …" for some)
service-test:
	@$(tools)/packages.sh service
	@$(submake) -s kafka-tools
	@SERVICE_TESTS="$(SERVICE_TESTS)" $(tools)/run.sh service

## service-tools: schemas of Kubernetes, kustomize and axe-core for service-test, as far as they can be had
service-tools:
	@$(srcdir)/test/service/tools.sh

## test-versions: regress, isolation and some TAP tests on PostgreSQL 16 and 18, from a Python package
test-versions:
	@$(tools)/versions.sh

## lint: arrows between rooms, exported symbols, formatting, no test left out
lint:
	@$(tools)/lint.sh

## format: format the sources as make lint wants them
format:
	clang-format-14 -i $$(git -C $(srcdir) ls-files --full-name '*.c' '*.h')

## bench: medians of training and recommending, beside peers
bench:
	@$(tools)/packages.sh test
	@$(srcdir)/test/bench/bench.sh

## bench-serve: answers at 1, 8 and 64 connections, each option on; similar items beside pgvector, faiss, implicit
bench-serve:
	@$(tools)/packages.sh test
	@$(srcdir)/test/bench/serve.sh

## compare: this tree beside another checkout, figures in turn (OTHER=DIR, ROUNDS)
compare:
	@$(tools)/packages.sh test
	@$(srcdir)/test/bench/compare.sh $(OTHER)

## bench-cache: memory of sessions and their first call, one copy of a model for all and a copy each
bench-cache:
	@$(tools)/packages.sh test
	@$(srcdir)/test/bench/cache.sh

## bench-quality: ranking quality on published splits (DATASETS=folder of the data sets)
bench-quality:
	@$(tools)/packages.sh test
	@$(srcdir)/test/bench/quality.sh

## bench-seen: what should count as seen in a shop (DATASETS=folder of the data sets)
bench-seen:
	@$(tools)/packages.sh test
	@$(srcdir)/test/bench/seen.sh

## bench-features: encoders and the network beside Keras, scikit-learn and Spark
bench-features:
	@$(tools)/packages.sh test
	@$(srcdir)/test/bench/features.sh

## bench-variety: what diversity costs and buys (DATASETS=folder, USERS=n), and its picture
bench-variety:
	@$(tools)/packages.sh test
	@$(srcdir)/test/bench/variety.sh

## bench-stream: rows a second beside COPY and Kafka Connect, produce to visible, idle CPU
bench-stream:
	@$(tools)/packages.sh kafka
	@$(srcdir)/test/bench/stream.sh

## torture: SECONDS (600) of a walk over all functions and tables, then ROUNDS (100) of
##	chaos for streams, on a real broker where it can be had
torture:
	@WALK_SECONDS=$(or $(SECONDS),600) PROVE_TESTS="-v test/t/013_walk.pl test/t/018_walk_streams.pl" $(tools)/run.sh tap
	@ROUNDS=$(or $(ROUNDS),100) PROVE_TESTS="-v test/t/031_chaos.pl" $(tools)/run.sh tap

## bench-writer: rows per second of the streams' writer beside COPY (ROWS, BATCHES, ROUNDS)
bench-writer:
	@$(tools)/packages.sh test
	@$(srcdir)/test/bench/stream_writer.sh

## dist: the source archive, named by the version
dist:
	git -C $(srcdir) archive --format=zip --prefix=$(EXTENSION)-$(EXTVERSION)/ \
		-o $(CURDIR)/$(EXTENSION)-$(EXTVERSION).zip HEAD

## unit: tests of the core without a server, under ASan and UBSan
## unit-tsan: the same under TSan
## coverage: branch coverage of src/core; fails below the floor
## fuzz: model bytes, then messages, under libFuzzer, FUZZ_SECONDS long each
-include $(srcdir)/test/unit/unit.mk
## kafka-unit: tests of src/kafka against a mock cluster, under ASan and UBSan
-include $(srcdir)/test/kafka/kafka.mk

## help: this list
help:
	@sed -n 's/^## *//p' $(firstword $(MAKEFILE_LIST))

