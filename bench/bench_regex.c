/*
 * What 100 regular expressions cost a name: one that is remembered, and one that is new, with the
 * interpreter and with machine code, with the sieve and without. The expressions have the shapes of
 * published ones; none of the names matches, which is the dearest case. The baseline is hashing the
 * name, which every question pays.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "measure.h"
#include "resolver/memo.h"
#include "shared/regex_pcre2.h"

enum { COUNT = 1000000, NAMES = 2048, RULES = 100, ROWS = 4096 };

static struct dns_name name[NAMES];
static struct dns_suffixes suffixes[NAMES];

struct regex_bench {
    const struct bl_regexes *set;
    struct memo memo;
    struct bl_regex_asker who;
};

static void make_names(void)
{
    static const char *const words[] = {"www",     "img",  "mail",  "static", "cdn",  "news",
                                        "shop",    "edge", "login", "media",  "play", "maps",
                                        "weather", "bank", "photo", "search"};
    static const char *const tops[] = {"com", "org", "net", "de", "io", "co.uk"};
    for (unsigned i = 0; i < NAMES; i++) {
        char text[128];
        snprintf(text, sizeof text, "%s%u.%s-%s.%s", words[engine_random() % 16],
                 (unsigned)(engine_random() % 40), words[engine_random() % 16],
                 words[engine_random() % 16], tops[engine_random() % 6]);
        if (dns_name_parse(span_str(text), &name[i]) != ERR_OK) {
            engine_die(text);
        }
        dns_suffixes_make(&name[i], &suffixes[i]);
    }
}

static struct regex_set *make_set(bool machine_code)
{
    struct regex_source sources[RULES];
    char text[RULES][64];
    struct regex_set *set = NULL;
    for (unsigned i = 0; i < RULES; i++) {
        engine_expression(text[i], sizeof text[i], i);
        sources[i] = (struct regex_source){.pattern = span_str(text[i])};
    }
    const struct regex_set_config cfg = {.users = 1, .machine_code = machine_code};
    if (regex_set_new(sources, RULES, &cfg, &set) != ERR_OK || regex_set_get(set) == NULL ||
        regex_set_get(set)->count != RULES) {
        engine_die("expressions");
    }
    return set;
}

static uint64_t hashed(void *context, size_t count)
{
    uint64_t sum = 0;
    struct dns_suffixes s;
    (void)context;
    for (size_t i = 0; i < count; i++) {
        dns_suffixes_make(&name[engine_random() % NAMES], &s);
        sum += s.hash[0];
    }
    return sum;
}

static uint64_t remembered(void *context, size_t count)
{
    struct regex_bench *b = context;
    struct bl_regex_verdict v;
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned k = (unsigned)(engine_random() % NAMES);
        if (memo_find(&b->memo, &name[k], &suffixes[k], &b->who, 1, &v)) {
            sum += v.rule;
        } else {
            bl_regex_match(b->set, &name[k], &b->who, &v);
            memo_keep(&b->memo, &name[k], &suffixes[k], &b->who, 1, &v);
        }
    }
    return sum;
}

static uint64_t matched(void *context, size_t count)
{
    struct regex_bench *b = context;
    struct bl_regex_verdict v;
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        bl_regex_match(b->set, &name[engine_random() % NAMES], &b->who, &v);
        sum += v.rule == BL_RULE_NONE;
    }
    if (sum != count) {
        engine_die("a name that matches");
    }
    return sum;
}

/* Let everything through. */
static void open_sieve(struct regex_set *set)
{
    struct bl_regexes *all = (struct bl_regexes *)(uintptr_t)regex_set_get(set);
    struct bl_regex_rule *rules = (struct bl_regex_rule *)(uintptr_t)all->rules;
    all->index = NULL;
    for (unsigned i = 0; i < RULES; i++) {
        rules[i].needs = (struct bl_sieve){{0}};
        rules[i].starts = rules[i].least = 0;
    }
}

int main(void)
{
    static struct bl_asker asker = {.groups = 1};
    struct arena arena;
    size_t len = memo_memory(ROWS);
    void *mem = malloc(len);
    struct regex_set *plain = make_set(false), *fast = make_set(true);
    struct regex_bench b = {.set = regex_set_get(plain), .who = {.whose = &asker}};
    if (mem == NULL) {
        engine_die("memory");
    }
    arena_init(&arena, mem, len);
    memo_init(&b.memo, &arena, ROWS);
    make_names();
    measure_head("100 regular expressions");
    double base = measure_ns(hashed, &b, COUNT);
    measure_row("hashing the name", base, base);
    measure_row("name remembered", measure_ns(remembered, &b, COUNT), base);
    measure_row("new name, interpreter", measure_ns(matched, &b, COUNT / 10), base);
    b.set = regex_set_get(fast);
    measure_row("new name, machine code", measure_ns(matched, &b, COUNT / 10), base);
    open_sieve(plain);
    open_sieve(fast);
    b.set = regex_set_get(plain);
    measure_row("… without the sieve, interpreter", measure_ns(matched, &b, COUNT / 50), base);
    b.set = regex_set_get(fast);
    measure_row("… without the sieve, machine code", measure_ns(matched, &b, COUNT / 50), base);
    regex_set_free(plain);
    regex_set_free(fast);
    free(mem);
    return 0;
}
