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

$(BENCH_BINS): %: %.o $(BUILD)/bench/measure.o $(LIBS)
	@echo "  LINK    $@"
	$(Q)$(BENCH_LINK)

-include $(BENCH_BINS:%=%.d) $(BUILD)/bench/measure.d

.PHONY: bench-programs $(BENCH_NAMES:%=bench-%)
bench-programs: $(BENCH_BINS)
$(BENCH_NAMES:%=bench-%): bench-%: $(BUILD)/bench/bench_%
	$(Q)$<
