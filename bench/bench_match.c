/*
 * Look-ups in the compiled lists: hot (1024 names over and over) and cold (a stream of names in
 * random order through an image that is larger than the cache), for names that are listed, that are
 * not, and that are not but lie below listed ones. Beside it what one would do without the trie: a
 * sorted array of names with bsearch, and a hash set of names, each asked for every suffix. Reading
 * the name and hashing its suffixes is the same for all and told alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blocklist/match.h"
#include "dns/suffix.h"
#include "lists.h"
#include "measure.h"

enum { HOT = 1024, COLD = 200000, HOT_ROUNDS = 300 };

struct asked {
    struct dns_name name;
    struct dns_suffixes suffixes;
};

static struct bl_image image;
static struct bench_rules rules;
static struct asked hot[HOT];

/* ------------------------------------------------------------------ baselines */

static const uint8_t **sorted;
static uint32_t *slots; /* index + 1 of a rule */
static size_t slot_mask;

static size_t wire_octets(const uint8_t *w)
{
    size_t n = 0;
    while (w[n]) {
        n += w[n] + 1u;
    }
    return n + 1;
}

static int by_wire(const void *a, const void *b)
{
    const uint8_t *x = *(const uint8_t *const *)a, *y = *(const uint8_t *const *)b;
    size_t m = wire_octets(x), n = wire_octets(y);
    int d = memcmp(x, y, m < n ? m : n);
    return d ? d : (m > n) - (m < n);
}

static void baselines_make(void)
{
    size_t count = 1;
    sorted = bench_alloc(rules.count * sizeof *sorted);
    while (count < rules.count * 2) {
        count *= 2;
    }
    slot_mask = count - 1;
    slots = calloc(count, sizeof *slots);
    for (size_t i = 0; i < rules.count; i++) {
        struct dns_name n;
        struct dns_suffixes s;
        sorted[i] = rules.wire + rules.wire_at[i];
        if (!slots || dns_name_from_wire(sorted[i], wire_octets(sorted[i]), &n) != ERR_OK) {
            exit(1);
        }
        dns_suffixes_make(&n, &s);
        size_t slot = (size_t)s.hash[0] & slot_mask;
        while (slots[slot]) {
            slot = (slot + 1) & slot_mask;
        }
        slots[slot] = (uint32_t)i + 1;
    }
    qsort(sorted, rules.count, sizeof *sorted, by_wire);
}

static uint64_t ask_sorted(const struct asked *q)
{
    for (unsigned i = q->name.labels; i-- > 0;) {
        const uint8_t *suffix = q->name.wire + q->name.off[i];
        if (bsearch(&suffix, sorted, rules.count, sizeof *sorted, by_wire)) {
            return 1;
        }
    }
    return 0;
}

static uint64_t ask_set(const struct asked *q)
{
    for (unsigned i = q->name.labels; i-- > 0;) {
        struct span suffix = dns_name_suffix(&q->name, i);
        for (size_t slot = (size_t)q->suffixes.hash[i] & slot_mask; slots[slot];
             slot = (slot + 1) & slot_mask) {
            const uint8_t *w = rules.wire + rules.wire_at[slots[slot] - 1];
            if (memcmp(w, suffix.ptr, suffix.len) == 0) {
                return 1;
            }
        }
    }
    return 0;
}

static uint64_t ask_image(const struct asked *q)
{
    struct bl_verdict v;
    return bl_match(&image, &q->name, &q->suffixes, NULL, &v);
}

static uint64_t ask_nothing(const struct asked *q)
{
    return q->suffixes.hash[0];
}

/* ------------------------------------------------------------------ measuring */

typedef uint64_t ask(const struct asked *q);

static uint64_t run_hot(void *context, size_t count)
{
    ask *f = *(ask **)context;
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += f(&hot[i % HOT]);
    }
    return sum;
}

struct stream {
    ask *f;
    const struct bench_names *names;
};

static uint64_t run_cold(void *context, size_t count)
{
    const struct stream *s = context;
    struct asked q;
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *wire = s->names->wire + s->names->at[i];
        if (dns_name_from_wire(wire, s->names->at[i + 1] - s->names->at[i], &q.name) == ERR_OK) {
            dns_suffixes_make(&q.name, &q.suffixes);
            sum += s->f(&q);
        }
    }
    return sum;
}

static double hot_ns(const struct bench_names *names, ask *f)
{
    for (size_t i = 0; i < HOT; i++) {
        if (dns_name_from_wire(names->wire + names->at[i], names->at[i + 1] - names->at[i],
                               &hot[i].name) != ERR_OK) {
            exit(1);
        }
        dns_suffixes_make(&hot[i].name, &hot[i].suffixes);
    }
    return measure_ns(run_hot, &f, (size_t)HOT * HOT_ROUNDS);
}

static double cold_ns(const struct bench_names *names, ask *f)
{
    struct stream s = {f, names};
    return measure_ns(run_cold, &s, COLD);
}

static void row(const char *what, const struct bench_names *names)
{
    double loop = hot_ns(names, ask_nothing), read = cold_ns(names, ask_nothing);
    double mine = hot_ns(names, ask_image), mine_cold = cold_ns(names, ask_image);
    double set = hot_ns(names, ask_set), set_cold = cold_ns(names, ask_set);
    double array = hot_ns(names, ask_sorted), array_cold = cold_ns(names, ask_sorted);
    (void)printf("| %s | %.1f | %.1f | %.1f | %.1f | %.1f | %.1f | %.1f |\n", what, mine - loop,
                 mine_cold - read, set - loop, set_cold - read, array - loop, array_cold - read,
                 read);
}

int main(void)
{
    struct bl_image_sizes sizes;
    rules = bench_rules_load();
    image = bench_image(&rules, 1);
    bl_image_sizes(&image, &sizes);
    (void)printf(
        "%zu rules%s: verdict part %.2f octets a rule, attribution %.2f, tables %zu in all\n\n",
        rules.count, rules.real ? "" : " (made up)", (double)sizes.verdict / (double)rules.count,
        (double)sizes.attribution / (double)rules.count, sizes.tables);
    baselines_make();
    struct bench_names listed = bench_names_listed(&rules, COLD), benign = bench_names_benign(COLD),
                       deep = bench_names_deep(&rules, COLD);
    (void)puts("| ns a look-up | trie, hot | cold | hash set, hot | cold | sorted array, hot | "
               "cold | read and hash the name |\n"
               "|---|---|---|---|---|---|---|---|");
    row("listed", &listed);
    row("benign", &benign);
    row("deep miss", &deep);
    return 0;
}
