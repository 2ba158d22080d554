/*
 * Flattened device tree (Devicetree Specification 0.4, 5), read only as far as a board needs it:
 * find a node by path, and a property of it. Hostile bytes give false, never a read outside the
 * blob.
 */
#ifndef UNIKERNEL_FDT_H
#define UNIKERNEL_FDT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct fdt {
    const uint8_t *blob;
    size_t len; /* octets, from the header */
    size_t structs, structs_len;
    size_t strings, strings_len;
};

enum { FDT_MAX = 1 << 20 };

/* True if there is a tree of at most `room` octets at `blob`. */
bool fdt_open(const void *blob, size_t room, struct fdt *out);

/*
 * The value of a property; node "" is the root, "chosen" a child of it, "cpus/cpu@0" deeper. A
 * component without "@" also matches "name@unit". The first match wins.
 */
bool fdt_property(const struct fdt *fdt, const char *node, const char *name, struct span *out);

/* A big-endian number of 4 or 8 octets. */
bool fdt_number(struct span value, uint64_t *out);

#endif
