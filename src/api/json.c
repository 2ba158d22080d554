/*
 * JSON beyond what jansson does: text that is harmless wherever it is put, numbers without a long
 * tail, and a look at foreign text before it is parsed.
 */
#include "api/json.h"

#include <stdatomic.h>
#include <string.h>

#include "base/strbuf.h"

static json_malloc_t platform_malloc;
static atomic_uint refused; /* allocations */

static void *watched_malloc(size_t size)
{
    void *p = platform_malloc(size);
    if (!p) {
        atomic_fetch_add_explicit(&refused, 1, memory_order_relaxed);
    }
    return p;
}

/* The first call comes while there is one thread, when the rules document is read. */
static void watch_memory(void)
{
    json_free_t platform_free;
    if (!platform_malloc) {
        json_get_alloc_funcs(&platform_malloc, &platform_free);
        json_set_alloc_funcs(watched_malloc, platform_free);
    }
}

enum err json_read(struct span text, json_t **out, json_error_t *error)
{
    watch_memory();
    unsigned before = atomic_load_explicit(&refused, memory_order_relaxed);
    json_t *value = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, error);
    if (atomic_load_explicit(&refused, memory_order_relaxed) != before) {
        json_decref(value);
        return ERR_MEMORY;
    }
    if (!value) {
        return ERR_FORMAT;
    }
    *out = value;
    return ERR_OK;
}

struct sink {
    char *buf;
    size_t cap, len;
    json_t *parts; /* what was full before; NULL: there is one buffer and no more */
};

/* The buffer's text becomes a part, and the buffer is empty. */
static bool next_part(struct sink *s)
{
    size_t len = s->len;
    s->len = 0;
    return s->parts && json_array_append_new(s->parts, json_stringn_nocheck(s->buf, len)) == 0;
}

static int put_safe(const char *text, size_t len, void *arg)
{
    static const char digits[] = "0123456789abcdef";
    struct sink *s = arg;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        bool escape = c == '<' || c == '>' || c == '&' || c == 0x7f;
        if (s->cap - s->len < (escape ? 6 : 1) && !next_part(s)) {
            return -1;
        }
        if (escape) {
            memcpy(s->buf + s->len, "\\u00", 4);
            s->buf[s->len + 4] = digits[c >> 4];
            s->buf[s->len + 5] = digits[c & 15];
            s->len += 6;
        } else {
            s->buf[s->len++] = (char)c;
        }
    }
    return 0;
}

static const size_t write_flags =
    JSON_COMPACT | JSON_ENSURE_ASCII | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15);

json_t *json_write_parts(const json_t *value, char *buf, size_t cap)
{
    struct sink s = {.buf = buf, .cap = cap, .parts = json_array()};
    if (json_dump_callback(value, put_safe, &s, write_flags) == 0 && next_part(&s)) {
        return s.parts;
    }
    json_decref(s.parts);
    return NULL;
}

enum err json_write(const json_t *value, char *buf, size_t cap, size_t *len)
{
    struct sink s = {.buf = buf, .cap = cap};
    if (json_dump_callback(value, put_safe, &s, write_flags) != 0) {
        return ERR_SPACE;
    }
    *len = s.len;
    return ERR_OK;
}

json_t *json_rounded(double v)
{
    const double most = 9e12; /* beyond this a double has no six decimals anyway */
    if (!(v > -most && v < most)) {
        return json_real(v == v && v > 0 ? most : 0);
    }
    double scaled = v * 1e6 + (v < 0 ? -0.5 : 0.5);
    return json_real((double)(int64_t)scaled / 1e6);
}

json_t *json_text(const char *text)
{
    char escaped[2048];
    struct strbuf s;
    json_t *value = json_string(text);
    if (!value) { /* not UTF-8 */
        strbuf_init(&s, escaped, sizeof escaped);
        strbuf_escaped(&s, span_str(text));
        value = json_string(escaped);
    }
    return value;
}

json_t *json_text_span(struct span text)
{
    char copy[1025];
    size_t len = text.len < sizeof copy - 1 ? text.len : sizeof copy - 1;
    memcpy(copy, text.ptr, len);
    copy[len] = '\0';
    return json_text(copy);
}

json_t *json_text_or_null(const char *text)
{
    return text && *text ? json_text(text) : json_null();
}

json_t *json_name(const struct dns_name *name)
{
    char text[DNS_NAME_TEXT];
    size_t len = dns_name_format(name, text);
    return json_stringn(text, len);
}

json_t *json_wire_name(struct span wire)
{
    struct dns_name name;
    if (wire.len == 0 || dns_name_from_wire(wire.ptr, wire.len, &name) != ERR_OK) {
        return json_null();
    }
    return json_name(&name);
}

/* Brackets outside of strings. Broken text may be told to be shallow; the parser finds what is
 * wrong with it. */
bool json_is_shallow(struct span text)
{
    uint32_t depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (quoted) {
            i += c == '\\';
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '[' || c == '{') {
            if (++depth > JSON_DEPTH_MAX) {
                return false;
            }
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
    return true;
}
