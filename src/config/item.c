/*
 * Text to one item of a repeatable option, and back: list sources, records, addresses, networks,
 * upstreams, routes. Strings that stay are copied into the configuration's memory. Names of hosts
 * are never resolved here: what needs an address must be given one.
 */
#include "blocklist/catalog.h"
#include "config/config_int.h"

#include "resolver/local.h"

enum { PORT_DNS = 53, PORT_TLS = 853, PORT_HTTPS = 443 };

struct span cfg_trim(struct span text)
{
    while (text.len > 0 && (text.ptr[0] == ' ' || text.ptr[0] == '\t')) {
        text = span_of(text.ptr + 1, text.len - 1);
    }
    while (text.len > 0 && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t' ||
                            text.ptr[text.len - 1] == '\r')) {
        text.len--;
    }
    return text;
}

static bool starts_with(struct span text, const char *prefix, struct span *rest)
{
    size_t len = strlen(prefix);
    if (text.len < len || memcmp(text.ptr, prefix, len) != 0) {
        return false;
    }
    *rest = span_of(text.ptr + len, text.len - len);
    return true;
}

/* Offset of the first octet c in text, or text.len. */
static size_t find_octet(struct span text, char c)
{
    const uint8_t *at = text.len > 0 ? memchr(text.ptr, c, text.len) : NULL;
    return at != NULL ? (size_t)(at - text.ptr) : text.len;
}

static bool has_control(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < 0x20 || text.ptr[i] == 0x7f) {
            return true;
        }
    }
    return false;
}

static enum err keep(struct cfg_parse *p, struct span text, const char **out)
{
    const char *copy = arena_strdup(p->arena, (const char *)text.ptr, text.len);
    if (copy == NULL) {
        return ERR_LIMIT;
    }
    *out = copy;
    return ERR_OK;
}

/* ---- list sources ---- */

static const char *const formats[] = {"hosts",   "domains", "wildcard", "adblock",
                                      "dnsmasq", "unbound", "rpz",      "regex"};

static bool is_format(struct span word)
{
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        if (span_equal(word, span_str(formats[i]))) {
            return true;
        }
    }
    return false;
}

/* The user:password@ that a URL may not carry (it would show up in logs and on the page). */
static bool has_userinfo(struct span after_scheme)
{
    struct span authority = span_of(after_scheme.ptr, find_octet(after_scheme, '/'));
    return find_octet(authority, '@') < authority.len;
}

enum err cfg_source_parse(struct cfg_parse *p, struct span text, const char **out)
{
    struct span rest = text, web;
    p->expected = "a URL (http://, https://, file://), a path, or builtin";
    if (text.len == 0 || text.len >= CFG_VALUE_MAX || has_control(text)) {
        return ERR_FORMAT;
    }
    size_t plus = find_octet(text, '+');
    if (plus < text.len && is_format(span_of(text.ptr, plus))) {
        rest = span_of(text.ptr + plus + 1, text.len - plus - 1);
    }
    if (rest.len == 0) {
        return ERR_FORMAT;
    }
    if (starts_with(rest, "http://", &web) || starts_with(rest, "https://", &web)) {
        if (has_userinfo(web)) {
            p->expected = "a URL without a user name and password";
            return ERR_FORMAT;
        }
        if (find_octet(web, '/') == 0 || web.len == 0 || find_octet(rest, ' ') < rest.len) {
            return ERR_FORMAT;
        }
        return keep(p, text, out);
    }
    if (starts_with(rest, "file:///", &web)) {
        return keep(p, text, out);
    }
    /* Another scheme is not a path: "ftp://x", "gopher://x", "file://host/x". */
    size_t colon = find_octet(rest, ':');
    if (rest.len - colon >= 3 && memcmp(rest.ptr + colon, "://", 3) == 0) {
        return ERR_FORMAT;
    }
    return keep(p, text, out);
}

/* ---- services ---- */

/* Which there are is known only when the catalog has been read (catalogs.h). */
enum err cfg_service_parse(struct cfg_parse *p, struct span text, const char **out)
{
    p->expected = "the name of a service: lower-case letters, digits and hyphens";
    return catalog_is_id(text) ? keep(p, text, out) : ERR_FORMAT;
}

/* ---- addresses ---- */

enum err cfg_prefix_parse(struct cfg_parse *p, struct span text, const char **out)
{
    struct ip_prefix prefix;
    p->expected = "ADDR or ADDR/BITS";
    return ip_prefix_parse(text, &prefix) == ERR_OK ? keep(p, text, out) : ERR_FORMAT;
}

/* ---- origins ---- */

/* As browsers write them (RFC 6454 6.2): scheme, host, port if it is not the usual one, nothing
 * behind. */
enum err cfg_origin_parse(struct cfg_parse *p, struct span text, const char **out)
{
    struct span host;
    bool all = span_equal(text, span_str("*"));
    bool web = starts_with(text, "http://", &host) || starts_with(text, "https://", &host);
    if (!all && (!web || host.len == 0 || text.len > DNS_NAME_MAX)) {
        return ERR_FORMAT;
    }
    for (size_t i = 0; !all && i < host.len; i++) {
        uint8_t c = host.ptr[i];
        if (c <= ' ' || c >= 0x7f || strchr("/?#@\\\"", c) != NULL) {
            return ERR_FORMAT;
        }
    }
    return keep(p, text, out);
}

/* ---- records ---- */

/* What local.h says of a text that it cannot use: "expected a name" ...; the word is said by the
 * message already. */
static const char *without_expected(const char *what)
{
    static const char word[] = "expected ";
    return strncmp(what, word, sizeof word - 1) == 0 ? what + sizeof word - 1 : what;
}

/* Read as the resolver will read it, into memory that is given back. */
enum err cfg_record_parse(struct cfg_parse *p, struct span text, const char **out)
{
    enum { RECORDS = 4 };
    size_t mark = p->arena->used;
    const char *what = NULL;
    struct local_builder *b = local_builder_new(p->arena, RECORDS);
    p->expected = "NAME TYPE VALUE, such as printer.home.arpa A 192.168.1.9";
    if (b == NULL) {
        return ERR_LIMIT;
    }
    if (text.len >= CFG_VALUE_MAX || has_control(text)) {
        return ERR_FORMAT;
    }
    enum err e = local_add_text(b, text, 0, &what);
    p->arena->used = mark;
    if (e != ERR_OK) {
        p->expected = what != NULL && text.len > 0 ? without_expected(what) : p->expected;
        return e == ERR_SPACE ? ERR_LIMIT : ERR_FORMAT;
    }
    return keep(p, text, out);
}

/* ---- addresses and networks ---- */

enum err cfg_endpoint_parse(struct span text, uint16_t port, struct ip_endpoint *out)
{
    struct ip_endpoint endpoint;
    enum err e = ip_endpoint_parse(text, port, &endpoint);
    if (e != ERR_OK) {
        return e;
    }
    if (endpoint.port == 0) {
        return ERR_RANGE;
    }
    *out = endpoint;
    return ERR_OK;
}

enum err cfg_cidr_parse(struct span text, struct cfg_cidr *out)
{
    struct cfg_cidr cidr = {.negated = text.len > 0 && text.ptr[0] == '!'};
    struct span rest = cidr.negated ? cfg_trim(span_of(text.ptr + 1, text.len - 1)) : text;
    if (span_equal(rest, span_str("connected"))) {
        cidr.connected = true;
        *out = cidr;
        return ERR_OK;
    }
    enum err e = ip_prefix_parse(rest, &cidr.prefix);
    if (e != ERR_OK) {
        return e;
    }
    *out = cidr;
    return ERR_OK;
}

void cfg_cidr_format(const struct cfg_cidr *cidr, struct strbuf *out)
{
    char text[IP_PREFIX_TEXT];
    ip_prefix_format(&cidr->prefix, text);
    strbuf_printf(out, "%s%s", cidr->negated ? "!" : "", cidr->connected ? "connected" : text);
}

static bool sorts_before(const struct cfg_cidr *a, const struct cfg_cidr *b)
{
    if (a->prefix.bits != b->prefix.bits) {
        return a->prefix.bits > b->prefix.bits;
    }
    return a->negated && !b->negated;
}

/* By insertion: stable, and there are at most some hundred. */
void cfg_cidrs_sort(struct cfg_cidr *item, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        struct cfg_cidr moved = item[i];
        uint32_t at = i;
        for (; at > 0 && sorts_before(&moved, &item[at - 1]); at--) {
            item[at] = item[at - 1];
        }
        item[at] = moved;
    }
}

/* ---- upstreams ---- */

/* NAME@ADDR or ADDR; without a name the address is what the certificate must hold. */
static enum err named_endpoint_parse(struct span text, uint16_t port, struct span *name,
                                     struct ip_endpoint *out)
{
    size_t at = find_octet(text, '@');
    struct span addr = at < text.len ? span_of(text.ptr + at + 1, text.len - at - 1) : text;
    struct dns_name parsed;
    *name = span_of(text.ptr, at < text.len ? at : 0);
    if (at < text.len && (dns_name_parse(*name, &parsed) != ERR_OK || parsed.labels == 0)) {
        return ERR_FORMAT;
    }
    return cfg_endpoint_parse(addr, port, out);
}

static enum err tls_parse(struct cfg_parse *p, struct span rest, struct cfg_upstream *out)
{
    struct span name;
    enum err e = named_endpoint_parse(rest, PORT_TLS, &name, &out->endpoint);
    if (e != ERR_OK) {
        p->expected = "tls://NAME@ADDR[:PORT], such as tls://dns.quad9.net@9.9.9.9";
        return e;
    }
    return keep(p, name, &out->name);
}

/* The name becomes the URL that is asked, "https://NAME/PATH" (the address if there is no name). */
static enum err https_parse(struct cfg_parse *p, struct span rest, struct cfg_upstream *out)
{
    size_t slash = find_octet(rest, '/');
    struct span name, path = span_of(rest.ptr + slash, rest.len - slash);
    enum err e = named_endpoint_parse(span_of(rest.ptr, slash), PORT_HTTPS, &name, &out->endpoint);
    char storage[UPSTREAM_NAME_MAX], addr[IP_TEXT_MAX];
    if (e != ERR_OK || path.len < 2) {
        p->expected =
            "https://NAME@ADDR[:PORT]/PATH, such as https://dns.quad9.net@9.9.9.9/dns-query";
        return e != ERR_OK ? e : ERR_FORMAT;
    }
    struct strbuf url;
    strbuf_init(&url, storage, sizeof storage);
    strbuf_str(&url, "https://");
    if (name.len > 0) {
        strbuf_bytes(&url, name.ptr, name.len);
    } else {
        bool v4 = ip_is_v4(&out->endpoint.addr);
        ip_format(&out->endpoint.addr, addr);
        strbuf_printf(&url, v4 ? "%s" : "[%s]", addr);
    }
    strbuf_bytes(&url, path.ptr, path.len);
    if (url.truncated) {
        p->expected = "a shorter URL";
        return ERR_RANGE;
    }
    return keep(p, span_of(url.text, url.len), &out->name);
}

enum err cfg_upstream_parse(struct cfg_parse *p, struct span text, struct cfg_upstream *out)
{
    struct cfg_upstream upstream = {.transport = UPSTREAM_UDP, .name = ""};
    struct span rest = text;
    enum err e;
    p->expected = "ADDR[:PORT], tcp://ADDR, tls://NAME@ADDR, https://NAME@ADDR/PATH or system";
    if (text.len >= UPSTREAM_NAME_MAX || has_control(text)) {
        return ERR_FORMAT;
    }
    if (starts_with(text, "tls://", &rest)) {
        upstream.transport = UPSTREAM_TLS;
        e = tls_parse(p, rest, &upstream);
    } else if (starts_with(text, "https://", &rest)) {
        upstream.transport = UPSTREAM_HTTPS;
        e = https_parse(p, rest, &upstream);
    } else {
        if (starts_with(text, "tcp://", &rest)) {
            upstream.transport = UPSTREAM_TCP;
        } else if (!starts_with(text, "udp://", &rest)) {
            rest = text;
        }
        e = cfg_endpoint_parse(rest, PORT_DNS, &upstream.endpoint);
    }
    if (e == ERR_OK) {
        *out = upstream;
    }
    return e;
}

void cfg_upstream_format(const struct cfg_upstream *upstream, struct strbuf *out)
{
    char endpoint[IP_ENDPOINT_TEXT];
    ip_endpoint_format(&upstream->endpoint, endpoint);
    switch (upstream->transport) {
    case UPSTREAM_UDP:
        strbuf_str(out, endpoint);
        break;
    case UPSTREAM_TCP:
        strbuf_printf(out, "tcp://%s", endpoint);
        break;
    case UPSTREAM_TLS:
        strbuf_printf(out, "tls://%s%s%s", upstream->name, upstream->name[0] != '\0' ? "@" : "",
                      endpoint);
        break;
    case UPSTREAM_HTTPS: {
        const char *host = upstream->name + strlen("https://");
        size_t len = strcspn(host, "/");
        struct ip_endpoint unused;
        strbuf_str(out, "https://");
        if (ip_endpoint_parse(span_of(host, len), PORT_HTTPS, &unused) != ERR_OK) {
            strbuf_printf(out, "%.*s@", (int)len, host);
        }
        strbuf_printf(out, "%s%s", endpoint, host + len);
        break;
    }
    }
}

/* ---- routes ---- */

/* 192.168.1.0/24 to 1.168.192.in-addr.arpa (RFC 1035 3.5), an IPv6 prefix to its nibbles under
 * ip6.arpa (RFC 3596 2.5). */
static enum err reverse_zone(const struct ip_prefix *prefix, struct dns_name *out)
{
    bool v4 = ip_is_v4(&prefix->addr) && prefix->bits >= 96;
    unsigned step = v4 ? 8 : 4, first = v4 ? 96 : 0;
    if ((prefix->bits - first) % step != 0 || prefix->bits == first) {
        return ERR_RANGE;
    }
    char storage[80];
    struct strbuf zone;
    strbuf_init(&zone, storage, sizeof storage);
    for (unsigned bit = prefix->bits; bit > first; bit -= step) {
        unsigned octet = prefix->addr.b[(bit - 1) / 8];
        if (v4) {
            strbuf_printf(&zone, "%u.", octet);
        } else {
            strbuf_printf(&zone, "%x.", bit % 8 == 0 ? octet & 15 : octet >> 4);
        }
    }
    strbuf_str(&zone, v4 ? "in-addr.arpa" : "ip6.arpa");
    return dns_name_parse(span_of(zone.text, zone.len), out);
}

/* Does the name end in what can be a top-level domain? Else it is a mistyped network, such as
 * 192.168.1.0/24. */
static bool has_top_level(const struct dns_name *name)
{
    if (name->labels == 0) {
        return false;
    }
    const uint8_t *label = name->wire + name->off[name->labels - 1];
    for (uint8_t i = 1; i <= label[0]; i++) {
        uint8_t c = label[i];
        bool letter = (c >= 'a' && c <= 'z') || c == '_';
        bool later = i > 1 && ((c >= '0' && c <= '9') || c == '-');
        if (!letter && !later) {
            return false;
        }
    }
    return true;
}

enum err cfg_upstream_read(struct arena *arena, struct span text, struct cfg_upstream *out)
{
    struct cfg_parse p = {.arena = arena, .expected = NULL};
    return cfg_upstream_parse(&p, text, out);
}

enum err cfg_route_parse(struct cfg_parse *p, struct span text, struct cfg_route *out)
{
    struct cfg_route route;
    struct ip_prefix prefix;
    size_t equals = find_octet(text, '=');
    struct span domain = cfg_trim(span_of(text.ptr, equals));
    enum err e;
    p->expected = "DOMAIN=UPSTREAM or CIDR=UPSTREAM, such as home.arpa=192.168.1.1";
    if (equals == text.len) {
        return ERR_FORMAT;
    }
    if (ip_prefix_parse(domain, &prefix) == ERR_OK) {
        e = reverse_zone(&prefix, &route.domain);
        if (e != ERR_OK) {
            p->expected = "a network of /8, /16, /24 or /32, or for IPv6 a multiple of four bits";
            return e;
        }
    } else {
        e = dns_name_parse(domain, &route.domain);
        if (e != ERR_OK || !has_top_level(&route.domain)) {
            return ERR_FORMAT;
        }
    }
    e = cfg_upstream_parse(p, cfg_trim(span_of(text.ptr + equals + 1, text.len - equals - 1)),
                           &route.upstream);
    if (e == ERR_OK) {
        *out = route;
    }
    return e;
}
