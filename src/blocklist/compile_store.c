/*
 * The builder's memory: chunks and chains of them, and the table that gives small numbers to sets
 * of sources. Feeds take chunks at the same time, each from a list of its own first.
 */
#include "base/attr.h"
#include "blocklist/compile_int.h"

uint32_t chunk_take(struct bl_compile *c, uint32_t *free_list)
{
    uint32_t off = *free_list;
    if (off) {
        *free_list = chunk_next(at(c, off));
    } else {
        off = atomic_load_explicit(&c->chunk_top, memory_order_relaxed);
        do {
            if (c->chunk_end - off < CHUNK) {
                return 0;
            }
        } while (!atomic_compare_exchange_weak_explicit(
            &c->chunk_top, &off, off + CHUNK, memory_order_relaxed, memory_order_relaxed));
    }
    memset(at(c, off), 0, CHUNK_HEAD);
    return off;
}

void *chain_grow(struct bl_compile *c, uint32_t *free_list, struct chain *chain, uint32_t n)
{
    uint32_t off = chunk_take(c, free_list);
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

void chain_join(struct bl_compile *c, struct chain *to, struct chain *from)
{
    if (from->first == 0) {
        return;
    }
    if (to->last) {
        memcpy(at(c, to->last), &from->first, 4);
    } else {
        to->first = from->first;
    }
    to->last = from->last;
    *from = (struct chain){0};
}

static void chunk_give(struct bl_compile *c, uint32_t *free_list, uint32_t off)
{
    memcpy(at(c, off), free_list, 4);
    *free_list = off;
}

void chunks_deal(struct bl_compile *c)
{
    if (c->feeds == 1) {
        c->feed[0]->chunk_free = c->chunk_free;
        c->chunk_free = 0;
    }
    for (unsigned k = 0; c->chunk_free; k = (k + 1) % c->feeds) {
        uint32_t off = c->chunk_free;
        c->chunk_free = chunk_next(at(c, off));
        chunk_give(c, &c->feed[k]->chunk_free, off);
        work_did(&c->work, 1);
    }
}

void chunks_collect(struct bl_compile *c)
{
    for (unsigned k = 0; k < c->feeds; k++) {
        struct bl_feed *f = c->feed[k];
        while (c->chunk_free && f->chunk_free) {
            uint32_t off = f->chunk_free;
            f->chunk_free = chunk_next(at(c, off));
            chunk_give(c, &c->chunk_free, off);
            work_did(&c->work, 1);
        }
        if (f->chunk_free) {
            c->chunk_free = f->chunk_free;
            f->chunk_free = 0;
        }
    }
    uint32_t top = atomic_load_explicit(&c->chunk_top, memory_order_relaxed);
    c->peak = top > c->peak ? top : c->peak;
}

uint32_t compile_reserve(struct bl_compile *c, size_t n)
{
    uint32_t off = atomic_load_explicit(&c->chunk_top, memory_order_relaxed);
    n = (n + CHUNK - 1) / CHUNK * CHUNK;
    if (n > c->chunk_end - off) {
        compile_fail(c, ERR_SPACE);
        return 0;
    }
    atomic_store_explicit(&c->chunk_top, off + (uint32_t)n, memory_order_relaxed);
    return off;
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

static uint8_t *class_head(struct bl_compile *c, const uint8_t *pairs, unsigned count)
{
    return at(c, c->heads) + (size_t)(pairs_hash(pairs, count) & c->head_mask) * 4;
}

static struct class_row *class_among(struct bl_compile *c, uint32_t off, const uint8_t *pairs,
                                     unsigned count)
{
    while (off) {
        struct class_row *row = (struct class_row *)(void *)at(c, off);
        if (row->count == count && memcmp(row->pairs, pairs, count * 2) == 0) {
            return row;
        }
        off = row->next;
    }
    return NULL;
}

struct class_row *class_find(struct bl_compile *c, const uint8_t *pairs, unsigned count)
{
    uint32_t off;
    memcpy(&off, class_head(c, pairs, count), 4);
    return class_among(c, off, pairs, count);
}

struct class_row *class_intern(struct bl_compile *c, const uint8_t *pairs, unsigned count)
{
    uint8_t *head = class_head(c, pairs, count);
    uint32_t first;
    memcpy(&first, head, 4);
    struct class_row *row = class_among(c, first, pairs, count);
    if (row) {
        return row;
    }
    if (c->class_count == BL_NUMBER_MAX) {
        compile_fail(c, ERR_LIMIT);
        return NULL;
    }
    row = kept_room(c, &c->classes, (uint32_t)sizeof *row + count * 2, _Alignof(struct class_row));
    if (!row) {
        return NULL;
    }
    *row = (struct class_row){.next = first, .id = c->class_count++, .count = (uint16_t)count};
    for (unsigned i = 0; i < count; i++) {
        row->effect |= pairs[2 * i + 1];
    }
    memcpy(row->pairs, pairs, count * 2);
    c->source_count += count;
    uint32_t off = (uint32_t)((uint8_t *)row - c->base);
    memcpy(head, &off, 4);
    return row;
}
