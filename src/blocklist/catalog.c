/*
 * A catalog is read once to check it and to find its sections; names are read again where they are
 * wanted, so that a catalog needs no memory beside its text.
 */
#include "blocklist/catalog.h"

#include <string.h>

bool catalog_is_id(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) {
            return false;
        }
    }
    return text.len > 0 && text.len <= CATALOG_ID_MAX;
}

/* Cut the first line off, without its comment. */
static struct span next_line(struct span *text)
{
    const uint8_t *end = memchr(text->ptr, '\n', text->len);
    size_t len = end ? (size_t)(end - text->ptr) : text->len;
    struct span line = span_of(text->ptr, len);
    const uint8_t *hash = len > 0 ? memchr(line.ptr, '#', len) : NULL;
    len += end != NULL;
    *text = span_of(text->ptr + len, text->len - len);
    if (hash) {
        line.len = (size_t)(hash - line.ptr);
    }
    return span_trim(line);
}

/* Cut the first word off. */
static struct span next_word(struct span *line)
{
    size_t n = 0;
    while (n < line->len && !span_is_blank(line->ptr[n])) {
        n++;
    }
    struct span word = span_of(line->ptr, n);
    *line = span_trim(span_of(line->ptr + n, line->len - n));
    return word;
}

static enum err complain(struct strbuf *what, uint32_t line, struct span found,
                         const char *expected)
{
    strbuf_printf(what, "%u: found \"", line);
    strbuf_escaped(what, span_of(found.ptr, found.len < 60 ? found.len : 60));
    strbuf_printf(what, "\", expected %s", expected);
    return ERR_FORMAT;
}

static bool read_name(struct span word, struct dns_name *out)
{
    return dns_name_parse(word, out) == ERR_OK && out->labels > 1;
}

static enum err open_section(struct catalog *c, struct span line, uint32_t number,
                             bool title_is_name, struct strbuf *what)
{
    const uint8_t *close = memchr(line.ptr, ']', line.len);
    size_t at = close ? (size_t)(close - line.ptr) : 0;
    struct span id = span_of(line.ptr + 1, at > 0 ? at - 1 : 0);
    struct span title = at > 0 ? span_trim(span_of(close + 1, line.len - at - 1)) : span_of("", 0);
    struct dns_name name;
    if (!catalog_is_id(id)) {
        return complain(what, number, line, "[name] of lower-case letters, digits and hyphens");
    }
    if (catalog_find(c, id)) {
        return complain(what, number, id, "each section once");
    }
    if (title_is_name ? !read_name(title, &name) : title.len > CATALOG_TITLE_MAX) {
        return complain(what, number, title,
                        title_is_name ? "the name that stands in behind the ]"
                                      : "a title of at most 80 octets");
    }
    if (c->count == CATALOG_SECTIONS_MAX) {
        (void)complain(what, number, id, "at most 256 sections");
        return ERR_LIMIT;
    }
    c->section[c->count++] = (struct catalog_section){.id = id, .title = title, .line = number};
    return ERR_OK;
}

static enum err add_names(struct catalog *c, struct span line, uint32_t number, struct strbuf *what)
{
    struct dns_name name;
    if (c->count == 0) {
        return complain(what, number, line, "[name] before the first domain");
    }
    while (line.len > 0) {
        struct span word = next_word(&line);
        if (!read_name(word, &name)) {
            return complain(what, number, word, "a domain name");
        }
        if (c->names == CATALOG_NAMES_MAX) {
            (void)complain(what, number, word, "at most 20000 names");
            return ERR_LIMIT;
        }
        c->names++;
        c->name_octets += name.len;
        c->section[c->count - 1].names++;
    }
    return ERR_OK;
}

enum err catalog_read(struct catalog *out, struct span text, bool title_is_name,
                      struct strbuf *what)
{
    enum err e = ERR_OK;
    *out = (struct catalog){.count = 0};
    for (uint32_t number = 1; text.len > 0 && e == ERR_OK; number++) {
        struct span line = next_line(&text);
        if (line.len > 0 && line.ptr[0] == '[') {
            e = open_section(out, line, number, title_is_name, what);
            if (e == ERR_OK) {
                out->section[out->count - 1].body = span_of(text.ptr, 0);
            }
        } else if (line.len > 0) {
            e = add_names(out, line, number, what);
        }
        if (e == ERR_OK && out->count > 0) {
            struct span *body = &out->section[out->count - 1].body;
            body->len = (size_t)(text.ptr - body->ptr);
        }
    }
    return e;
}

const struct catalog_section *catalog_find(const struct catalog *c, struct span id)
{
    for (uint32_t i = 0; i < c->count; i++) {
        if (span_equal(c->section[i].id, id)) {
            return &c->section[i];
        }
    }
    return NULL;
}

bool catalog_name(const struct catalog_section *s, size_t *cursor, struct dns_name *out)
{
    const uint8_t *end = s->body.ptr + s->body.len;
    const uint8_t *p = s->body.ptr + *cursor;
    for (;;) {
        while (p < end && (span_is_blank(*p) || *p == '\n')) {
            p++;
        }
        if (p < end && *p == '#') {
            const uint8_t *next = memchr(p, '\n', (size_t)(end - p));
            p = next ? next : end;
            continue;
        }
        break;
    }
    const uint8_t *word = p;
    while (p < end && !span_is_blank(*p) && *p != '\n' && *p != '#') {
        p++;
    }
    *cursor = (size_t)(p - s->body.ptr);
    return p > word && read_name(span_of(word, (size_t)(p - word)), out);
}
