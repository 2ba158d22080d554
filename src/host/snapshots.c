/*
 * Making snapshots. Everything here runs on the control thread's side, under the daemon's lock.
 */
#include "host/snapshots.h"

#include <stdlib.h>
#include <string.h>

#include "api/policy_plan.h"
#include "api/rules_snapshot.h"
#include "api/services_part.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "blocklist/overlay.h"
#include "config/snapshot_fill.h"
#include "host/netconf.h"
#include "host/snapshot_regex.h"
#include "host/sys.h"
#include "host/textfile.h"
#include "resolver/address.h"
#include "resolver/local.h"

#define HOSTS_FILE_MAX (16u << 20) /* octets */
#define LOCAL_OCTETS   1024        /* room for one record, index included */

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
    struct shared *services;
    struct shared *addresses;
    struct snapshot_regex *regexes;
    int64_t next_change;
};

/* A snapshot with what belongs to it alone. */
struct made {
    struct snapshot snapshot; /* first */
    struct list_image *image;
    struct shared *own_rules;
    struct shared *local;
    struct shared *services;
    struct shared *addresses;
    struct snapshot_regex *regexes;
    void *list_addresses;
    void *parts; /* arrays of the snapshot */
    void *plan;  /* the memory of its policy plan */
    void *profiles;
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

/* One more, or one less, that uses the parts that snapshots share. */
static void hold(struct snapshots *s)
{
    (void)shared_ref(s->own_rules);
    (void)shared_ref(s->local);
    (void)shared_ref(s->services);
    (void)shared_ref(s->addresses);
    (void)snapshot_regex_ref(s->regexes);
}

static void let_go(struct snapshots *s)
{
    shared_drop(s->own_rules);
    shared_drop(s->local);
    shared_drop(s->services);
    shared_drop(s->addresses);
    snapshot_regex_drop(s->regexes);
}

void snapshots_free(struct snapshots *s)
{
    if (s) {
        let_go(s);
        free(s);
    }
}

/* ---- Own rules. ---- */

static enum err make_own_rules(struct snapshots *s, const struct snapshot_source *src,
                               const struct policy_plan *plan)
{
    uint32_t count;
    size_t len = rules_overlay_memory(src->rules, plan, src->now_unix, &count);
    if (len == 0) {
        replace(&s->own_rules, NULL);
        return ERR_OK;
    }
    struct bl_overlay *overlay = NULL;
    struct shared *p = shared_new(len);
    enum err e = p ? rules_overlay_make(src->rules, plan, src->now, src->now_unix, p->mem, p->len,
                                        count, &overlay)
                   : ERR_MEMORY;
    if (e != ERR_OK) {
        shared_drop(p);
        return e;
    }
    p->value = overlay;
    replace(&s->own_rules, p);
    return ERR_OK;
}

/* ---- Services and safe search. ---- */

static enum err make_services(struct snapshots *s, const struct snapshot_source *src)
{
    const struct catalogs *c = src->config->catalogs;
    const struct services_part *part = NULL;
    struct shared *p = c ? shared_new(services_part_memory(c)) : NULL;
    enum err e = c && !p ? ERR_MEMORY : ERR_OK;
    e = p ? services_part_make(c, p->mem, p->len, &part) : e;
    if (e != ERR_OK) {
        shared_drop(p);
        return e;
    }
    if (p) {
        p->value = part;
    }
    replace(&s->services, p);
    return ERR_OK;
}

/* ---- Addresses. ---- */

static enum err make_addresses(struct snapshots *s, const struct snapshot_source *src,
                               const struct policy_plan *plan)
{
    const struct address_rules *rules = NULL;
    size_t len = rules_addresses_memory(src->config, src->rules);
    struct shared *p = len > 0 ? shared_new(len) : NULL;
    enum err e = len > 0 && !p ? ERR_MEMORY : ERR_OK;
    e = p ? rules_addresses_make(src->config, src->rules, plan, p->mem, len, &rules) : e;
    if (e != ERR_OK) {
        shared_drop(p);
        return e;
    }
    if (p) {
        p->value = rules;
    }
    replace(&s->addresses, p);
    return ERR_OK;
}

/* Those of the lists, which are the image's for as long as it is in force. */
static enum err take_list_addresses(struct made *m, const struct bl_image *image)
{
    uint32_t count = image ? address_rules_count_listed(image) : 0;
    struct address_rules *rules;
    if (count == 0) {
        return ERR_OK;
    }
    size_t len = address_rules_memory(count);
    m->list_addresses = malloc(len);
    enum err e =
        m->list_addresses ? address_rules_init(&rules, m->list_addresses, len, count) : ERR_MEMORY;
    if (e == ERR_OK) {
        address_rules_add_image(rules, image);
        address_rules_done(rules);
        m->snapshot.list_addresses = rules;
    }
    return e;
}

/* ---- Local records. ---- */

/* Words of a text bound its names; a hosts line gives each of them an address record, perhaps one
 * in the domain, and one PTR. */
static uint32_t count_words(const struct textfile *t)
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

static void add_all_local(struct local_builder *b, const struct snapshot_source *src,
                          const struct textfile *files)
{
    const struct config *cfg = src->config;
    for (uint32_t i = 0; i < cfg->record.count; i++) {
        add_record(b, cfg, "configuration", cfg->record.item[i]);
    }
    rules_local_fill(src->rules, b, cfg->local_domain,
                     (uint32_t)(cfg->local_ttl_us / USEC_PER_SEC));
    for (uint32_t i = 0; i < cfg->hosts_file.count; i++) {
        add_hosts(b, cfg, cfg->hosts_file.item[i], span_of(files[i].data, files[i].len));
    }
}

static uint32_t count_local(const struct snapshot_source *src, const struct textfile *files)
{
    uint64_t count = src->config->record.count * UINT64_C(2);
    count += rules_local_bound(src->rules);
    for (uint32_t i = 0; i < src->config->hosts_file.count; i++) {
        count += count_words(&files[i]) * UINT64_C(3);
    }
    return count < LOCAL_RECORDS_MAX ? (uint32_t)count : LOCAL_RECORDS_MAX;
}

static enum err build_local(struct snapshots *s, const struct snapshot_source *src,
                            const struct textfile *files)
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
    struct textfile *files = calloc(count + 1, sizeof *files);
    if (!files) {
        return ERR_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++) {
        textfile_read("hosts file", src->config->hosts_file.item[i], HOSTS_FILE_MAX, &files[i]);
    }
    enum err e = build_local(s, src, files);
    for (uint32_t i = 0; i < count; i++) {
        textfile_free(&files[i]);
    }
    free(files);
    return e;
}

/* ---- The rest. ---- */

static void copy_text(char *to, size_t cap, const char *from)
{
    struct strbuf out;
    strbuf_init(&out, to, cap);
    strbuf_str(&out, from);
}

static void fill_texts(struct snapshot *out, const struct snapshot_source *src)
{
    copy_text(out->version, sizeof out->version, src->version);
    copy_text(out->api_url, sizeof out->api_url, src->api_url);
}

/* What the configuration takes from the machine, and its plain settings. */
static enum err fill_from_config(struct made *m, const struct snapshot_source *src)
{
    struct ip_endpoint server[NETCONF_SERVERS_MAX];
    struct ip_prefix network[NETCONF_NETWORKS_MAX];
    struct arena arena;
    struct cfg_machine machine = {
        .servers = server,
        .server_count =
            src->config->upstream.count > 0
                ? 0
                : netconf_servers(src->own, src->own_count, server, NETCONF_SERVERS_MAX),
        .networks = network,
        .network_count = netconf_networks(network, NETCONF_NETWORKS_MAX)};
    size_t len = cfg_fill_memory(src->config, &machine);
    m->parts = malloc(len);
    if (!m->parts) {
        return ERR_MEMORY;
    }
    arena_init(&arena, m->parts, len);
    return cfg_fill_snapshot(src->config, &machine, &arena, &m->snapshot);
}

static void free_made(struct made *m)
{
    list_image_close(m->image);
    shared_drop(m->own_rules);
    shared_drop(m->local);
    shared_drop(m->services);
    shared_drop(m->addresses);
    snapshot_regex_drop(m->regexes);
    free(m->parts);
    free(m->plan);
    free(m->profiles);
    free(m->list_addresses);
    free(m);
}

/* ---- Groups and clients. ---- */

static uint32_t id_of_list(const char *text, bool allow)
{
    struct list_spec spec;
    return list_spec_parse(text, true, &spec, NULL) == ERR_OK ? rules_list_id(spec.url, allow) : 0;
}

void snapshots_policy_source(const struct snapshot_source *src, struct policy_source *out)
{
    *out = (struct policy_source){.config = src->config,
                                  .rules = src->rules,
                                  .tz = src->tz,
                                  .address = src->address,
                                  .address_count = src->address_count,
                                  .now = src->now,
                                  .now_unix = src->now_unix,
                                  .list_id = id_of_list};
}

int64_t snapshots_next_change(const struct snapshots *s)
{
    return s->next_change;
}

static enum err make_plan(const struct snapshot_source *src, struct made *m,
                          struct policy_plan *plan)
{
    struct policy_source from;
    snapshots_policy_source(src, &from);
    size_t len = policy_plan_memory(&from);
    m->plan = malloc(len);
    return m->plan ? policy_plan_make(plan, &from, m->plan, len) : ERR_MEMORY;
}

static uint32_t id_of_slot(const void *image, unsigned slot)
{
    return list_image_id(image, slot);
}

static enum err apply_plan(const struct policy_plan *plan, struct made *m)
{
    struct arena arena;
    size_t len = policy_apply_memory(plan, m->snapshot.image, id_of_slot, m->image);
    m->profiles = malloc(len);
    if (!m->profiles) {
        return ERR_MEMORY;
    }
    arena_init(&arena, m->profiles, len);
    return policy_apply(plan, id_of_slot, m->image, &arena, &m->snapshot);
}

static enum err fill(struct snapshots *s, const struct snapshot_source *src, unsigned parts,
                     struct made *m)
{
    struct policy_plan plan;
    enum err e = fill_from_config(m, src);
    e = e == ERR_OK ? make_plan(src, m, &plan) : e;
    if (e == ERR_OK && (parts & SNAPSHOT_OWN_RULES)) {
        e = make_own_rules(s, src, &plan);
        e = e == ERR_OK ? make_services(s, src) : e;
        e = e == ERR_OK ? make_addresses(s, src, &plan) : e;
    }
    if (e == ERR_OK) {
        e = snapshot_regex_make(&s->regexes, src, &plan, (parts & SNAPSHOT_OWN_RULES) != 0);
    }
    if (e != ERR_OK) {
        return e;
    }
    s->next_change = plan.groups.next_change;
    fill_texts(&m->snapshot, src);
    memcpy(m->snapshot.cookie_key, s->cookie_key, sizeof m->snapshot.cookie_key);
    m->own_rules = shared_ref(s->own_rules);
    m->local = shared_ref(s->local);
    m->regexes = snapshot_regex_ref(s->regexes);
    m->snapshot.regexes = snapshot_regex_get(m->regexes);
    m->addresses = shared_ref(s->addresses);
    m->snapshot.addresses = m->addresses ? m->addresses->value : NULL;
    m->services = shared_ref(s->services);
    services_part_apply(m->services ? m->services->value : NULL, &m->snapshot);
    m->snapshot.rules = s->own_rules ? s->own_rules->value : NULL;
    m->snapshot.local = s->local ? s->local->value : NULL;
    if (src->image) {
        m->image = list_image_ref(src->image);
        m->snapshot.image = list_image_get(m->image);
    }
    e = take_list_addresses(m, m->snapshot.image);
    return e == ERR_OK ? apply_plan(&plan, m) : e;
}

enum err snapshots_make(struct snapshots *s, const struct snapshot_source *src, unsigned parts,
                        const struct snapshot **out)
{
    struct snapshots old = *s;
    hold(s);
    struct made *m = calloc(1, sizeof *m);
    enum err e = m ? ERR_OK : ERR_MEMORY;
    if (e == ERR_OK && (parts & SNAPSHOT_LOCAL)) {
        e = make_local(s, src);
    }
    e = e == ERR_OK ? fill(s, src, parts, m) : e;
    if (e != ERR_OK) {
        if (m) {
            free_made(m);
        }
        let_go(s);
        *s = old; /* nothing of what failed stays for the next one */
        return e;
    }
    let_go(&old);
    m->snapshot.generation = ++s->generation;
    *out = &m->snapshot;
    return ERR_OK;
}

void snapshots_release(void *arg, const struct snapshot *snapshot)
{
    (void)arg;
    free_made((struct made *)(uintptr_t)snapshot);
}
