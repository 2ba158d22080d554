# What keeps the layers apart: the includes of the sources, and the undefined symbols of the linked core.

.PHONY: layers check-core
layers:
	$(Q)tools/check_layers.sh

# Debug and sanitized builds call into their own run-time, so the release archives are looked at.
ifeq ($(CONFIG),release)
check-core: $(CORE_LIBS)
	$(Q)tools/check_core.sh ld nm tools/core_symbols.txt $(CORE_LIBS)
else
check-core:
	$(Q)$(MAKE) --no-print-directory CONFIG=release check-core
endif
