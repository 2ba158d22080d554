# Files inside the program, as arrays: conf/starter.txt, the list that is always there, in src/host/starter.c;
# src/api/openapi.json, the description of the API, in src/api/view_static.c; conf/popular.txt and the public suffixes, which
# updates of lists are held against, in src/blocklist/guard_names.c; conf/services.conf and conf/safe-search.conf in src/config/catalogs.c.

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

$(BUILD)/gen/services.inc: conf/services.conf $(EMBED)
	@mkdir -p $(@D)
	@echo "  EMBED   $<"
	$(Q)$(EMBED) $< >$@.new && mv $@.new $@

$(BUILD)/gen/safe_search.inc: conf/safe-search.conf $(EMBED)
	@mkdir -p $(@D)
	@echo "  EMBED   $<"
	$(Q)$(EMBED) $< >$@.new && mv $@.new $@

$(BUILD)/config/catalogs.o: $(BUILD)/gen/services.inc $(BUILD)/gen/safe_search.inc

$(BUILD)/gen/openapi.inc: src/api/openapi.json $(EMBED)
	@mkdir -p $(@D)
	@echo "  EMBED   $<"
	$(Q)$(EMBED) $< >$@.new && mv $@.new $@

$(BUILD)/api/view_static.o: $(BUILD)/gen/openapi.inc

PUBLIC_SUFFIX_LIST ?= /usr/share/publicsuffix/public_suffix_list.dat
SUFFIXES := build/tools/suffixes

$(SUFFIXES): tools/suffixes.c
	@mkdir -p $(@D)
	@echo "  HOSTCC  $<"
	$(Q)$(HOSTCC) $(CSTD) $(WARN) -O1 -o $@ $< -lidn2

build/tools/suffixes.txt: $(PUBLIC_SUFFIX_LIST) $(SUFFIXES)
	@mkdir -p $(@D)
	$(Q)$(SUFFIXES) $< >$@.new && mv $@.new $@

$(PUBLIC_SUFFIX_LIST):
	@echo "$@ is missing; Debian's package publicsuffix has it (tools/install-deps.sh build)" >&2; exit 1

$(BUILD)/gen/suffixes.inc: build/tools/suffixes.txt $(EMBED)
	@mkdir -p $(@D)
	@echo "  EMBED   $<"
	$(Q)$(EMBED) $< >$@.new && mv $@.new $@

$(BUILD)/gen/popular.inc: conf/popular.txt $(EMBED)
	@mkdir -p $(@D)
	@echo "  EMBED   $<"
	$(Q)$(EMBED) $< >$@.new && mv $@.new $@

$(BUILD)/blocklist/guard_names.o: $(BUILD)/gen/suffixes.inc $(BUILD)/gen/popular.inc
