/*
 * What is no route: the dashboard's files, the addresses that people know from Pi-hole, and 404.
 * Nothing here looks at a file system.
 */
#include "api/page.h"

#include <string.h>

#include "api/assets.h"

static bool starts_with(struct span s, const char *prefix)
{
    size_t len = strlen(prefix);
    return s.len >= len && memcmp(s.ptr, prefix, len) == 0;
}

static void page_headers(struct call *c, const struct web_asset *asset)
{
    reply_header(c, "Content-Type", asset->content_type);
    reply_header(c, "Cache-Control",
                 asset->immutable ? "public, max-age=31536000, immutable" : "no-cache");
    reply_header(c, "ETag", asset->etag);
    reply_header(c, "Content-Security-Policy", WEB_CSP);
    reply_header(c, "X-Content-Type-Options", "nosniff");
    reply_header(c, "X-Frame-Options", "DENY");
    reply_header(c, "Referrer-Policy", "no-referrer");
}

static bool is_current(const struct call *c, const struct web_asset *asset)
{
    struct span match = c->req->if_none_match;
    size_t len = strlen(asset->etag);
    for (size_t i = 0; len > 0 && i + len <= match.len; i++) {
        if (memcmp(match.ptr + i, asset->etag, len) == 0) {
            return true;
        }
    }
    return false;
}

static void serve_asset(struct call *c, const struct web_asset *asset)
{
    page_headers(c, asset);
    if (is_current(c, asset)) {
        c->res->status = 304;
        return;
    }
    reply_header(c, "Content-Encoding", "gzip");
    c->res->status = 200;
    c->res->body = asset->gzip_data;
    c->res->body_len = asset->gzip_len;
    c->res->body_static = true;
}

static void redirect_home(struct call *c)
{
    reply_empty(c, 308);
    reply_header(c, "Location", "/");
}

void page_serve(struct call *c)
{
    struct span path = c->req->path;
    bool reading = c->req->method == HTTP_GET || c->req->method == HTTP_HEAD;
    const struct web_asset *asset =
        reading ? web_asset_find((const char *)path.ptr, path.len) : NULL;
    if (asset) {
        serve_asset(c, asset);
    } else if (starts_with(path, "/admin/api")) {
        /* Clients for version 5 key on this text and tell the person to set them up anew. */
        reply_error(c, 400, "bad_request", "Bad request",
                    "The API is hosted at pi.hole/api, not pi.hole/admin/api");
    } else if (reading && c->segments >= 1 && strcmp(c->segment[0], "admin") == 0) {
        redirect_home(c);
    } else {
        not_found(c, "Not found");
    }
}
