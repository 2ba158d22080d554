# Tests that take as long as they are given: TIME=seconds.
#
#   make soak TIME=1800             everything at once against the running program (tests/soak/soak.py)
#   make faults [MOST=60]           each system call of the program fails in turn (tests/faults/sweep.py)
#   make fuzz TIME=60 [FUZZ=name]   each libFuzzer target in turn, so many seconds each (tools/fuzz.sh)
#   make afl TIME=60 [FUZZ=name]    the same targets under AFL++ (Debian's afl++; tools/afl.sh)
#   make coverage                   lines and branches of src/ that `make check` and the end-to-end tests go through (Debian's gcovr), in build/cov/

.PHONY: soak faults fuzz afl coverage
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

ifeq ($(CONFIG),afl)
afl: $(FUZZ_BINS)
	$(Q)tools/afl.sh $(or $(TIME),60) $(if $(FUZZ),$(filter %/fuzz_$(FUZZ),$(FUZZ_BINS)),$(FUZZ_BINS))
else
afl:
	$(Q)tools/install-deps.sh long
	$(Q)$(MAKE) --no-print-directory CONFIG=afl afl TIME=$(TIME) FUZZ=$(FUZZ)
endif

# Counts of an earlier run go first; a test that fails does not spoil the figures.
ifeq ($(CONFIG),cov)
coverage: check-programs $(WEB_MODULES)
	$(Q)find $(BUILD) -name '*.gcda' -delete
	$(Q)$(MAKE) --no-print-directory CONFIG=cov check || true
	$(Q)$(RUN_TESTS) --time 900 --env SINKHOLE_SLOW=1 --env SINKHOLE_BIN=$(PROGRAM) $(call e2e_of,) || true
	$(Q)gcovr --root . --filter src/ --object-directory $(BUILD) --print-summary --branches --txt $(BUILD)/branches.txt
	$(Q)gcovr --root . --filter src/ --object-directory $(BUILD) --txt $(BUILD)/lines.txt
	@echo "lines by file: $(BUILD)/lines.txt; branches by file: $(BUILD)/branches.txt"
else
coverage:
	$(Q)tools/install-deps.sh long
	$(Q)$(MAKE) --no-print-directory CONFIG=cov coverage
endif
