# Tests that take as long as they are given: TIME=seconds.
#
#   make soak TIME=1800             everything at once against the running program (tests/soak/soak.py)
#   make faults [MOST=60]           each system call of the program fails in turn (tests/faults/sweep.py)
#   make fuzz TIME=60 [FUZZ=name]   each libFuzzer target in turn, so many seconds each (tools/fuzz.sh)

.PHONY: soak faults fuzz
faults: $(PROGRAM) fault-programs
	$(Q)SINKHOLE_BIN=$(PROGRAM) SINKHOLE_INJECT=$(INJECT_BIN) python3 tests/faults/sweep.py --most $(or $(MOST),60)

soak: $(PROGRAM) load-programs
	$(Q)SINKHOLE_BIN=$(PROGRAM) python3 tests/soak/soak.py $(or $(TIME),1800)

ifeq ($(CONFIG),fuzz)
fuzz: $(FUZZ_BINS)
	$(Q)tools/fuzz.sh $(or $(TIME),60) $(if $(FUZZ),$(filter %/fuzz_$(FUZZ),$(FUZZ_BINS)),$(FUZZ_BINS))
else
fuzz:
	$(Q)$(MAKE) --no-print-directory CONFIG=fuzz fuzz TIME=$(TIME) FUZZ=$(FUZZ)
endif
