/*
 * What the firmware or boot loader told us: memory, command line, an initial RAM disk (the list
 * image), a random seed. Read from a device tree or from ATAGs, whichever stands at the given
 * address.
 */
#ifndef UNIKERNEL_BOOT_ARGS_H
#define UNIKERNEL_BOOT_ARGS_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

enum { BOOT_CMDLINE_MAX = 2048, BOOT_SEED_MAX = 128 };

struct boot_args {
    uint64_t ram_octets;            /* 0: not told */
    struct span initrd;             /* len 0: none */
    char cmdline[BOOT_CMDLINE_MAX]; /* "" if none; NUL-terminated, cut if longer */
    size_t cmdline_len;
    uint8_t seed[BOOT_SEED_MAX];
    size_t seed_len; /* octets not yet used */
};

void boot_args_read(uintptr_t address);
struct boot_args *boot_args(void);

/* The parts of it for tests. */
struct fdt;
void boot_args_from_fdt(const struct fdt *fdt, struct boot_args *out);
void boot_args_from_atags(const uint32_t *tags, size_t words, struct boot_args *out);

#endif
