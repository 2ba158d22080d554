/* URLs of lists, RFC 3986 as far as http and https need it: no credentials, no fragments, no
 * control characters. */
#include <string.h>

#include "net/fetch.h"

static enum err fail(const char **what, const char *why)
{
    *what = why;
    return ERR_FORMAT;
}

static bool parse_port(const char *text, size_t len, uint16_t *out)
{
    uint32_t v = 0;
    if (len == 0 || len > 5) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        v = v * 10 + (uint32_t)(text[i] - '0');
    }
    *out = (uint16_t)v;
    return v >= 1 && v <= 65535;
}

static enum err parse_authority(const char *text, size_t len, struct fetch_url *out,
                                const char **what)
{
    const char *host = text, *colon = NULL;
    size_t host_len = len;
    if (memchr(text, '@', len)) {
        return fail(what, "user names and passwords in URLs are not taken");
    }
    if (len > 0 && text[0] == '[') {
        const char *end = memchr(text, ']', len);
        if (!end) {
            return fail(what, "the address has no closing bracket");
        }
        host = text + 1;
        host_len = (size_t)(end - host);
        colon = end + 1 < text + len ? end + 1 : NULL;
        if (colon && *colon != ':') {
            return fail(what, "after the address comes a port or nothing");
        }
    } else {
        colon = memchr(text, ':', len);
        host_len = colon ? (size_t)(colon - text) : len;
    }
    if (host_len == 0 || host_len >= sizeof out->host) {
        return fail(what, "the host's name is empty or too long");
    }
    memcpy(out->host, host, host_len);
    out->host[host_len] = '\0';
    out->port = out->tls ? 443 : 80;
    if (colon && !parse_port(colon + 1, (size_t)(text + len - colon - 1), &out->port)) {
        return fail(what, "the port is not a number from 1 to 65535");
    }
    return ERR_OK;
}

enum err fetch_url_parse(const char *url, struct fetch_url *out, const char **what)
{
    struct fetch_url u = {0};
    const char *rest;
    for (const char *p = url; *p; p++) {
        if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 127) {
            return fail(what, "a URL has no blanks, control or non-ASCII characters");
        }
    }
    if (strncmp(url, "http://", 7) == 0) {
        rest = url + 7;
    } else if (strncmp(url, "https://", 8) == 0) {
        rest = url + 8;
        u.tls = true;
    } else {
        return fail(what, "only http:// and https:// are fetched");
    }
    size_t authority = strcspn(rest, "/?#");
    enum err e = parse_authority(rest, authority, &u, what);
    if (e != ERR_OK) {
        return e;
    }
    const char *path = rest + authority;
    size_t path_len = strcspn(path, "#");
    size_t slash = *path == '/' ? 0 : 1;
    if (path_len + slash >= sizeof u.path) {
        return fail(what, "the URL is too long");
    }
    u.path[0] = '/';
    memcpy(u.path + slash, path, path_len);
    u.path[path_len + slash] = '\0';
    *out = u;
    return ERR_OK;
}

enum err fetch_url_follow(const struct fetch_url *base, const char *location, struct fetch_url *out,
                          const char **what)
{
    struct fetch_url u = *base;
    if (strncmp(location, "http://", 7) == 0 || strncmp(location, "https://", 8) == 0) {
        enum err e = fetch_url_parse(location, &u, what);
        if (e == ERR_OK && base->tls && !u.tls) {
            return fail(what, "a redirect from https to http is not followed");
        }
        if (e == ERR_OK) {
            *out = u;
        }
        return e;
    }
    if (location[0] == '/' && location[1] != '/') {
        size_t len = strcspn(location, "#");
        if (len >= sizeof u.path) {
            return fail(what, "the redirect is too long");
        }
        memcpy(u.path, location, len);
        u.path[len] = '\0';
        *out = u;
        return ERR_OK;
    }
    return fail(what, "the redirect leads to something that is not http or https");
}
