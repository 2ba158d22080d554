/* One pass over the query log; see tally.h. */
#include "api/tally.h"

static bool is_wanted(enum tally_of of, enum query_outcome outcome)
{
    return of == TALLY_ALL || (of == TALLY_BLOCKED) == (outcome == OUTCOME_BLOCKED);
}

static void add_key(struct api *a, struct span key)
{
    if (key.len > 0) {
        topk_add(a->scratch, siphash13(a->mac_key[0], key.ptr, key.len), key.ptr, key.len);
    }
}

static void add_upstream(struct tally *t, const struct stats_log_entry *e)
{
    if (e->upstream >= 0) {
        double s = e->latency_us / 1e6;
        t->upstream[e->upstream].count++;
        t->upstream[e->upstream].sum_s += s;
        t->upstream[e->upstream].squares_s2 += s * s;
    }
}

static void add_entry(struct api *a, const struct stats_log_entry *e, enum tally_key key,
                      enum tally_of of, struct tally *t)
{
    enum query_outcome outcome = query_outcome_of(e->status);
    if (outcome == OUTCOME_IGNORED) {
        return;
    }
    t->total++;
    t->blocked += outcome == OUTCOME_BLOCKED;
    t->cached += outcome == OUTCOME_CACHED || outcome == OUTCOME_LOCAL;
    t->forwarded += outcome == OUTCOME_FORWARDED || outcome == OUTCOME_FAILED;
    if (key == TALLY_UPSTREAMS) {
        add_upstream(t, e);
    } else if (is_wanted(of, outcome)) {
        add_key(a, key == TALLY_NAMES ? e->qname : span_of(e->client.b, sizeof e->client.b));
    }
}

bool tally_covers(const struct api *a, struct span_of_time span)
{
    struct stats_log_entry oldest;
    struct history_status h = {0};
    const struct api_backend *be = a->be;
    if (!history_exists(a) || !be->history_status(be->ctx, &h)) {
        return true;
    }
    bool any = stats_log_at(a->stats, stats_log_first(a->stats), &oldest);
    int64_t since = any ? oldest.unix_us : INT64_MAX;
    return since <= span.from_us || h.oldest_unix == 0 || h.oldest_unix * 1000000 >= since;
}

void tally_log(struct api *a, struct span_of_time span, enum tally_key key, enum tally_of of,
               struct tally *out)
{
    struct stats_log_entry e;
    *out = (struct tally){0};
    topk_clear(a->scratch);
    for (uint64_t id = stats_log_next(a->stats); stats_log_at(a->stats, --id, &e);) {
        if (e.unix_us >= span.from_us && e.unix_us < span.until_us) {
            add_entry(a, &e, key, of, out);
        }
    }
}
