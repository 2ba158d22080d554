# Compilers and flags, by configuration: release, debug, asan, tsan, fuzz (libFuzzer), bulk (the same, fast: no
# AddressSanitizer), afl (AFL++), cov.

CONFIGS := release debug asan tsan fuzz bulk afl cov
ifeq ($(filter $(CONFIG),$(CONFIGS)),)
$(error CONFIG=$(CONFIG) is not known; expected one of: $(CONFIGS))
endif

ifneq ($(filter fuzz bulk,$(CONFIG)),)
CC := clang
else ifeq ($(CONFIG),afl)
CC := afl-clang-fast
export AFL_QUIET := 1
else ifeq ($(origin CC),default)
CC := gcc
endif
AR      ?= ar
HOSTCC  ?= $(CC)
PKGCONF ?= pkg-config
VERSION := $(shell cat VERSION 2>/dev/null || echo 0.0.0)

WARN := -Wall -Wextra -Wpedantic -Werror -Wshadow -Wconversion -Wstrict-prototypes \
        -Wmissing-prototypes -Wvla -Wundef -Wswitch-enum -Wpointer-arith -Wwrite-strings
CSTD := -std=c17
HARDEN := -fstack-protector-strong -fstack-clash-protection -fPIE
ifneq ($(filter x86_64% i686%,$(shell $(CC) -dumpmachine)),)
HARDEN += -fcf-protection=full
else
HARDEN += -mbranch-protection=standard
endif

# SANDBOX_UNFIT: run-times of sanitizers and of coverage make calls and files of their own (src/host/confine.c).
CFLAGS_release := -O2 -g -DNDEBUG -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
CFLAGS_debug   := -O0 -g3 -DDEBUG_ASSERT
CFLAGS_asan    := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all -DDEBUG_ASSERT -DSANDBOX_UNFIT
CFLAGS_tsan    := -O1 -g -fno-omit-frame-pointer -fsanitize=thread -DDEBUG_ASSERT -DSANDBOX_UNFIT
CFLAGS_fuzz    := -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -DDEBUG_ASSERT -DSANDBOX_UNFIT
CFLAGS_bulk    := -O2 -g -fsanitize-coverage=inline-8bit-counters,pc-table -fsanitize=undefined -fno-sanitize=function -fsanitize-trap=all -DDEBUG_ASSERT -DSANDBOX_UNFIT
CFLAGS_afl     := -O2 -g -fsanitize=undefined -fno-sanitize-recover=all -DDEBUG_ASSERT -DSANDBOX_UNFIT
CFLAGS_cov     := -O0 -g --coverage -fprofile-update=atomic -DDEBUG_ASSERT -DSANDBOX_UNFIT
ifeq ($(shell $(CC) -dumpfullversion 2>/dev/null | cut -d. -f1 | grep -x '1[2-9]'),)
else
CFLAGS_release := $(subst _FORTIFY_SOURCE=2,_FORTIFY_SOURCE=3,$(CFLAGS_release))
endif

LDFLAGS_release := -pie -Wl,-z,relro,-z,now,-z,noexecstack
# Shadow stacks: the linker drops the mark if one object lacks it, and Debian's start-up files do, which is no obstacle to them.
ifneq ($(filter x86_64%,$(shell $(CC) -dumpmachine)),)
LDFLAGS_release += -Wl,-z,shstk
endif
LDFLAGS_debug   := -pie
LDFLAGS_asan    := -pie -fsanitize=address,undefined
LDFLAGS_tsan    := -pie -fsanitize=thread
LDFLAGS_fuzz    := -pie -fsanitize=address,undefined
LDFLAGS_bulk    := -pie
LDFLAGS_afl     := -pie -fsanitize=undefined
LDFLAGS_cov     := -pie --coverage

CFLAGS_ALL  := $(CSTD) $(WARN) $(HARDEN) $(CFLAGS_$(CONFIG)) -Isrc -I$(BUILD)/gen $(CFLAGS)
LDFLAGS_ALL := $(LDFLAGS_$(CONFIG)) $(LDFLAGS)

# Third-party libraries; each has one door in src/ (docs/style.md says which). The core's only one is jansson, for src/api.
HOST_PKGS   := sqlite3 libcurl libmicrohttpd jansson openssl libidn2 libpcre2-8 libseccomp zlib libbrotlidec
HOST_LIBS    = $(shell $(PKGCONF) --libs $(HOST_PKGS)) -lldns -lcrypt -lpthread
HOST_CFLAGS  = -D_GNU_SOURCE $(shell $(PKGCONF) --cflags $(HOST_PKGS))
