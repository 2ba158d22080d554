/*
 * From what rows name (a domain, a client, a kind of answer) to its number in the database: a table
 * of 64-bit keyed hashes in memory, so that the database needs no index over names, whose pages
 * would be written at random places. Two names with one hash would be taken for each other; with
 * the largest table that is one chance in 2^29 for ever.
 */
#ifndef SINKHOLE_HOST_HISTORY_DICT_H
#define SINKHOLE_HOST_HISTORY_DICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

#define HISTORY_DICT_MAX (1u << 18) /* entries; 16 octets each, twice as many places */

struct history_dict {
    struct history_dict_place {
        uint64_t hash; /* 0: free */
        uint64_t id;
    } * place;
    uint32_t places, count; /* a power of two, or 0 */
};

/* 0: not there. */
uint64_t history_dict_find(const struct history_dict *d, uint64_t hash);

/* A hash that is not there. Full or without memory: everything is forgotten first; then a name may
 * get a second number, which readers bring together again. */
void history_dict_add(struct history_dict *d, uint64_t hash, uint64_t id);

bool history_dict_is_full(const struct history_dict *d);
void history_dict_clear(struct history_dict *d); /* frees */

#endif
