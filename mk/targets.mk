# What people call.

.PHONY: all help clean format
all: $(LIBS)

help:
	@echo 'make                  build/release/sinkhole (CONFIG=debug|release|asan|tsan|fuzz|cov)'

clean:
	rm -rf build

format:
	clang-format -i $$(git ls-files '*.c' '*.h')
