# conf/starter.txt, the list inside the program, as an array in src/host/starter.c.

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
