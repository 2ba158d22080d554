#include "config/schedule.h"

#include "base/attr.h"

enum { DAY_MINUTES = 1440, DAYS = 7, LOOK_DAYS = 9 };

static const char *const day_names[DAYS] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
static const char *const action_names[] = {"block", "pause", "services", "lists"};

/* ---- Text. ---- */

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

/* The octets up to a blank, taken off the text. */
static struct span take_word(struct span *text)
{
    size_t i = 0, n = 0;
    while (i < text->len && is_blank(text->ptr[i])) {
        i++;
    }
    while (i + n < text->len && !is_blank(text->ptr[i + n])) {
        n++;
    }
    struct span word = span_of(text->ptr + i, n);
    *text = span_of(text->ptr + i + n, text->len - i - n);
    return word;
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 0x20) : c;
}

static bool is_word(struct span text, const char *word)
{
    size_t i = 0;
    for (; i < text.len && word[i] != '\0' && lower(text.ptr[i]) == (uint8_t)word[i]; i++) {
    }
    return i == text.len && word[i] == '\0';
}

/* The number of a day; DAYS if there is none of that name. Longer forms are taken: "monday". */
static unsigned day_of(struct span text)
{
    static const char *const rest[DAYS] = {"day", "sday", "nesday", "rsday", "day", "urday", "day"};
    for (unsigned d = 0; d < DAYS; d++) {
        if (text.len >= 3 && is_word(span_of(text.ptr, 3), day_names[d]) &&
            (text.len == 3 || is_word(span_of(text.ptr + 3, text.len - 3), rest[d]))) {
            return d;
        }
    }
    return DAYS;
}

static size_t find(struct span text, char c)
{
    size_t i = 0;
    while (i < text.len && text.ptr[i] != (uint8_t)c) {
        i++;
    }
    return i;
}

static bool parse_days(struct span text, uint8_t *out)
{
    *out = is_word(text, "daily") ? 0x7f : 0;
    while (*out != 0x7f && text.len > 0) {
        size_t n = find(text, ',');
        struct span part = span_of(text.ptr, n);
        size_t dash = find(part, '-');
        unsigned first = day_of(span_of(part.ptr, dash));
        unsigned last =
            dash < part.len ? day_of(span_of(part.ptr + dash + 1, part.len - dash - 1)) : first;
        if (first == DAYS || last == DAYS || n + 1 == text.len) {
            return false;
        }
        for (unsigned d = first;; d = (d + 1) % DAYS) {
            *out |= (uint8_t)(1u << d);
            if (d == last) {
                break;
            }
        }
        n += n < text.len;
        text = span_of(text.ptr + n, text.len - n);
    }
    return *out != 0;
}

static bool parse_clock(struct span text, uint16_t *out)
{
    size_t colon = find(text, ':');
    unsigned v[2] = {0, 0};
    struct span part[2] = {span_of(text.ptr, colon),
                           colon < text.len ? span_of(text.ptr + colon + 1, text.len - colon - 1)
                                            : span_of(text.ptr, 0)};
    for (unsigned k = 0; k < 2; k++) {
        for (size_t i = 0; i < part[k].len; i++) {
            if (part[k].ptr[i] < '0' || part[k].ptr[i] > '9') {
                return false;
            }
            v[k] = v[k] * 10 + (unsigned)(part[k].ptr[i] - '0');
        }
    }
    *out = (uint16_t)(v[0] * 60 + v[1]);
    return part[0].len >= 1 && part[0].len <= 2 && part[1].len == 2 && v[1] < 60 &&
           *out <= DAY_MINUTES;
}

static bool has_control(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((text.ptr[i] < 0x20 && text.ptr[i] != '\t') || text.ptr[i] == 0x7f) {
            return true;
        }
    }
    return false;
}

static bool parse_action(struct span text, struct schedule *out)
{
    struct span word = take_word(&text);
    if (has_control(text)) {
        return false;
    }
    if (word.len == 0) {
        out->action = SCHEDULE_BLOCK;
        return true;
    }
    for (unsigned a = 0; a < ARRAY_LEN(action_names); a++) {
        if (is_word(word, action_names[a])) {
            struct span name;
            struct span rest = out->what = text;
            out->action = (enum schedule_action)a;
            return schedule_next_name(&rest, &name) == (a >= SCHEDULE_SERVICES);
        }
    }
    return false;
}

enum err schedule_parse(struct span text, struct schedule *out)
{
    struct schedule s = {0};
    struct span days = take_word(&text);
    struct span time = take_word(&text);
    size_t dash = find(time, '-');
    if (!parse_days(days, &s.days) || dash == time.len ||
        !parse_clock(span_of(time.ptr, dash), &s.from) ||
        !parse_clock(span_of(time.ptr + dash + 1, time.len - dash - 1), &s.to) ||
        s.from == DAY_MINUTES || !parse_action(text, &s)) {
        return ERR_FORMAT;
    }
    *out = s;
    return ERR_OK;
}

bool schedule_next_name(struct span *what, struct span *name)
{
    size_t i = 0, n = 0;
    while (i < what->len && (is_blank(what->ptr[i]) || what->ptr[i] == ',')) {
        i++;
    }
    while (i + n < what->len && !is_blank(what->ptr[i + n]) && what->ptr[i + n] != ',') {
        n++;
    }
    *name = span_of(what->ptr + i, n);
    *what = span_of(what->ptr + i + n, what->len - i - n);
    return n > 0;
}

void schedule_format(const struct schedule *s, struct strbuf *out)
{
    struct span what = s->what, name;
    bool any = false;
    for (unsigned d = 0; d < DAYS && s->days != 0x7f; d++) {
        if (s->days >> d & 1) {
            strbuf_printf(out, "%s%s", any ? "," : "", day_names[d]);
            any = true;
        }
    }
    strbuf_printf(out, "%s %02u:%02u-%02u:%02u %s", any ? "" : "daily", s->from / 60u,
                  s->from % 60u, s->to / 60u, s->to % 60u, action_names[s->action]);
    while (s->action >= SCHEDULE_SERVICES && schedule_next_name(&what, &name)) {
        strbuf_printf(out, " %.*s", (int)name.len, (const char *)name.ptr);
    }
}

/* ---- Time. ---- */

bool schedule_is_active(const struct schedule *s, const struct tz_local *at)
{
    bool today = s->days >> at->weekday & 1;
    bool yesterday = s->days >> (at->weekday + DAYS - 1) % DAYS & 1;
    if (s->from < s->to) {
        return today && at->minute >= s->from && at->minute < s->to;
    }
    return (today && at->minute >= s->from) || (yesterday && at->minute < s->to);
}

static bool active_at(const struct schedule *s, const struct tz *tz, int64_t unix_s)
{
    struct tz_local local;
    tz_local(tz, unix_s, &local);
    return schedule_is_active(s, &local);
}

/* The first moment after `unix_s` at which something can change: a beginning or end by either
 * offset, or a change of the offset itself. */
static int64_t next_candidate(const struct schedule *s, const struct tz *tz, int64_t unix_s)
{
    struct tz_local local;
    int64_t next = tz_next_change(tz, unix_s);
    const int64_t offsets[] = {tz->standard, tz->has_summer ? tz->summer : tz->standard};
    const int64_t minutes[] = {s->from, s->to};
    tz_local(tz, unix_s, &local);
    for (int64_t day = local.day - 1; day <= local.day + LOOK_DAYS; day++) {
        for (unsigned k = 0; k < 4; k++) {
            int64_t t = (day * DAY_MINUTES + minutes[k / 2]) * 60 - offsets[k % 2];
            next = t > unix_s && t < next ? t : next;
        }
    }
    return next;
}

int64_t schedule_next_change(const struct schedule *s, const struct tz *tz, int64_t unix_s)
{
    bool now = active_at(s, tz, unix_s);
    int64_t end = unix_s + (int64_t)LOOK_DAYS * DAY_MINUTES * 60;
    int64_t t = unix_s;
    while ((t = next_candidate(s, tz, t)) < end) {
        if (active_at(s, tz, t) != now) {
            return t;
        }
    }
    return INT64_MAX;
}
