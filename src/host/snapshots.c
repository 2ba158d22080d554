/*
 * Making snapshots. Everything here runs on the control thread's side, under the daemon's lock.
 */
#include "host/snapshots.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/siphash.h"
#include "base/strbuf.h"
#include "blocklist/overlay.h"
#include "host/netconf.h"
#include "host/sys.h"
#include "resolver/local.h"

#define HOSTS_FILE_MAX (16u << 20) /* octets */
#define LOCAL_OCTETS   1024        /* room for one record, index included */
#define ALLOW_EXTRA    NETCONF_NETWORKS_MAX

/* A part with a count of the snapshots (and of us) that hold it. */
struct shared {
    unsigned refs;
    void *mem;
    size_t len;
    const void *value;
};

struct snapshots {
    uint64_t generation;
    uint8_t cookie_key[16];
    struct shared *own_rules;
    struct shared *local;
};

/* A snapshot with what belongs to it alone. */
struct made {
    struct snapshot snapshot; /* first */
    struct list_image *image;
    struct shared *own_rules;
    struct shared *local;
    struct ip_prefix *allow_from;
    bool *allow_from_negated;
    struct route *routes;
    struct dns_name *rebind_allow;
};

enum err snapshots_new(struct snapshots **out, const uint8_t cookie_key[16])
{
    struct snapshots *s = calloc(1, sizeof *s);
    if (!s) {
        return ERR_MEMORY;
    }
    memcpy(s->cookie_key, cookie_key, sizeof s->cookie_key);
    *out = s;
    return ERR_OK;
}

/* ---- Shared parts. ---- */

static struct shared *shared_new(size_t len)
{
    struct shared *p = calloc(1, sizeof *p);
    if (p) {
        p->mem = sys_map(len);
        p->len = len;
        p->refs = 1;
    }
    if (p && !p->mem) {
        free(p);
        return NULL;
    }
    return p;
}

static struct shared *shared_ref(struct shared *p)
{
    if (p) {
        p->refs++;
    }
    return p;
}

static void shared_drop(struct shared *p)
{
    if (p && --p->refs == 0) {
        sys_unmap(p->mem, p->len);
        free(p);
    }
}

static void replace(struct shared **slot, struct shared *fresh)
{
    shared_drop(*slot);
    *slot = fresh;
}

void snapshots_free(struct snapshots *s)
{
    if (s) {
        shared_drop(s->own_rules);
        shared_drop(s->local);
        free(s);
    }
}

/* ---- Own rules. ---- */

/* The rule as the matcher wants it. False: not one for it. */
static bool own_rule(const struct snapshot_source *src, uint32_t i, struct dns_name *name,
                     struct bl_own *out)
{
    struct rule_view v;
    if (!rules_own_at(src->rules, i, &v) || !rules_own_active(&v, src->now_unix) ||
        dns_name_parse(span_str(v.domain), name) != ERR_OK) {
        return false;
    }
    if (v.client) {
        log_warning(RESOLVER,
                    "own rule %lld is for one client only, which is not supported: left out",
                    (long long)v.id);
        return false;
    }
    usec_t left = v.until_unix > src->now_unix ? (usec_t)(v.until_unix - src->now_unix) : 0;
    *out = (struct bl_own){.groups = BL_GROUPS_ALL,
                           .expires = v.until_unix != 0 ? src->now + left * USEC_PER_SEC : 0,
                           .id = (uint32_t)v.id,
                           .kind = v.kind == RULE_SUBTREE ? BL_BOTH : BL_EXACT,
                           .action = v.allow ? BL_ALLOW : BL_BLOCK};
    return true;
}

static enum err make_own_rules(struct snapshots *s, const struct snapshot_source *src)
{
    uint32_t total = rules_own_count(src->rules);
    uint32_t count = 0;
    size_t octets = 0;
    struct dns_name name;
    struct bl_own own;
    for (uint32_t i = 0; i < total; i++) {
        if (own_rule(src, i, &name, &own)) {
            octets += name.len;
            count++;
        }
    }
    if (count == 0) {
        replace(&s->own_rules, NULL);
        return ERR_OK;
    }
    struct bl_overlay *overlay = NULL;
    struct shared *p = shared_new(bl_overlay_memory(count, octets));
    enum err e = p ? bl_overlay_init(&overlay, p->mem, p->len, count) : ERR_MEMORY;
    for (uint32_t i = 0; i < total && e == ERR_OK; i++) {
        if (own_rule(src, i, &name, &own)) {
            e = bl_overlay_add(overlay, &name, &own);
        }
    }
    if (e != ERR_OK) {
        shared_drop(p);
        return e;
    }
    p->value = overlay;
    replace(&s->own_rules, p);
    return ERR_OK;
}

/* ---- Local records. ---- */

struct hosts_text {
    char *data;
    size_t len;
};

static void read_hosts(const char *path, struct hosts_text *out)
{
    struct stat st;
    *out = (struct hosts_text){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        log_warning(RESOLVER, "hosts file %s cannot be read: %s", path,
                    fd < 0 ? strerror(errno) : "not a plain file");
    } else if (st.st_size > HOSTS_FILE_MAX) {
        log_warning(RESOLVER, "hosts file %s has more than %u MiB: left out", path,
                    HOSTS_FILE_MAX >> 20);
    } else if (st.st_size > 0 && (out->data = malloc((size_t)st.st_size)) != NULL) {
        ssize_t n = read(fd, out->data, (size_t)st.st_size);
        out->len = n > 0 ? (size_t)n : 0;
    }
    if (fd >= 0) {
        close(fd);
    }
}

/* Words of a text bound its names; a hosts line gives each of them an address record, perhaps one
 * in the domain, and one PTR. */
static uint32_t count_words(const struct hosts_text *t)
{
    uint32_t count = 0;
    bool inside = false;
    for (size_t i = 0; i < t->len; i++) {
        bool blank =
            t->data[i] == ' ' || t->data[i] == '\t' || t->data[i] == '\n' || t->data[i] == '\r';
        count += !blank && !inside;
        inside = !blank;
    }
    return count;
}

static void add_hosts(struct local_builder *b, const struct config *cfg, const char *from,
                      struct span text)
{
    uint32_t rejected = 0;
    uint32_t first = 0;
    enum err e = local_add_hosts(b, text, cfg->local_domain,
                                 (uint32_t)(cfg->local_ttl_us / USEC_PER_SEC), &rejected, &first);
    if (e != ERR_OK) {
        log_warning(RESOLVER, "%s: %s; the rest of it is left out", from, err_text(e));
    } else if (rejected > 0) {
        log_warning(RESOLVER, "%s:%u: found %u lines that cannot be used, expected ADDR NAME…",
                    from, first, rejected);
    }
}

static void add_record(struct local_builder *b, const struct config *cfg, const char *from,
                       const char *text)
{
    const char *what = "";
    enum err e =
        local_add_text(b, span_str(text), (uint32_t)(cfg->local_ttl_us / USEC_PER_SEC), &what);
    if (e != ERR_OK && e != ERR_EXISTS) {
        log_warning(RESOLVER, "%s: record \"%s\": %s", from, text, what[0] ? what : err_text(e));
    }
}

/* "alias,target[,ttl]" */
static void add_cname(struct local_builder *b, const struct config *cfg, const char *text)
{
    char record[2 * DNS_NAME_TEXT + 16];
    struct strbuf out;
    const char *comma = strchr(text, ',');
    const char *second = comma ? strchr(comma + 1, ',') : NULL;
    size_t target = comma ? (second ? (size_t)(second - comma - 1) : strlen(comma + 1)) : 0;
    if (target == 0) {
        return;
    }
    uint64_t ttl = second ? strtoull(second + 1, NULL, 10) : cfg->local_ttl_us / USEC_PER_SEC;
    const char *what = "";
    strbuf_init(&out, record, sizeof record);
    strbuf_printf(&out, "%.*s CNAME %.*s", (int)(comma - text), text, (int)target, comma + 1);
    enum err e =
        local_add_text(b, span_of(out.text, out.len), ttl > 86400 ? 86400 : (uint32_t)ttl, &what);
    if (e != ERR_OK && e != ERR_EXISTS) {
        log_warning(RESOLVER, "rules.json: alias \"%s\": %s", text, what[0] ? what : err_text(e));
    }
}

static void add_all_local(struct local_builder *b, const struct snapshot_source *src,
                          const struct hosts_text *files)
{
    const struct config *cfg = src->config;
    const char *text;
    for (uint32_t i = 0; i < cfg->record.count; i++) {
        add_record(b, cfg, "configuration", cfg->record.item[i]);
    }
    for (uint32_t i = 0; (text = rules_host_at(src->rules, i)) != NULL; i++) {
        add_hosts(b, cfg, "rules.json", span_str(text));
    }
    for (uint32_t i = 0; (text = rules_cname_at(src->rules, i)) != NULL; i++) {
        add_cname(b, cfg, text);
    }
    for (uint32_t i = 0; i < cfg->hosts_file.count; i++) {
        add_hosts(b, cfg, cfg->hosts_file.item[i], span_of(files[i].data, files[i].len));
    }
}

static uint32_t count_local(const struct snapshot_source *src, const struct hosts_text *files)
{
    uint64_t count = src->config->record.count * UINT64_C(2);
    for (uint32_t i = 0; rules_host_at(src->rules, i) != NULL; i++) {
        count += 16;
    }
    for (uint32_t i = 0; rules_cname_at(src->rules, i) != NULL; i++) {
        count++;
    }
    for (uint32_t i = 0; i < src->config->hosts_file.count; i++) {
        count += count_words(&files[i]) * UINT64_C(3);
    }
    return count < LOCAL_RECORDS_MAX ? (uint32_t)count : LOCAL_RECORDS_MAX;
}

static enum err build_local(struct snapshots *s, const struct snapshot_source *src,
                            const struct hosts_text *files)
{
    uint32_t count = count_local(src, files);
    if (count == 0) {
        replace(&s->local, NULL);
        return ERR_OK;
    }
    struct shared *p = shared_new((size_t)(count + 64) * LOCAL_OCTETS);
    if (!p) {
        return ERR_MEMORY;
    }
    struct arena arena;
    const struct local_records *records = NULL;
    arena_init(&arena, p->mem, p->len);
    struct local_builder *b = local_builder_new(&arena, count);
    if (b) {
        add_all_local(b, src, files);
    }
    enum err e = b ? local_build(b, &records) : ERR_MEMORY;
    if (e != ERR_OK) {
        shared_drop(p);
        return e;
    }
    p->value = records;
    replace(&s->local, p);
    return ERR_OK;
}

static enum err make_local(struct snapshots *s, const struct snapshot_source *src)
{
    uint32_t count = src->config->hosts_file.count;
    struct hosts_text *files = calloc(count + 1, sizeof *files);
    if (!files) {
        return ERR_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++) {
        read_hosts(src->config->hosts_file.item[i], &files[i]);
    }
    enum err e = build_local(s, src, files);
    for (uint32_t i = 0; i < count; i++) {
        free(files[i].data);
    }
    free(files);
    return e;
}

/* ---- Upstreams and routes. ---- */

uint64_t snapshots_upstream_id(const struct cfg_upstream *u)
{
    static const struct siphash_key key = {.k0 = 0x75707374, .k1 = 0x7265616d};
    uint8_t text[64 + UPSTREAM_NAME_MAX] = {0};
    size_t name = strlen(u->name);
    if (name >= UPSTREAM_NAME_MAX) {
        name = UPSTREAM_NAME_MAX - 1;
    }
    text[0] = (uint8_t)u->transport;
    memcpy(text + 1, u->endpoint.addr.b, 16);
    be32_write(text + 17, u->endpoint.scope);
    be16_write(text + 21, u->endpoint.port);
    memcpy(text + 23, u->name, name);
    uint64_t id = siphash24(key, text, 23 + name);
    return id != 0 ? id : 1;
}

static void add_upstream(struct snapshot *out, const struct cfg_upstream *u, uint16_t route)
{
    uint64_t id = snapshots_upstream_id(u);
    for (uint16_t i = 0; i < out->upstream_count; i++) {
        if (out->upstreams[i].id == id && out->upstreams[i].route == route) {
            return;
        }
    }
    if (out->upstream_count == UPSTREAM_MAX) {
        char text[IP_ENDPOINT_TEXT];
        ip_endpoint_format(&u->endpoint, text);
        log_warning(RESOLVER, "more than %d upstreams and routes: %s is left out", UPSTREAM_MAX,
                    text);
        return;
    }
    struct upstream_spec *spec = &out->upstreams[out->upstream_count++];
    struct strbuf name;
    *spec = (struct upstream_spec){
        .id = id, .transport = u->transport, .endpoint = u->endpoint, .route = route};
    strbuf_init(&name, spec->name, sizeof spec->name);
    strbuf_str(&name, u->name);
}

static void add_endpoint(struct snapshot *out, const struct ip_endpoint *endpoint)
{
    struct cfg_upstream u = {.transport = UPSTREAM_UDP, .endpoint = *endpoint, .name = ""};
    add_upstream(out, &u, 0);
}

/* Those of the configuration, else those of the machine, else two well-known public ones. */
static void fill_upstreams(struct snapshot *out, const struct snapshot_source *src)
{
    const struct config *cfg = src->config;
    for (uint32_t i = 0; i < cfg->upstream.count; i++) {
        add_upstream(out, &cfg->upstream.item[i], 0);
    }
    if (cfg->upstream.count > 0) {
        return;
    }
    struct ip_endpoint server[NETCONF_SERVERS_MAX];
    uint32_t count = netconf_servers(src->own, src->own_count, server, NETCONF_SERVERS_MAX);
    if (count == 0) {
        static const uint8_t quad9[4] = {9, 9, 9, 9};
        static const uint8_t cloudflare[4] = {1, 1, 1, 1};
        server[0] = (struct ip_endpoint){.addr = ip_v4(quad9), .port = 53};
        server[1] = (struct ip_endpoint){.addr = ip_v4(cloudflare), .port = 53};
        count = 2;
    }
    for (uint32_t i = 0; i < count; i++) {
        add_endpoint(out, &server[i]);
    }
}

/* Do the configuration's routes a and b lead to the same upstreams? */
static bool same_targets(const struct cfg_routes *all, const struct dns_name *a,
                         const struct dns_name *b)
{
    uint64_t sum[2] = {0, 0};
    for (uint32_t i = 0; i < all->count; i++) {
        uint64_t id = snapshots_upstream_id(&all->item[i].upstream);
        sum[0] += dns_name_equal(&all->item[i].domain, a) ? id : 0;
        sum[1] += dns_name_equal(&all->item[i].domain, b) ? id : 0;
    }
    return sum[0] == sum[1];
}

static bool has_domain(const struct snapshot *out, const struct dns_name *domain)
{
    for (uint32_t i = 0; i < out->route_count; i++) {
        if (dns_name_equal(&out->routes[i].domain, domain)) {
            return true;
        }
    }
    return false;
}

/* The number of an earlier domain with the same upstreams, else a new one with its upstreams added.
 */
static uint16_t route_number(struct snapshot *out, const struct cfg_routes *all,
                             const struct dns_name *domain)
{
    uint16_t highest = 0;
    for (uint32_t i = 0; i < out->route_count; i++) {
        if (same_targets(all, &out->routes[i].domain, domain)) {
            return out->routes[i].route;
        }
        highest = out->routes[i].route > highest ? out->routes[i].route : highest;
    }
    uint16_t number = (uint16_t)(highest + 1);
    for (uint32_t i = 0; i < all->count; i++) {
        if (dns_name_equal(&all->item[i].domain, domain)) {
            add_upstream(out, &all->item[i].upstream, number);
        }
    }
    return number;
}

static enum err fill_routes(struct made *m, const struct config *cfg)
{
    m->routes = calloc(cfg->route.count + 1, sizeof *m->routes);
    if (!m->routes) {
        return ERR_MEMORY;
    }
    m->snapshot.routes = m->routes;
    for (uint32_t i = 0; i < cfg->route.count; i++) {
        const struct dns_name *domain = &cfg->route.item[i].domain;
        if (!has_domain(&m->snapshot, domain)) {
            uint16_t number = route_number(&m->snapshot, &cfg->route, domain);
            m->routes[m->snapshot.route_count++] =
                (struct route){.domain = *domain, .route = number};
        }
    }
    return ERR_OK;
}

/* ---- Who may ask, and the rest. ---- */

static uint32_t expand_networks(const struct config *cfg, struct cfg_cidr *out)
{
    struct ip_prefix network[NETCONF_NETWORKS_MAX];
    uint32_t count = 0;
    bool expanded = false;
    for (uint32_t i = 0; i < cfg->allow_from.count; i++) {
        const struct cfg_cidr *c = &cfg->allow_from.item[i];
        if (!c->connected) {
            out[count++] = *c;
        } else if (!expanded) {
            uint32_t n = netconf_networks(network, NETCONF_NETWORKS_MAX);
            for (uint32_t k = 0; k < n; k++) {
                out[count++] = (struct cfg_cidr){.prefix = network[k], .negated = c->negated};
            }
            expanded = true;
        }
    }
    cfg_cidrs_sort(out, count);
    return count;
}

static enum err fill_allow_from(struct made *m, const struct config *cfg)
{
    uint32_t room = cfg->allow_from.count + ALLOW_EXTRA;
    struct cfg_cidr *cidr = calloc(room, sizeof *cidr);
    m->allow_from = calloc(room, sizeof *m->allow_from);
    m->allow_from_negated = calloc(room, sizeof *m->allow_from_negated);
    if (!cidr || !m->allow_from || !m->allow_from_negated) {
        free(cidr);
        return ERR_MEMORY;
    }
    uint32_t count = expand_networks(cfg, cidr);
    for (uint32_t i = 0; i < count; i++) {
        m->allow_from[i] = cidr[i].prefix;
        m->allow_from_negated[i] = cidr[i].negated;
    }
    free(cidr);
    m->snapshot.allow_from = m->allow_from;
    m->snapshot.allow_from_negated = m->allow_from_negated;
    m->snapshot.allow_from_count = count;
    return ERR_OK;
}

static enum err fill_rebind_allow(struct made *m, const struct config *cfg)
{
    m->rebind_allow = calloc(cfg->rebind_allow.count + 1, sizeof *m->rebind_allow);
    if (!m->rebind_allow) {
        return ERR_MEMORY;
    }
    if (cfg->rebind_allow.count > 0) {
        memcpy(m->rebind_allow, cfg->rebind_allow.item,
               cfg->rebind_allow.count * sizeof *m->rebind_allow);
    }
    m->snapshot.rebind_allow = m->rebind_allow;
    m->snapshot.rebind_allow_count = cfg->rebind_allow.count;
    return ERR_OK;
}

static uint32_t seconds(usec_t us)
{
    return (uint32_t)(us / USEC_PER_SEC);
}

static void copy_text(char *to, size_t cap, const char *from)
{
    struct strbuf out;
    strbuf_init(&out, to, cap);
    strbuf_str(&out, from);
}

static void fill_settings(struct snapshot *out, const struct snapshot_source *src)
{
    const struct config *cfg = src->config;
    out->block_mode = cfg->block_mode.mode;
    out->block_v4 = cfg->block_mode.v4;
    out->block_v6 = cfg->block_mode.v6;
    out->block_ttl_s = seconds(cfg->block_ttl_us);
    out->pause_until = rules_pause_until(src->rules, src->now, src->now_unix);
    out->ttl_min_s = seconds(cfg->ttl_min_us);
    out->ttl_max_s = seconds(cfg->ttl_max_us);
    out->ttl_negative_max_s = seconds(cfg->ttl_negative_max_us);
    out->stale_s = seconds(cfg->serve_stale_us);
    out->prefetch = cfg->prefetch;
    out->rebind_protection = cfg->rebind_protection;
    out->block_icloud_relay = cfg->block_icloud_relay;
    out->block_canary = cfg->block_canary;
    out->cname_check = cfg->cname_check;
    out->case_random = cfg->case_random;
    copy_text(out->version, sizeof out->version, src->version);
    copy_text(out->api_url, sizeof out->api_url, src->api_url);
}

static void free_made(struct made *m)
{
    list_image_close(m->image);
    shared_drop(m->own_rules);
    shared_drop(m->local);
    free(m->allow_from);
    free(m->allow_from_negated);
    free(m->routes);
    free(m->rebind_allow);
    free(m);
}

static enum err fill(struct snapshots *s, const struct snapshot_source *src, struct made *m)
{
    enum err e = fill_allow_from(m, src->config);
    e = e == ERR_OK ? fill_rebind_allow(m, src->config) : e;
    if (e == ERR_OK) {
        fill_upstreams(&m->snapshot, src);
        e = fill_routes(m, src->config);
    }
    fill_settings(&m->snapshot, src);
    memcpy(m->snapshot.cookie_key, s->cookie_key, sizeof m->snapshot.cookie_key);
    m->own_rules = shared_ref(s->own_rules);
    m->local = shared_ref(s->local);
    m->snapshot.rules = s->own_rules ? s->own_rules->value : NULL;
    m->snapshot.local = s->local ? s->local->value : NULL;
    if (src->image) {
        m->image = list_image_ref(src->image);
        m->snapshot.image = list_image_get(m->image);
    }
    return e;
}

enum err snapshots_make(struct snapshots *s, const struct snapshot_source *src, unsigned parts,
                        const struct snapshot **out)
{
    enum err e = ERR_OK;
    if (parts & SNAPSHOT_OWN_RULES) {
        e = make_own_rules(s, src);
    }
    if (e == ERR_OK && (parts & SNAPSHOT_LOCAL)) {
        e = make_local(s, src);
    }
    struct made *m = e == ERR_OK ? calloc(1, sizeof *m) : NULL;
    if (!m) {
        return e == ERR_OK ? ERR_MEMORY : e;
    }
    e = fill(s, src, m);
    if (e != ERR_OK) {
        free_made(m);
        return e;
    }
    m->snapshot.generation = ++s->generation;
    *out = &m->snapshot;
    return ERR_OK;
}

void snapshots_release(void *arg, const struct snapshot *snapshot)
{
    (void)arg;
    free_made((struct made *)(uintptr_t)snapshot);
}
