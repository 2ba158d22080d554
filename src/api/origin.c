/*
 * Where a request comes from, as far as a browser tells: the Host header against DNS rebinding,
 * Origin and Sec-Fetch-Site against pages of others, and the opt-in list of origins that may read
 * by script (CORS).
 */
#include <string.h>

#include "api/api_int.h"

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static bool equal_nocase(struct span a, struct span b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.ptr[i]) != lower(b.ptr[i])) {
            return false;
        }
    }
    return true;
}

static bool ends_nocase(struct span text, const char *suffix)
{
    size_t len = strlen(suffix);
    return text.len > len &&
           equal_nocase(span_of(text.ptr + text.len - len, len), span_of(suffix, len));
}

static bool starts_with(struct span text, const char *prefix)
{
    size_t len = strlen(prefix);
    return text.len >= len && memcmp(text.ptr, prefix, len) == 0;
}

/* Without the port, the brackets of an IPv6 address, and a dot at the end. */
static struct span host_alone(struct span host)
{
    if (host.len > 0 && host.ptr[0] == '[') {
        const uint8_t *end = memchr(host.ptr, ']', host.len);
        return end ? span_of(host.ptr + 1, (size_t)(end - host.ptr - 1)) : span_of(NULL, 0);
    }
    const uint8_t *colon = host.len > 0 ? memchr(host.ptr, ':', host.len) : NULL;
    size_t len = colon ? (size_t)(colon - host.ptr) : host.len;
    if (len > 0 && host.ptr[len - 1] == '.') {
        len--;
    }
    return span_of(host.ptr, len);
}

bool origin_host_ok(const struct call *c)
{
    static const char *const names[] = {"localhost", "pi.hole", "sinkhole", "sinkhole.local"};
    static const char *const zones[] = {".localhost", ".local", ".home.arpa", ".lan", ".internal"};
    const struct api_config *cfg = c->api->cfg;
    struct ip_addr addr;
    if (c->req->host.len == 0) {
        return true; /* HTTP/1.0: no browser */
    }
    struct span host = host_alone(c->req->host);
    if (ip_parse(host, &addr) == ERR_OK) {
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (equal_nocase(host, span_str(names[i]))) {
            return true;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
        if (ends_nocase(host, zones[i])) {
            return true;
        }
    }
    for (uint32_t i = 0; i < cfg->host_count; i++) {
        if (equal_nocase(host, span_str(cfg->hosts[i]))) {
            return true;
        }
    }
    return false;
}

bool origin_is_allowed(const struct call *c)
{
    const struct api_config *cfg = c->api->cfg;
    for (uint32_t i = 0; i < cfg->cors_count; i++) {
        if (strcmp(cfg->cors_origins[i], "*") == 0 ||
            equal_nocase(c->req->origin, span_str(cfg->cors_origins[i]))) {
            return c->req->origin.len > 0;
        }
    }
    return false;
}

/* Extensions are installed by the person and act for him. */
static bool is_extension(struct span origin)
{
    return starts_with(origin, "chrome-extension://") || starts_with(origin, "moz-extension://") ||
           starts_with(origin, "safari-web-extension://");
}

bool auth_same_origin(const struct call *c)
{
    struct span site = c->req->fetch_site, origin = c->req->origin;
    if (is_extension(origin) || origin_is_allowed(c)) {
        return true;
    }
    if (site.len > 0 && !span_equal(site, span_str("same-origin")) &&
        !span_equal(site, span_str("none"))) {
        return false;
    }
    if (origin.len == 0) {
        return true; /* not a browser, or one that says so by Sec-Fetch-Site */
    }
    size_t scheme = starts_with(origin, "https://") ? 8 : starts_with(origin, "http://") ? 7 : 0;
    return scheme > 0 &&
           equal_nocase(span_of(origin.ptr + scheme, origin.len - scheme), c->req->host);
}
