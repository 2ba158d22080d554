/*
 * What is kept on the card, in files of its FAT partition that were made with the card and lie in
 * one piece:
 *
 *     sinkhole.conf   settings, written by a person on another machine; only read
 *     blocklist.img   compiled lists, made elsewhere (sinkhole compile); only read
 *     state.bin       two slots: rules document, passwords, statistics
 *     lists.bin       two slots: the last compiled lists
 *
 * Each may be absent; what it would keep is then lost at a power cut, and the log says so.
 */
#ifndef UNIKERNEL_STORAGE_H
#define UNIKERNEL_STORAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

struct block_device;

/* Look what is on the card; NULL: there is none. */
void storage_start(struct block_device *disk);

/* A file as a whole, from malloc; len 0 if it is not there. */
struct span storage_file(const char *name, uint32_t octets_max);

/* Parts of the state. A part that is set lives until the next start only, if there is no state.bin.
 */
enum storage_part { STORAGE_RULES, STORAGE_PASSWORDS, STORAGE_STATS, STORAGE_PARTS };

/* As it was at the start or was set since; borrowed until the next set. */
struct span storage_get(enum storage_part part);

/* Copied. ERR_MEMORY. Nothing is written before storage_write. */
MUST_CHECK enum err storage_set(enum storage_part part, struct span octets);

/* Write all parts. ERR_NOT_FOUND: there is no state.bin; ERR_SPACE: it is too small; the disk's
 * errors. */
MUST_CHECK enum err storage_write(void);

/* The last compiled lists, from malloc; len 0: none. And keeping them; the errors as above. */
struct span storage_lists(void);
MUST_CHECK enum err storage_write_lists(struct span image);

uint64_t storage_written(void); /* sectors since the start */

#endif
