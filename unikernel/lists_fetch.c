/* Downloads: a text is judged as it comes, and kept as it came, compressed or not, until it is
 * compiled. */
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

enum { TEXT_FIRST = 65536, FETCH_IDLE_US = 20000000 };
#define RETRY_FIRST_US (5 * USEC_PER_SEC)
#define RETRY_MAX_US   (3600 * USEC_PER_SEC)

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
    enum err err = decode_feed(e->decoder, span_of(data, len));
    if (err == ERR_LIMIT) {
        e->refusal = "longer than allowed when unpacked";
    } else if (err == ERR_FORMAT || err == ERR_MEMORY) {
        e->refusal = err == ERR_FORMAT ? "its gzip is broken" : "there is not enough memory for it";
    }
    return err == ERR_OK;
}

static bool on_text(void *ctx, struct span text)
{
    struct list_entry *e = ctx;
    return bl_judge_feed(e->judge, text);
}

static void fail(struct list_entry *e, const char *reason)
{
    struct api_list *l = &e->shown;
    bool have = engine_list_slot(l->id) >= 0;
    usec_t wait = RETRY_FIRST_US << (e->failures < 10 ? e->failures : 10);
    e->failures++;
    list_copy_text(l->error, sizeof l->error, span_str(reason));
    l->status = have ? API_LIST_KEPT : API_LIST_UNAVAILABLE;
    if (!e->aside) {
        log_warning(LISTS, "%s: %s%s", l->url, reason,
                    have ? "; its last good copy stays in force" : "");
    }
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
    l->octets = decode_octets(e->decoder);
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
    strbuf_init(&text, reason, sizeof reason);
    bool good = bl_judge_end(e->judge, &text);
    e->shown.needs_confirm = good && list_guard_objects(e, bl_judge_rules(e->judge), &text);
    if (!good || e->shown.needs_confirm) {
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
    lists.fetching -= !e->aside;
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
    } else if (r->error == ERR_OK && r->status != 200) {
        strbuf_init(&text, reason, sizeof reason);
        strbuf_printf(&text, "the server answered %u", r->status);
        fail(e, reason);
    } else if (!e->judge->hopeless && decode_finish(e->decoder) == ERR_SHORT) {
        fail(e, "its gzip is cut off");
    } else {
        judge_text(e);
    }
    free(e->judge);
    e->judge = NULL;
    decode_close(e->decoder);
    e->decoder = NULL;
    free(e->marks);
    e->marks = NULL;
    if (lists.fetching == 0) {
        list_guard_close();
    }
    list_entry_release(e);
}

void list_fetch(struct list_entry *e)
{
    bool have = engine_list_slot(e->shown.id) >= 0 && e->shown.status != API_LIST_NEVER;
    struct fetch_request rq = {.url = e->shown.url,
                               .etag = have && !e->confirmed ? e->etag : NULL,
                               .modified = have && !e->confirmed ? e->modified : NULL,
                               .octets_max = lists.octets_max,
                               .idle_us = FETCH_IDLE_US,
                               .body = on_body,
                               .done = on_done,
                               .ctx = e};
    const char *what = "";
    e->judge = malloc(sizeof *e->judge);
    if (!e->judge ||
        decode_open(DECODE_SNIFF, lists.octets_max, on_text, e, &e->decoder) != ERR_OK) {
        free(e->judge);
        e->judge = NULL;
        fail(e, "there is not enough memory for it");
        return;
    }
    struct bl_parse_config cfg = {.format = e->format, .as_allow = e->shown.allow};
    list_guard_begin(e, &cfg);
    bl_judge_init(e->judge, &cfg);
    list_entry_drop_text(e);
    e->refusal = NULL;
    e->refs++;
    e->stage = LIST_FETCHING;
    e->shown.fetching = true;
    lists.fetching += !e->aside;
    lists.gauges.fetches++;
    if (lists.round_began == 0 && !e->aside) {
        lists.round_began = clock_now();
    }
    if (fetch_start(&rq, &what) != ERR_OK) {
        struct fetch_result none = {.error = ERR_FORMAT, .reason = what};
        on_done(e, &none);
    }
}
