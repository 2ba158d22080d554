/*
 * The world's machinery: memory, snapshots, and the pump that takes the resolvers' output after
 * every event. It checks what must always hold: each answer and each question to an upstream parses
 * strictly, and no ticket is used after its release.
 */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/require.h"
#include "blocklist/compile.h"
#include "blocklist/parse.h"
#include "dns/msg.h"
#include "resolver/address.h"
#include "resolver/local.h"
#include "stats/stats.h"

enum { STATS_RING = 65536 };

static void die(const char *what)
{
    fprintf(stderr, "world: %s\n", what);
    abort();
}

static void on_require(const char *file, int line, const char *expr)
{
    fprintf(stderr, "%s:%d: required: %s\n", file, line, expr);
    abort();
}

static void *get_memory(size_t len)
{
    void *p = aligned_alloc(CACHE_LINE, (len + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
    if (p == NULL) {
        die("no memory");
    }
    memset(p, 0, len);
    return p;
}

/* Large blocks are used again by the next world: a fuzzer makes thousands. */
static struct {
    void *mem;
    size_t len;
} spare[16];

static void *get_block(size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(spare); i++) {
        if (spare[i].mem != NULL && spare[i].len == len) {
            void *p = spare[i].mem;
            spare[i].mem = NULL;
            return memset(p, 0, len);
        }
    }
    return get_memory(len);
}

static void put_block(void *mem, size_t len)
{
    for (size_t i = 0; mem != NULL && i < ARRAY_LEN(spare); i++) {
        if (spare[i].mem == NULL) {
            spare[i].mem = mem;
            spare[i].len = len;
            return;
        }
    }
    free(mem);
}

/* Kept until the end: old snapshots may still be looked at. */
static void *keep(struct world *w, void *p)
{
    w->garbage = realloc(w->garbage, (w->garbage_count + 1) * sizeof *w->garbage);
    if (w->garbage == NULL || p == NULL) {
        die("no memory");
    }
    w->garbage[w->garbage_count++] = p;
    return p;
}

void world_open(struct world *w)
{
    require_set_handler(on_require);
    *w = (struct world){
        .now = WORLD_START,
        .next_change = INT64_MAX,
        .unix_start = 1767571200, /* Monday, 2026-01-05, midnight in Greenwich */
        .workers = 1,
        .rc = {.pending_max = 256,
               .waiting_max = 512,
               .clients_max = 64,
               .regex_memo = 64,
               .rate_limit = 1000},
        .cc = {.entries = 1024},
        .draft =
            {
                .everybody = {.asker = {.groups = BL_GROUPS_ALL}},
                .block_ttl_s = 60,
                .ttl_max_s = 86400,
                .ttl_negative_max_s = 10800,
                .stale_s = 86400,
                .prefetch = true,
                .rebind_protection = true,
                .block_icloud_relay = true,
                .block_canary = true,
                .cname_check = true,
                .case_random = true,
                .cookie_key = {1, 2, 3},
            },
    };
    w->answers_end = &w->answers;
    w->sent_end = &w->sent;
    static const char *const nets[] = {"192.0.2.0/24", "10.0.0.0/8", "2001:db8::/32"};
    for (unsigned i = 0; i < ARRAY_LEN(nets); i++) {
        if (ip_prefix_parse(span_str(nets[i]), &w->allow_from[i]) != ERR_OK) {
            die(nets[i]);
        }
    }
    w->draft.allow_from_count = ARRAY_LEN(nets);
}

static void append_line(char **text, const char *line)
{
    size_t old = *text != NULL ? strlen(*text) : 0, add = strlen(line);
    *text = realloc(*text, old + add + 2);
    if (*text == NULL) {
        die("no memory");
    }
    memcpy(*text + old, line, add);
    memcpy(*text + old + add, "\n", 2);
}

void world_add_list_line(struct world *w, unsigned list, const char *line)
{
    append_line(&w->list_text[list], line);
    w->draft.image = NULL;
}

void world_add_local(struct world *w, const char *line)
{
    append_line(&w->local_text, line);
}

void world_add_hosts(struct world *w, const char *line)
{
    append_line(&w->hosts_text, line);
}

void world_add_own(struct world *w, const char *rule, uint8_t action)
{
    struct bl_rule parsed;
    enum bl_reason why;
    if (w->own_count == WORLD_RULES || bl_parse_one(span_str(rule), &parsed, &why) != ERR_OK) {
        die(rule);
    }
    w->own_name[w->own_count] = parsed.name;
    w->own[w->own_count++] = (struct bl_own){
        .groups = BL_GROUPS_ALL, .kind = parsed.kind, .action = action, .id = w->own_count};
}

void world_add_regex(struct world *w, const char *pattern, uint8_t action)
{
    char *copy = keep(w, get_memory(strlen(pattern) + 1));
    if (w->regex_count == WORLD_RULES) {
        die(pattern);
    }
    memcpy(copy, pattern, strlen(pattern) + 1);
    w->regex[w->regex_count++] = (struct regex_source){
        .pattern = span_str(copy),
        .rule = {.own = {.groups = BL_GROUPS_ALL, .id = w->regex_count},
                 .list = BL_REGEX_OWN,
                 .rank = action == BL_ALLOW ? BL_RANK_OWN_ALLOW : BL_RANK_OWN_DENY}};
}

static void refuse_regex(void *ctx, const struct regex_source *source, const char *why)
{
    (void)ctx;
    (void)source;
    die(why);
}

static const struct bl_regexes *build_regexes(struct world *w, const struct bl_image *image)
{
    struct regex_source sources[2 * WORLD_RULES];
    uint32_t count = w->regex_count, cursor = 0;
    struct bl_pattern p;
    memcpy(sources, w->regex, count * sizeof *sources);
    while (image != NULL && count < ARRAY_LEN(sources) && bl_image_pattern(image, &cursor, &p)) {
        if (p.text.ptr[0] == BL_PATTERN_ADDRESS) {
            continue;
        }
        sources[count++] = (struct regex_source){
            .pattern = p.text, .rule = {.own = {.id = p.line}, .list = p.list, .rank = p.rank}};
    }
    if (count == 0) {
        return NULL;
    }
    const struct regex_set_config cfg = {.users = WORLD_WORKERS, .refused = refuse_regex};
    struct regex_set **set = &w->regexes[w->regexes_count++];
    if (w->regexes_count > WORLD_RULES || regex_set_new(sources, count, &cfg, set) != ERR_OK) {
        die("regular expressions");
    }
    return regex_set_get(*set);
}

static const struct address_rules *build_list_addresses(struct world *w,
                                                        const struct bl_image *image)
{
    struct address_rules *a;
    uint32_t count = image != NULL ? address_rules_count_listed(image) : 0;
    if (count == 0) {
        return NULL;
    }
    size_t len = address_rules_memory(count);
    if (address_rules_init(&a, keep(w, get_memory(len)), len, count) != ERR_OK) {
        die("addresses of lists");
    }
    address_rules_add_image(a, image);
    address_rules_done(a);
    return a;
}

static const struct address_rules *build_addresses(struct world *w)
{
    struct address_rules *a;
    if (w->address_count == 0) {
        return NULL;
    }
    size_t len = address_rules_memory(w->address_count);
    if (address_rules_init(&a, keep(w, get_memory(len)), len, w->address_count) != ERR_OK) {
        die("addresses");
    }
    for (unsigned i = 0; i < w->address_count; i++) {
        address_rules_add(a, &w->addresses[i], BL_GROUPS_ALL);
    }
    address_rules_done(a);
    return a;
}

uint16_t world_add_upstream(struct world *w, enum upstream_transport transport, uint16_t route)
{
    uint16_t i = w->draft.upstream_count++;
    struct upstream_spec *u = &w->draft.upstreams[i];
    *u = (struct upstream_spec){.id = 1000U + i, .transport = transport, .route = route};
    u->endpoint.addr = ip_v4((const uint8_t[]){198, 18, 0, (uint8_t)(i + 1)});
    u->endpoint.port = 53;
    return i;
}

static void take_rule(void *ctx, const struct bl_rule *rule)
{
    bl_feed_rule(ctx, rule);
}

static bool take_pattern(void *ctx, struct span pattern, uint8_t rank, uint32_t line)
{
    return bl_feed_pattern(ctx, pattern, rank, line);
}

static void compile_list(struct world *w, struct bl_feed *f, unsigned list)
{
    static struct bl_parser parser;
    const char *name = w->list_name[list] != NULL ? w->list_name[list] : "story";
    struct bl_parse_config cfg = {
        .as_allow = w->list_allows[list], .ctx = f, .rule = take_rule, .regex = take_pattern};
    bl_feed_list(f, list, span_str(name), span_str("file:story"));
    bl_parse_init(&parser, &cfg);
    if (bl_parse_feed(&parser, w->list_text[list], strlen(w->list_text[list])) != ERR_OK ||
        bl_parse_end(&parser) != ERR_OK) {
        die("a list that is none");
    }
    if (parser.stats.rejected > 0) {
        fprintf(stderr, "list line %u: %s\n", parser.stats.example[0].line,
                bl_reason_text((enum bl_reason)parser.stats.example[0].reason));
        die("a list line was rejected");
    }
    bl_feed_list_end(f, parser.stats.rejected, parser.stats.lines);
}

static const struct bl_image *build_image(struct world *w)
{
    size_t octets = 0;
    for (unsigned i = 0; i < WORLD_LISTS; i++) {
        octets += w->list_text[i] != NULL ? strlen(w->list_text[i]) : 0;
    }
    if (octets == 0) {
        return NULL;
    }
    struct bl_sink_memory sink = {.cap = 16384 + 16 * octets};
    sink.mem = keep(w, get_memory(sink.cap));
    struct bl_compile_config cfg = {.rules_max = (uint32_t)(64 + octets),
                                    .passes = 1,
                                    .sink = {.write = bl_sink_memory_write, .ctx = &sink}};
    size_t len = bl_compile_memory(&cfg);
    void *scratch = get_block(len);
    struct bl_compile *c;
    enum err e = bl_compile_init(&c, scratch, len, &cfg);
    if (e != ERR_OK) {
        die("bl_compile_init");
    }
    do {
        for (unsigned i = 0; i < WORLD_LISTS; i++) {
            if (w->list_text[i] != NULL) {
                compile_list(w, bl_compile_feed(c, 0), i);
            }
        }
    } while (bl_compile_pass(c));
    uint64_t size;
    struct bl_image *image = keep(w, get_memory(sizeof *image));
    if (bl_compile_finish(c, &size) != ERR_OK ||
        bl_image_open(sink.mem, (size_t)size, image) != ERR_OK) {
        die("lists do not compile");
    }
    put_block(scratch, len);
    return image;
}

static const struct bl_overlay *build_overlay(struct world *w)
{
    if (w->own_count == 0) {
        return NULL;
    }
    size_t len = bl_overlay_memory(WORLD_RULES, WORLD_RULES * DNS_NAME_MAX);
    struct bl_overlay *o;
    if (bl_overlay_init(&o, keep(w, get_memory(len)), len, WORLD_RULES) != ERR_OK) {
        die("bl_overlay_init");
    }
    for (unsigned i = 0; i < w->own_count; i++) {
        if (bl_overlay_add(o, &w->own_name[i], &w->own[i]) != ERR_OK) {
            die("bl_overlay_add");
        }
    }
    return o;
}

static const struct local_records *build_local(struct world *w)
{
    if (w->local_text == NULL && w->hosts_text == NULL) {
        return NULL;
    }
    size_t octets = (w->local_text != NULL ? strlen(w->local_text) : 0) +
                    (w->hosts_text != NULL ? strlen(w->hosts_text) : 0);
    size_t len = 65536 + 32 * octets;
    if (w->local != NULL && w->local_octets == octets) {
        return w->local;
    }
    struct arena arena;
    arena_init(&arena, keep(w, get_memory(len)), len);
    struct local_builder *b = local_builder_new(&arena, (uint32_t)(len / 256));
    const char *what = "";
    for (const char *p = w->local_text; p != NULL && *p != '\0'; p = strchr(p, '\n') + 1) {
        enum err e = local_add_text(b, span_of(p, (size_t)(strchr(p, '\n') - p)), 300, &what);
        if (e != ERR_OK && e != ERR_EXISTS) {
            die(what);
        }
    }
    if (w->hosts_text != NULL) {
        uint32_t rejected, first;
        struct dns_name domain;
        if (dns_name_parse(span_str("lan"), &domain) != ERR_OK ||
            local_add_hosts(b, span_str(w->hosts_text), &domain, 300, &rejected, &first) !=
                ERR_OK ||
            rejected != 0) {
            die("hosts lines were rejected");
        }
    }
    const struct local_records *out;
    if (local_build(b, &out) != ERR_OK) {
        die("local_build");
    }
    w->local = out;
    w->local_octets = octets;
    return out;
}

static void start(struct world *w)
{
    size_t len = cache_memory(&w->cc);
    w->cache_mem = get_block(len);
    struct siphash_key key = {1, 2};
    if (cache_init(&w->cache, w->cache_mem, len, &w->cc, key) != ERR_OK) {
        die("cache_init");
    }
    w->rc.workers = (uint16_t)w->workers;
    for (unsigned i = 0; i < w->workers; i++) {
        struct stats_worker_config sc = {.ring_octets = STATS_RING};
        w->stats_mem[i] = get_block(stats_worker_memory(&sc));
        if (stats_worker_init(&w->stats[i], w->stats_mem[i], stats_worker_memory(&sc), &sc) !=
            ERR_OK) {
            die("stats_worker_init");
        }
        w->rc.cache = w->cache;
        w->rc.stats = w->stats[i];
        w->rc.worker = (uint16_t)i;
        w->resolver_mem[i] = get_block(resolver_memory(&w->rc));
        uint8_t seed[32] = {[0] = w->seed, [31] = (uint8_t)i};
        if (resolver_init(&w->resolver[i], w->resolver_mem[i], resolver_memory(&w->rc), &w->rc,
                          w->snap, seed, w->now) != ERR_OK) {
            die("resolver_init");
        }
    }
}

static void pump(struct world *w);

void *world_memory(struct world *w, size_t size)
{
    return keep(w, get_memory(size));
}

void world_apply(struct world *w)
{
    if (w->draft.upstream_count == 0) {
        world_add_upstream(w, UPSTREAM_UDP, 0);
    }
    struct snapshot *s = keep(w, get_memory(sizeof *s));
    w->draft.generation++;
    *s = w->draft;
    if (s->image == NULL) {
        s->image = w->draft.image = build_image(w);
    }
    s->rules = build_overlay(w);
    if (world_has_policy(w)) {
        world_apply_policy(w, s);
    }
    s->regexes = build_regexes(w, s->image);
    s->list_addresses = build_list_addresses(w, s->image);
    s->addresses = build_addresses(w);
    s->local = build_local(w);
    struct ip_prefix *nets = keep(w, get_memory(sizeof w->allow_from));
    memcpy(nets, w->allow_from, sizeof w->allow_from);
    bool *negated = keep(w, get_memory(sizeof w->allow_from_negated));
    memcpy(negated, w->allow_from_negated, sizeof w->allow_from_negated);
    s->allow_from = nets;
    struct ip_prefix *routers = keep(w, get_memory(sizeof w->client_id_from));
    memcpy(routers, w->client_id_from, sizeof w->client_id_from);
    s->client_id_from = routers;
    s->allow_from_negated = negated;
    struct route *routes = keep(w, get_memory(sizeof w->routes));
    memcpy(routes, w->routes, sizeof w->routes);
    s->routes = routes;
    struct dns_name *rebind = keep(w, get_memory(sizeof w->rebind_allow));
    memcpy(rebind, w->rebind_allow, sizeof w->rebind_allow);
    s->rebind_allow = rebind;
    w->snap = s;
    if (w->cache == NULL) {
        w->first_snap = s;
        w->first_draft = w->draft;
        w->first_garbage = w->garbage_count;
        w->first_local_octets = w->local_octets;
        start(w);
        return;
    }
    for (unsigned i = 0; i < w->workers; i++) {
        resolver_set_snapshot(w->resolver[i], w->now, s);
    }
    pump(w);
}

static void note_answer(struct world *w, const struct peer *peer, const uint8_t *data, size_t len)
{
    struct world_answer *a = malloc(sizeof *a + len);
    if (a == NULL) {
        die("no memory");
    }
    if (dns_msg_check(data, len) != ERR_OK) {
        die("an answer that does not parse");
    }
    *a = (struct world_answer){.time = w->now, .peer = *peer, .len = len};
    memcpy(a->data, data, len);
    *w->answers_end = a;
    w->answers_end = &a->next;
}

static size_t find_ticket(const struct world *w, unsigned worker, uint32_t ticket)
{
    size_t i = 0;
    while (i < w->ticket_count &&
           (w->tickets[2 * i] != worker || w->tickets[2 * i + 1] != ticket)) {
        i++;
    }
    return i;
}

static void note_sent(struct world *w, unsigned worker, const struct output *out)
{
    if (out->ticket == 0 || out->upstream >= w->snap->upstream_count ||
        dns_msg_check(out->data, out->len) != ERR_OK) {
        die("a question that no upstream can be sent");
    }
    if (find_ticket(w, worker, out->ticket) == w->ticket_count) {
        if (w->ticket_count == w->ticket_cap) {
            w->ticket_cap = w->ticket_cap * 2 + 16;
            w->tickets = realloc(w->tickets, w->ticket_cap * 2 * sizeof *w->tickets);
        }
        if (w->tickets == NULL) {
            die("no memory");
        }
        w->tickets[2 * w->ticket_count] = worker;
        w->tickets[2 * w->ticket_count++ + 1] = out->ticket;
    }
    struct world_sent *s = malloc(sizeof *s + out->len);
    if (s == NULL) {
        die("no memory");
    }
    *s = (struct world_sent){.time = w->now,
                             .worker = worker,
                             .ticket = out->ticket,
                             .upstream = out->upstream,
                             .stream = out->kind == OUTPUT_STREAM,
                             .len = out->len};
    memcpy(s->data, out->data, out->len);
    *w->sent_end = s;
    w->sent_end = &s->next;
}

static void note_release(struct world *w, unsigned worker, uint32_t ticket)
{
    size_t i = find_ticket(w, worker, ticket);
    if (i == w->ticket_count) {
        die("a ticket is released that is not open");
    }
    w->ticket_count--;
    w->tickets[2 * i] = w->tickets[2 * w->ticket_count];
    w->tickets[2 * i + 1] = w->tickets[2 * w->ticket_count + 1];
}

static void pump(struct world *w)
{
    for (unsigned i = 0; i < w->workers; i++) {
        struct output out;
        while (resolver_output(w->resolver[i], &out)) {
            switch (out.kind) {
            case OUTPUT_ANSWER:
                note_answer(w, &out.peer, out.data, out.len);
                break;
            case OUTPUT_UDP:
            case OUTPUT_STREAM:
                note_sent(w, i, &out);
                break;
            case OUTPUT_RELEASE:
                note_release(w, i, out.ticket);
                break;
            }
        }
    }
}

bool world_ask(struct world *w, unsigned worker, const struct peer *peer, const uint8_t *data,
               size_t len)
{
    size_t cap = peer->tcp ? 65535 : 4096;
    uint8_t *room = malloc(cap);
    struct peer p = *peer;
    p.worker = (uint16_t)worker;
    if (room == NULL || len > cap) {
        die("no room");
    }
    memcpy(room, data, len);
    struct packet packet = {.data = room, .len = len, .cap = cap};
    uint16_t owner = 0;
    enum resolver_outcome outcome =
        resolver_query(w->resolver[worker], w->now, &p, &packet, &owner);
    if (outcome == RESOLVER_HANDOFF) {
        if (owner >= w->workers || owner == worker || packet.len != len ||
            memcmp(room, data, len) != 0) {
            die("a handed over packet was changed");
        }
        outcome = resolver_query(w->resolver[owner], w->now, &p, &packet, &owner);
        if (outcome == RESOLVER_HANDOFF) {
            die("handed over twice");
        }
    }
    if (outcome == RESOLVER_ANSWER) {
        note_answer(w, &p, packet.data, packet.len);
    }
    free(room);
    pump(w);
    return outcome != RESOLVER_DROP;
}

void world_advance(struct world *w, usec_t to)
{
    for (;;) {
        usec_t next = USEC_NEVER;
        for (unsigned i = 0; i < w->workers; i++) {
            usec_t deadline = resolver_deadline(w->resolver[i]);
            next = deadline < next ? deadline : next;
        }
        if (next > to) {
            break;
        }
        w->now = next > w->now ? next : w->now;
        for (unsigned i = 0; i < w->workers; i++) {
            resolver_tick(w->resolver[i], w->now);
        }
        pump(w);
    }
    w->now = to > w->now ? to : w->now;
}

bool world_is_open(const struct world *w, const struct world_sent *s)
{
    return find_ticket(w, s->worker, s->ticket) < w->ticket_count;
}

void world_respond(struct world *w, const struct world_sent *s, const uint8_t *data, size_t len)
{
    resolver_response(w->resolver[s->worker], w->now, s->ticket, data, len);
    pump(w);
}

void world_fail(struct world *w, const struct world_sent *s, enum resolver_failure why)
{
    resolver_failed(w->resolver[s->worker], w->now, s->ticket, why);
    pump(w);
}

struct world_answer *world_take_answer(struct world *w)
{
    struct world_answer *a = w->answers;
    if (a != NULL) {
        w->answers = a->next;
        w->answers_end = w->answers != NULL ? w->answers_end : &w->answers;
    }
    return a;
}

struct world_sent *world_take_sent(struct world *w)
{
    struct world_sent *s = w->sent;
    if (s != NULL) {
        w->sent = s->next;
        w->sent_end = w->sent != NULL ? w->sent_end : &w->sent;
    }
    return s;
}

bool world_is_idle(struct world *w, const char **why)
{
    world_advance(
        w, w->now +
               70 * USEC_PER_SEC); /* probes of dead upstreams end a minute after the last client */
    for (unsigned i = 0; i < w->workers; i++) {
        struct resolver_gauges g;
        resolver_get_gauges(w->resolver[i], &g);
        if (g.pending != 0 || g.waiting != 0) {
            *why = "questions are still in flight a minute after the end";
            return false;
        }
    }
    if (w->ticket_count != 0) {
        *why = "tickets were never released";
        return false;
    }
    return true;
}

uint64_t world_count_status(const struct world *w, enum query_status status)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < w->workers; i++) {
        n += counter_read(&w->stats[i]->counters.status[status]);
    }
    return n;
}

uint64_t world_count(const struct world *w, enum stats_counter counter)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < w->workers; i++) {
        n += counter_read(&w->stats[i]->counters.row[counter]);
    }
    return n;
}

/* What is on its way to the test, and the workers. */
static void stop(struct world *w)
{
    struct world_answer *a;
    struct world_sent *s;
    while ((a = world_take_answer(w)) != NULL) {
        free(a);
    }
    while ((s = world_take_sent(w)) != NULL) {
        free(s);
    }
    struct stats_worker_config sc = {.ring_octets = STATS_RING};
    for (unsigned i = 0; i < w->workers; i++) {
        put_block(w->resolver_mem[i], resolver_memory(&w->rc));
        put_block(w->stats_mem[i], stats_worker_memory(&sc));
    }
    put_block(w->cache_mem, cache_memory(&w->cc));
}

void world_rewind(struct world *w)
{
    stop(w);
    w->ticket_count = 0;
    while (w->garbage_count > w->first_garbage) {
        free(w->garbage[--w->garbage_count]);
    }
    w->snap = w->first_snap;
    w->local = w->snap->local;
    w->local_octets = w->first_local_octets;
    w->draft = w->first_draft;
    w->now = WORLD_START;
    start(w);
}

void world_close(struct world *w)
{
    while (w->regexes_count > 0) {
        regex_set_free(w->regexes[--w->regexes_count]);
    }
    stop(w);
    for (size_t i = 0; i < w->garbage_count; i++) {
        free(w->garbage[i]);
    }
    for (unsigned i = 0; i < WORLD_LISTS; i++) {
        free(w->list_text[i]);
    }
    rules_free(&w->rules);
    free(w->config_text);
    free(w->local_text);
    free(w->hosts_text);
    free(w->garbage);
    free(w->tickets);
}
