# The image's network for the host: our glue with the test's clock, lwIP and http-parser as they are (what they do to integers and pointers is
# theirs: AddressSanitizer only).
UK_NET_INC  := -Itests/unikernel/fake -Itests/fuzz/lwip -Iunikernel -Isrc -Iunikernel/net -isystem build/third_party/lwip/src/include -isystem build/third_party/http-parser \
               -isystem build/third_party/mbedtls/include -DMBEDTLS_CONFIG_FILE='"net/mbedtls_config.h"' -DBUILD_UNIX=1767225600 -DSINKHOLE_VERSION='"0"'
UK_NET_OBJS := $(addprefix $(BUILD)/tests/uknet/,$(UK_LWIP:%=lwip/%.o) http_parser.o dhcp.o tcp_in.o)
# net.c is part of the target, tls.c is not there.
UK_NET_GLUE := $(patsubst unikernel/%.c,$(BUILD)/tests/uknet/%.o,$(filter-out %/net.c %/tls.c %/dhcp.c %/tcp_in.c,$(wildcard unikernel/net/*.c)) unikernel/lib/wallclock.c)
UK_NET_THIRD := $(CC) -std=gnu17 -w -Dstats_init=lwip_stats_init $(filter-out -DDEBUG_ASSERT,$(CFLAGS_$(CONFIG))) $(if $(findstring undefined,$(CFLAGS_$(CONFIG))),-fno-sanitize=undefined) -fPIE $(UK_NET_INC) -MMD -MP -c
$(BUILD)/tests/uknet/lwip/%.o: build/third_party/lwip/src/%.c
	@mkdir -p $(@D)
	$(Q)$(UK_NET_THIRD) -o $@ $<
$(BUILD)/tests/uknet/http_parser.o: build/third_party/http-parser/http_parser.c
	@mkdir -p $(@D)
	$(Q)$(UK_NET_THIRD) -DHTTP_MAX_HEADER_SIZE=16384 -o $@ $<
$(BUILD)/tests/uknet/dhcp.o $(BUILD)/tests/uknet/tcp_in.o: $(BUILD)/tests/uknet/%.o: unikernel/net/%.c
	@mkdir -p $(@D)
	$(Q)$(UK_NET_THIRD) -o $@ $<
$(BUILD)/tests/uknet/net/%.o: unikernel/net/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -Wpedantic,$(CFLAGS_ALL)) -std=gnu17 $(UK_NET_INC) -MMD -MP -c -o $@ $<
$(BUILD)/tests/uknet/lib/%.o: unikernel/lib/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) $(UK_NET_INC) -MMD -MP -c -o $@ $<
$(BUILD)/tests/fuzz/fuzz_unikernel_net.o: TEST_CFLAGS = -std=gnu17 -Wno-pedantic -Itests/lib $(UK_NET_INC) $(HOST_CFLAGS)
$(BUILD)/tests/libuknet.a: $(UK_NET_GLUE)
	$(Q)rm -f $@ && $(AR) rcs $@ $^
$(BUILD)/tests/fuzz/fuzz_unikernel_net: LIBS += $(BUILD)/tests/libuknet.a
$(BUILD)/tests/fuzz/fuzz_unikernel_net: $(UK_NET_OBJS) $(BUILD)/tests/libuknet.a
