/*
 * Linear probing; removal shifts later entries back, so there are no tombstones. Tickets are ours,
 * so the hash need not be keyed.
 */
#include "host/ticketmap.h"

#include <stdlib.h>

#include "base/require.h"

static uint32_t room_for(uint32_t max)
{
    uint32_t size = 16;
    while (size < max * 2) {
        size *= 2;
    }
    return size;
}

size_t ticketmap_memory(uint32_t max)
{
    return room_for(max) * sizeof(*((struct ticketmap *)NULL)->entry);
}

enum err ticketmap_init(struct ticketmap *m, uint32_t max)
{
    uint32_t size = room_for(max);
    m->entry = calloc(size, sizeof *m->entry);
    m->mask = size - 1;
    return m->entry ? ERR_OK : ERR_MEMORY;
}

void ticketmap_fini(struct ticketmap *m)
{
    free(m->entry);
    m->entry = NULL;
}

static uint32_t home(const struct ticketmap *m, uint32_t ticket)
{
    return (ticket * UINT32_C(0x9e3779b1)) >> 7 & m->mask;
}

static uint32_t locate(const struct ticketmap *m, uint32_t ticket)
{
    uint32_t i = home(m, ticket);
    while (m->entry[i].ticket != 0 && m->entry[i].ticket != ticket) {
        i = (i + 1) & m->mask;
    }
    return i;
}

void ticketmap_insert(struct ticketmap *m, uint32_t ticket, uint32_t slot)
{
    REQUIRE(ticket != 0);
    uint32_t i = locate(m, ticket);
    REQUIRE(m->entry[i].ticket == 0);
    m->entry[i] = (struct ticketmap_entry){.ticket = ticket, .slot = slot};
}

uint32_t ticketmap_find(const struct ticketmap *m, uint32_t ticket)
{
    uint32_t i = locate(m, ticket);
    return m->entry[i].ticket == ticket && ticket != 0 ? m->entry[i].slot : TICKETMAP_NONE;
}

uint32_t ticketmap_remove(struct ticketmap *m, uint32_t ticket)
{
    uint32_t hole = locate(m, ticket);
    if (ticket == 0 || m->entry[hole].ticket != ticket) {
        return TICKETMAP_NONE;
    }
    uint32_t slot = m->entry[hole].slot;
    for (uint32_t i = (hole + 1) & m->mask; m->entry[i].ticket != 0; i = (i + 1) & m->mask) {
        uint32_t want = home(m, m->entry[i].ticket);
        /* Move it back unless its home lies after the hole. */
        if (((i - want) & m->mask) >= ((i - hole) & m->mask)) {
            m->entry[hole] = m->entry[i];
            hole = i;
        }
    }
    m->entry[hole] = (struct ticketmap_entry){0};
    return slot;
}
