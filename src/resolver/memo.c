/*
 * Four rows a hash, which new names take in turn: whoever makes names that meet there makes his own
 * questions slower.
 */
#include "resolver/memo.h"

#include <string.h>

size_t memo_memory(uint32_t rows)
{
    return rows * sizeof(struct memo_row) + CACHE_LINE;
}

void memo_init(struct memo *m, struct arena *arena, uint32_t rows)
{
    m->rows = rows > 0 ? arena_alloc(arena, rows * sizeof(struct memo_row), CACHE_LINE) : NULL;
    m->mask = m->rows ? rows - 1 : 0;
}

static struct memo_row *row_of(const struct memo *m, uint64_t hash, const struct bl_asker *whose)
{
    uint64_t mixed = (hash ^ (uint64_t)(uintptr_t)whose) * 0x9e3779b97f4a7c15u;
    return &m->rows[(uint32_t)(mixed >> 40) & m->mask & ~(MEMO_WAYS - 1u)];
}

static bool is_it(const struct memo_row *r, const struct dns_name *name, uint64_t hash,
                  const struct bl_regex_asker *who, uint32_t generation)
{
    return r->hash == hash && r->generation == generation && r->len == name->len &&
           r->whose == who->whose && who->now < r->until &&
           memcmp(r->wire, name->wire, name->len) == 0;
}

bool memo_find(const struct memo *m, const struct dns_name *name,
               const struct dns_suffixes *suffixes, const struct bl_regex_asker *who,
               uint32_t generation, struct bl_regex_verdict *out)
{
    if (m->rows == NULL) {
        return false;
    }
    const struct memo_row *r = row_of(m, suffixes->hash[0], who->whose);
    for (unsigned way = 0; way < MEMO_WAYS; way++, r++) {
        if (is_it(r, name, suffixes->hash[0], who, generation)) {
            *out = (struct bl_regex_verdict){
                .rule = r->rule, .rank = r->rank, .gave_up = r->gave_up, .until = r->until};
            return true;
        }
    }
    return false;
}

void memo_keep(const struct memo *m, const struct dns_name *name,
               const struct dns_suffixes *suffixes, const struct bl_regex_asker *who,
               uint32_t generation, const struct bl_regex_verdict *verdict)
{
    if (m->rows == NULL || name->len > MEMO_NAME) {
        return;
    }
    struct memo_row *r = row_of(m, suffixes->hash[0], who->whose);
    r += r->turn++ % MEMO_WAYS;
    r->hash = suffixes->hash[0];
    r->whose = who->whose;
    r->until = verdict->until;
    r->generation = generation;
    r->rule = verdict->rule;
    r->rank = verdict->rank;
    r->gave_up = verdict->gave_up;
    r->len = name->len;
    memcpy(r->wire, name->wire, name->len);
}
