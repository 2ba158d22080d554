/* Any octets as a device tree or as ATAGs: what is read stays inside them, and texts are ended. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../unikernel/lib/boot_args.c"
#include "../../unikernel/lib/fdt.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fdt fdt;
    struct boot_args out;
    size_t words = size / 4;
    uint32_t *copy =
        malloc(words * 4 + 4); /* its end is the end of the block: seen by sanitizers */
    if (!copy) {
        return 0;
    }
    memcpy(copy, data, words * 4);
    memset(&out, 0, sizeof out);
    if (fdt_open(copy, words * 4, &fdt)) {
        boot_args_from_fdt(&fdt, &out);
    }
    boot_args_from_atags(copy, words, &out);
    if (out.cmdline_len >= BOOT_CMDLINE_MAX || out.cmdline[out.cmdline_len] != '\0' ||
        out.seed_len > BOOT_SEED_MAX) {
        abort();
    }
    free(copy);
    return 0;
}
