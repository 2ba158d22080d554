/*
 * The checksum of image sections: four lanes of eight octets, each multiplied and mixed. Every step
 * of a lane can be undone, so a change within one word of eight octets is always found, others but
 * for one in 2^64. It guards against decay and cut files, not against forgery.
 */
#ifndef SINKHOLE_BLOCKLIST_CHECKSUM_H
#define SINKHOLE_BLOCKLIST_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

#define BL_CHECKSUM_BLOCK 32

struct bl_checksum {
    uint64_t lane[4];
    uint64_t len;
    uint8_t rest[BL_CHECKSUM_BLOCK]; /* octets that do not fill a block yet */
    unsigned held;
};

void bl_checksum_init(struct bl_checksum *c);
void bl_checksum_add(struct bl_checksum *c, const void *data, size_t len);
uint64_t bl_checksum_end(struct bl_checksum *c);
uint64_t bl_checksum_of(const void *data, size_t len);

#endif
