/* Which lists there are, when each is fetched, and what became of it. */
#include "lists.h"

#include <stdlib.h>
#include <string.h>

#include "arch/aarch64/cpu.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "blocklist/image.h"
#include "engine.h"
#include "lib/heap.h"
#include "lib/wallclock.h"
#include "lists_int.h"
#include "net/net.h"

#define BUILTIN "builtin"

enum {
    PARALLEL = 2,
    MIN_PERCENT = 50, /* of a list's rules must be left in a new copy, or a person confirms it */
    TEXT_FIRST = 65536,
    FETCH_IDLE_US = 20000000,
    BUILD_RETRY_US = 600000000
};
#define RETRY_FIRST_US (5 * USEC_PER_SEC)
#define RETRY_MAX_US   (3600 * USEC_PER_SEC)

struct lists_state lists;

static struct {
    bool handed_over; /* the first image came with the kernel or from the card */
    usec_t interval_us, refresh_at;
    uint64_t octets_max;
    bool changed; /* the set of lists is not the one that the image was made of */
    bool building;
    usec_t build_at;    /* not before this, after one that failed */
    usec_t round_began; /* when the first download of this refresh began; 0: none is under way */
    uint32_t fetching;
} now_state = {.refresh_at = USEC_NEVER};

/* ---- entries ---- */

void list_entry_drop_text(struct list_entry *e)
{
    free(e->text);
    e->text = NULL;
    e->len = e->cap = 0;
    if (e->stage == LIST_FRESH) {
        e->stage = LIST_REST;
    }
}

void list_entry_release(struct list_entry *e)
{
    if (--e->refs == 0) {
        list_entry_drop_text(e);
        free(e->judge);
        free(e);
    }
}

static void copy_text(char *to, size_t cap, struct span from)
{
    struct strbuf s;
    strbuf_init(&s, to, cap);
    strbuf_bytes(&s, from.ptr, from.len);
}

/* A short name for people: the last part of the URL's path after the host's name. */
static void default_name(struct api_list *l)
{
    if (strcmp(l->url, BUILTIN) == 0) {
        copy_text(l->name, sizeof l->name, span_str("Built-in list"));
        return;
    }
    const char *host = strstr(l->url, "://");
    host = host ? host + 3 : l->url;
    size_t host_len = strcspn(host, "/?#"), end = strcspn(host, "?#");
    while (end > host_len && host[end - 1] == '/') {
        end--;
    }
    size_t start = end;
    while (start > host_len && host[start - 1] != '/') {
        start--;
    }
    struct strbuf s;
    strbuf_init(&s, l->name, sizeof l->name);
    strbuf_bytes(&s, host, host_len);
    if (end > start) {
        strbuf_str(&s, ": ");
        strbuf_bytes(&s, host + start, end - start);
    }
}

/* "[FORMAT+]URL" as in the configuration. */
static bool read_source(const char *text, struct list_entry *e)
{
    size_t word = strspn(text, "abcdefghijklmnopqrstuvwxyz");
    struct fetch_url url;
    const char *what = "";
    if (text[word] == '+') {
        if (bl_format_parse(span_of(text, word), &e->format) != ERR_OK) {
            log_error(LISTS, "list %s: unknown format", text);
            return false;
        }
        text += word + 1;
    }
    e->builtin = strcmp(text, BUILTIN) == 0;
    if (!e->builtin && !e->fixed && fetch_url_parse(text, &url, &what) != ERR_OK) {
        log_error(LISTS, "list %s: %s", text, what);
        return false;
    }
    if (strlen(text) >= sizeof e->shown.url) {
        log_error(LISTS, "list %s: the URL is too long", text);
        return false;
    }
    copy_text(e->shown.url, sizeof e->shown.url, span_str(text));
    return true;
}

struct table {
    struct list_entry **entry;
    uint32_t count;
};

static struct list_entry *find(const struct list_entry *const *entry, uint32_t count, uint32_t id)
{
    for (uint32_t i = 0; i < count; i++) {
        if (entry[i]->shown.id == id) {
            return (struct list_entry *)(uintptr_t)entry[i];
        }
    }
    return NULL;
}

static struct list_entry *current(uint32_t id)
{
    return find((const struct list_entry *const *)lists.entry, lists.count, id);
}

static struct list_entry *in_table(const struct table *t, uint32_t id)
{
    return find((const struct list_entry *const *)t->entry, t->count, id);
}

/* What the image in force says about a list that is new to us. */
static void read_image(struct list_entry *e)
{
    struct bl_list_info info;
    int slot = engine_list_slot(e->shown.id);
    if (slot < 0) {
        return;
    }
    bl_image_list(engine_image(), (unsigned)slot, &info);
    e->shown.rules = info.rules;
    e->shown.duplicates = info.duplicates;
    e->shown.rejected = info.rejected;
    e->shown.status = API_LIST_KEPT;
    e->shown.updated_unix = (int64_t)engine_image()->built_unix;
}

/* Put a list into the table: the one that we have, or a new one. */
static enum err add(struct table *t, const char *text, bool allow, bool configured, bool fixed)
{
    struct list_entry *e = calloc(1, sizeof *e);
    if (!e) {
        return ERR_MEMORY;
    }
    e->refs = 1;
    e->fixed = fixed;
    if (t->count == BL_LISTS_MAX || !read_source(text, e)) {
        list_entry_release(e);
        return ERR_OK;
    }
    e->shown.id = rules_list_id(e->shown.url, allow);
    e->shown.allow = allow;
    e->shown.enabled = true;
    e->shown.configured = configured;
    e->shown.unique = UINT32_MAX;
    default_name(&e->shown);
    if (in_table(t, e->shown.id)) {
        list_entry_release(e);
        return ERR_OK;
    }
    struct list_entry *old = current(e->shown.id);
    if (old && old->format == e->format) {
        list_entry_release(e);
        e = old;
        e->refs++;
        e->shown.configured = configured;
        e->shown.enabled = true;
    } else {
        read_image(e);
        e->stage = e->builtin || fixed ? LIST_REST : LIST_DUE;
        if (e->builtin || fixed) {
            e->shown.status = API_LIST_UNCHANGED;
        }
    }
    t->entry[t->count++] = e;
    return ERR_OK;
}

static enum err add_rules_list(struct table *t, const struct list_view *v)
{
    enum err e = v->configured ? ERR_OK : add(t, v->url, v->allow, false, false);
    struct list_entry *entry = in_table(t, v->id);
    if (entry) {
        entry->shown.enabled = v->enabled;
        entry->shown.added_unix = v->added_unix;
        entry->shown.modified_unix = v->modified_unix;
    }
    return e;
}

/* Nobody configured lists, and an image was handed over: its lists are meant. Those that were
 * files where it was made stay as they are in it. */
static enum err add_image_lists(struct table *t)
{
    enum err e = ERR_OK;
    for (unsigned i = 0; i < BL_LISTS_MAX && e == ERR_OK; i++) {
        struct bl_list_info info;
        struct fetch_url parts;
        char url[API_LIST_URL_MAX];
        const char *what;
        bl_image_list(engine_image(), i, &info);
        if (info.used && info.url.len < sizeof url) {
            copy_text(url, sizeof url, info.url);
            e = add(t, url, false, true, fetch_url_parse(url, &parts, &what) != ERR_OK);
        }
    }
    return e;
}

static enum err make_table(const struct config *cfg, const struct rules *rules, struct table *t)
{
    enum err e = ERR_OK;
    struct list_view view;
    t->count = 0;
    t->entry = calloc(BL_LISTS_MAX, sizeof(struct list_entry *));
    if (!t->entry) {
        return ERR_MEMORY;
    }
    if (engine_image() && now_state.handed_over &&
        cfg->origin[CFG_OPT_list].source == CFG_DEFAULT) {
        e = add_image_lists(t);
    }
    bool from_image = t->count > 0;
    for (uint32_t i = 0; !from_image && i < cfg->list.count && e == ERR_OK; i++) {
        e = add(t, cfg->list.item[i], false, true, false);
    }
    for (uint32_t i = 0; i < cfg->allow_list.count && e == ERR_OK; i++) {
        e = add(t, cfg->allow_list.item[i], true, true, false);
    }
    for (uint32_t i = 0; i < rules_list_count(rules) && e == ERR_OK; i++) {
        if (rules_list_at(rules, i, &view)) {
            e = add_rules_list(t, &view);
        }
    }
    return e;
}

enum err lists_configure(const struct config *cfg, const struct rules *rules)
{
    struct table fresh, old = {lists.entry, lists.count};
    enum err e = make_table(cfg, rules, &fresh);
    if (e != ERR_OK) {
        for (uint32_t i = 0; i < fresh.count; i++) {
            list_entry_release(fresh.entry[i]);
        }
        free(fresh.entry);
        return e;
    }
    lists.entry = fresh.entry;
    lists.count = fresh.count;
    for (uint32_t i = 0; i < old.count; i++) {
        old.entry[i]->gone = current(old.entry[i]->shown.id) != old.entry[i];
        list_entry_release(old.entry[i]);
    }
    free(old.entry);
    now_state.interval_us = cfg->update_interval_us;
    now_state.octets_max = cfg->list_max_octets;
    now_state.changed = true;
    return ERR_OK;
}

void lists_start(struct rng *rng, void (*pump)(void), void (*built)(struct span image))
{
    now_state.handed_over = engine_image() != NULL;
    lists.rng = rng;
    lists.pump = pump;
    lists.built = built;
}

/* ---- downloads ---- */

static bool append(struct list_entry *e, const uint8_t *data, size_t len)
{
    if (e->cap - e->len < len) {
        size_t cap = (e->len + len) + (e->len + len) / 2 + TEXT_FIRST;
        /* Half of the memory is left for compiling. */
        uint8_t *more = cap < heap_largest() / 2 || e->cap >= cap ? realloc(e->text, cap) : NULL;
        if (!more) {
            e->refusal = "there is not enough memory for it";
            return false;
        }
        e->text = more;
        e->cap = cap;
    }
    memcpy(e->text + e->len, data, len);
    e->len += len;
    return true;
}

static bool on_body(void *ctx, const uint8_t *data, size_t len)
{
    struct list_entry *e = ctx;
    if (e->gone || !append(e, data, len)) {
        return false;
    }
    return bl_judge_feed(e->judge, span_of(data, len));
}

static void fail(struct list_entry *e, const char *reason)
{
    struct api_list *l = &e->shown;
    bool have = engine_list_slot(l->id) >= 0;
    usec_t wait = RETRY_FIRST_US << (e->failures < 10 ? e->failures : 10);
    e->failures++;
    copy_text(l->error, sizeof l->error, span_str(reason));
    l->status = have ? API_LIST_KEPT : API_LIST_UNAVAILABLE;
    log_warning(LISTS, "%s: %s%s", l->url, reason,
                have ? "; its last good copy stays in force" : "");
    lists.gauges.failed_fetches++;
    list_entry_drop_text(e);
    e->stage = LIST_DUE;
    e->due_at = clock_now() + (wait < RETRY_MAX_US ? wait : RETRY_MAX_US);
    if (l->needs_confirm) { /* asking again soon would bring the same */
        e->due_at = USEC_NEVER;
    }
}

static void keep_facts(struct list_entry *e)
{
    const struct bl_parse_stats *s = &e->judge->parser.stats;
    struct api_list *l = &e->shown;
    l->rules = s->rules;
    l->duplicates = 0;
    l->rejected = s->rejected;
    l->ignored = s->comments;
    l->adblock = s->by_format[BL_FORMAT_ADBLOCK];
    l->octets = e->len;
    l->example_count = 0;
    for (uint32_t i = 0; i < s->examples && i < ARRAY_LEN(l->example); i++) {
        struct strbuf text;
        strbuf_init(&text, l->example[l->example_count++], sizeof l->example[0]);
        bl_judge_example(s, i, &text);
    }
}

static void judge_text(struct list_entry *e)
{
    char reason[200];
    struct strbuf text;
    bool shrunk;
    strbuf_init(&text, reason, sizeof reason);
    uint32_t before = engine_list_slot(e->shown.id) >= 0 ? e->shown.rules + e->shown.duplicates : 0;
    bool good = bl_judge_end(e->judge, before, e->confirmed ? 0 : MIN_PERCENT, &text, &shrunk);
    e->shown.needs_confirm = shrunk;
    if (!good) {
        fail(e, reason);
        return;
    }
    keep_facts(e);
    e->failures = 0;
    e->confirmed = false;
    e->shown.error[0] = '\0';
    e->stage = LIST_FRESH;
}

static void unchanged(struct list_entry *e)
{
    e->shown.status = API_LIST_UNCHANGED;
    e->shown.error[0] = '\0';
    e->failures = 0;
    e->stage = LIST_REST;
}

static void on_done(void *ctx, const struct fetch_result *r)
{
    struct list_entry *e = ctx;
    char reason[64];
    struct strbuf text;
    now_state.fetching--;
    e->shown.fetching = false;
    e->shown.checked_unix = wallclock_unix_us() / (int64_t)USEC_PER_SEC;
    lists.gauges.octets += r->octets;
    memcpy(e->new_etag, r->etag, sizeof e->new_etag);
    memcpy(e->new_modified, r->modified, sizeof e->new_modified);
    if (e->refusal) {
        fail(e, e->refusal);
    } else if (r->error != ERR_OK && !(e->judge->hopeless && r->error == ERR_LIMIT)) {
        fail(e, r->reason);
    } else if (r->error == ERR_OK && r->status == 304) {
        unchanged(e);
    } else if (r->gzip || bl_parse_is_gzip(e->text, e->len)) {
        fail(e, "compressed with gzip, which this build cannot read");
    } else if (r->error == ERR_OK && r->status != 200) {
        strbuf_init(&text, reason, sizeof reason);
        strbuf_printf(&text, "the server answered %u", r->status);
        fail(e, reason);
    } else {
        judge_text(e);
    }
    free(e->judge);
    e->judge = NULL;
    list_entry_release(e);
}

static void begin(struct list_entry *e)
{
    bool have = engine_list_slot(e->shown.id) >= 0 && e->shown.status != API_LIST_NEVER;
    struct fetch_request rq = {.url = e->shown.url,
                               .etag = have && !e->confirmed ? e->etag : NULL,
                               .modified = have && !e->confirmed ? e->modified : NULL,
                               .octets_max = now_state.octets_max,
                               .idle_us = FETCH_IDLE_US,
                               .body = on_body,
                               .done = on_done,
                               .ctx = e};
    const char *what = "";
    e->judge = malloc(sizeof *e->judge);
    if (!e->judge) {
        fail(e, "there is not enough memory for it");
        return;
    }
    bl_judge_init(e->judge, e->format, e->shown.allow, NULL);
    list_entry_drop_text(e);
    e->refusal = NULL;
    e->refs++;
    e->stage = LIST_FETCHING;
    e->shown.fetching = true;
    now_state.fetching++;
    lists.gauges.fetches++;
    if (now_state.round_began == 0) {
        now_state.round_began = clock_now();
    }
    if (fetch_start(&rq, &what) != ERR_OK) {
        struct fetch_result none = {.error = ERR_FORMAT, .reason = what};
        on_done(e, &none);
    }
}

/* ---- the round ---- */

static bool is_due(const struct list_entry *e, usec_t now)
{
    return e->shown.enabled && e->stage == LIST_DUE && e->due_at <= now;
}

static void begin_due(usec_t now)
{
    for (uint32_t i = 0; i < lists.count && now_state.fetching < PARALLEL; i++) {
        if (is_due(lists.entry[i], now)) {
            begin(lists.entry[i]);
        }
    }
}

static bool any(enum list_stage stage)
{
    for (uint32_t i = 0; i < lists.count; i++) {
        if (lists.entry[i]->stage == stage && lists.entry[i]->shown.enabled) {
            return true;
        }
    }
    return false;
}

/* Lists that can be in the image: there is a text of them somewhere. */
static uint32_t gather(struct list_entry **out)
{
    uint32_t n = 0;
    bool blocks = false, wanted = false;
    for (uint32_t i = 0; i < lists.count; i++) {
        struct list_entry *e = lists.entry[i];
        wanted |= e->shown.enabled && !e->shown.allow;
        if (e->shown.enabled &&
            (e->builtin || e->stage == LIST_FRESH || engine_list_slot(e->shown.id) >= 0)) {
            out[n++] = e;
            e->refs++;
            blocks |= !e->shown.allow;
        }
    }
    /* While no list could be loaded yet, the one inside the image stands in. */
    struct list_entry *starter = wanted && !blocks ? calloc(1, sizeof *starter) : NULL;
    if (starter && n < BL_LISTS_MAX) {
        starter->refs = 1;
        starter->builtin = starter->stand_in = true;
        starter->shown = (struct api_list){.url = BUILTIN, .id = rules_list_id(BUILTIN, false)};
        default_name(&starter->shown);
        out[n++] = starter;
    }
    return n;
}

static void build(usec_t now)
{
    struct list_entry **part = calloc(BL_LISTS_MAX + 1, sizeof *part);
    if (!part) {
        now_state.build_at = now + BUILD_RETRY_US;
        return;
    }
    if (now_state.round_began != 0) {
        lists.gauges.last_fetch_us = now - now_state.round_began;
        now_state.round_began = 0;
    }
    uint32_t count = gather(part);
    now_state.building = true;
    now_state.changed = false;
    enum err e = lists_build(part, count);
    now_state.building = false;
    for (uint32_t i = 0; i < count; i++) {
        list_entry_release(part[i]);
    }
    free(part);
    if (e != ERR_OK) {
        log_error(LISTS, "the lists cannot be compiled: %s; the old ones stay in force",
                  err_text(e));
        now_state.build_at = clock_now() + BUILD_RETRY_US;
        now_state.changed = true;
    }
}

static void plan_next(usec_t now)
{
    usec_t interval = now_state.interval_us;
    now_state.refresh_at =
        interval == 0 ? USEC_NEVER : now + interval + rng_u32(lists.rng) % (interval / 10 + 1);
}

void lists_refresh(void)
{
    for (uint32_t i = 0; i < lists.count; i++) {
        struct list_entry *e = lists.entry[i];
        if (!e->builtin && !e->fixed && e->stage != LIST_FETCHING && e->stage != LIST_FRESH) {
            e->stage = LIST_DUE;
            e->due_at = 0;
        }
    }
    plan_next(clock_now());
}

/* Would a build give an image of other lists than the one in force has? */
static bool other_lists(void)
{
    struct list_entry **part = calloc(BL_LISTS_MAX + 1, sizeof *part);
    uint32_t count = part ? gather(part) : 0, have = 0;
    bool other = false;
    for (uint32_t i = 0; i < BL_LISTS_MAX; i++) {
        have += engine_list_id(i) != 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        other |= engine_list_slot(part[i]->shown.id) < 0;
        list_entry_release(part[i]);
    }
    free(part);
    return other || have != count;
}

void lists_run(usec_t now)
{
    if (now_state.building) {
        return;
    }
    /* Without anything in force something must be, whatever the network does. */
    if (!engine_image()) {
        build(now);
        return;
    }
    if (now >= now_state.refresh_at) {
        lists_refresh();
    } else if (now_state.refresh_at == USEC_NEVER && now_state.interval_us > 0) {
        plan_next(now);
    }
    if (net_has_address()) {
        begin_due(now);
    }
    if (now_state.fetching > 0 || now < now_state.build_at) {
        return;
    }
    bool coming = false;
    for (uint32_t i = 0; i < lists.count; i++) {
        coming |= is_due(lists.entry[i], now) && lists.entry[i]->failures == 0;
    }
    if (any(LIST_FRESH)) {
        build(now);
    } else if (now_state.changed && !coming) {
        /* Lists that went away, or came and could not be loaded. */
        now_state.changed = false;
        if (other_lists()) {
            build(now);
        }
    }
}

/* ---- for the page ---- */

enum err lists_refresh_one(uint32_t id)
{
    struct list_entry *e = current(id);
    if (!e || e->builtin || e->fixed) {
        return ERR_NOT_FOUND;
    }
    if (e->stage == LIST_REST || e->stage == LIST_DUE) {
        e->stage = LIST_DUE;
        e->due_at = 0;
    }
    return ERR_OK;
}

enum err lists_confirm(uint32_t id)
{
    struct list_entry *e = current(id);
    if (!e) {
        return ERR_NOT_FOUND;
    }
    e->confirmed = true;
    return lists_refresh_one(id);
}

bool lists_running(void)
{
    return now_state.building || now_state.fetching > 0;
}

uint32_t lists_count(void)
{
    return lists.count;
}

void lists_at(uint32_t i, struct api_list *out)
{
    *out = lists.entry[i]->shown;
    copy_text(out->format, sizeof out->format, span_str(bl_format_name(lists.entry[i]->format)));
}

uint32_t lists_id_of(struct span url)
{
    for (uint32_t i = 0; i < lists.count; i++) {
        if (span_equal(url, span_str(lists.entry[i]->shown.url))) {
            return lists.entry[i]->shown.id;
        }
    }
    char text[API_LIST_URL_MAX];
    copy_text(text, sizeof text, url);
    return rules_list_id(text, false);
}

void lists_get_gauges(struct lists_gauges *out)
{
    *out = lists.gauges;
}
