# `make run`: installs what is missing, builds, starts.

ARGS ?=

.PHONY: run deps
deps:
	@tools/install-deps.sh build

run: deps
	@$(MAKE) -s --no-print-directory all
	@exec tools/run.sh $(PROGRAM) $(ARGS)
