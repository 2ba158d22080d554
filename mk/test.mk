# Test programs. Each prints TAP; tests/lib/run.py runs them and counts.
#   tests/unit/test_*.c       one cmocka group a file
#   tests/scenario/runner.c   plays tests/scenario/*.scn against the whole core in virtual time
#   tests/oracle/test_*.c     the same bytes to us and to ldns
#   tests/fuzz/fuzz_*.c       LLVMFuzzerTestOneInput; `make check` replays tests/fuzz/corpus/NAME/ without a fuzzer

TEST_CFLAGS := -Itests/lib -Isrc $(HOST_CFLAGS)
UNIT_SRCS   := $(sort $(wildcard tests/unit/test_*.c))
ORACLE_SRCS := $(sort $(wildcard tests/oracle/test_*.c))
FUZZ_SRCS   := $(sort $(wildcard tests/fuzz/fuzz_*.c))
# The network of the image needs lwIP's sources: `make unikernel-sources` gets them; without them that target is left out.
UK_NET_FUZZ := tests/fuzz/fuzz_unikernel_net.c
ifeq ($(wildcard build/third_party/lwip/.unpacked),)
FUZZ_SRCS   := $(filter-out $(UK_NET_FUZZ),$(FUZZ_SRCS))
endif
TESTLIB_SRCS := $(sort $(wildcard tests/lib/*.c))

UNIT_BINS   := $(UNIT_SRCS:%.c=$(BUILD)/%)
ORACLE_BINS := $(ORACLE_SRCS:%.c=$(BUILD)/%)
FUZZ_BINS   := $(FUZZ_SRCS:%.c=$(BUILD)/%)
SCENARIO_BIN := $(if $(wildcard tests/scenario/runner.c),$(BUILD)/tests/scenario/runner)
TESTLIB_OBJS := $(filter-out $(BUILD)/tests/lib/fuzz_main.o,$(TESTLIB_SRCS:%.c=$(BUILD)/%.o))

# Lets system calls of another program fail (tests/faults/inject.c).
INJECT_BIN := $(BUILD)/tests/faults/inject
ALLOC_LIB  := $(BUILD)/tests/faults/alloc.so

TEST_BINS := $(UNIT_BINS) $(ORACLE_BINS) $(SCENARIO_BIN) $(FUZZ_BINS) $(if $(filter release,$(CONFIG)),$(INJECT_BIN) $(ALLOC_LIB))

$(BUILD)/tests/%.o: tests/%.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$(Q)$(CC) $(CFLAGS_ALL) $(TEST_CFLAGS) -MMD -MP -c -o $@ $<

# An archive, so that a test links only the helpers that it uses.
$(BUILD)/tests/libtest.a: $(TESTLIB_OBJS)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

TEST_LINK = $(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) -Wl,--start-group $(BUILD)/tests/libtest.a $(LIBS) -Wl,--end-group $(HOST_LIBS) -lcmocka

$(UNIT_BINS) $(ORACLE_BINS) $(SCENARIO_BIN): %: %.o $(BUILD)/tests/libtest.a $(LIBS)
	@echo "  LINK    $@"
	$(Q)$(TEST_LINK)

ifneq ($(filter fuzz bulk afl,$(CONFIG)),)
# The fuzzer has a main() of its own.
$(FUZZ_BINS): LIBS := $(filter-out %/libcli.a,$(LIBS))
$(FUZZ_BINS): %: %.o $(BUILD)/tests/libtest.a $(LIBS)
	@echo "  LINK    $@"
	$(Q)$(TEST_LINK) -fsanitize=fuzzer
else
$(FUZZ_BINS): %: %.o $(BUILD)/tests/lib/fuzz_main.o $(BUILD)/tests/libtest.a $(LIBS)
	@echo "  LINK    $@"
	$(Q)$(TEST_LINK)
endif

$(INJECT_BIN): %: %.o
	@echo "  LINK    $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $< -lseccomp
$(ALLOC_LIB): tests/faults/alloc.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -fPIE -Wpedantic,$(CFLAGS_ALL)) -D_GNU_SOURCE -fno-builtin -fPIC -shared -o $@ $<

-include $(TEST_BINS:%=%.d) $(TESTLIB_OBJS:.o=.d)

.PHONY: test-programs fuzz-programs fault-programs
test-programs: $(TEST_BINS)
fault-programs: $(INJECT_BIN) $(ALLOC_LIB)
fuzz-programs: $(FUZZ_BINS)

# make unit T=dns_name : builds and runs one unit test program
.PHONY: unit
unit: $(if $(T),$(BUILD)/tests/unit/test_$(T),$(UNIT_BINS))
	$(Q)for t in $^; do $$t || exit 1; done

# Parts of the unikernel that need no hardware are tested on the host, with registers played by the test.
$(BUILD)/tests/unit/test_unikernel_%.o: TEST_CFLAGS := -Itests/unikernel/fake -Iunikernel $(TEST_CFLAGS)
$(BUILD)/tests/unit/test_unikernel_usb: $(BUILD)/tests/uk/usb_lan.o $(BUILD)/tests/uk/usb_lan95xx.o $(BUILD)/tests/uk/usb_lan78xx.o
$(BUILD)/tests/uk/%.o: unikernel/drivers/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) -Itests/unikernel/fake -Iunikernel -MMD -MP -c -o $@ $<

# A network chip of the Pi on QEMU's USB bus.
USB_NIC := $(BUILD)/tests/unikernel/usb_nic
$(USB_NIC).o: tests/unikernel/usb_nic.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) $(TEST_CFLAGS) -D_GNU_SOURCE -MMD -MP -c -o $@ $<
$(USB_NIC): $(USB_NIC).o $(BUILD)/tests/lib/lan_model.o
	@echo "  LINK    $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ -lusbredirparser
-include $(USB_NIC).d

# make scenario : plays all stories
.PHONY: scenario
scenario: $(SCENARIO_BIN)
	$(Q)$(SCENARIO_BIN)
$(BUILD)/tests/fuzz/fuzz_unikernel_%.o: TEST_CFLAGS := -Itests/unikernel/fake -Iunikernel $(TEST_CFLAGS)
$(BUILD)/tests/fuzz/fuzz_unikernel_usb: $(BUILD)/tests/uk/usb.o
$(BUILD)/tests/fuzz/fuzz_unikernel_usb_tree: $(BUILD)/tests/uk/usb.o $(BUILD)/tests/uk/usb_ecm.o
