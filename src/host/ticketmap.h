/*
 * From a ticket (resolver.h) to the slot that carries it. Open addressing with a fixed size; at
 * most half full.
 */
#ifndef SINKHOLE_HOST_TICKETMAP_H
#define SINKHOLE_HOST_TICKETMAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

#define TICKETMAP_NONE UINT32_MAX

struct ticketmap_entry {
    uint32_t ticket; /* 0: free */
    uint32_t slot;
};

struct ticketmap {
    struct ticketmap_entry *entry;
    uint32_t mask; /* entries - 1 */
};

/* Room for `max` tickets at once. ERR_MEMORY. */
MUST_CHECK enum err ticketmap_init(struct ticketmap *m, uint32_t max);
void ticketmap_fini(struct ticketmap *m);

/* The ticket is not 0 and not in the map; no more than `max` are. */
void ticketmap_insert(struct ticketmap *m, uint32_t ticket, uint32_t slot);
uint32_t ticketmap_find(const struct ticketmap *m, uint32_t ticket); /* slot or TICKETMAP_NONE */
uint32_t ticketmap_remove(struct ticketmap *m, uint32_t ticket);     /* slot or TICKETMAP_NONE */

/* Octets that one of these takes at most, for `sinkhole config --limits`. */
size_t ticketmap_memory(uint32_t max);

#endif
