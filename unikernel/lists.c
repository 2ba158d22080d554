/* When lists are fetched and compiled, and what the page sees of them. */
#include "lists.h"

#include <stdlib.h>
#include <string.h>

#include "arch/aarch64/cpu.h"
#include "base/log.h"
#include "blocklist/image.h"
#include "engine.h"
#include "lists_int.h"
#include "net/net.h"

enum { PARALLEL = 2, BUILD_RETRY_US = 600000000 };

struct lists_state lists;

static struct {
    usec_t refresh_at;
    bool building;
    usec_t build_at; /* not before this, after one that failed */
} now_state = {.refresh_at = USEC_NEVER};

void lists_start(struct rng *rng, void (*pump)(void), void (*built)(struct span image))
{
    lists.handed_over = engine_image() != NULL;
    lists.rng = rng;
    lists.pump = pump;
    lists.built = built;
}
/* ---- the round ---- */

static bool is_due(const struct list_entry *e, usec_t now)
{
    return e->shown.enabled && e->stage == LIST_DUE && e->due_at <= now;
}

static void begin_due(usec_t now)
{
    for (uint32_t i = 0; i < lists.count && lists.fetching < PARALLEL; i++) {
        if (is_due(lists.entry[i], now)) {
            list_fetch(lists.entry[i]);
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
        starter->shown =
            (struct api_list){.url = LIST_BUILTIN, .id = rules_list_id(LIST_BUILTIN, false)};
        list_default_name(&starter->shown);
        out[n++] = starter;
    }
    return n;
}

static void build(usec_t now)
{
    struct list_entry **part = calloc(BL_LISTS_MAX + 1, sizeof(struct list_entry *));
    if (!part) {
        now_state.build_at = now + BUILD_RETRY_US;
        return;
    }
    if (lists.round_began != 0) {
        lists.gauges.last_fetch_us = now - lists.round_began;
        lists.round_began = 0;
    }
    uint32_t count = gather(part);
    now_state.building = true;
    lists.changed = false;
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
        lists.changed = true;
    }
}

static void plan_next(usec_t now)
{
    usec_t interval = lists.interval_us;
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
    struct list_entry **part = calloc(BL_LISTS_MAX + 1, sizeof(struct list_entry *));
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
    } else if (now_state.refresh_at == USEC_NEVER && lists.interval_us > 0) {
        plan_next(now);
    }
    if (net_has_address()) {
        begin_due(now);
    }
    if (lists.fetching > 0 || now < now_state.build_at) {
        return;
    }
    bool coming = false;
    for (uint32_t i = 0; i < lists.count; i++) {
        coming |= is_due(lists.entry[i], now) && lists.entry[i]->failures == 0;
    }
    if (any(LIST_FRESH)) {
        build(now);
    } else if (lists.changed && !coming) {
        /* Lists that went away, or came and could not be loaded. */
        lists.changed = false;
        if (other_lists()) {
            build(now);
        }
    }
}

/* ---- for the page ---- */

enum err lists_refresh_one(uint32_t id)
{
    struct list_entry *e = list_current(id);
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
    struct list_entry *e = list_current(id);
    if (!e) {
        return ERR_NOT_FOUND;
    }
    e->confirmed = true;
    return lists_refresh_one(id);
}

bool lists_running(void)
{
    return now_state.building || lists.fetching > 0;
}

uint32_t lists_count(void)
{
    return lists.count;
}

void lists_at(uint32_t i, struct api_list *out)
{
    *out = lists.entry[i]->shown;
    list_copy_text(out->format, sizeof out->format,
                   span_str(bl_format_name(lists.entry[i]->format)));
}

uint32_t lists_source_id(const char *text, bool allow)
{
    size_t word = strspn(text, "abcdefghijklmnopqrstuvwxyz");
    return rules_list_id(text + (text[word] == '+' ? word + 1 : 0), allow);
}

uint32_t lists_id_of(struct span url)
{
    for (uint32_t i = 0; i < lists.count; i++) {
        if (span_equal(url, span_str(lists.entry[i]->shown.url))) {
            return lists.entry[i]->shown.id;
        }
    }
    char text[API_LIST_URL_MAX];
    list_copy_text(text, sizeof text, url);
    return rules_list_id(text, false);
}

void lists_get_gauges(struct lists_gauges *out)
{
    *out = lists.gauges;
    for (uint32_t i = 0; i < lists.count; i++) {
        out->text_octets += lists.entry[i]->cap;
    }
}
