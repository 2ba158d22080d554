/*
 * Small helpers on pieces of a line.
 */
#include "blocklist/parse_int.h"

/* A no-break space in UTF-8; some lists are pasted from web pages. */
static bool is_nbsp(const uint8_t *p)
{
    return p[0] == 0xc2 && p[1] == 0xa0;
}

struct text text_trim(struct text t)
{
    for (;;) {
        if (t.p < t.end && is_blank(*t.p)) {
            t.p++;
        } else if (t.end - t.p >= 2 && is_nbsp(t.p)) {
            t.p += 2;
        } else {
            break;
        }
    }
    for (;;) {
        if (t.p < t.end && is_blank(t.end[-1])) {
            t.end--;
        } else if (t.end - t.p >= 2 && is_nbsp(t.end - 2)) {
            t.end -= 2;
        } else {
            break;
        }
    }
    return t;
}

struct text text_word(struct text *t)
{
    *t = text_trim(*t);
    struct text word = {t->p, t->p};
    while (word.end < t->end && !is_blank(*word.end) &&
           !(t->end - word.end >= 2 && is_nbsp(word.end))) {
        word.end++;
    }
    t->p = word.end;
    return word;
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

bool text_starts(struct text t, const char *with, struct text *rest)
{
    for (; *with; with++, t.p++) {
        if (t.p == t.end || lower(*t.p) != (uint8_t)*with) {
            return false;
        }
    }
    if (rest) {
        *rest = t;
    }
    return true;
}

bool text_is(struct text t, const char *what)
{
    struct text rest;
    return text_starts(t, what, &rest) && rest.p == rest.end;
}

const uint8_t *text_find(struct text t, uint8_t c)
{
    return t.p == t.end ? NULL : memchr(t.p, c, text_len(t));
}

struct text text_uncomment(struct text t)
{
    const uint8_t *hash = text_find(t, '#');
    if (hash) {
        t.end = hash;
    }
    return text_trim(t);
}

enum address bl_address(struct text word)
{
    /* Every address begins with a digit, a hexadecimal letter or a colon, and is short. */
    if (word.p == word.end || text_len(word) > IP_TEXT_MAX + 16) {
        return ADDRESS_NOT;
    }
    if (text_is(word, "0")) {
        return ADDRESS_NULL;
    }
    uint8_t c = lower(*word.p);
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == ':')) {
        return ADDRESS_NOT;
    }
    const uint8_t *scope = text_find(word, '%'); /* fe80::1%lo0 */
    if (scope && text_find(word, ':')) {
        word.end = scope;
    }
    struct ip_addr a;
    if (ip_parse(text_span(word), &a) != ERR_OK) {
        return ADDRESS_NOT;
    }
    return ip_is_unspecified(&a) || ip_is_loopback(&a) ? ADDRESS_NULL : ADDRESS_OTHER;
}
