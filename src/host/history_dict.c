/* Open addressing with linear probing; grows by doubling at half full. */
#include "host/history_dict.h"

#include <stdlib.h>

enum { PLACES_FIRST = 1024 };

static uint64_t key_of(uint64_t hash)
{
    return hash ? hash : 1;
}

static struct history_dict_place *find_place(const struct history_dict *d, uint64_t key)
{
    for (uint32_t i = (uint32_t)key & (d->places - 1);; i = (i + 1) & (d->places - 1)) {
        if (d->place[i].hash == key || d->place[i].hash == 0) {
            return &d->place[i];
        }
    }
}

uint64_t history_dict_find(const struct history_dict *d, uint64_t hash)
{
    if (d->places == 0) {
        return 0;
    }
    const struct history_dict_place *p = find_place(d, key_of(hash));
    return p->hash ? p->id : 0;
}

void history_dict_clear(struct history_dict *d)
{
    free(d->place);
    *d = (struct history_dict){0};
}

bool history_dict_is_full(const struct history_dict *d)
{
    return d->count >= HISTORY_DICT_MAX;
}

static bool grow(struct history_dict *d)
{
    struct history_dict next = {.places = d->places ? 2 * d->places : PLACES_FIRST,
                                .count = d->count};
    next.place = calloc(next.places, sizeof *next.place);
    if (!next.place) {
        return false;
    }
    for (uint32_t i = 0; i < d->places; i++) {
        if (d->place[i].hash != 0) {
            *find_place(&next, d->place[i].hash) = d->place[i];
        }
    }
    free(d->place);
    *d = next;
    return true;
}

void history_dict_add(struct history_dict *d, uint64_t hash, uint64_t id)
{
    if (history_dict_is_full(d)) {
        history_dict_clear(d);
    }
    if (d->count >= d->places / 2 && !grow(d)) {
        history_dict_clear(d);
        return;
    }
    struct history_dict_place *p = find_place(d, key_of(hash));
    d->count += p->hash == 0;
    *p = (struct history_dict_place){.hash = key_of(hash), .id = id};
}
