# The bare-metal image: the same core modules, cross-compiled, under start-up code, drivers and lwIP.
#
#   make unikernel BOARD=virt|raspi3|raspi4    build/unikernel-BOARD/kernel8.img (raw) and kernel8.elf

BOARDS := virt raspi3 raspi4
BOARD  ?= virt
ifeq ($(filter $(BOARD),$(BOARDS)),)
$(error BOARD=$(BOARD) is not known; expected one of: $(BOARDS))
endif

UK := build/unikernel-$(BOARD)
UK_CROSS   ?= aarch64-linux-gnu-
UK_CC      := $(UK_CROSS)gcc
UK_OBJCOPY := $(UK_CROSS)objcopy
UK_THIRD   := build/third_party

UK_LOAD_virt   := 0x40080000
UK_LOAD_raspi3 := 0x80000
UK_LOAD_raspi4 := 0x80000
UK_CPU_virt    := cortex-a53
UK_CPU_raspi3  := cortex-a53
UK_CPU_raspi4  := cortex-a72

# -mstrict-align: device memory faults on unaligned access. -fno-pic: the image runs where it is linked.
UK_MACHINE := -specs=picolibc.specs -ffreestanding -fno-pic -fno-pie -mno-outline-atomics -mcpu=$(UK_CPU_$(BOARD)) -mstrict-align \
              -ffunction-sections -fdata-sections -fno-stack-protector -fno-omit-frame-pointer --param=min-pagesize=0
UK_DEFS    := -DSINKHOLE_VERSION='"$(VERSION)"' -DBUILD_UNIX=$(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null || date +%s)) \
              -DMBEDTLS_CONFIG_FILE='"net/mbedtls_config.h"'
UK_INC     := -Iunikernel -Iunikernel/board/$(BOARD) -Isrc -Iunikernel/net -isystem $(UK_THIRD)/lwip/src/include -isystem $(UK_THIRD)/mbedtls/include -isystem $(UK_THIRD)/http-parser -isystem $(UK_THIRD)/zlib -isystem $(UK_THIRD)/pcre2/uk -isystem $(UK_THIRD)/jansson/src -Iunikernel/lib/jansson -I$(UK)/gen
UK_CFLAGS  := -std=gnu17 -O2 -g $(filter-out -Wpedantic,$(WARN)) $(UK_MACHINE) $(UK_DEFS) $(UK_INC)
UK_THIRD_CFLAGS := -Dstats_init=lwip_stats_init -std=gnu17 -O2 -g -w -fno-strict-aliasing $(UK_MACHINE) $(UK_DEFS) $(UK_INC)
UK_LDFLAGS = -specs=picolibc.specs -nostartfiles -static -no-pie -T $(UK)/link.ld -Wl,--gc-sections -Wl,-z,max-page-size=4096 -Wl,--no-warn-rwx-segments -Wl,-Map=$@.map

UK_SRCS := arch/aarch64/clock.c arch/aarch64/fault.c arch/aarch64/mmu.c \
           board/$(BOARD)/board.c \
           drivers/uart_pl011.c \
           lib/boot_args.c lib/fat.c lib/fdt.c lib/heap.c lib/lamp.c lib/slots.c lib/libc.c lib/wallclock.c \
           net/dhcp.c net/doh.c net/fetch.c net/httpd.c net/neighbours.c net/net.c net/no_brotli.c net/service.c net/service_doh.c net/service_line.c net/service_tcp.c net/service_upstream.c net/stream.c net/tcp_in.c net/time_wait.c net/tls.c net/tls_session.c net/url.c \
           api_backend.c console.c control.c engine.c lists.c lists_build.c lists_fetch.c lists_guard.c lists_preview.c lists_table.c metrics.c passwords.c settings.c starter.c storage.c main.c
UK_SRCS_virt := drivers/gicv2.c drivers/virtio_blk.c drivers/virtio_mmio.c drivers/virtio_net.c drivers/virtio_rng.c lib/psci.c
UK_SRCS_raspi := board/raspi/raspi.c board/raspi/service.c lib/sign.c drivers/bcm_gpio.c drivers/bcm_pwm.c drivers/bcm_rng.c drivers/bcm_watchdog.c drivers/dwc2.c drivers/mailbox.c drivers/sdhci.c drivers/usb.c drivers/usb_ecm.c \
                 drivers/usb_lan.c drivers/usb_lan95xx.c drivers/usb_lan78xx.c
UK_SRCS_raspi3 := $(UK_SRCS_raspi)
UK_SRCS_raspi4 := $(UK_SRCS_raspi) drivers/genet.c drivers/gicv2.c
UK_SRCS += $(UK_SRCS_$(BOARD))

UK_LWIP := core/init core/def core/dns core/inet_chksum core/ip core/mem core/memp core/netif core/pbuf core/raw core/stats core/sys \
           core/tcp core/tcp_out core/timeouts core/udp \
           core/ipv4/etharp core/ipv4/icmp core/ipv4/igmp core/ipv4/ip4_frag core/ipv4/ip4 core/ipv4/ip4_addr \
           core/ipv6/ethip6 core/ipv6/icmp6 core/ipv6/inet6 core/ipv6/ip6 core/ipv6/ip6_addr core/ipv6/ip6_frag core/ipv6/mld6 core/ipv6/nd6 \
           netif/ethernet apps/sntp/sntp apps/mdns/mdns

UK_JANSSON := dump error hashtable hashtable_seed load memory pack_unpack strbuffer strconv utf value version

UK_ZLIB := adler32 crc32 inffast inflate inftrees zutil

# PCRE2's interpreter of octets: no UTF, no machine code. Its own limits are those of its build on Debian; ours are below them (shared/regex_pcre2.c).
UK_PCRE2 := auto_possess compile config context error extuni find_bracket jit_compile match match_data newline ord2utf \
            pattern_info script_run string_utils study substring tables ucd valid_utf xclass chartables
UK_PCRE2_DEFS := -DPCRE2_CODE_UNIT_WIDTH=8 -DSUPPORT_PCRE2_8 -DPCRE2_STATIC -DLINK_SIZE=2 -DHEAP_LIMIT=20000000 -DMATCH_LIMIT=10000000 -DMATCH_LIMIT_DEPTH=MATCH_LIMIT \
                 -DNEWLINE_DEFAULT=2 -DPARENS_NEST_LIMIT=250 -DMAX_NAME_SIZE=32 -DMAX_NAME_COUNT=10000 -DHAVE_MEMMOVE -DHAVE_STDINT_H -DHAVE_INTTYPES_H

UK_CORE := shared api config resolver blocklist stats dns base

UK_OBJS := $(UK)/uk/arch/aarch64/start.o $(UK_SRCS:%.c=$(UK)/uk/%.o) \
           $(foreach m,$(UK_CORE),$(addprefix $(UK)/core/$(m)/,$($(m)_SRCS:.c=.o))) \
           $(UK_LWIP:%=$(UK)/lwip/%.o) $(UK_JANSSON:%=$(UK)/jansson/%.o) $(UK_ZLIB:%=$(UK)/zlib/%.o) $(UK_PCRE2:%=$(UK)/pcre2/%.o) $(UK)/gen/web_assets.o $(UK)/http-parser/http_parser.o $(UK)/roots.o \
           $(patsubst $(UK_THIRD)/mbedtls/library/%.c,$(UK)/mbedtls/%.o,$(wildcard $(UK_THIRD)/mbedtls/library/*.c))

.PHONY: unikernel unikernel-sources
# The list of mbedTLS' files is known once they are there, so a first build is two steps.
unikernel: $(UK_THIRD)/.fetched
	$(Q)$(MAKE) --no-print-directory BOARD=$(BOARD) $(UK)/kernel8.img

unikernel-sources: $(UK_THIRD)/.fetched
$(UK_THIRD)/.fetched: tools/fetch-sources.sh
	$(Q)tools/fetch-sources.sh
	$(Q)touch $@

$(UK)/link.ld: unikernel/arch/aarch64/link.ld.S
	@mkdir -p $(@D)
	$(Q)$(UK_CC) -E -P -x c -DLOAD_ADDRESS=$(UK_LOAD_$(BOARD)) $< -o $@

$(UK)/uk/%.o: unikernel/%.S
	@mkdir -p $(@D)
	$(Q)$(UK_CC) $(UK_MACHINE) -DIMAGE_TEXT_OFFSET=0x80000 -c -o $@ $<
$(UK)/uk/%.o: unikernel/%.c | $(UK_THIRD)/.fetched
	@mkdir -p $(@D)
	@echo "  CC      $< ($(BOARD))"
	$(Q)$(UK_CC) $(UK_CFLAGS) -MD -MP -c -o $@ $<
$(UK)/core/%.o: src/%.c
	@mkdir -p $(@D)
	@echo "  CC      $< ($(BOARD))"
	$(Q)$(UK_CC) $(UK_CFLAGS) -std=c17 -MMD -MP -c -o $@ $<
$(UK)/uk/net/dhcp.o $(UK)/uk/net/tcp_in.o: UK_CFLAGS = $(UK_THIRD_CFLAGS)
$(UK)/lwip/%.o: | $(UK_THIRD)/.fetched
	@mkdir -p $(@D)
	$(Q)$(UK_CC) $(UK_THIRD_CFLAGS) -MD -MP -c -o $@ $(UK_THIRD)/lwip/src/$*.c

$(UK)/mbedtls/%.o: | $(UK_THIRD)/.fetched
	@mkdir -p $(@D)
	$(Q)$(UK_CC) $(UK_THIRD_CFLAGS) -MD -MP -c -o $@ $(UK_THIRD)/mbedtls/library/$*.c
$(UK)/http-parser/%.o: | $(UK_THIRD)/.fetched
	@mkdir -p $(@D)
	$(Q)$(UK_CC) $(UK_THIRD_CFLAGS) -DHTTP_MAX_HEADER_SIZE=16384 -MD -MP -c -o $@ $(UK_THIRD)/http-parser/$*.c

$(UK)/zlib/%.o: | $(UK_THIRD)/.fetched
	@mkdir -p $(@D)
	$(Q)$(UK_CC) $(UK_THIRD_CFLAGS) -MD -MP -c -o $@ $(UK_THIRD)/zlib/$*.c

# Its public header is made of a template, and so are its tables of the C locale.
$(UK_THIRD)/pcre2/uk/pcre2.h: | $(UK_THIRD)/.fetched
	@mkdir -p $(@D)
	$(Q)cp $(UK_THIRD)/pcre2/src/pcre2.h.generic $@
$(UK)/pcre2/chartables.o: | $(UK_THIRD)/pcre2/uk/pcre2.h
	@mkdir -p $(@D)
	$(Q)$(UK_CC) $(UK_THIRD_CFLAGS) $(UK_PCRE2_DEFS) -I$(UK_THIRD)/pcre2/src -MD -MP -c -o $@ -x c $(UK_THIRD)/pcre2/src/pcre2_chartables.c.dist
$(UK)/pcre2/%.o: | $(UK_THIRD)/pcre2/uk/pcre2.h
	@mkdir -p $(@D)
	$(Q)$(UK_CC) $(UK_THIRD_CFLAGS) $(UK_PCRE2_DEFS) -MD -MP -c -o $@ $(UK_THIRD)/pcre2/src/pcre2_$*.c
$(UK)/core/shared/regex_pcre2.o: | $(UK_THIRD)/pcre2/uk/pcre2.h

$(UK)/jansson/%.o: | $(UK_THIRD)/.fetched
	@mkdir -p $(@D)
	$(Q)$(UK_CC) $(UK_THIRD_CFLAGS) -DHAVE_CONFIG_H -MD -MP -c -o $@ $(UK_THIRD)/jansson/src/$*.c

# The dashboard and the starter list, as the daemon has them.
$(UK)/gen/web_assets.o: $(WEB_ASSETS) src/api/assets.h
	@mkdir -p $(@D)
	$(Q)$(UK_CC) $(UK_CFLAGS) -c -o $@ $<
$(UK)/gen/starter.inc: conf/starter.txt $(EMBED)
	@mkdir -p $(@D)
	$(Q)$(EMBED) $< >$@.new && mv $@.new $@
$(UK)/uk/starter.o: $(UK)/gen/starter.inc
$(UK)/gen/services.inc: conf/services.conf $(EMBED)
	@mkdir -p $(@D)
	$(Q)$(EMBED) $< >$@.new && mv $@.new $@
$(UK)/gen/safe_search.inc: conf/safe-search.conf $(EMBED)
	@mkdir -p $(@D)
	$(Q)$(EMBED) $< >$@.new && mv $@.new $@
$(UK)/core/config/catalogs.o: $(UK)/gen/services.inc $(UK)/gen/safe_search.inc
$(UK)/gen/openapi.inc: src/api/openapi.json $(EMBED)
	@mkdir -p $(@D)
	$(Q)$(EMBED) $< >$@.new && mv $@.new $@
$(UK)/core/api/view_static.o: $(UK)/gen/openapi.inc
$(UK)/gen/suffixes.inc: build/tools/suffixes.txt $(EMBED)
	@mkdir -p $(@D)
	$(Q)$(EMBED) $< >$@.new && mv $@.new $@
$(UK)/gen/popular.inc: conf/popular.txt $(EMBED)
	@mkdir -p $(@D)
	$(Q)$(EMBED) $< >$@.new && mv $@.new $@
$(UK)/core/blocklist/guard_names.o: $(UK)/gen/suffixes.inc $(UK)/gen/popular.inc

# Roots of trust for https lists: Debian's bundle, as DER. Another bundle can be named.
UK_ROOTS ?= /etc/ssl/certs/ca-certificates.crt
$(UK)/roots.c: tools/pack_roots.py $(UK_ROOTS)
	@mkdir -p $(@D)
	$(Q)python3 tools/pack_roots.py $(UK_ROOTS) > $@.new && mv $@.new $@
$(UK)/roots.o: $(UK)/roots.c
	$(Q)$(UK_CC) $(UK_CFLAGS) -c -o $@ $<

$(UK)/kernel8.elf: $(UK_OBJS) $(UK)/link.ld
	@echo "  LINK    $@"
	$(Q)$(UK_CC) $(UK_LDFLAGS) -o $@ $(UK_OBJS)
$(UK)/kernel8.img: $(UK)/kernel8.elf
	$(Q)$(UK_OBJCOPY) -O binary $< $@
	@echo "  IMAGE   $@ ($$(stat -c %s $@) octets)"

# make sdimage : a card for Pi 3 and Pi 4 (docs/pi.md)
.PHONY: sdimage
sdimage:
	@tools/install-deps.sh qemu
	$(Q)$(MAKE) --no-print-directory unikernel BOARD=raspi3
	$(Q)$(MAKE) --no-print-directory unikernel BOARD=raspi4
	$(Q)tools/make_sdimage.sh build/unikernel-raspi3/kernel8.img build/unikernel-raspi4/kernel8.img

-include $(UK_OBJS:.o=.d)

# make lint-unikernel : the image's own sources through clang, as a second opinion of the compiler, and clang-tidy (padding of
# structs of which there are a few dozen is no matter)
UK_LINT_FLAGS = --target=aarch64-linux-gnu -isystem /usr/lib/picolibc/aarch64-linux-gnu/include -nostdlibinc -std=gnu17 -ffreestanding -mcpu=$(UK_CPU_$(BOARD)) $(filter-out -Wpedantic,$(WARN)) $(UK_DEFS) $(UK_INC)
.PHONY: lint-unikernel
lint-unikernel: $(UK_THIRD)/.fetched
	$(Q)for f in $(filter-out net/dhcp.c net/tcp_in.c starter.c,$(UK_SRCS)); do echo "  TIDY    unikernel/$$f"; \
	    clang -fsyntax-only $(UK_LINT_FLAGS) unikernel/$$f && clang-tidy --quiet --checks=-clang-analyzer-optin.performance.Padding unikernel/$$f -- $(UK_LINT_FLAGS) 2>/dev/null || bad=1; done; [ -z "$$bad" ]
