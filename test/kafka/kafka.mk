# kafka.mk: src/kafka without a server, and the programs that tests of streams
# use.  Included by the top Makefile; everything is built below $(UNIT_BUILD).
#
#   make kafka-tools   build/kafka/{broker,producer,proxy,reader,real}
#   make kafka-unit    every test/kafka/test_*.c under ASan and UBSan

KAFKA_BUILD   := $(UNIT_BUILD)/kafka
KAFKA_SRC     := $(sort $(wildcard $(UNIT_SRC)/src/kafka/*.c))
KAFKA_TESTS   := $(sort $(basename $(notdir $(wildcard $(UNIT_SRC)/test/kafka/test_*.c))))
KAFKA_TOOLS   := broker producer proxy reader
KAFKA_HEADERS := $(wildcard $(UNIT_SRC)/src/kafka/*.h $(UNIT_SRC)/test/kafka/*.h $(UNIT_SRC)/test/unit/unit.h)
KAFKA_CFLAGS   = $(UNIT_CFLAGS) -D_GNU_SOURCE -I$(UNIT_SRC)/test/kafka

$(KAFKA_BUILD)/asan/%.o: $(UNIT_SRC)/src/kafka/%.c $(KAFKA_HEADERS)
	@mkdir -p $(@D)
	$(UNIT_CC) $(KAFKA_CFLAGS) $(UNIT_FLAGS_asan) -c $< -o $@
$(KAFKA_BUILD)/asan/test_%: $(UNIT_SRC)/test/kafka/test_%.c $(KAFKA_SRC:$(UNIT_SRC)/src/kafka/%.c=$(KAFKA_BUILD)/asan/%.o) $(KAFKA_HEADERS)
	$(UNIT_CC) $(KAFKA_CFLAGS) $(UNIT_FLAGS_asan) $(filter %.c %.o,$^) $(UNIT_LIBS) -lrdkafka -o $@
.PRECIOUS: $(KAFKA_BUILD)/asan/%.o

# They wait more than they compute, so all run at a time.  Each prints figures and
# its closing line, after a failure all it said.
.PHONY: kafka-unit kafka-tools
kafka-unit: $(KAFKA_TESTS:%=$(KAFKA_BUILD)/asan/%) | $(KAFKA_BUILD)/proxy $(KAFKA_BUILD)/reader
	@for t in $^; do ($$t >$$t.out 2>&1; echo $$? >$$t.status) & done; wait; \
	failed=0; \
	for t in $^; do \
		sed '$$d' $$t.out; \
		line=`tail -n 1 $$t.out`; \
		case "`cat $$t.status` $$line" in \
			"0 "*" passed, 0 failed") echo "$$(basename $$t): $$line" ;; \
			*) echo "$$(basename $$t): $$line (status `cat $$t.status`)"; failed=1 ;; \
		esac; \
	done; \
	[ $$failed -eq 0 ] && echo "kafka-unit: all passed"

kafka-tools: $(KAFKA_TOOLS:%=$(KAFKA_BUILD)/%)
$(KAFKA_BUILD)/reader: $(UNIT_SRC)/test/kafka/reader.c $(KAFKA_SRC) $(KAFKA_HEADERS)
	@mkdir -p $(@D)
	$(UNIT_CC) $(KAFKA_CFLAGS) -O2 $(filter %.c,$^) $(UNIT_LIBS) -o $@
$(KAFKA_BUILD)/%: $(UNIT_SRC)/test/kafka/%.c $(KAFKA_HEADERS)
	@mkdir -p $(@D)
	$(UNIT_CC) $(KAFKA_CFLAGS) -O2 $< -lrdkafka -o $@
kafka-tools: $(KAFKA_BUILD)/real
$(KAFKA_BUILD)/real: $(UNIT_SRC)/test/kafka/real/real.c
	@mkdir -p $(@D)
	$(UNIT_CC) $(KAFKA_CFLAGS) -O2 $< -lrdkafka -o $@
