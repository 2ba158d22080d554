# sinkhole: entry points. The rules are in mk/rules.mk, the flags in mk/config.mk; `make help` lists the targets.

CONFIG ?= release
BUILD  := build/$(CONFIG)

# The picture of the layers, upper to lower: this is also the link order.
HOST_LAYERS := cli host shared
CORE_LAYERS := api config resolver blocklist stats dns base
LAYERS      := $(HOST_LAYERS) $(CORE_LAYERS)

MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := all
include mk/config.mk
$(foreach m,$(LAYERS),$(eval include src/$(m)/module.mk))
include mk/rules.mk
include mk/web.mk
include mk/starter.mk
include mk/test.mk
include mk/bench.mk
include mk/check.mk
include mk/suite.mk
include mk/long.mk
include mk/run.mk
include mk/install.mk
include mk/targets.mk
-include unikernel/unikernel.mk
include mk/uknet.mk
