/*
 * Responses. JSON goes into the API's own buffer by jansson; as it is written, what could end a
 * script or an element (< > &) becomes an escape; other than ASCII does not occur in it at all. So
 * no name, however hostile, leaves JSON.
 */
#include <string.h>

#include "api/feed.h"

double call_took(const struct call *c)
{
    const struct api_backend *be = c->api->be;
    return be->clock ? (double)(be->clock(be->ctx) - c->clock_start) / 1e6 : 0;
}

/* --- headers --------------------------------------------------------------------------------- */

void reply_header(struct call *c, const char *name, const char *value)
{
    struct api_response *res = c->res;
    if (res->header_count == API_HEADERS_MAX) {
        return;
    }
    for (const char *p = value; *p; p++) {
        if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f) {
            return;
        }
    }
    struct api_header *h = &res->headers[res->header_count++];
    struct strbuf text;
    h->name = name;
    strbuf_init(&text, h->value, sizeof h->value);
    strbuf_str(&text, value);
}

const char *reply_find_header(const struct call *c, const char *name)
{
    for (uint32_t i = 0; i < c->res->header_count; i++) {
        if (strcmp(c->res->headers[i].name, name) == 0) {
            return c->res->headers[i].value;
        }
    }
    return NULL;
}

static void common_headers(struct call *c, const char *content_type)
{
    reply_header(c, "Content-Type", content_type);
    reply_header(c, "Cache-Control", "no-store");
    reply_header(c, "X-Content-Type-Options", "nosniff");
    reply_header(c, "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
    reply_header(c, "Referrer-Policy", "no-referrer");
}

/* --- bodies ---------------------------------------------------------------------------------- */

static const char json_content[] = "application/json; charset=utf-8";

static void out_of_room(struct call *c)
{
    static const char text[] =
        "{\"error\":{\"key\":\"internal_error\",\"message\":\"The answer does not fit\","
        "\"hint\":null},\"took\":0.0}";
    c->res->status = 500;
    c->res->body = text;
    c->res->body_len = sizeof text - 1;
    c->res->body_static = true;
}

/* What is larger than the room for answers goes out in pieces. */
static void reply_large(struct call *c, int status, const json_t *body)
{
    json_t *parts =
        status == 200 ? json_write_parts(body, c->api->response, c->api->response_cap) : NULL;
    if (parts) {
        feed_text(c, json_content, parts);
    } else {
        common_headers(c, json_content);
        out_of_room(c);
    }
}

void reply_json(struct call *c, int status, json_t *body)
{
    size_t len = 0;
    if (!body || json_object_set_new(body, "took", json_rounded(call_took(c))) != 0) {
        common_headers(c, json_content);
        out_of_room(c);
    } else if (json_write(body, c->api->response, c->api->response_cap, &len) != ERR_OK) {
        reply_large(c, status, body);
    } else {
        common_headers(c, json_content);
        c->res->status = status;
        c->res->body = c->api->response;
        c->res->body_len = len;
    }
    json_decref(body);
}

void reply_error(struct call *c, int status, const char *key, const char *message, const char *hint)
{
    reply_json(
        c, status,
        json_pack("{s:{s:s, s:s, s:s?}}", "error", "key", key, "message", message, "hint", hint));
}

void reply_empty(struct call *c, int status)
{
    common_headers(c, json_content);
    c->res->headers[0].value[0] = '\0'; /* no body, no type */
    c->res->headers[0] = c->res->headers[--c->res->header_count];
    c->res->status = status;
}

void reply_text(struct call *c, int status, const char *content_type, struct strbuf *text)
{
    if (text->truncated) {
        common_headers(c, json_content);
        out_of_room(c);
        return;
    }
    common_headers(c, content_type);
    c->res->status = status;
    c->res->body = text->text;
    c->res->body_len = text->len;
}

void reply_static(struct call *c, int status, const char *content_type, const void *body,
                  size_t len)
{
    common_headers(c, content_type);
    c->res->status = status;
    c->res->body = body;
    c->res->body_len = len;
    c->res->body_static = true;
}
