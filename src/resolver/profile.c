/*
 * The table of clients: open addressing over (prefix, length), at most half full. A look-up goes
 * through the lengths that occur, from the longest on, and ends at the first prefix that is there.
 */
#include "resolver/profile.h"

#include "base/require.h"

static struct ip_addr masked(const struct ip_addr *addr, unsigned bits)
{
    struct ip_addr a = {{0}};
    memcpy(a.b, addr->b, bits / 8);
    if (bits % 8 != 0) {
        a.b[bits / 8] = (uint8_t)(addr->b[bits / 8] & 0xff00 >> bits % 8);
    }
    return a;
}

/* The rows are the person's own, so nobody outside can choose them to collide. What tells IPv4
 * addresses of a network apart stands in the highest octets of `lo`: it is brought down first, as a
 * product carries upwards only. */
static uint32_t hash_of(const struct ip_addr *a, unsigned bits)
{
    uint64_t hi, lo;
    memcpy(&hi, a->b, 8);
    memcpy(&lo, a->b + 8, 8);
    uint64_t h = (hi ^ bits) * UINT64_C(0x9e3779b97f4a7c15);
    h = h ^ h >> 29 ^ lo;
    h = (h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return (uint32_t)(h >> 32);
}

/* The slot of the prefix, or the free one where it would stand. */
static uint32_t slot_of(const struct client_map *m, const struct ip_addr *a, unsigned bits)
{
    uint32_t slot = hash_of(a, bits) & m->mask;
    while (m->rows[slot].used &&
           (m->rows[slot].bits != bits || !ip_equal(&m->rows[slot].addr, a))) {
        slot = (slot + 1) & m->mask;
    }
    return slot;
}

uint16_t client_map_find(const struct client_map *m, const struct ip_addr *addr)
{
    if (LIKELY(m->count == 0)) {
        return 0;
    }
    for (unsigned i = 0; i < m->length_count; i++) {
        struct ip_addr a = masked(addr, m->lengths[i]);
        uint32_t slot = slot_of(m, &a, m->lengths[i]);
        if (m->rows[slot].used) {
            return m->rows[slot].profile;
        }
    }
    return 0;
}

bool client_map_at(const struct client_map *m, const struct ip_addr *addr, unsigned bits,
                   uint16_t *out)
{
    if (m->count == 0) {
        return false;
    }
    struct ip_addr a = masked(addr, bits);
    const struct client_row *row = &m->rows[slot_of(m, &a, bits)];
    if (row->used) {
        *out = row->profile;
    }
    return row->used;
}

static uint32_t slots_for(uint32_t count)
{
    uint32_t slots = 4;
    while (slots < 2 * (uint64_t)count) {
        slots *= 2;
    }
    return slots;
}

size_t client_map_memory(uint32_t count)
{
    return count == 0 ? 0 : slots_for(count) * sizeof(struct client_row);
}

void client_map_init(struct client_map *m, void *mem, uint32_t count)
{
    *m = (struct client_map){0};
    if (count > 0) {
        memset(mem, 0, client_map_memory(count));
        m->rows = mem;
        m->mask = slots_for(count) - 1;
    }
}

bool client_map_has_room(const struct client_map *m)
{
    return m->rows != NULL && m->count <= m->mask / 2;
}

enum err client_map_add(struct client_map *m, const struct ip_prefix *prefix, uint16_t profile,
                        uint16_t *other)
{
    REQUIRE(client_map_has_room(m));
    struct client_row *rows = (struct client_row *)(uintptr_t)m->rows;
    struct ip_addr a = masked(&prefix->addr, prefix->bits);
    struct client_row *row = &rows[slot_of(m, &a, prefix->bits)];
    if (row->used) {
        *other = row->profile;
        return ERR_EXISTS;
    }
    *row = (struct client_row){.addr = a, .bits = prefix->bits, .used = true, .profile = profile};
    m->count++;
    return ERR_OK;
}

void client_map_done(struct client_map *m)
{
    bool occurs[129] = {false};
    for (uint32_t i = 0; m->count > 0 && i <= m->mask; i++) {
        occurs[m->rows[i].bits] |= m->rows[i].used;
    }
    m->length_count = 0;
    for (unsigned bits = 129; bits-- > 0;) {
        if (occurs[bits]) {
            m->lengths[m->length_count++] = (uint8_t)bits;
        }
    }
}
