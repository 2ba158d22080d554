/*
 * The dashboard's files, built into the program: web/ bundled, compressed with gzip and packed by
 * tools/pack.c.
 *
 * A server sends gzip_data as it stands with "Content-Encoding: gzip" (every browser takes it),
 * Content-Type, ETag and Cache-Control: public, max-age=31536000, immutable     when immutable is
 * set: the name has the content's hash in it Cache-Control: no-cache otherwise: ask again each
 * time, 304 on a matching If-None-Match and with each of them, as the page needs nothing else:
 *   Content-Security-Policy: WEB_CSP
 */
#ifndef API_ASSETS_H
#define API_ASSETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No inline script or style, nothing from elsewhere, in nobody's frame. */
#define WEB_CSP                                                                                    \
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' " \
    "data:; "                                                                                      \
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

struct web_asset {
    const char *path;               /* "/" for the page itself, else "/app-1A2B3C4D.js" */
    const char *content_type;       /* "text/html; charset=utf-8" */
    const char *etag;               /* with its quotes: "\"0123456789abcdef\"" */
    const unsigned char *gzip_data; /* gzip_len octets, RFC 1952 */
    size_t gzip_len;
    uint32_t plain_len; /* octets after decompression */
    bool immutable;     /* the content of this path never changes */
};

extern const struct web_asset web_assets[]; /* generated; in libweb.a */
extern const size_t web_assets_count;

/*
 * The asset at a path, or NULL. path: len octets after the host, without query; may be hostile.
 * "/index.html" is "/". Cost: one comparison a file, of which there are about five.
 */
const struct web_asset *web_asset_find(const char *path, size_t len);

#endif
