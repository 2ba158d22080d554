/*
 * State that survives a power cut: two slots in one preallocated extent of a card, written in turn.
 * Each has a generation and a checksum; the newer whole one is the state. Nothing else on the card
 * changes.
 *
 *     slot: | magic | version | generation | length | checksum | payload … |     header one sector
 */
#ifndef UNIKERNEL_SLOTS_H
#define UNIKERNEL_SLOTS_H

#include "drivers/block.h"

struct slots {
    struct block_device *disk;
    uint64_t sector;       /* of the extent */
    uint32_t slot_sectors; /* half of it */
    uint64_t generation;   /* of the newest whole slot, 0: none */
    unsigned current;      /* its number */
    void (*breathe)(void); /* called between pieces of a long save; may be NULL */
};

/* What is there; a slot that is broken is as good as empty. ERR_RANGE: under four sectors. */
MUST_CHECK enum err slots_open(struct block_device *disk, uint64_t sector, uint32_t sectors,
                               struct slots *out);

/* The newest state; ERR_NOT_FOUND, ERR_SPACE (needs cap whole sectors), or the disk's error. */
MUST_CHECK enum err slots_load(struct slots *s, void *out, uint32_t cap, uint32_t *len);

/* Write to the other slot, payload first, header last. `data` has room up to whole sectors.
 * ERR_SPACE: longer than a slot. */
MUST_CHECK enum err slots_save(struct slots *s, const void *data, uint32_t len);

#endif
