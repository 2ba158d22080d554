/*
 * The builder's memory: chunks and chains of them, and the two tables that give small numbers to top-level domains and to sets of sources.
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

void *chain_room(struct bl_compile *c, struct chain *chain, uint32_t n, uint32_t align)
{
    uint8_t *chunk = chain->last ? at(c, chain->last) : NULL;
    uint32_t used = chunk ? (chunk_used(chunk) + align - 1) & ~(align - 1) : 0;
    if (UNLIKELY(!chunk || used + n > CHUNK_DATA)) {
        uint32_t off = chunk_take(c);
        if (!off) {
            return NULL;
        }
        if (chunk) {
            memcpy(chunk, &off, 4);
        } else {
            chain->first = off;
        }
        chain->last = off;
        chunk = at(c, off);
        used = 0;
    }
    uint32_t now = used + n;
    memcpy(chunk + 4, &now, 4);
    return chunk + CHUNK_HEAD + used;
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

uint32_t tld_intern(struct bl_compile *c, uint64_t hash, const uint8_t *label)
{
    const uint32_t mask = ARRAY_LEN(c->tld_slots) - 1;
    uint32_t slot = (uint32_t)(hash >> 32) & mask;
    for (; c->tld_slots[slot] != 0; slot = (slot + 1) & mask) {
        uint32_t index = c->tld_slots[slot] - 1u;
        const uint8_t *row = at(c, c->tld_at[index]);
        if (row[0] == label[0] && memcmp(row + 1, label + 1, label[0]) == 0) {
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
    memcpy(row, label, label[0] + 1u);
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
    struct class_row *row = chain_room(c, &c->classes, (uint32_t)sizeof *row + count * 2, _Alignof(struct class_row));
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
