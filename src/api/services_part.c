/* One block: the part, the reasons, the names. */
#include "api/services_part.h"

#include "base/arena.h"
#include "base/strbuf.h"
#include "resolver/safe.h"

struct services_part {
    struct safe_names safe_names;
    const char (*reasons)[SERVICE_REASON];
};

static size_t reasons_octets(const struct catalogs *c)
{
    return (c->services.count + 1) * sizeof(char[SERVICE_REASON]);
}

size_t services_part_memory(const struct catalogs *c)
{
    return sizeof(struct services_part) + reasons_octets(c) + safe_names_memory(&c->safe_search) +
           3 * _Alignof(max_align_t);
}

static void tell(const struct catalog *services, char (*out)[SERVICE_REASON])
{
    for (uint32_t i = 0; i < services->count; i++) {
        struct span id = services->section[i].id;
        struct strbuf text;
        strbuf_init(&text, out[i], SERVICE_REASON);
        strbuf_printf(&text, "service %.*s is blocked", (int)id.len, (const char *)id.ptr);
    }
}

enum err services_part_make(const struct catalogs *c, void *mem, size_t len,
                            const struct services_part **out)
{
    struct arena arena;
    arena_init(&arena, mem, len);
    size_t names_len = safe_names_memory(&c->safe_search);
    struct services_part *part = ARENA_NEW(&arena, struct services_part);
    char(*reasons)[SERVICE_REASON] = arena_alloc(&arena, reasons_octets(c), 1);
    void *names = arena_alloc(&arena, names_len, _Alignof(max_align_t));
    if (!part || !reasons || !names) {
        return ERR_SPACE;
    }
    tell(&c->services, reasons);
    part->reasons = (const char(*)[SERVICE_REASON])reasons;
    enum err e = safe_names_make(&c->safe_search, names, names_len, &part->safe_names);
    if (e == ERR_OK) {
        *out = part;
    }
    return e;
}

void services_part_apply(const struct services_part *part, struct snapshot *out)
{
    out->safe_names = part ? &part->safe_names : NULL;
    out->service_reasons = part ? part->reasons : NULL;
}
