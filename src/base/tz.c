#include "base/tz.h"

enum { DAY_S = 86400, HOURS_MAX = 167, NAME_MIN = 3, DEFAULT_SECOND = 2 * 3600 };

/* ---- The calendar (proleptic Gregorian). ---- */

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_of(int64_t year, int month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days from 1970-01-01 to January 1 of the year. */
static int64_t year_begins(int64_t year)
{
    int64_t y = year - 1;
    return 365 * (year - 1970) + (y / 4 - 1969 / 4) - (y / 100 - 1969 / 100) +
           (y / 400 - 1969 / 400);
}

static int64_t year_of(int64_t day)
{
    int64_t year = 1970 + day / 366;
    while (year_begins(year + 1) <= day) {
        year++;
    }
    return year;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* 0: Sunday. The first day of 1970 was a Thursday. */
static int weekday_of(int64_t day)
{
    int64_t w = (day + 4) % 7;
    return (int)(w < 0 ? w + 7 : w);
}

static int64_t day_of_rule(const struct tz_rule *r, int64_t year)
{
    int64_t first = year_begins(year);
    if (r->kind == TZ_DAY) {
        return first + r->day;
    }
    if (r->kind == TZ_DAY_NO_LEAP) {
        return first + r->day - 1 + (is_leap(year) && r->day >= 60);
    }
    for (int m = 1; m < r->month; m++) {
        first += days_of(year, m);
    }
    int64_t day = first + (r->weekday - weekday_of(first) + 7) % 7 + 7 * (r->week - 1);
    while (day >= first + days_of(year, r->month)) {
        day -= 7;
    }
    return day;
}

/* ---- What holds when. ---- */

/* The two changes of a year, as moments. */
static void changes_of(const struct tz *tz, int64_t year, int64_t *start, int64_t *end)
{
    *start = day_of_rule(&tz->start, year) * DAY_S + tz->start.second - tz->standard;
    *end = day_of_rule(&tz->end, year) * DAY_S + tz->end.second - tz->summer;
}

/*
 * What began last holds, summer time if both did. Looking at one year alone would not do: a rule
 * can lead a week into another year, and of two in one month either can be first.
 */
int32_t tz_offset(const struct tz *tz, int64_t unix_s)
{
    int64_t last = INT64_MIN;
    bool summer = false;
    if (!tz->has_summer) {
        return tz->standard;
    }
    int64_t year = year_of(floor_div(unix_s, DAY_S));
    for (int64_t y = year - 2; y <= year + 1; y++) {
        int64_t start, end;
        changes_of(tz, y, &start, &end);
        if (end <= unix_s && end > last) {
            last = end;
            summer = false;
        }
        if (start <= unix_s && start >= last) {
            last = start;
            summer = true;
        }
    }
    return summer ? tz->summer : tz->standard;
}

int64_t tz_next_change(const struct tz *tz, int64_t unix_s)
{
    int64_t next = INT64_MAX;
    if (!tz->has_summer) {
        return next;
    }
    int64_t year = year_of(floor_div(unix_s, DAY_S));
    for (int64_t y = year - 1; y <= year + 2; y++) {
        int64_t start, end;
        changes_of(tz, y, &start, &end);
        next = start > unix_s && start < next ? start : next;
        next = end > unix_s && end < next ? end : next;
    }
    return next;
}

void tz_local(const struct tz *tz, int64_t unix_s, struct tz_local *out)
{
    int64_t local = unix_s + tz_offset(tz, unix_s);
    out->day = floor_div(local, DAY_S);
    out->weekday = (uint8_t)((weekday_of(out->day) + 6) % 7);
    out->minute = (uint16_t)((local - out->day * DAY_S) / 60);
}

/* ---- Text. ---- */

static bool take(struct span *s, char c)
{
    if (s->len == 0 || s->ptr[0] != (uint8_t)c) {
        return false;
    }
    *s = span_of(s->ptr + 1, s->len - 1);
    return true;
}

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool take_number(struct span *s, uint32_t max, uint32_t *out)
{
    uint32_t v = 0;
    size_t i = 0;
    for (; i < s->len && is_digit(s->ptr[i]) && v <= max; i++) {
        v = v * 10 + (uint32_t)(s->ptr[i] - '0');
    }
    *s = span_of(s->ptr + i, s->len - i);
    *out = v;
    return i > 0 && v <= max;
}

/* "CET", or "<+0330>". */
static bool take_name(struct span *s)
{
    bool quoted = take(s, '<');
    size_t i = 0;
    while (i < s->len &&
           (is_letter(s->ptr[i]) ||
            (quoted && (is_digit(s->ptr[i]) || s->ptr[i] == '+' || s->ptr[i] == '-')))) {
        i++;
    }
    *s = span_of(s->ptr + i, s->len - i);
    return i >= NAME_MIN && (!quoted || take(s, '>'));
}

/* [+-]hh[:mm[:ss]] */
static bool take_time(struct span *s, int32_t *out)
{
    uint32_t h = 0, m = 0, sec = 0;
    bool minus = take(s, '-');
    if (!minus) {
        (void)take(s, '+');
    }
    bool good = take_number(s, HOURS_MAX, &h);
    if (good && take(s, ':')) {
        good = take_number(s, 59, &m);
        good = good && (!take(s, ':') || take_number(s, 59, &sec));
    }
    int32_t v = (int32_t)(h * 3600 + m * 60 + sec);
    *out = minus ? -v : v;
    return good;
}

static bool take_rule(struct span *s, struct tz_rule *r)
{
    uint32_t a, b = 0, c = 0;
    *r = (struct tz_rule){.second = DEFAULT_SECOND};
    bool good = take(s, ',');
    if (good && take(s, 'M')) {
        good = take_number(s, 12, &a) && take(s, '.') && take_number(s, 5, &b) && take(s, '.') &&
               take_number(s, 6, &c) && a > 0 && b > 0;
        r->kind = TZ_MONTH_WEEK_DAY;
        r->month = (uint8_t)a;
        r->week = (uint8_t)b;
        r->weekday = (uint8_t)c;
    } else if (good) {
        r->kind = take(s, 'J') ? TZ_DAY_NO_LEAP : TZ_DAY;
        good = take_number(s, 365, &a) && (r->kind == TZ_DAY || a > 0);
        r->day = (uint16_t)a;
    }
    return good && (!take(s, '/') || take_time(s, &r->second));
}

enum err tz_parse(struct span text, struct tz *out)
{
    struct tz tz = {0};
    int32_t west;
    if (!take_name(&text) || !take_time(&text, &west)) {
        return ERR_FORMAT;
    }
    tz.standard = -west;
    if (text.len > 0) {
        tz.has_summer = true;
        tz.summer = tz.standard + 3600;
        bool good = take_name(&text);
        if (good && text.len > 0 && text.ptr[0] != ',') {
            good = take_time(&text, &west);
            tz.summer = -west;
        }
        if (!good || !take_rule(&text, &tz.start) || !take_rule(&text, &tz.end) || text.len > 0) {
            return ERR_FORMAT;
        }
    }
    *out = tz;
    return ERR_OK;
}
