# One archive a module, one object a source, header dependencies by -MMD -MP.

Q := $(if $(V),,@)

define module_rules
$(1)_OBJS := $$(addprefix $(BUILD)/$(1)/,$$($(1)_SRCS:.c=.o))
$(BUILD)/lib$(1).a: $$($(1)_OBJS)
	@mkdir -p $$(@D)
	$$(Q)rm -f $$@ && $(AR) rcs $$@ $$($(1)_OBJS)
$(BUILD)/$(1)/%.o: src/$(1)/%.c | $(BUILD)/gen/version.h
	@mkdir -p $$(@D)
	@echo "  CC      $$<"
	$$(Q)$(CC) $(CFLAGS_ALL) $$($(1)_CFLAGS) -MMD -MP -c -o $$@ $$<
-include $$($(1)_OBJS:.o=.d)
endef
$(foreach m,$(LAYERS),$(eval $(call module_rules,$(m))))

# libweb.a: the dashboard as data (mk/web.mk); src/api serves it.
CORE_LIBS := $(foreach m,$(CORE_LAYERS),$(BUILD)/lib$(m).a) $(BUILD)/libweb.a
LIBS      := $(foreach m,$(LAYERS),$(BUILD)/lib$(m).a) $(BUILD)/libweb.a

# The version as a header, so that a new one compiles what uses it.
$(BUILD)/gen/version.h: VERSION
	@mkdir -p $(@D)
	$(Q)echo '#define SINKHOLE_VERSION "$(VERSION)"' >$@

# The program: daemon and command line in one.
PROGRAM := $(BUILD)/sinkhole
$(PROGRAM): $(LIBS)
	@echo "  LINK    $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ -Wl,--start-group $(LIBS) -Wl,--end-group $(HOST_LIBS)
