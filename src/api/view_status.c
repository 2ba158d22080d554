/* What the page's status strip shows, and what the page may use here. */
#include "api/routes.h"
#include "api/summary.h"

static json_t *lists_object(const struct call *c, const struct api_gauges *g)
{
    const struct api_backend *be = c->api->be;
    struct api_list l;
    uint32_t count = be->list_count(be->ctx), used = 0, failed = 0;
    for (uint32_t i = 0; i < count; i++) {
        l = (struct api_list){0};
        be->list_at(be->ctx, i, &l);
        used += l.enabled;
        failed += l.enabled && l.error[0];
    }
    return json_pack("{s:I, s:I, s:I, s:I, s:b}", "count", (json_int_t)used, "failed",
                     (json_int_t)failed, "rules", (json_int_t)g->rules_in_image, "updated",
                     (json_int_t)g->image_built_unix, "updating", (int)be->update_running(be->ctx));
}

static json_t *milliseconds(const struct hist *h, uint32_t permille)
{
    return h->count > 0 ? json_rounded(hist_quantile(h, permille) / 1000.0) : json_null();
}

static json_t *upstream_object(const struct stats *s)
{
    struct hist answers, failures;
    uint32_t window = stats_recent_latency(s, OUTCOME_FORWARDED, &answers);
    (void)stats_recent_latency(s, OUTCOME_FAILED, &failures);
    return json_pack("{s:o, s:o, s:I, s:I, s:I}", "median_ms", milliseconds(&answers, 500),
                     "p95_ms", milliseconds(&answers, 950), "answers", (json_int_t)answers.count,
                     "failures", (json_int_t)failures.count, "window_s", (json_int_t)window);
}

enum { DAY_HOURS = 24, DAY_SLOTS = 144 }; /* the current one and those before it */

/* From the beginning of the slots that are summed, or since there are counts: the second in which
 * they began is not counted in, so that no window is longer than the time that the program ran. */
static json_t *window_object(const struct call *c, enum stats_timeline t, uint32_t slots)
{
    struct stats_slot first = {0};
    int64_t from = stats_since_unix(c->api->stats) + 1, until = c->unix_us / 1000000;
    (void)stats_timeline_at(c->api->stats, t, slots - 1, &first);
    from = first.start_unix > from ? first.start_unix : from;
    return json_pack("{s:I, s:I}", "from", (json_int_t)from, "until",
                     (json_int_t)(until > from ? until : from));
}

/* What the page may use here. */
static json_t *features_array(const struct call *c)
{
    const struct api_backend *be = c->api->be;
    const struct {
        const char *name;
        bool there;
    } rows[] = {
        {"check", true},
        {"events", true},
        {"timed_rules", true},
        {"client_rules", true},
        {"lists", true},
        {"ranges", true},
        {"update", true},
        {"owner", true},
        {"export", true},
        {"keys", be->key_new != NULL},
        {"totp", be->totp_set != NULL},
        {"preview", be->preview_start != NULL},
        {"history", history_exists(c->api)},
    };
    json_t *array = json_array();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].there) {
            json_array_append_new(array, json_string(rows[i].name));
        }
    }
    return array;
}

void view_status(struct call *c)
{
    struct api_system sys = {0};
    struct api_gauges g = {0};
    c->api->be->system(c->api->be->ctx, &sys);
    c->api->be->gauges(c->api->be->ctx, &g);
    const char *version = c->api->cfg->version;
    json_t *body = json_pack(
        "{s:s, s:o, s:I, s:I, s:o, s:o, s:i, s:o, s:o, s:{s:I, s:I}, s:[s, s, s, s], s:o}",
        "version", version[0] == 'v' ? version + 1 : version, "time",
        json_rounded((double)c->unix_us / 1e6), "uptime",
        (json_int_t)((c->now - c->api->start) / USEC_PER_SEC), "since",
        (json_int_t)stats_since_unix(c->api->stats) + 1, "window",
        window_object(c, TIMELINE_10MIN, DAY_SLOTS), "window_tops",
        window_object(c, TIMELINE_1H, DAY_HOURS), "frequency_s", 60, "lists", lists_object(c, &g),
        "upstream", upstream_object(c->api->stats), "memory", "resident",
        (json_int_t)sys.process_ram * 1024, "lists", (json_int_t)g.image_octets, "spans", "1h",
        "24h", "7d", "30d", "features", features_array(c));
    add_blocking(c, body);
    reply_json(c, 200, body);
}
