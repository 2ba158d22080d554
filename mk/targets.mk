# What people call.

.PHONY: all help clean format lint
all: $(LIBS) $(if $(filter daemon.c,$(host_SRCS)),$(PROGRAM))

help:
	@echo 'make                  build/release/sinkhole, daemon and command line in one (CONFIG=debug|release|asan|tsan|fuzz|cov)'
	@echo 'make run ARGS="..."   install what is missing, build, start: DNS on port 5300, dashboard on http://127.0.0.1:8080'
	@echo 'make check            the fast tests; make check ONLY=text runs those with text in their label'
	@echo 'make test             all tests, with sanitizers, end to end and in a browser'
	@echo 'make unit T=dns_name  one unit test program'
	@echo 'make layers           includes go downwards; make check-core: the core calls nothing of an operating system'
	@echo 'make install          DESTDIR= PREFIX=/usr/local'
	@echo 'make deb              a Debian package in build/deb/'
	@echo 'make documents        docs and examples that come from src/config/options.def'
	@echo 'make bench            all measurements beside their baselines, as Markdown; make bench-quick: in less than a minute'
	@echo 'make bench-NAME       one of: $(BENCH_NAMES)'
	@echo 'make instructions     instructions of the HOT functions against their budgets; instructions-record writes new ones'
	@echo 'make soak TIME=1800   everything at once against the program: memory, descriptors, latency must not grow'
	@echo 'make faults           each system call of the program fails in turn, once and for ever; SIGKILL in its place'
	@echo 'make fuzz TIME=60     each fuzz target in turn, so many seconds each (FUZZ=name for one)'
	@echo 'make afl TIME=60      the same under AFL++; make coverage: lines and branches that make check goes through'
	@echo 'make unikernel        BOARD=virt|raspi3|raspi4: build/unikernel-BOARD/kernel8.img'
	@echo 'make lint             clang-tidy over all sources, or over FILES=...'
	@echo 'make format, clean    clang-format over all sources; remove build/'

clean:
	rm -rf build

format:
	clang-format -i $$(git ls-files '*.c' '*.h')

FILES ?= $(shell git ls-files 'src/*.c')
lint: $(BUILD)/gen/version.h
	@for f in $(FILES); do echo "  TIDY    $$f"; clang-tidy --quiet $$f -- $(CSTD) -Isrc -I$(BUILD)/gen $(HOST_CFLAGS) 2>/dev/null || exit 1; done
