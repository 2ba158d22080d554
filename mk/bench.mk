# Bench programs, one per HOT function: bench/bench_NAME.c, run by `make bench-NAME`. Each prints Markdown rows with a
# baseline taken in the same run.

BENCH_SRCS := $(sort $(wildcard bench/bench_*.c))
BENCH_BINS := $(BENCH_SRCS:%.c=$(BUILD)/%)
BENCH_NAMES := $(patsubst bench/bench_%.c,%,$(BENCH_SRCS))

$(BUILD)/bench/%.o: bench/%.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$(Q)$(CC) $(CFLAGS_ALL) -Ibench $(HOST_CFLAGS) -MMD -MP -c -o $@ $<

BENCH_LINK = $(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) -Wl,--start-group $(LIBS) -Wl,--end-group $(HOST_LIBS)

BENCH_LIB_OBJS := $(patsubst %.c,$(BUILD)/%.o,$(filter-out bench/bench_%,$(sort $(wildcard bench/*.c))))

$(BENCH_BINS): %: %.o $(BENCH_LIB_OBJS) $(LIBS)
	@echo "  LINK    $@"
	$(Q)$(BENCH_LINK)

-include $(BENCH_BINS:%=%.d) $(BENCH_LIB_OBJS:.o=.d)

.PHONY: bench-programs $(BENCH_NAMES:%=bench-%)
bench-programs: $(BENCH_BINS)
$(BENCH_NAMES:%=bench-%): bench-%: $(BUILD)/bench/bench_%
	$(Q)$<

# Load for the whole program: a generator, and a server that only reflects (baseline and upstream).
LOAD_BINS := $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard bench/load/*.c)))
$(LOAD_BINS): $(BUILD)/%: %.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$(Q)$(CC) -O2 -D_GNU_SOURCE -std=c17 -Wall -Wextra -Werror -Wshadow -Wconversion -o $@ $<
.PHONY: load-programs
load-programs: $(LOAD_BINS)

# Everything, as Markdown tables of ratios (bench/bench.py). PARTS= chooses among micro, packets, tail, memory, history and page
# (Chromium; `make browser-modules`).
.PHONY: bench bench-quick
bench bench-quick: $(BENCH_BINS) $(LOAD_BINS) $(PROGRAM)
	$(Q)SINKHOLE_BIN=$(PROGRAM) python3 bench/bench.py $(if $(filter bench-quick,$@),--quick) $(if $(PARTS),--parts $(PARTS))

# Instructions of the HOT functions, counted against tests/instructions/budgets.tsv; part of `make check`.
HOT_BIN := $(BUILD)/tests/instructions/hot
$(BUILD)/tests/instructions/hot.o: TEST_CFLAGS += -Ibench
$(HOT_BIN): $(BUILD)/tests/instructions/hot.o $(BENCH_LIB_OBJS) $(LIBS)
	@echo "  LINK    $@"
	$(Q)$(BENCH_LINK)
-include $(HOT_BIN).d

.PHONY: instructions instructions-record
instructions instructions-record: $(HOT_BIN)
	$(Q)python3 tests/instructions/check.py $(HOT_BIN) '$(CC)' $(if $(filter %-record,$@),--record)
