/*
 * Any text as a weekly time and as the rule of a time zone: "TIME TZ\nSCHEDULE", where the first
 * four octets are a moment. What is taken comes back as it was, is in force when a plain reading of
 * a week says so, and changes when it says, not before.
 */
#include <string.h>

#include "config/schedule.h"
#include "fuzz.h"

enum { DAY = 1440, WEEK = 7 * DAY, PROBES = 24 };

/* A week in minutes from Monday; each day that is named begins a run. */
static bool model_active(const struct schedule *s, const struct tz_local *at)
{
    unsigned minute = (unsigned)at->weekday * DAY + at->minute;
    unsigned length = (s->to > s->from ? 0u : (unsigned)DAY) + s->to - s->from;
    for (unsigned d = 0; d < 7; d++) {
        if ((s->days >> d & 1) && (minute + WEEK - d * DAY - s->from) % WEEK < length) {
            return true;
        }
    }
    return false;
}

static bool active(const struct schedule *s, const struct tz *tz, int64_t unix_s)
{
    struct tz_local local;
    tz_local(tz, unix_s, &local);
    FUZZ_CHECK(local.weekday < 7 && local.minute < DAY);
    FUZZ_CHECK(local.weekday == (unsigned)((local.day % 7 + 7 + 3) % 7));
    FUZZ_CHECK(schedule_is_active(s, &local) == model_active(s, &local));
    return schedule_is_active(s, &local);
}

static void check_text(const struct schedule *s)
{
    static char text[8192], again[8192];
    struct schedule back;
    struct strbuf a, b;
    strbuf_init(&a, text, sizeof text);
    schedule_format(s, &a);
    FUZZ_CHECK(!a.truncated && schedule_parse(span_of(a.text, a.len), &back) == ERR_OK);
    FUZZ_CHECK(back.days == s->days && back.from == s->from && back.to == s->to &&
               back.action == s->action);
    strbuf_init(&b, again, sizeof again);
    schedule_format(&back, &b);
    FUZZ_CHECK(a.len == b.len && memcmp(text, again, a.len) == 0);
}

static void check_zone(const struct tz *tz, int64_t now)
{
    int64_t next = tz_next_change(tz, now);
    int32_t offset = tz_offset(tz, now);
    FUZZ_CHECK(next > now && offset == (offset == tz->standard ? tz->standard : tz->summer));
    int64_t end = next == INT64_MAX ? now + 400 * 86400 : next;
    for (int64_t i = 0; i < PROBES; i++) {
        FUZZ_CHECK(tz_offset(tz, now + (end - now) * i / PROBES) == offset);
    }
    FUZZ_CHECK(tz_offset(tz, end - 1) == offset);
}

static void check_changes(const struct schedule *s, const struct tz *tz, int64_t now)
{
    bool is = active(s, tz, now);
    int64_t next = schedule_next_change(s, tz, now);
    FUZZ_CHECK(next > now);
    int64_t end = next == INT64_MAX ? now + 8 * 86400 : next;
    for (int64_t i = 0; i < PROBES; i++) {
        FUZZ_CHECK(active(s, tz, now + (end - now) * i / PROBES) == is);
    }
    FUZZ_CHECK(active(s, tz, end - 1) == is);
    FUZZ_CHECK(next == INT64_MAX || active(s, tz, next) != is);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct tz tz, zone = {0};
    struct schedule s;
    if (len < 4 || len > 2000) {
        return 0;
    }
    int64_t now = INT64_C(1735689600) + be32_read(data) % (40U * 366 * 86400);
    const uint8_t *line = memchr(data + 4, '\n', len - 4);
    size_t n = line ? (size_t)(line - data) - 4 : len - 4;
    if (tz_parse(span_of(data + 4, n), &tz) == ERR_OK) {
        zone = tz;
        check_zone(&zone, now);
    }
    if (line && schedule_parse(span_of(line + 1, len - n - 5), &s) == ERR_OK) {
        check_text(&s);
        check_changes(&s, &zone, now);
    }
    return 0;
}
