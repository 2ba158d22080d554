/*
 * Switching the second step of logging in on and off. A secret comes into force only together with
 * a code made of it, so that nobody locks himself out with a telephone that did not take it.
 */
#include "api/auth.h"
#include "api/items.h"
#include "api/routes.h"
#include "api/totp.h"

static bool has_totp(struct call *c)
{
    if (c->api->be->totp_get && c->api->be->totp_set) {
        return true;
    }
    reply_error(c, 501, "not_implemented", "This platform has no one-time passwords", NULL);
    return false;
}

void view_totp_get(struct call *c)
{
    reply_json(c, 200,
               json_pack("{s:{s:b, s:b}}", "totp", "supported", c->api->be->totp_get != NULL,
                         "enabled", auth_totp_enabled(c->api)));
}

/* A secret to begin with, and how programs on telephones want it told (as text or as a QR code). It
 * is in force only after the PUT. */
void view_totp_new(struct call *c)
{
    uint8_t secret[TOTP_SECRET_OCTETS];
    char text[TOTP_SECRET_TEXT], uri[256];
    struct api_system sys = {0};
    struct strbuf s;
    if (!has_totp(c)) {
        return;
    }
    rng_bytes(&c->api->rng, secret, sizeof secret);
    totp_secret_format(secret, text);
    c->api->be->system(c->api->be->ctx, &sys);
    strbuf_init(&s, uri, sizeof uri);
    strbuf_str(&s, "otpauth://totp/sinkhole:");
    for (const char *p = sys.node_name[0] ? sys.node_name : "dns"; *p; p++) {
        bool plain = (*p >= '0' && *p <= '9') || ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z') ||
                     *p == '-' || *p == '.';
        strbuf_char(&s, plain ? *p : '-');
    }
    strbuf_printf(&s, "?secret=%s&issuer=sinkhole&algorithm=SHA1&digits=%d&period=%d", text,
                  TOTP_DIGITS, TOTP_PERIOD_S);
    reply_json(c, 200,
               json_pack("{s:{s:s, s:s, s:s, s:s, s:i, s:i, s:s, s:s}}", "totp", "type", "totp",
                         "account", "dns", "issuer", "sinkhole", "algorithm", "SHA1", "digits",
                         TOTP_DIGITS, "period", TOTP_PERIOD_S, "secret", text, "uri", uri));
}

static void reply_failure(struct call *c, enum err e)
{
    reply_error(c, 500, "database_error", "The change could not be stored", err_text(e));
}

void view_totp_put(struct call *c)
{
    uint8_t secret[TOTP_SECRET_OCTETS];
    uint64_t last = 0;
    uint32_t code;
    const char *text = body_text(c, "secret");
    if (!has_totp(c)) {
        return;
    }
    if (!text || totp_secret_parse(span_str(text), secret) != ERR_OK) {
        reply_error(c, 400, "bad_request", "Expected a secret of 32 characters in base32",
                    "GET /api/auth/totp makes one");
    } else if (!auth_totp_code(c->body, &code)) {
        reply_error(c, 400, "bad_request", "No 2FA token found in JSON payload",
                    "totp: the six digits that the telephone shows");
    } else if (totp_check(secret, c->unix_us / 1000000, code, &last) != TOTP_GOOD) {
        reply_error(c, 400, "bad_request", "The 2FA token does not fit the secret",
                    "Is the time right on the telephone and on this machine?");
    } else {
        enum err e = c->api->be->totp_set(c->api->be->ctx, secret);
        if (e != ERR_OK) {
            reply_failure(c, e);
            return;
        }
        c->api->totp_last = last;
        auth_end_all_sessions(c->api, c->session);
        view_totp_get(c);
    }
}

void view_totp_delete(struct call *c)
{
    if (!has_totp(c)) {
        return;
    }
    enum err e = c->api->be->totp_set(c->api->be->ctx, NULL);
    if (e != ERR_OK) {
        reply_failure(c, e);
        return;
    }
    view_totp_get(c);
}
