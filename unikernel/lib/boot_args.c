/* Device tree (/memory, /chosen) or ATAGs (the older list of tagged words that QEMU's Pi boards
 * leave at 0x100). */
#include "lib/boot_args.h"

#include <string.h>

#include "lib/fdt.h"

enum {
    ATAG_MAX_WORDS = 16384,
    ATAG_NONE = 0,
    ATAG_CORE = 0x54410001,
    ATAG_MEM = 0x54410002,
    ATAG_INITRD2 = 0x54420005,
    ATAG_CMDLINE = 0x54410009
};

static struct boot_args args;

struct boot_args *boot_args(void)
{
    return &args;
}

static void set_cmdline(struct boot_args *out, const void *text, size_t room)
{
    const char *end = memchr(text, 0, room);
    size_t len = end ? (size_t)(end - (const char *)text) : room;
    out->cmdline_len = len < BOOT_CMDLINE_MAX - 1 ? len : BOOT_CMDLINE_MAX - 1;
    memcpy(out->cmdline, text, out->cmdline_len);
    out->cmdline[out->cmdline_len] = '\0';
}

void boot_args_from_fdt(const struct fdt *fdt, struct boot_args *out)
{
    struct span v;
    uint64_t start, end;
    /* Two address and two size cells, as on every 64-bit board. */
    if (fdt_property(fdt, "memory", "reg", &v) && v.len >= 16) {
        (void)fdt_number(span_of(v.ptr + 8, 8), &out->ram_octets);
    }
    if (fdt_property(fdt, "chosen", "bootargs", &v)) {
        set_cmdline(out, v.ptr, v.len);
    }
    if (fdt_property(fdt, "chosen", "linux,initrd-start", &v) && fdt_number(v, &start) &&
        fdt_property(fdt, "chosen", "linux,initrd-end", &v) && fdt_number(v, &end) && end > start) {
        out->initrd = span_of((const void *)(uintptr_t)start, (size_t)(end - start));
    }
    if (fdt_property(fdt, "chosen", "rng-seed", &v)) {
        out->seed_len = v.len < BOOT_SEED_MAX ? v.len : BOOT_SEED_MAX;
        memcpy(out->seed, v.ptr, out->seed_len);
    }
}

void boot_args_from_atags(const uint32_t *tags, size_t words, struct boot_args *out)
{
    size_t at = 0;
    while (words - at >= 2 && tags[at] >= 2 && tags[at] <= words - at &&
           tags[at + 1] != ATAG_NONE) {
        const uint32_t *tag = tags + at;
        if (tag[1] == ATAG_MEM && tag[0] >= 4) {
            out->ram_octets = tag[2];
        } else if (tag[1] == ATAG_INITRD2 && tag[0] >= 4) {
            out->initrd = span_of((const void *)(uintptr_t)tag[2], tag[3]);
        } else if (tag[1] == ATAG_CMDLINE && tag[0] >= 3) {
            set_cmdline(out, tag + 2, (tag[0] - 2) * sizeof *tag);
        }
        at += tag[0];
    }
}

void boot_args_read(uintptr_t address)
{
    memset(&args, 0, sizeof args);
    /* Through volatile, so that address 0 or 0x100 is nothing special to the compiler. */
    const uint32_t *volatile place = (const uint32_t *)address;
    const uint32_t *words = place;
    struct fdt fdt;
    if (!words) {
        return;
    }
    if (fdt_open(words, FDT_MAX, &fdt)) {
        boot_args_from_fdt(&fdt, &args);
    } else if (words[1] == ATAG_CORE) {
        boot_args_from_atags(words, ATAG_MAX_WORDS, &args);
    }
}
