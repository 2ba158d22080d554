# `make check` and `make test`: builds the test programs and gives them to tests/lib/run.py, which runs and counts them.
#
#   check   unit, scenario, fuzz seeds, oracle, functions of the page, instructions of HOT functions, layers, check-core, documents; release build; under two minutes
#   test    that, the same under ASan+UBSan, threaded tests under TSan, end to end, browser
#
# make test ONLY=e2e/basic runs what has that text in its label.

RUN_TESTS := python3 tests/lib/run.py
ONLY      ?=

# $(call specs,BUILD): label=command of every program of one build that needs nothing but itself.
tests_of = $(foreach t,$(UNIT_SRCS) $(ORACLE_SRCS),'$(2)$(patsubst tests/%.c,%,$(t))=$(1)/$(t:.c=)') \
           $(if $(SCENARIO_BIN),$(foreach s,$(sort $(wildcard tests/scenario/*.scn)),'$(2)$(patsubst tests/%.scn,%,$(s))=$(1)/tests/scenario/runner $(s)')) \
           $(foreach t,$(FUZZ_SRCS),'$(2)$(patsubst tests/%.c,%,$(t))=$(1)/$(t:.c=) $(wildcard tests/fuzz/corpus/$(patsubst tests/fuzz/fuzz_%.c,%,$(t)))')

# Programs with threads: what TSan is for. (Its run-time needs calls that the sandbox forbids.)
THREADED_SRCS := $(filter-out tests/unit/test_host_confine.c,$(wildcard tests/unit/test_host_*.c tests/unit/test_resolver_cache*.c tests/unit/test_stats_worker.c tests/unit/test_blocklist_lanes.c))
threads_of = $(foreach t,$(THREADED_SRCS),'$(2)$(patsubst tests/%.c,%,$(t))=$(1)/$(t:.c=)')

E2E_SRCS  := $(sort $(wildcard tests/e2e/test_e2e_*.py))
e2e_of     = $(foreach t,$(E2E_SRCS),'$(1)$(patsubst tests/%.py,%,$(t))=python3 $(t)')

# What holds of the sources and documents; by exit status.
SOURCE_CHECKS := 'runner=python3 tests/lib/test_run.py' --status \
                 $(if $(wildcard mk/check.mk),'layers=$(MAKE) -s layers' 'check-core=$(MAKE) -s check-core BUILD=$(BUILD)') \
                 'documents=tools/make_documents.sh --check $(PROGRAM)' 'web/size=$(MAKE) -s web-size' --tap 'web/functions=node web/test/run.mjs' \
                 $(if $(filter release,$(CONFIG)),'instructions=python3 tests/instructions/check.py $(HOT_BIN) "$(CC)"')

# The page in a browser: on its mock, and on the real program.
BROWSER_SPECS := 'browser/page=node tests/e2e/browser/page.mjs' 'browser/states=node tests/e2e/browser/states.mjs' \
                 'browser/program=python3 tests/e2e/browser/run_page.py' 'browser/manage=python3 tests/e2e/browser/run_page.py manage.mjs'

SANITIZER_ENV := --env ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:allocator_may_return_null=1 \
                 --env UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 --env TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1

CHECK_SPECS = --jobs 2 --time 240 $(SOURCE_CHECKS) $(call tests_of,$(BUILD),)
TEST_SPECS  = $(CHECK_SPECS) $(SANITIZER_ENV) --env SINKHOLE_SLOW=1 --time 600 $(call tests_of,build/asan,asan/) $(call threads_of,build/tsan,tsan/) \
              --jobs 2 --time 600 --env SINKHOLE_SLOW= --env SINKHOLE_BIN=$(PROGRAM) $(call e2e_of,) \
              --env SINKHOLE_SLOW=1 --env SINKHOLE_BIN=build/asan/sinkhole $(call e2e_of,asan/) \
              --env SINKHOLE_BIN=build/tsan/sinkhole 'tsan/e2e/test_e2e_basic=python3 tests/e2e/test_e2e_basic.py' \
              --jobs 1 --env SINKHOLE_SLOW= --env SINKHOLE_BIN=$(PROGRAM) $(BROWSER_SPECS)

# The bare-metal image in QEMU: as a machine, and the same cases as the daemon's, all of them; a case that looks at what only a
# daemon has says so itself. Only the first ones on both boards: nothing in the others knows the board.
QEMU_SPECS := --jobs 2 --time 600 --env SINKHOLE_SLOW= --env SINKHOLE_BIN=$(PROGRAM) --env SINKHOLE_USB_NIC=$(USB_NIC) 'qemu/machine=python3 tests/unikernel/test_unikernel_machine.py' \
              --env SINKHOLE_SLOW=1 \
              --env SINKHOLE_TARGET=virt $(foreach c,basic api tcp upstreams policy rules guard preview,'qemu/virt/$(c)=python3 tests/e2e/test_e2e_$(c).py') \
              --env SINKHOLE_TARGET=raspi3 $(foreach c,basic api upstreams,'qemu/raspi3/$(c)=python3 tests/e2e/test_e2e_$(c).py') \
              --jobs 1 --env SINKHOLE_TARGET=virt --env SINKHOLE_SLOW= 'qemu/browser/program=python3 tests/e2e/browser/run_page.py' 'qemu/browser/manage=python3 tests/e2e/browser/run_page.py manage.mjs'

.PHONY: check test check-programs deps-test qemu-programs
qemu-programs:
	@tools/install-deps.sh qemu
	@$(MAKE) $(USB_NIC)
	@$(MAKE) unikernel BOARD=virt
	@$(MAKE) unikernel BOARD=raspi3

# make qemu : builds the images of virt and raspi3 and tests them
.PHONY: qemu
qemu: $(PROGRAM) qemu-programs $(BROWSER_MODULES)
	@$(RUN_TESTS) $(if $(ONLY),--only '$(ONLY)') $(QEMU_SPECS)

check-programs: $(TEST_BINS) $(if $(filter release,$(CONFIG)),$(HOT_BIN)) $(PROGRAM)

check: check-programs $(WEB_MODULES)
	@$(RUN_TESTS) $(if $(ONLY),--only '$(ONLY)') $(CHECK_SPECS)

deps-test:
	@tools/install-deps.sh build test

test: deps-test
	@$(MAKE) check-programs $(WEB_MODULES) $(BROWSER_MODULES)
	@$(MAKE) CONFIG=asan check-programs
	@$(MAKE) CONFIG=tsan $(THREADED_SRCS:%.c=build/tsan/%) build/tsan/sinkhole
	@$(MAKE) qemu-programs
	@$(RUN_TESTS) $(if $(ONLY),--only '$(ONLY)') $(TEST_SPECS) $(QEMU_SPECS)

# Documents that come from src/config/options.def.
.PHONY: documents
documents: $(PROGRAM)
	tools/make_documents.sh $(PROGRAM)
