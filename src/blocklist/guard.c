/*
 * A flat hash table from the hash of a name to what the name is: public suffix, popular, used, or
 * above one of those. Marks are two bits a slot: the name itself, all below it.
 */
#include "blocklist/guard.h"

#include <string.h>

#include "base/arena.h"
#include "dns/suffix.h"

enum source { FROM_SUFFIXES, FROM_POPULAR, FROM_USED, SOURCES };

enum what {
    SUFFIX = 1,
    SUFFIX_PRIVATE = 2,
    SUFFIX_STAR = 4,   /* every name right below is one; the mark is that of "*.NAME" */
    SUFFIX_EXCEPT = 8, /* but this one */
    POPULAR = 16,
    POPULAR_ABOVE = 32,
    USED = 64,
    USED_ABOVE = 128
};

struct slot {
    uint64_t hash;
    uint32_t at;    /* offset of the name in its source */
    uint8_t len;    /* octets of its text */
    uint8_t source; /* enum source */
    uint8_t what;   /* enum what bits; 0: free */
    uint8_t spare;
};
_Static_assert(sizeof(struct slot) == 16, "stated in the header");

struct bl_guard {
    struct span source[SOURCES];
    uint32_t mask;
    struct slot *slot;
};

const char *bl_guard_kind_name(enum bl_guard_kind kind)
{
    static const char *const names[] = {"suffix", "popular", "used"};
    return names[kind];
}

/* ---- the table ---- */

/* Slots: twice as many as there can be names. A name may bring all above it. */
static uint32_t slot_count(const struct bl_guard_sources *s)
{
    const struct span *all[] = {&s->suffixes, &s->popular, &s->used};
    uint32_t names = 1, n = 64;
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        for (size_t k = 0; k < all[i]->len; k++) {
            names += all[i]->ptr[k] == '\n' || (i != 0 && all[i]->ptr[k] == '.') ||
                     all[i]->ptr[k] == '*';
        }
        names++;
    }
    while (n < 2 * names) {
        n *= 2;
    }
    return n;
}

size_t bl_guard_memory(const struct bl_guard_sources *sources)
{
    return sizeof(struct bl_guard) + slot_count(sources) * sizeof(struct slot) +
           2 * _Alignof(max_align_t);
}

static struct slot *find(const struct bl_guard *g, uint64_t hash)
{
    uint32_t i = (uint32_t)(hash ^ hash >> 32) & g->mask;
    while (g->slot[i].what != 0 && g->slot[i].hash != hash) {
        i = (i + 1) & g->mask;
    }
    return &g->slot[i];
}

static void put(struct bl_guard *g, uint64_t hash, unsigned what, enum source source,
                struct span text)
{
    struct slot *s = find(g, hash);
    if (s->what == 0) {
        s->hash = hash;
        s->at = (uint32_t)(text.ptr - g->source[source].ptr);
        s->len = (uint8_t)text.len;
        s->source = (uint8_t)source;
    }
    s->what |= (uint8_t)what;
}

/* "com", "*.ck", "!www.ck", with '+' before if private. */
static void put_suffix(struct bl_guard *g, struct span text)
{
    struct dns_name name;
    struct dns_suffixes hashes;
    bool private = text.ptr[0] == '+';
    unsigned what = private ? SUFFIX_PRIVATE : SUFFIX;
    text = private ? span_of(text.ptr + 1, text.len - 1) : text;
    bool except = text.len > 0 && text.ptr[0] == '!';
    text = except ? span_of(text.ptr + 1, text.len - 1) : text;
    if (dns_name_parse(text, &name) != ERR_OK || name.labels == 0) {
        return;
    }
    dns_suffixes_make(&name, &hashes);
    if (name.wire[0] == 1 && name.wire[1] == '*' && name.labels > 1) {
        put(g, hashes.hash[1], SUFFIX_STAR, FROM_SUFFIXES, span_of(text.ptr + 2, text.len - 2));
    }
    put(g, hashes.hash[0], except ? SUFFIX_EXCEPT : what, FROM_SUFFIXES, text);
}

/* A name, and all above it but the top: there the suffixes speak. */
static void put_name(struct bl_guard *g, enum source source, struct span text)
{
    struct dns_name name;
    struct dns_suffixes hashes;
    unsigned what = source == FROM_POPULAR ? POPULAR : USED;
    if (text.len > UINT8_MAX || dns_name_parse(text, &name) != ERR_OK || name.labels < 1) {
        return;
    }
    dns_suffixes_make(&name, &hashes);
    put(g, hashes.hash[0], what, source, text);
    for (unsigned i = 1; i + 1 < name.labels; i++) {
        const uint8_t *dot = memchr(text.ptr, '.', text.len);
        if (dot == NULL) {
            break;
        }
        text = span_of(dot + 1, (size_t)(text.ptr + text.len - dot - 1));
        put(g, hashes.hash[i], what << 1, source, text);
    }
}

static struct span trimmed(struct span line)
{
    const uint8_t *hash = line.len > 0 ? memchr(line.ptr, '#', line.len) : NULL;
    line.len = hash != NULL ? (size_t)(hash - line.ptr) : line.len;
    while (line.len > 0 && line.ptr[line.len - 1] <= ' ') {
        line.len--;
    }
    return line;
}

static void put_lines(struct bl_guard *g, enum source source)
{
    struct span text = g->source[source];
    while (text.len > 0) {
        const uint8_t *nl = memchr(text.ptr, '\n', text.len);
        size_t n = nl != NULL ? (size_t)(nl - text.ptr) : text.len;
        struct span line = trimmed(span_of(text.ptr, n));
        if (line.len > 0 && source == FROM_SUFFIXES) {
            put_suffix(g, line);
        } else if (line.len > 0) {
            put_name(g, source, line);
        }
        n += nl != NULL;
        text = span_of(text.ptr + n, text.len - n);
    }
}

enum err bl_guard_init(struct bl_guard **out, void *mem, size_t len,
                       const struct bl_guard_sources *sources)
{
    struct arena arena;
    uint32_t slots = slot_count(sources);
    arena_init(&arena, mem, len);
    struct bl_guard *g = ARENA_NEW(&arena, struct bl_guard);
    struct slot *slot = ARENA_ARRAY(&arena, struct slot, slots);
    if (g == NULL || slot == NULL) {
        return ERR_SPACE;
    }
    g->source[FROM_SUFFIXES] = sources->suffixes;
    g->source[FROM_POPULAR] = sources->popular;
    g->source[FROM_USED] = sources->used;
    g->mask = slots - 1;
    g->slot = slot;
    for (enum source s = FROM_SUFFIXES; s < SOURCES; s++) {
        put_lines(g, s);
    }
    *out = g;
    return ERR_OK;
}

/* ---- marks ---- */

size_t bl_guard_marks(const struct bl_guard *g)
{
    return ((size_t)g->mask + 1) / 4;
}

static unsigned marks_at(const uint8_t *marks, size_t slot)
{
    return marks[slot / 4] >> slot % 4 * 2 & 3;
}

static void add_marks(const struct bl_guard *g, uint8_t *marks, const struct slot *s, unsigned kind)
{
    size_t i = (size_t)(s - g->slot);
    marks[i / 4] |= (uint8_t)(kind << i % 4 * 2);
}

/* Which part of a rule is of interest for a name that is `what`: enum bl_kind bits. */
static unsigned interest(unsigned what, bool blocks)
{
    unsigned kind = what & (SUFFIX | SUFFIX_PRIVATE | SUFFIX_STAR) ? BL_BELOW : 0;
    if (!blocks) {
        return kind; /* who allows all below a suffix allows the world */
    }
    kind |= what & (SUFFIX | POPULAR) ? BL_BOTH : 0;
    kind |= what & USED ? BL_EXACT : 0;
    kind |= what & (POPULAR_ABOVE | USED_ABOVE) ? BL_BELOW : 0;
    return kind;
}

void bl_guard_mark(const struct bl_guard *g, uint8_t *marks, const struct bl_rule *rule)
{
    struct dns_suffixes hashes;
    bool blocks = bl_rank_action(rule->rank) == BL_BLOCK;
    dns_suffixes_make(&rule->name, &hashes);
    const struct slot *s = find(g, hashes.hash[0]);
    if (s->what != 0) {
        add_marks(g, marks, s, rule->kind & interest(s->what, blocks));
    }
    const struct slot *parent = find(g, hashes.hash[rule->name.labels > 0 ? 1 : 0]);
    if ((parent->what & SUFFIX_STAR) != 0 && (s->what & SUFFIX_EXCEPT) == 0) {
        static const uint8_t star[8] = {'*'};
        const struct slot *any = find(g, dns_suffix_child(parent->hash, star, 1));
        add_marks(g, marks, any, rule->kind & interest(any->what, blocks));
    }
}

void bl_guard_mark_names(const struct bl_guard *g, uint8_t *marks,
                         bool (*hits)(void *ctx, const struct dns_name *name), void *ctx)
{
    for (size_t i = 0; i <= g->mask; i++) {
        const struct slot *s = &g->slot[i];
        struct dns_name name;
        if ((s->what & (POPULAR | USED)) != 0 &&
            dns_name_parse(span_of(g->source[s->source].ptr + s->at, s->len), &name) == ERR_OK &&
            hits(ctx, &name)) {
            add_marks(g, marks, s, BL_EXACT);
        }
    }
}

bool bl_guard_any(const struct bl_guard *g, const uint8_t *marks)
{
    size_t n = bl_guard_marks(g);
    for (size_t i = 0; i < n; i++) {
        if (marks[i] != 0) {
            return true;
        }
    }
    return false;
}

/* ---- what is new ---- */

static enum bl_guard_kind kind_of(unsigned what)
{
    return what & (SUFFIX | SUFFIX_PRIVATE | SUFFIX_STAR) ? BL_GUARD_SUFFIX
           : what & (POPULAR | POPULAR_ABOVE)             ? BL_GUARD_POPULAR
                                                          : BL_GUARD_USED;
}

static void show(const struct bl_guard *g, const struct slot *s, unsigned added,
                 struct bl_guard_names *out)
{
    struct bl_guard_name *n = &out->name[out->shown];
    n->kind = kind_of(s->what);
    n->below = (added & BL_BELOW) != 0;
    struct span text = span_of(g->source[s->source].ptr + s->at, s->len);
    out->shown += dns_name_parse(text, &n->name) == ERR_OK;
}

bool bl_guard_compare(const struct bl_guard *g, const uint8_t *before, const uint8_t *after,
                      struct bl_guard_names *out)
{
    uint32_t total = 0;
    memset(out->count, 0, sizeof out->count);
    out->shown = 0;
    for (unsigned kind = 0; kind < BL_GUARD_KINDS; kind++) {
        for (size_t i = 0; i <= g->mask; i++) {
            unsigned added = marks_at(after, i) & ~(before != NULL ? marks_at(before, i) : 0);
            if (added == 0 || kind_of(g->slot[i].what) != kind) {
                continue;
            }
            out->count[kind]++;
            total++;
            if (out->shown < BL_GUARD_SHOWN) {
                show(g, &g->slot[i], added, out);
            }
        }
    }
    return total > 0;
}

bool bl_guard_shrunk(uint32_t before, uint32_t after)
{
    return (uint64_t)after * 3 < (uint64_t)before * 2;
}

/* ---- for people ---- */

static void reason_names(const struct bl_guard_names *names, enum bl_guard_kind kind,
                         struct strbuf *out)
{
    enum { TOLD = 4 };
    unsigned told = 0;
    for (uint32_t i = 0; i < names->shown && told < TOLD; i++) {
        char text[DNS_NAME_TEXT];
        if (names->name[i].kind == kind) {
            dns_name_format(&names->name[i].name, text);
            strbuf_printf(out, "%s%s%s", told++ > 0 ? ", " : " (", text,
                          names->name[i].below ? " and all below" : "");
        }
    }
    strbuf_str(out, told == 0 ? "" : names->count[kind] > told ? " …)" : ")");
}

void bl_guard_reason(const struct bl_guard_names *names, uint32_t before, uint32_t after,
                     struct strbuf *out)
{
    static const char *const one[] = {"a public suffix", "one of the most-used names",
                                      "a name that was used here daily"};
    static const char *const many[] = {"public suffixes", "of the most-used names",
                                       "names that were used here daily"};
    bool any = false;
    for (unsigned k = 0; names != NULL && k < BL_GUARD_KINDS; k++) {
        if (names->count[k] == 0) {
            continue;
        }
        strbuf_str(out, any ? ", " : "adds ");
        if (names->count[k] == 1) {
            strbuf_str(out, one[k]);
        } else {
            strbuf_printf(out, "%u %s", names->count[k], many[k]);
        }
        reason_names(names, (enum bl_guard_kind)k, out);
        any = true;
    }
    if (before > 0) {
        strbuf_printf(out, "%s%u rules where %u were before", any ? "; " : "only ", after, before);
    }
}
