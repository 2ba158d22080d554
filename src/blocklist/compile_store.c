/*
 * The builder's memory: chunks and chains of them, and the two tables that give small numbers to
 * top-level domains and to sets of sources.
 */
#include "base/attr.h"
#include "blocklist/compile_int.h"
#include "dns/suffix.h"

static uint32_t chunk_take(struct bl_compile *c)
{
    uint32_t off = c->chunk_free;
    if (off) {
        c->chunk_free = chunk_next(at(c, off));
    } else if (c->chunk_end - c->chunk_top >= CHUNK) {
        off = c->chunk_top;
        c->chunk_top += CHUNK;
        if (c->chunk_top > c->peak) {
            c->peak = c->chunk_top;
        }
    } else {
        compile_fail(c, ERR_SPACE);
        return 0;
    }
    memset(at(c, off), 0, CHUNK_HEAD);
    return off;
}

void *chain_grow(struct bl_compile *c, struct chain *chain, uint32_t n)
{
    uint32_t off = chunk_take(c);
    if (!off) {
        return NULL;
    }
    if (chain->last) {
        memcpy(at(c, chain->last), &off, 4);
    } else {
        chain->first = off;
    }
    chain->last = off;
    memcpy(at(c, off) + 4, &n, 4);
    return at(c, off) + CHUNK_HEAD;
}

void chain_free(struct bl_compile *c, struct chain *chain)
{
    if (chain->first) {
        memcpy(at(c, chain->last), &c->chunk_free, 4);
        c->chunk_free = chain->first;
    }
    *chain = (struct chain){0};
}

uint32_t compile_reserve(struct bl_compile *c, size_t n)
{
    n = (n + CHUNK - 1) / CHUNK * CHUNK;
    if (n > c->chunk_end - c->chunk_top) {
        compile_fail(c, ERR_SPACE);
        return 0;
    }
    uint32_t off = c->chunk_top;
    c->chunk_top += (uint32_t)n;
    if (c->chunk_top > c->peak) {
        c->peak = c->chunk_top;
    }
    return off;
}

uint32_t tld_intern(struct bl_compile *c, uint64_t hash, const uint8_t *octets, unsigned len)
{
    const uint32_t mask = ARRAY_LEN(c->tld_slots) - 1;
    uint32_t slot = (uint32_t)(hash >> 32) & mask;
    for (; c->tld_slots[slot] != 0; slot = (slot + 1) & mask) {
        uint32_t index = c->tld_slots[slot] - 1u;
        const uint8_t *row = at(c, c->tld_at[index]);
        if (row[0] == len && equal_words(row + 1, octets, len)) {
            return index;
        }
    }
    if (c->tld_count == BL_TLDS_MAX) {
        return UINT32_MAX;
    }
    uint8_t *row = chain_room(c, &c->tlds, BL_TLD, 1);
    if (!row) {
        return UINT32_MAX;
    }
    memset(row, 0, BL_TLD);
    row[0] = (uint8_t)len;
    memcpy(row + 1, octets, len);
    c->tld_at[c->tld_count] = (uint32_t)(row - c->base);
    c->tld_slots[slot] = (uint16_t)++c->tld_count;
    return c->tld_count - 1;
}

static uint32_t pairs_hash(const uint8_t *pairs, unsigned count)
{
    uint64_t h = count;
    for (unsigned i = 0; i < count * 2; i++) {
        h = (h ^ pairs[i]) * UINT64_C(0x9fb21c651e98df25);
        h ^= h >> 29;
    }
    return (uint32_t)(h >> 16);
}

struct class_row *class_intern(struct bl_compile *c, const uint8_t *pairs, unsigned count)
{
    uint8_t *head = at(c, c->heads) + (size_t)(pairs_hash(pairs, count) & c->head_mask) * 4;
    uint32_t off;
    memcpy(&off, head, 4);
    uint32_t first = off;
    while (off) {
        struct class_row *row = (struct class_row *)(void *)at(c, off);
        if (row->count == count && memcmp(row->pairs, pairs, count * 2) == 0) {
            return row;
        }
        off = row->next;
    }
    if (c->class_count == BL_NUMBER_MAX) {
        compile_fail(c, ERR_LIMIT);
        return NULL;
    }
    struct class_row *row =
        chain_room(c, &c->classes, (uint32_t)sizeof *row + count * 2, _Alignof(struct class_row));
    if (!row) {
        return NULL;
    }
    *row = (struct class_row){.next = first, .id = c->class_count++, .count = (uint16_t)count};
    for (unsigned i = 0; i < count; i++) {
        row->effect |= pairs[2 * i + 1];
    }
    memcpy(row->pairs, pairs, count * 2);
    c->source_count += count;
    off = (uint32_t)((uint8_t *)row - c->base);
    memcpy(head, &off, 4);
    return row;
}
