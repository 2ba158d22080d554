/* A block device: sectors of 512 octets, read and written where they stand. */
#ifndef UNIKERNEL_BLOCK_H
#define UNIKERNEL_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

enum { BLOCK_SECTOR = 512 };

struct block_device {
    const char *name;
    uint64_t sectors; /* 0: the device does not say */
    uint64_t written; /* sectors written since the start: wear shows here */
    MUST_CHECK enum err (*read)(struct block_device *d, uint64_t sector, uint32_t count, void *out);
    MUST_CHECK enum err (*write)(struct block_device *d, uint64_t sector, uint32_t count,
                                 const void *data);
};

#endif
