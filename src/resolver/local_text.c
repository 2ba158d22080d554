/*
 * Local records as text: one record a line, and hosts files. What cannot be read is told or
 * counted, never guessed.
 */
#include <string.h>

#include "dns/msg.h"
#include "dns/proto.h"
#include "resolver/local.h"

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

/* The next word of *text, which is moved behind it; len 0 at the end. */
static struct span next_word(struct span *text)
{
    while (text->len > 0 && is_space(text->ptr[0])) {
        text->ptr++;
        text->len--;
    }
    size_t n = 0;
    while (n < text->len && !is_space(text->ptr[n])) {
        n++;
    }
    struct span word = span_of(text->ptr, n);
    text->ptr += n;
    text->len -= n;
    return word;
}

static bool parse_u16(struct span word, uint16_t *out)
{
    uint32_t v = 0;
    if (word.len == 0 || word.len > 5) {
        return false;
    }
    for (size_t i = 0; i < word.len; i++) {
        if (word.ptr[i] < '0' || word.ptr[i] > '9') {
            return false;
        }
        v = v * 10 + (uint32_t)(word.ptr[i] - '0');
    }
    *out = (uint16_t)v;
    return v <= UINT16_MAX;
}

/* A TTL, RFC 2181 8; false: the word is none. */
static bool parse_ttl(struct span word, uint32_t *out)
{
    uint64_t v = 0;
    if (word.len == 0 || word.len > 10) {
        return false;
    }
    for (size_t i = 0; i < word.len; i++) {
        if (word.ptr[i] < '0' || word.ptr[i] > '9') {
            return false;
        }
        v = v * 10 + (uint32_t)(word.ptr[i] - '0');
    }
    if (v > INT32_MAX) {
        return false;
    }
    *out = (uint32_t)v;
    return true;
}

static const char no_such_type[] =
    "expected a type of A, AAAA, CNAME, PTR, TXT, MX, SRV, NS, or one with octets (\\# 2 abcd)";

/* Rdata being made out of words. */
struct rdata {
    uint8_t octets[2048];
    size_t len;
    const char *what; /* why it cannot be, the first reason; NULL if it can */
};

static void put_name(struct rdata *d, struct span *text)
{
    struct dns_name name;
    if (dns_name_parse(next_word(text), &name) != ERR_OK) {
        d->what = d->what != NULL ? d->what : "expected a name";
        return;
    }
    memcpy(d->octets + d->len, name.wire, name.len);
    d->len += name.len;
}

static void put_number(struct rdata *d, struct span *text)
{
    uint16_t v;
    if (!parse_u16(next_word(text), &v)) {
        d->what = d->what != NULL ? d->what : "expected a number from 0 to 65535";
        return;
    }
    be16_write(d->octets + d->len, v);
    d->len += 2;
}

static void put_address(struct rdata *d, struct span *text, bool v4)
{
    struct ip_addr addr;
    if (ip_parse(next_word(text), &addr) != ERR_OK || ip_is_v4(&addr) != v4) {
        d->what = v4 ? "expected an IPv4 address" : "expected an IPv6 address";
        return;
    }
    memcpy(d->octets, v4 ? addr.b + 12 : addr.b, v4 ? 4 : 16);
    d->len = v4 ? 4 : 16;
}

/* One octet of a quoted or plain string; *p moves on. */
static uint8_t string_octet(const uint8_t **p, const uint8_t *end)
{
    if (**p != '\\' || *p + 1 == end) {
        return *(*p)++;
    }
    const uint8_t *e = *p + 1;
    if (end - e >= 3 && e[0] >= '0' && e[0] <= '2' && e[1] >= '0' && e[1] <= '9' && e[2] >= '0' &&
        e[2] <= '9') {
        *p += 4;
        return (uint8_t)((e[0] - '0') * 100 + (e[1] - '0') * 10 + (e[2] - '0'));
    }
    *p += 2;
    return e[0];
}

/* Character-strings, RFC 1035 5.1: words, or text in double quotes; longer ones than 255 octets
 * become several. */
static void put_strings(struct rdata *d, struct span *text)
{
    const uint8_t *p = text->ptr, *end = text->ptr + text->len;
    while (d->what == NULL) {
        while (p < end && is_space(*p)) {
            p++;
        }
        if (p == end) {
            break;
        }
        bool quoted = *p == '"';
        p += quoted;
        size_t at = d->len++;
        d->octets[at] = 0;
        while (p < end && (quoted ? *p != '"' : !is_space(*p))) {
            if (d->octets[at] == 255) {
                at = d->len++;
                d->octets[at] = 0;
            }
            if (d->len + 2 >= sizeof d->octets) {
                d->what = "text too long";
                break;
            }
            d->octets[d->len++] = string_octet(&p, end);
            d->octets[at]++;
        }
        if (quoted && d->what == NULL) {
            d->what = p < end ? NULL : "expected a closing quote";
            p += p < end;
        }
    }
    if (d->len == 0 && d->what == NULL) {
        d->what = "expected text";
    }
    text->ptr = end;
    text->len = 0;
}

static int hex_digit(uint8_t c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Types that may be written as octets: those without names that messages may compress. */
static bool takes_octets(uint16_t type)
{
    switch (type) {
    case 29: /* LOC */
    case 44: /* SSHFP */
    case 52: /* TLSA */
    case 53: /* SMIMEA */
    case 61: /* OPENPGPKEY */
    case DNS_SVCB:
    case DNS_HTTPS:
        return true;
    default:
        return type > DNS_ANY; /* CAA, URI and what is still to come */
    }
}

/* "\# LENGTH HEX…", RFC 3597 5. */
static void put_octets(struct rdata *d, struct span *text, uint16_t type)
{
    static const char expected[] = "expected \\# LENGTH and so many octets in hexadecimal";
    uint16_t len;
    if (!span_equal(next_word(text), span_str("\\#")) || !parse_u16(next_word(text), &len) ||
        len >= sizeof d->octets) {
        d->what = expected;
        return;
    }
    for (struct span word = next_word(text); word.len > 0; word = next_word(text)) {
        for (size_t i = 0; i < word.len; i += 2) {
            int high = hex_digit(word.ptr[i]);
            int low = i + 1 < word.len ? hex_digit(word.ptr[i + 1]) : -1;
            if (high < 0 || low < 0 || d->len == len) {
                d->what = expected;
                return;
            }
            d->octets[d->len++] = (uint8_t)(high << 4 | low);
        }
    }
    struct dns_record rr = {.type = type, .rdlen = len};
    if (d->len != len) {
        d->what = expected;
    } else if (!dns_record_rdata_ok(d->octets, d->len, &rr)) {
        d->what = "expected octets that make a record of that type";
    }
}

static void make_rdata(struct rdata *d, uint16_t type, struct span *text)
{
    d->len = 0;
    d->what = NULL;
    if (takes_octets(type)) {
        put_octets(d, text, type);
        return;
    }
    switch (type) {
    case DNS_A:
    case DNS_AAAA:
        put_address(d, text, type == DNS_A);
        break;
    case DNS_SRV:
        put_number(d, text);
        put_number(d, text);
        put_number(d, text);
        put_name(d, text);
        break;
    case DNS_MX:
        put_number(d, text);
        put_name(d, text);
        break;
    case DNS_CNAME:
    case DNS_PTR:
    case DNS_NS:
        put_name(d, text);
        break;
    case DNS_TXT:
        put_strings(d, text);
        break;
    default:
        d->what = no_such_type;
        break;
    }
    if (d->what == NULL && next_word(text).len > 0) {
        d->what = "expected nothing more";
    }
}

/* A record out of its text. */
struct text_record {
    struct dns_name owner;
    uint16_t type;
    uint32_t ttl_s;
    struct rdata d;
};

/* NAME [TTL] [IN] TYPE VALUE. NULL, or what is wrong. */
static const char *read_record(struct span text, struct text_record *out)
{
    if (dns_name_parse(next_word(&text), &out->owner) != ERR_OK) {
        return "expected a name";
    }
    struct span word = next_word(&text);
    if (parse_ttl(word, &out->ttl_s)) {
        word = next_word(&text);
    }
    if (span_equal(word, span_str("IN")) || span_equal(word, span_str("in"))) {
        word = next_word(&text);
    }
    if (word.len == 0 || dns_type_parse(word, &out->type) != ERR_OK) {
        return "expected a record type";
    }
    make_rdata(&out->d, out->type, &text);
    return out->d.what;
}

const char *local_text_problem(struct span text)
{
    struct text_record r;
    return read_record(text, &r);
}

enum err local_add_text(struct local_builder *b, struct span text, uint32_t ttl_s,
                        const char **what)
{
    struct text_record r = {.ttl_s = ttl_s};
    struct ip_addr addr;
    enum err e;
    *what = read_record(text, &r);
    if (*what != NULL) {
        return *what == no_such_type ? ERR_UNSUPPORTED : ERR_FORMAT;
    }
    if (r.type == DNS_A || r.type == DNS_AAAA) {
        addr = r.type == DNS_A ? ip_v4(r.d.octets) : ip_v6(r.d.octets);
        e = local_add_address(b, &r.owner, &addr, r.ttl_s);
    } else {
        e = local_add(b, &r.owner, r.type, r.ttl_s, r.d.octets, r.d.len);
    }
    *what = e == ERR_STATE ? "a CNAME stands alone at its name" : e == ERR_OK ? NULL : err_text(e);
    return e;
}

/* One host name of a line; with an alias below `domain` if it has a single label. */
static enum err add_host(struct local_builder *b, struct span word, const struct ip_addr *addr,
                         const struct dns_name *domain, uint32_t ttl_s)
{
    struct dns_name name, full;
    if (dns_name_parse(word, &name) != ERR_OK || name.labels == 0) {
        return ERR_FORMAT;
    }
    enum err e = ERR_OK;
    if (domain != NULL && name.labels == 1 && name.len + domain->len <= DNS_NAME_MAX) {
        memcpy(full.wire, name.wire, name.len - 1U);
        memcpy(full.wire + name.len - 1, domain->wire, domain->len);
        if (dns_name_from_wire(full.wire, name.len - 1U + domain->len, &full) == ERR_OK) {
            e = local_add_address(b, &full, addr, ttl_s);
        }
    }
    enum err plain = local_add_address(b, &name, addr, ttl_s);
    e = e == ERR_OK || e == ERR_EXISTS ? plain : e;
    return e == ERR_EXISTS ? ERR_OK : e;
}

/* One line; ERR_FORMAT if it is of no use, ERR_SPACE if the table is full. */
static enum err add_line(struct local_builder *b, struct span line, const struct dns_name *domain,
                         uint32_t ttl_s)
{
    const uint8_t *hash = line.len > 0 ? memchr(line.ptr, '#', line.len) : NULL;
    if (hash != NULL) {
        line.len = (size_t)(hash - line.ptr);
    }
    struct span word = next_word(&line);
    if (word.len == 0) {
        return ERR_OK;
    }
    const uint8_t *scope = memchr(word.ptr, '%', word.len);
    if (scope != NULL) {
        return ERR_OK; /* a link-local address with its interface: of no use to others */
    }
    struct ip_addr addr;
    if (ip_parse(word, &addr) != ERR_OK) {
        return ERR_FORMAT;
    }
    enum err e = ERR_FORMAT; /* an address without a name */
    for (word = next_word(&line); word.len > 0; word = next_word(&line)) {
        e = add_host(b, word, &addr, domain, ttl_s);
        if (e != ERR_OK) {
            return e;
        }
    }
    return e;
}

enum err local_add_hosts(struct local_builder *b, struct span text, const struct dns_name *domain,
                         uint32_t ttl_s, uint32_t *rejected, uint32_t *first_rejected)
{
    uint32_t bad = 0, first = 0, number = 0;
    while (text.len > 0) {
        const uint8_t *nl = memchr(text.ptr, '\n', text.len);
        size_t n = nl != NULL ? (size_t)(nl - text.ptr) : text.len;
        number++;
        enum err e = add_line(b, span_of(text.ptr, n), domain, ttl_s);
        if (e == ERR_SPACE) {
            return e;
        }
        if (e != ERR_OK) {
            bad++;
            first = first == 0 ? number : first;
        }
        n += nl != NULL;
        text.ptr += n;
        text.len -= n;
    }
    *rejected = bad;
    *first_rejected = first;
    return ERR_OK;
}
