# recsys: a recommender inside PostgreSQL.  `make help` lists the targets.
EXTENSION  = recsys
EXTVERSION = $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" $(srcdir)/$(EXTENSION).control)
MODULE_big = recsys
DATA       = $(patsubst $(srcdir)/%,%,$(wildcard $(srcdir)/sql/$(EXTENSION)--*.sql))
SOURCES    = $(patsubst $(srcdir)/%,%,$(sort $(wildcard $(srcdir)/src/core/*.c $(srcdir)/src/kafka/*.c $(srcdir)/src/pg/*.c)))
OBJS       = $(SOURCES:.c=.o)
PG_CPPFLAGS = -I$(srcdir)/src
PG_CFLAGS  = $(OPTFLAGS) -O3 -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare -fno-math-errno -ffp-contract=fast -MMD -MP
SHLIB_LINK = -lm -ldl -lpthread
REGRESS        = $(patsubst $(srcdir)/test/sql/%.sql,%,$(sort $(wildcard $(srcdir)/test/sql/*.sql)))
REGRESS_OPTS   = --inputdir=$(srcdir)/test --load-extension=$(EXTENSION)
ISOLATION      = $(patsubst $(srcdir)/test/isolation/specs/%.spec,%,$(sort $(wildcard $(srcdir)/test/isolation/specs/*.spec)))
ISOLATION_OPTS = --inputdir=$(srcdir)/test/isolation --load-extension=$(EXTENSION)
PROVE_TESTS   ?= test/t/*.pl
EXTRA_CLEAN    = $(OBJS:.o=.d)
PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
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
-include $(srcdir)/test/unit/unit.mk
