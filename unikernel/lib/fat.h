/*
 * FAT16 and FAT32 (Microsoft FAT specification 1.03), read only: files in the root folder, by long
 * or short name. Preallocated files that lie in one piece can be written in place, sector by
 * sector, without a change to the file system: that is how state is kept, so that a power cut can
 * never break the card.
 */
#ifndef UNIKERNEL_FAT_H
#define UNIKERNEL_FAT_H

#include <stdbool.h>
#include <stdint.h>

#include "drivers/block.h"

struct fat {
    struct block_device *disk;
    uint64_t fat_start, root_start, data_start; /* sectors */
    uint64_t end;                               /* first sector after the volume */
    uint32_t cluster_sectors, root_sectors, root_cluster, clusters;
    bool is32;
};

struct fat_file {
    uint32_t first_cluster;
    uint32_t octets;
};

/* The volume in the first FAT partition of an MBR, or on the bare disk. ERR_FORMAT, ERR_UNSUPPORTED
 * or the disk's error. */
MUST_CHECK enum err fat_open(struct block_device *disk, struct fat *out);

/* Case does not matter. ERR_NOT_FOUND, ERR_FORMAT. */
MUST_CHECK enum err fat_find(const struct fat *fs, const char *name, struct fat_file *out);

/* The whole file into `out`; ERR_SPACE if it is longer than cap. *len gets its octets. cap must be
 * rounded up to whole sectors by the caller. */
MUST_CHECK enum err fat_read(const struct fat *fs, const struct fat_file *f, void *out,
                             uint32_t cap, uint32_t *len);

/* Where a file lies if it is in one piece; ERR_UNSUPPORTED if it is scattered. */
MUST_CHECK enum err fat_extent(const struct fat *fs, const struct fat_file *f, uint64_t *sector,
                               uint32_t *sectors);

#endif
