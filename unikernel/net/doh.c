/* DNS over HTTP/1.1: requests as text, answers through http_parser. */
#include "net/doh.h"

#include <string.h>

#include "base/strbuf.h"
#include "dns/proto.h"

static const char scheme[] = "https://", dns_message[] = "application/dns-message";

void doh_url(const char *url, struct span *host, struct span *path)
{
    const char *name = strncmp(url, scheme, sizeof scheme - 1) == 0 ? url + sizeof scheme - 1 : url;
    size_t len = strcspn(name, "/");
    *path = span_str(name + len);
    bool v6 = len > 2 && name[0] == '[' && name[len - 1] == ']';
    *host = v6 ? span_of(name + 1, len - 2) : span_of(name, len);
}

enum err doh_request(const char *url, struct span message, uint8_t *out, size_t cap, size_t *len)
{
    struct span host, path;
    struct strbuf b;
    doh_url(url, &host, &path);
    bool v6 = memchr(host.ptr, ':', host.len) != NULL;
    strbuf_init(&b, (char *)out, cap);
    strbuf_str(&b, "POST ");
    strbuf_bytes(&b, path.ptr, path.len);
    strbuf_str(&b, v6 ? " HTTP/1.1\r\nHost: [" : " HTTP/1.1\r\nHost: ");
    strbuf_bytes(&b, host.ptr, host.len);
    strbuf_printf(&b, "%s\r\nAccept: %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
                  v6 ? "]" : "", dns_message, dns_message, message.len);
    if (b.truncated || message.len > cap - b.len) {
        return ERR_SPACE;
    }
    memcpy(out + b.len, message.ptr, message.len);
    *len = b.len + message.len;
    return ERR_OK;
}

/* ---- the answer ---- */

/* A header is whole: is it the one that says what the body is? One that was cut is longer than what
 * it is compared with. */
static void judge_header(struct doh_reader *r)
{
    if (r->in_value && strcmp(r->field, "content-type") == 0) {
        size_t n = strcspn(r->value, "; \t");
        r->is_dns = n == sizeof dns_message - 1 && memcmp(r->value, dns_message, n) == 0;
    }
}

static void append(char *to, uint32_t *have, const char *at, size_t len)
{
    for (size_t i = 0; i < len && *have < DOH_FIELD_MAX - 1; i++) {
        to[(*have)++] = (char)(at[i] >= 'A' && at[i] <= 'Z' ? at[i] + 32 : at[i]);
    }
    to[*have] = '\0';
}

static int on_begin(http_parser *p)
{
    struct doh_reader *r = p->data;
    r->is_dns = r->in_value = false;
    r->field_len = r->value_len = 0;
    r->field[0] = r->value[0] = '\0';
    r->body_len = 0;
    return 0;
}

static int on_field(http_parser *p, const char *at, size_t len)
{
    struct doh_reader *r = p->data;
    if (r->in_value) {
        judge_header(r);
        r->in_value = false;
        r->field_len = r->value_len = 0;
    }
    append(r->field, &r->field_len, at, len);
    return 0;
}

static int on_value(http_parser *p, const char *at, size_t len)
{
    struct doh_reader *r = p->data;
    r->in_value = true;
    append(r->value, &r->value_len, at, len);
    return 0;
}

static int on_headers(http_parser *p)
{
    judge_header(p->data);
    return 0;
}

static int on_body(http_parser *p, const char *at, size_t len)
{
    struct doh_reader *r = p->data;
    if (len > r->body_cap - r->body_len) {
        return -1;
    }
    memcpy(r->body + r->body_len, at, len);
    r->body_len += len;
    return 0;
}

static int on_complete(http_parser *p)
{
    struct doh_reader *r = p->data;
    if (p->status_code / 100 == 1) {
        /* An interim answer: the real one follows (RFC 9110 15.2). */
        return ++r->interim > DOH_INTERIM_MAX ? -1 : 0;
    }
    r->complete = true;
    r->keep = http_should_keep_alive(p) != 0;
    http_parser_pause(p, 1); /* one was asked for */
    return 0;
}

void doh_expect(struct doh_reader *r, uint8_t *body, size_t cap)
{
    *r = (struct doh_reader){.body = body, .body_cap = cap};
    http_parser_init(&r->parser, HTTP_RESPONSE);
    r->parser.data = r;
}

enum doh_state doh_read(struct doh_reader *r, const uint8_t *data, size_t len)
{
    static const http_parser_settings settings = {.on_message_begin = on_begin,
                                                  .on_header_field = on_field,
                                                  .on_header_value = on_value,
                                                  .on_headers_complete = on_headers,
                                                  .on_body = on_body,
                                                  .on_message_complete = on_complete};
    size_t used = http_parser_execute(&r->parser, &settings, (const char *)data, len);
    if (!r->complete) {
        bool sound = HTTP_PARSER_ERRNO(&r->parser) == HPE_OK && !r->parser.upgrade && used == len;
        return sound && len > 0 ? DOH_MORE : DOH_BAD;
    }
    if (used != len) {
        return DOH_BAD; /* an answer that nobody asked for */
    }
    return r->parser.status_code == 200 && r->is_dns && r->body_len >= DNS_HEADER_OCTETS
               ? DOH_MESSAGE
               : DOH_REFUSED;
}
