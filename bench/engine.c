/*
 * The engine for benches; see engine.h.
 */
#include "engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "api/policy_plan.h"
#include "api/rules_snapshot.h"
#include "blocklist/compile.h"
#include "dns/build.h"
#include "resolver/cache.h"
#include "resolver/snapshot.h"
#include "shared/regex_pcre2.h"
#include "stats/worker.h"

enum { LISTED = 100000, HUGE = 2 << 20 };

static struct snapshot snap;

_Noreturn void engine_die(const char *what)
{
    (void)fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

static void *get(size_t len)
{
    size_t align = len >= HUGE ? HUGE : CACHE_LINE;
    size_t size = (len + align - 1) / align * align;
    void *p = aligned_alloc(align, size);
    if (p == NULL) {
        engine_die("no memory");
    }
    (void)madvise(p, len >= HUGE ? size : 0, MADV_HUGEPAGE); /* as the daemon does */
    memset(p, 0, len);
    return p;
}

uint64_t engine_random(void)
{
    static uint64_t x = UINT64_C(0x2545f4914f6cdd1d);
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return x;
}

static void make_name(char *out, size_t cap, const char *kind, unsigned i)
{
    static const char *const tlds[] = {"com", "net", "org", "example", "de", "io"};
    uint64_t h = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    (void)snprintf(out, cap, "%s%.*s.site%u-%x.%s", i % 3 ? "www" : "cdn", (int)(h >> 60),
                   "abcdefghijklmnopq", i, (unsigned)(h & 0xfff), tlds[h >> 20 & 3]);
    memcpy(out, kind, 3);
}

void engine_packets(struct packets *p, const char *kind, bool edns)
{
    for (unsigned i = 0; i < ENGINE_NAMES; i++) {
        char text[128];
        struct dns_name name;
        make_name(text, sizeof text, kind, i);
        if (dns_name_parse(span_str(text), &name) != ERR_OK) {
            engine_die(text);
        }
        p->len[i] = dns_build_query(p->data[i], sizeof p->data[i], (uint16_t)i, DNS_RD, name.wire,
                                    name.len, DNS_A, DNS_IN, edns, false);
    }
}

static const struct bl_image *make_image(void)
{
    struct bl_sink_memory sink = {.cap = 16 << 20};
    sink.mem = get(sink.cap);
    struct bl_compile_config cfg = {
        .rules_max = LISTED, .passes = 1, .sink = {bl_sink_memory_write, &sink}};
    size_t len = bl_compile_memory(&cfg);
    void *mem = get(len);
    struct bl_compile *c;
    struct bl_image *image = get(sizeof *image);
    uint64_t size;
    if (bl_compile_init(&c, mem, len, &cfg) != ERR_OK) {
        engine_die("bl_compile_init");
    }
    struct bl_feed *f = bl_compile_feed(c, 0);
    do {
        bl_feed_list(f, 0, span_str("a list"), span_str("https://lists.example/ads"));
        for (unsigned i = 0; i < LISTED; i++) {
            char text[128];
            struct bl_rule rule = {.kind = BL_BOTH, .rank = BL_RANK_BLOCK, .line = i + 1};
            make_name(text, sizeof text, "ads", i);
            if (dns_name_parse(span_str(text), &rule.name) != ERR_OK) {
                engine_die(text);
            }
            bl_feed_rule(f, &rule);
        }
        bl_feed_list_end(f, 0, LISTED);
    } while (bl_compile_pass(c));
    if (bl_compile_finish(c, &size) != ERR_OK ||
        bl_image_open(sink.mem, (size_t)size, image) != ERR_OK) {
        engine_die("compile");
    }
    free(mem);
    return image;
}

static struct peer client_of(uint32_t i)
{
    struct peer p = {.port = 40000, .listener = 1};
    const uint8_t addr[4] = {192, 168, 1, (uint8_t)(1 + i % 200)};
    p.addr = ip_v4(addr);
    return p;
}

/* The collector's part, without its cost. */
void engine_empty_ring(struct engine *b)
{
    struct ring *ring = &b->stats->ring;
    atomic_store_explicit(&ring->tail, atomic_load_explicit(&ring->head, memory_order_relaxed),
                          memory_order_release);
}

static size_t make_answer(const uint8_t *query, size_t len, bool alias, uint8_t *out)
{
    static const uint8_t a[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 14, 16, 0, 4, 203, 0, 113, 7};
    static const uint8_t chain[] = {0xc0, 12,  0,   5,   0, 1,   0,   0,   14,  16,  0,    13, 4,
                                    'e',  'd', 'g', 'e', 5, 'c', 'd', 'n', '-', '1', 0xc0, 12};
    size_t name = 12;
    while (query[name] != 0) {
        name += query[name] + 1U;
    }
    size_t n = name + 5;
    memcpy(out, query, len);
    out[2] |= 0x80;
    out[11] = 0;
    out[7] = (uint8_t)(alias ? 2 : 1);
    if (alias) {
        size_t target = n + 12;
        memcpy(out + n, chain, sizeof chain);
        n += sizeof chain;
        memcpy(out + n, a, sizeof a);
        out[n] = (uint8_t)(0xc0 | target >> 8);
        out[n + 1] = (uint8_t)target;
    } else {
        memcpy(out + n, a, sizeof a);
    }
    return n + sizeof a;
}

/* Takes the resolver's output; answers what goes upstream if `alias` says how. */
unsigned engine_take(struct engine *b, int alias)
{
    struct output out;
    unsigned answers = 0;
    while (resolver_output(b->r, &out)) {
        answers += out.kind == OUTPUT_ANSWER;
        if (out.kind == OUTPUT_UDP && alias >= 0) {
            size_t n = make_answer(out.data, out.len, alias > 0, b->out);
            resolver_response(b->r, b->now, out.ticket, b->out, n);
        }
    }
    return answers;
}

enum resolver_outcome engine_ask(struct engine *b, const uint8_t *data, size_t len, uint32_t i)
{
    struct packet packet = {.data = b->buf, .len = len, .cap = sizeof b->buf};
    struct peer peer = client_of(i);
    uint16_t owner;
    memcpy(b->buf, data, len);
    enum resolver_outcome o = resolver_query(b->r, b->now, &peer, &packet, &owner);
    if (o == RESOLVER_ANSWER) {
        memcpy(b->out, b->buf, packet.len);
    }
    return o;
}

void engine_fill_cache(struct engine *b, struct packets *p, int alias)
{
    for (unsigned i = 0; i < ENGINE_NAMES; i++) {
        if (engine_ask(b, p->data[i], p->len[i], i) == RESOLVER_PENDING &&
            engine_take(b, alias) != 1) {
            engine_die("no answer");
        }
    }
    engine_empty_ring(b);
}

void engine_start(struct engine *b)
{
    static struct ip_prefix nets[3];
    static bool negated[3];
    struct cache_config cc = {.entries = 65536};
    struct stats_worker_config sc = {.ring_octets = 1 << 20};
    struct cache *cache;
    uint8_t seed[32] = {7};
    if (ip_prefix_parse(span_str("10.0.0.0/8"), &nets[0]) != ERR_OK ||
        ip_prefix_parse(span_str("192.168.0.0/16"), &nets[1]) != ERR_OK) {
        engine_die("prefix");
    }
    snap = (struct snapshot){
        .generation = 1,
        .image = make_image(),
        .allow_from = nets,
        .allow_from_negated = negated,
        .allow_from_count = 2,
        .upstream_count = 1,
        .everybody = {.asker = {.groups = BL_GROUPS_ALL}},
        .block_ttl_s = 60,
        .ttl_max_s = 86400,
        .ttl_negative_max_s = 10800,
        .stale_s = 86400,
        .rebind_protection = true,
        .cname_check = true,
        .case_random = true,
    };
    void *cache_mem = get(cache_memory(&cc)), *stats_mem = get(stats_worker_memory(&sc));
    if (cache_init(&cache, cache_mem, cache_memory(&cc), &cc, (struct siphash_key){1, 2}) !=
            ERR_OK ||
        stats_worker_init(&b->stats, stats_mem, stats_worker_memory(&sc), &sc) != ERR_OK) {
        engine_die("memory");
    }
    struct resolver_config rc = {.pending_max = 2048,
                                 .waiting_max = 4096,
                                 .clients_max = 4096,
                                 .workers = 1,
                                 .regex_memo = 4096,
                                 .cache = cache,
                                 .stats = b->stats};
    b->now = 1000 * USEC_PER_SEC;
    if (resolver_init(&b->r, get(resolver_memory(&rc)), resolver_memory(&rc), &rc, &snap, seed,
                      b->now) != ERR_OK) {
        engine_die("resolver_init");
    }
}

/* ---- Groups, clients and rules. ---- */

static const char *const words[] = {"ads", "web", "cdn", "img", "api", "app"};

void engine_expression(char *out, size_t cap, unsigned i)
{
    static const char *const shapes[] = {
        "^ad%c?x[0-9]*[_.-]",      "^(.+[_.-])?%ctelemetry[_.-]",
        "(^|\\.)%ctracker\\.com$", "^%cstat(s|istics)?[0-9]*\\.",
        "^%canalytics?[_.-]",      "^api\\..*\\.%chismarttv\\.com$",
        "^%cbeacons?[0-9]*[_.-]",  "(^|\\.)%clgsmartad\\.com",
        "^%cpixels?[-.]",          "^%c[a-f]{12,14}$"};
    const char *shape = shapes[i % 10], *at = strchr(shape, '%');
    (void)snprintf(out, cap, "%.*s%c%s", (int)(at - shape), shape, (char)('q' + i / 10), at + 2);
}

static void add_items(json_t *doc, unsigned expressions)
{
    json_t *groups = json_array(), *clients = json_array(), *own = json_array();
    char text[64];
    for (int i = 1; i <= 50; i++) {
        snprintf(text, sizeof text, "group %d", i);
        json_array_append_new(groups, json_pack("{s:i, s:s}", "id", i, "name", text));
    }
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, "%s.%d.%d", i < 250 ? "192.168" : "10.0", 1 + i / 250, i % 250);
        json_array_append_new(clients, json_pack("{s:i, s:s, s:[i,i,i]}", "id", i + 1, "client",
                                                 text, "groups", 0, 1 + i % 50, 1 + i * 7 % 50));
    }
    for (int i = 0; i < 10000 - (int)expressions; i++) {
        snprintf(text, sizeof text, "%s%d.rules.example", words[i % 6], i);
        json_array_append_new(own, json_pack("{s:i, s:s, s:s, s:s, s:[i]}", "id", i + 1, "type",
                                             i % 4 ? "deny" : "allow", "kind",
                                             i % 3 ? "exact" : "subtree", "domain", text, "groups",
                                             i % 51));
    }
    for (unsigned i = 0; i < expressions; i++) {
        engine_expression(text, sizeof text, i);
        json_array_append_new(own, json_pack("{s:i, s:s, s:s, s:s, s:[i]}", "id", 10001 + (int)i,
                                             "type", "deny", "kind", "regex", "domain", text,
                                             "groups", (int)i % 51));
    }
    json_object_set_new(doc, "groups", groups);
    json_object_set_new(doc, "clients", clients);
    json_object_set_new(doc, "own", own);
}

static uint32_t same_list(const char *text, bool allow)
{
    (void)text;
    (void)allow;
    return 1;
}

static uint32_t same_slot(const void *ctx, unsigned slot)
{
    (void)ctx;
    (void)slot;
    return 1;
}

static struct rules many_rules(unsigned expressions)
{
    struct rules r = {0};
    char what[200] = "";
    json_t *doc = json_pack("{s:i}", "version", RULES_VERSION);
    add_items(doc, expressions);
    char *text = json_dumps(doc, 0);
    if (!text || rules_parse(&r, span_str(text), what, sizeof what) != ERR_OK) {
        engine_die(what);
    }
    free(text);
    json_decref(doc);
    return r;
}

static const struct bl_regexes *make_expressions(const struct rules *r,
                                                 const struct policy_plan *plan,
                                                 const struct policy_source *src)
{
    struct regex_source sources[ENGINE_EXPRESSIONS];
    struct regex_set *set = NULL;
    uint32_t count = 0;
    for (uint32_t i = 0; i < rules_own_count(r) && count < ENGINE_EXPRESSIONS; i++) {
        count += rules_regex_at(r, i, plan, src->now, src->now_unix, &sources[count].pattern,
                                &sources[count].rule);
    }
    const struct regex_set_config cfg = {.users = 1};
    if (regex_set_new(sources, count, &cfg, &set) != ERR_OK ||
        (count > 0 && (set == NULL || regex_set_get(set)->count != count))) {
        engine_die("expressions");
    }
    return regex_set_get(set);
}

void engine_add_policy(struct engine *b, unsigned expressions)
{
    static struct snapshot with;
    static uint64_t generation = 1;
    struct policy_plan plan;
    struct bl_overlay *overlay = NULL;
    struct config *config;
    struct arena arena;
    struct rules r = many_rules(expressions);
    uint32_t count;
    if (cfg_init(&config, get(cfg_memory()), cfg_memory()) != ERR_OK) {
        engine_die("configuration");
    }
    const struct policy_source src = {
        .config = config, .rules = &r, .now = b->now, .now_unix = 1800000000, .list_id = same_list};
    size_t len = policy_plan_memory(&src);
    with = snap;
    with.generation = ++generation;
    if (policy_plan_make(&plan, &src, get(len), len) != ERR_OK) {
        engine_die("plan");
    }
    len = policy_apply_memory(&plan, with.image, same_slot, NULL);
    arena_init(&arena, get(len), len);
    if (policy_apply(&plan, same_slot, NULL, &arena, &with) != ERR_OK) {
        engine_die("profiles");
    }
    len = rules_overlay_memory(&r, &plan, src.now_unix, &count);
    if (rules_overlay_make(&r, &plan, src.now, src.now_unix, get(len), len, count, &overlay) !=
        ERR_OK) {
        engine_die("own rules");
    }
    with.rules = overlay;
    with.regexes = make_expressions(&r, &plan, &src);
    resolver_set_snapshot(b->r, b->now, &with);
}
