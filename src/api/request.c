/*
 * The request's parts: path, query and body. Paths are cut at their slashes first and decoded then,
 * so that a segment may hold an escaped slash (the address of a list); empty segments (// and a
 * slash at the end) do not count. Bodies are JSON whatever the Content-Type says, as clients send
 * anything there.
 */
#include <string.h>

#include "api/api_int.h"

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

long percent_decode(struct span in, bool plus_is_space, char *out, size_t cap)
{
    size_t len = 0;
    for (size_t i = 0; i < in.len; i++) {
        int c = in.ptr[i];
        if (c == '%') {
            int hi = i + 2 < in.len ? hex_value(in.ptr[i + 1]) : -1;
            int lo = hi >= 0 ? hex_value(in.ptr[i + 2]) : -1;
            if (lo < 0) {
                return -1;
            }
            c = hi * 16 + lo;
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        if (c == 0 || len + 1 >= cap) {
            return -1;
        }
        out[len++] = (char)c;
    }
    if (len >= cap) {
        return -1;
    }
    out[len] = '\0';
    return (long)len;
}

static enum err cut_path(struct call *c)
{
    struct span left = c->req->path;
    char *out = c->path;
    size_t room = sizeof c->path;
    while (left.len > 0) {
        const uint8_t *slash = memchr(left.ptr, '/', left.len);
        size_t len = slash ? (size_t)(slash - left.ptr) : left.len;
        if (len > 0) {
            long n = percent_decode(span_of(left.ptr, len), false, out, room);
            if (n < 0 || c->segments == SEGMENTS_MAX) {
                return ERR_FORMAT;
            }
            c->segment[c->segments++] = out;
            out += n + 1;
            room -= (size_t)n + 1;
        }
        left = slash ? span_of(slash + 1, left.len - len - 1) : span_of(NULL, 0);
    }
    return ERR_OK;
}

static enum err parse_body(struct call *c)
{
    struct span body = c->req->body;
    while (body.len > 0 && strchr(" \t\r\n", body.ptr[0]) && body.ptr[0] != '\0') {
        body.ptr++;
        body.len--;
    }
    if (body.len == 0) {
        return ERR_OK;
    }
    json_error_t error;
    enum err e = json_is_shallow(body) ? json_read(body, &c->body, &error) : ERR_FORMAT;
    c->body_bad = e == ERR_FORMAT;
    return e == ERR_MEMORY ? e : ERR_OK;
}

enum err request_open(struct call *c)
{
    enum err e = cut_path(c);
    return e == ERR_OK ? parse_body(c) : e;
}

void request_close(struct call *c)
{
    json_decref(c->body);
    c->body = NULL;
}

/* The raw value of a parameter; false if there is none. */
static bool find_param(struct span query, const char *name, struct span *value)
{
    size_t name_len = strlen(name);
    for (size_t at = 0; at < query.len;) {
        const uint8_t *start = query.ptr + at;
        const uint8_t *end = memchr(start, '&', query.len - at);
        size_t len = end ? (size_t)(end - start) : query.len - at;
        if (len >= name_len && memcmp(start, name, name_len) == 0) {
            if (len == name_len) {
                *value = span_of(start, 0);
                return true;
            }
            if (start[name_len] == '=') {
                *value = span_of(start + name_len + 1, len - name_len - 1);
                return true;
            }
        }
        at += len + 1;
    }
    return false;
}

bool param_text(const struct call *c, const char *name, char *buf, size_t cap)
{
    struct span value;
    return find_param(c->req->query, name, &value) && percent_decode(value, true, buf, cap) >= 0;
}

bool param_bool(const struct call *c, const char *name, bool absent)
{
    char text[8];
    if (!param_text(c, name, text, sizeof text)) {
        return absent;
    }
    if (strcmp(text, "true") == 0 || strcmp(text, "1") == 0 || text[0] == '\0') {
        return true;
    }
    return strcmp(text, "false") == 0 || strcmp(text, "0") == 0 ? false : absent;
}

double param_real(const struct call *c, const char *name, double absent)
{
    char text[32];
    if (!param_text(c, name, text, sizeof text) || text[0] == '\0') {
        return absent;
    }
    double v = 0, scale = 1;
    const char *p = text + (text[0] == '-');
    bool point = false, digits = false;
    for (; *p; p++) {
        if (*p == '.' && !point) {
            point = true;
        } else if (*p >= '0' && *p <= '9') {
            v = v * 10 + (*p - '0');
            scale = point ? scale * 10 : scale;
            digits = true;
        } else {
            return absent;
        }
    }
    return !digits ? absent : text[0] == '-' ? -v / scale : v / scale;
}

int64_t param_number(const struct call *c, const char *name, int64_t min, int64_t max,
                     int64_t absent)
{
    double v = param_real(c, name, (double)absent);
    if (v < (double)min) {
        return min;
    }
    return v > (double)max ? max : (int64_t)v;
}

struct span_of_time param_span(const struct call *c)
{
    const double most = 9e9; /* seconds; in the year 2255 */
    double from = param_real(c, "from", -1), until = param_real(c, "until", -1);
    struct span_of_time s = {.from_us = 0, .until_us = INT64_MAX};
    if (from >= 0) {
        s.from_us = (int64_t)((from < most ? from : most) * 1e6);
        s.given = true;
    }
    if (until > 0) {
        s.until_us = (int64_t)((until < most ? until : most) * 1e6);
        s.given = true;
    }
    return s;
}
