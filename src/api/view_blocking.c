/* Pause and resume. The state is in force, and the next question sees it, before the answer goes
 * out. */
#include "api/routes.h"

enum { TIMER_MAX_S = 10 * 365 * 86400 };

const char *blocking_state(const struct call *c, int64_t *timer_s)
{
    usec_t until = c->api->pause_until;
    *timer_s = -1;
    if (until == 0 || until <= c->now) {
        return "enabled";
    }
    if (until != USEC_NEVER) {
        *timer_s = (int64_t)((until - c->now + USEC_PER_SEC - 1) / USEC_PER_SEC);
    }
    return "disabled";
}

void add_blocking(const struct call *c, json_t *object)
{
    int64_t timer;
    const char *state = blocking_state(c, &timer);
    json_object_set_new(object, "blocking", json_string(state));
    json_object_set_new(object, "timer", timer < 0 ? json_null() : json_integer((json_int_t)timer));
}

void view_blocking_get(struct call *c)
{
    json_t *body = json_object();
    add_blocking(c, body);
    reply_json(c, 200, body);
}

/* Seconds, 0: for good; false if it is neither number nor null. */
static bool read_timer(const json_t *timer, int64_t *seconds)
{
    *seconds = 0;
    if (!timer || json_is_null(timer)) {
        return true;
    }
    double v = json_number_value(timer);
    if (!json_is_number(timer) || !(v >= 0) || v > TIMER_MAX_S) {
        return false;
    }
    *seconds =
        (int64_t)v + (v > (double)(int64_t)v); /* rounded up: half a second is not for good */
    return true;
}

void view_blocking_post(struct call *c)
{
    const json_t *blocking = json_object_get(c->body, "blocking");
    int64_t seconds, ignored;
    if (!json_is_boolean(blocking)) {
        reply_error(c, 400, "body_error", "No or invalid \"blocking\" boolean in the body", NULL);
        return;
    }
    if (!read_timer(json_object_get(c->body, "timer"), &seconds)) {
        reply_error(c, 400, "body_error", "Invalid \"timer\", expected seconds or null", NULL);
        return;
    }
    bool on = json_is_true(blocking);
    if (on && blocking_state(c, &ignored)[0] == 'e') {
        view_blocking_get(c); /* nothing to store */
        return;
    }
    struct rules next = {0};
    int64_t until = on ? -1 : seconds == 0 ? 0 : c->unix_us / 1000000 + seconds;
    enum err e = rules_copy(&next, c->api->rules);
    e = e == ERR_OK ? rules_set_pause(&next, until) : e;
    if (e != ERR_OK) {
        rules_free(&next);
        reply_rules_error(c, e, NULL, NULL);
    } else if (rules_commit(c, &next, RULES_PAUSE)) {
        view_blocking_get(c);
    }
}
