/*
 * IP addresses as text and as values. The parsers take exactly the forms that inet_pton takes, so
 * that no address can mean one thing here and another elsewhere: no octal, no short forms, no
 * leading zeros.
 */
#include "base/ip.h"

#include "base/strbuf.h"

struct ip_addr ip_v4(const uint8_t octets[4])
{
    struct ip_addr a = {.b = {[10] = 0xff, [11] = 0xff}};
    memcpy(a.b + 12, octets, 4);
    return a;
}

struct ip_addr ip_v6(const uint8_t octets[16])
{
    struct ip_addr a;
    memcpy(a.b, octets, 16);
    return a;
}

bool ip_is_loopback(const struct ip_addr *a)
{
    static const uint8_t v6[16] = {[15] = 1};
    return ip_is_v4(a) ? a->b[12] == 127 : memcmp(a->b, v6, 16) == 0;
}

bool ip_is_unspecified(const struct ip_addr *a)
{
    static const uint8_t zero[16] = {0};
    return ip_is_v4(a) ? memcmp(a->b + 12, zero, 4) == 0 : memcmp(a->b, zero, 16) == 0;
}

bool ip_is_link_local(const struct ip_addr *a)
{
    if (ip_is_v4(a)) {
        return a->b[12] == 169 && a->b[13] == 254;
    }
    return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

bool ip_is_private(const struct ip_addr *a)
{
    if (!ip_is_v4(a)) {
        return (a->b[0] & 0xfe) == 0xfc;
    }
    const uint8_t *o = a->b + 12;
    return o[0] == 10 || (o[0] == 172 && (o[1] & 0xf0) == 16) || (o[0] == 192 && o[1] == 168) ||
           (o[0] == 100 && (o[1] & 0xc0) == 64);
}

bool ip_in_prefix(const struct ip_addr *a, const struct ip_prefix *p)
{
    size_t whole = p->bits / 8;
    unsigned rest = p->bits % 8;
    if (memcmp(a->b, p->addr.b, whole) != 0) {
        return false;
    }
    return rest == 0 || ((a->b[whole] ^ p->addr.b[whole]) >> (8 - rest)) == 0;
}

/* A decimal number of the whole text, without leading zeros, up to max. */
static enum err number_parse(struct span text, uint32_t max, uint32_t *out)
{
    if (text.len == 0 || (text.len > 1 && text.ptr[0] == '0')) {
        return ERR_FORMAT;
    }
    uint32_t v = 0;
    bool over = false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return ERR_FORMAT;
        }
        uint32_t digit = (uint32_t)(text.ptr[i] - '0');
        over = over || v > (max - digit) / 10;
        v = over ? 0 : v * 10 + digit;
    }
    if (over) {
        return ERR_RANGE;
    }
    *out = v;
    return ERR_OK;
}

static enum err v4_parse(struct span text, uint8_t out[4])
{
    uint8_t octets[4];
    size_t start = 0;
    for (size_t part = 0; part < 4; part++) {
        size_t end = start;
        while (end < text.len && text.ptr[end] != '.') {
            end++;
        }
        uint32_t v;
        if ((part < 3) != (end < text.len) ||
            number_parse(span_of(text.ptr + start, end - start), 255, &v) != ERR_OK) {
            return ERR_FORMAT;
        }
        octets[part] = (uint8_t)v;
        start = end + 1;
    }
    memcpy(out, octets, 4);
    return ERR_OK;
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Reads 1..4 hex digits at *pos. */
static bool group_parse(struct span text, size_t *pos, uint16_t *out)
{
    unsigned v = 0;
    size_t start = *pos;
    while (*pos < text.len && hex_value(text.ptr[*pos]) >= 0) {
        if (*pos - start == 4) {
            return false;
        }
        v = v << 4 | (unsigned)hex_value(text.ptr[*pos]);
        (*pos)++;
    }
    *out = (uint16_t)v;
    return *pos > start;
}

static enum err v6_parse(struct span text, uint8_t out[16])
{
    uint8_t octets[16] = {0};
    size_t used = 0, pos = 0;
    size_t gap = SIZE_MAX; /* where "::" stands, in octets */
    if (text.len >= 2 && text.ptr[0] == ':' && text.ptr[1] == ':') {
        gap = 0;
        pos = 2;
    }
    while (pos < text.len) {
        size_t start = pos;
        uint16_t group;
        if (used == 16 || !group_parse(text, &pos, &group)) {
            return ERR_FORMAT;
        }
        if (pos < text.len && text.ptr[pos] == '.') {
            struct span tail = span_of(text.ptr + start, text.len - start);
            if (used > 12 || v4_parse(tail, octets + used) != ERR_OK) {
                return ERR_FORMAT;
            }
            used += 4;
            break;
        }
        be16_write(octets + used, group);
        used += 2;
        if (pos == text.len) {
            break;
        }
        if (text.ptr[pos++] != ':' || pos == text.len) {
            return ERR_FORMAT;
        }
        if (text.ptr[pos] == ':') {
            if (gap != SIZE_MAX) {
                return ERR_FORMAT;
            }
            gap = used;
            pos++;
        }
    }
    if (gap == SIZE_MAX ? used != 16 : used > 14) {
        return ERR_FORMAT;
    }
    if (gap != SIZE_MAX) {
        size_t after = used - gap;
        memmove(octets + 16 - after, octets + gap, after);
        memset(octets + gap, 0, 16 - used);
    }
    memcpy(out, octets, 16);
    return ERR_OK;
}

static bool has_colon(struct span text)
{
    return text.len > 0 && memchr(text.ptr, ':', text.len) != NULL;
}

enum err ip_parse(struct span text, struct ip_addr *out)
{
    uint8_t octets[16];
    if (has_colon(text)) {
        enum err e = v6_parse(text, octets);
        if (e == ERR_OK) {
            *out = ip_v6(octets);
        }
        return e;
    }
    enum err e = v4_parse(text, octets);
    if (e == ERR_OK) {
        *out = ip_v4(octets);
    }
    return e;
}

static void mask(struct ip_addr *a, unsigned bits)
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned keep = bits >= 8 * (i + 1) ? 8 : bits > 8 * i ? bits - 8 * i : 0;
        a->b[i] &= (uint8_t)(0xff00U >> keep);
    }
}

enum err ip_prefix_parse(struct span text, struct ip_prefix *out)
{
    const uint8_t *slash = text.len > 0 ? memchr(text.ptr, '/', text.len) : NULL;
    size_t addr_len = slash != NULL ? (size_t)(slash - text.ptr) : text.len;
    struct span addr_text = span_of(text.ptr, addr_len);
    struct ip_addr addr;
    enum err e = ip_parse(addr_text, &addr);
    if (e != ERR_OK) {
        return e;
    }
    uint32_t most = has_colon(addr_text) ? 128 : 32;
    uint32_t bits = most;
    if (slash != NULL) {
        e = number_parse(span_of(slash + 1, text.len - addr_len - 1), most, &bits);
        if (e != ERR_OK) {
            return e;
        }
    }
    bits += 128 - most;
    mask(&addr, bits);
    *out = (struct ip_prefix){.addr = addr, .bits = (uint8_t)bits};
    return ERR_OK;
}

/* ADDR or ADDR%SCOPE, the scope an interface index. */
static enum err scoped_parse(struct span text, struct ip_endpoint *out)
{
    const uint8_t *percent = text.len > 0 ? memchr(text.ptr, '%', text.len) : NULL;
    size_t addr_len = percent != NULL ? (size_t)(percent - text.ptr) : text.len;
    enum err e = ip_parse(span_of(text.ptr, addr_len), &out->addr);
    if (e == ERR_OK && percent != NULL) {
        if (ip_is_v4(&out->addr)) {
            return ERR_FORMAT;
        }
        e = number_parse(span_of(percent + 1, text.len - addr_len - 1), UINT32_MAX, &out->scope);
    }
    return e;
}

/* Splits text into the address and the port's text; port.ptr is NULL where none stands. */
static enum err endpoint_split(struct span text, struct span *addr, struct span *port)
{
    *port = span_of(NULL, 0);
    *addr = text;
    if (text.len == 0) {
        return ERR_FORMAT;
    }
    const uint8_t *end = text.ptr + text.len;
    const uint8_t *mark;
    if (text.ptr[0] == '[') {
        const uint8_t *close = memchr(text.ptr, ']', text.len);
        if (close == NULL) {
            return ERR_FORMAT;
        }
        *addr = span_of(text.ptr + 1, (size_t)(close - text.ptr - 1));
        if (!has_colon(*addr)) {
            return ERR_FORMAT;
        }
        if (close + 1 == end) {
            return ERR_OK;
        }
        mark = close + 1;
        if (*mark != ':' && *mark != '#') {
            return ERR_FORMAT;
        }
        *port = span_of(mark + 1, (size_t)(end - mark - 1));
        return ERR_OK;
    }
    mark = memchr(text.ptr, '#', text.len);
    if (mark == NULL) {
        mark = memchr(text.ptr, ':', text.len);
        if (mark != NULL && memchr(mark + 1, ':', (size_t)(end - mark - 1)) != NULL) {
            return ERR_OK; /* two colons: IPv6 alone */
        }
    }
    if (mark != NULL) {
        *addr = span_of(text.ptr, (size_t)(mark - text.ptr));
        *port = span_of(mark + 1, (size_t)(end - mark - 1));
    }
    return ERR_OK;
}

enum err ip_endpoint_parse(struct span text, uint16_t default_port, struct ip_endpoint *out)
{
    struct span addr, port;
    enum err e = endpoint_split(text, &addr, &port);
    if (e != ERR_OK) {
        return e;
    }
    struct ip_endpoint result = {.port = default_port};
    e = scoped_parse(addr, &result);
    if (e != ERR_OK) {
        return e;
    }
    if (port.ptr != NULL) {
        uint32_t v;
        e = number_parse(port, 65535, &v);
        if (e != ERR_OK) {
            return e;
        }
        result.port = (uint16_t)v;
    }
    *out = result;
    return ERR_OK;
}

/* The longest run of at least two zero groups, the first of equals, RFC 5952 4.2. */
static void zero_run(const struct ip_addr *a, unsigned *start, unsigned *count)
{
    *start = 8;
    *count = 1;
    unsigned run = 0;
    for (unsigned i = 0; i < 8; i++) {
        run = be16_read(a->b + 2 * (size_t)i) == 0 ? run + 1 : 0;
        if (run > *count) {
            *count = run;
            *start = i + 1 - run;
        }
    }
}

static void format_addr(struct strbuf *s, const struct ip_addr *a)
{
    if (ip_is_v4(a)) {
        strbuf_printf(s, "%u.%u.%u.%u", a->b[12], a->b[13], a->b[14], a->b[15]);
        return;
    }
    unsigned gap, gap_len;
    zero_run(a, &gap, &gap_len);
    for (unsigned i = 0; i < 8;) {
        if (i == gap) {
            strbuf_str(s, "::");
            i += gap_len;
            continue;
        }
        if (i > 0 && i != gap + gap_len) {
            strbuf_char(s, ':');
        }
        strbuf_printf(s, "%x", be16_read(a->b + 2 * (size_t)i));
        i++;
    }
}

size_t ip_format(const struct ip_addr *a, char out[IP_TEXT_MAX])
{
    struct strbuf s;
    strbuf_init(&s, out, IP_TEXT_MAX);
    format_addr(&s, a);
    return s.len;
}

size_t ip_prefix_format(const struct ip_prefix *p, char out[IP_PREFIX_TEXT])
{
    struct strbuf s;
    strbuf_init(&s, out, IP_PREFIX_TEXT);
    format_addr(&s, &p->addr);
    bool v4 = ip_is_v4(&p->addr) && p->bits >= 96;
    strbuf_printf(&s, "/%u", v4 ? p->bits - 96U : p->bits);
    return s.len;
}

size_t ip_endpoint_format(const struct ip_endpoint *e, char out[IP_ENDPOINT_TEXT])
{
    struct strbuf s;
    strbuf_init(&s, out, IP_ENDPOINT_TEXT);
    bool v6 = !ip_is_v4(&e->addr);
    if (v6) {
        strbuf_char(&s, '[');
    }
    format_addr(&s, &e->addr);
    if (v6 && e->scope != 0) {
        strbuf_printf(&s, "%%%u", (unsigned)e->scope);
    }
    strbuf_str(&s, v6 ? "]" : "");
    strbuf_printf(&s, ":%u", e->port);
    return s.len;
}
