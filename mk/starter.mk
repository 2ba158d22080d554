# Files inside the program, as arrays: conf/starter.txt, the list that is always there, in src/host/starter.c, and
# src/api/openapi.json, the description of the API, in src/api/view_static.c.

EMBED := build/tools/embed

$(EMBED): tools/embed.c
	@mkdir -p $(@D)
	@echo "  HOSTCC  $<"
	$(Q)$(HOSTCC) $(CSTD) $(WARN) -O1 -o $@ $<

$(BUILD)/gen/starter.inc: conf/starter.txt $(EMBED)
	@mkdir -p $(@D)
	@echo "  EMBED   $<"
	$(Q)$(EMBED) $< >$@.new && mv $@.new $@

$(BUILD)/host/starter.o: $(BUILD)/gen/starter.inc

$(BUILD)/gen/openapi.inc: src/api/openapi.json $(EMBED)
	@mkdir -p $(@D)
	@echo "  EMBED   $<"
	$(Q)$(EMBED) $< >$@.new && mv $@.new $@

$(BUILD)/api/view_static.o: $(BUILD)/gen/openapi.inc
