/*
 * Who asks: sessions, log-ins, keys. A session is found by its SID wherever the client puts it; a
 * cookie alone counts only beside the CSRF token. Logging in never fails for want of a seat: the
 * session that was unused longest goes. Only failures are rate-limited.
 */
#include "api/auth.h"

#include <string.h>

#include "api/totp.h"
#include "base/require.h"

enum { FAILURES_A_MINUTE = 5 };

static bool equal_in_constant_time(const void *a, const void *b, size_t len)
{
    const volatile uint8_t *x = a, *y = b;
    uint8_t diff = 0;
    for (size_t i = 0; i < len; i++) {
        diff |= (uint8_t)(x[i] ^ y[i]);
    }
    return diff == 0;
}

/* 18 random octets in base64 with the alphabet for URLs (RFC 4648 5): 24 characters that no client
 * can garble. */
static void make_token(struct api *a, char out[SID_TEXT])
{
    static const char alphabet[64] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t octets[18];
    rng_bytes(&a->rng, octets, sizeof octets);
    for (int i = 0; i < 6; i++) {
        uint32_t v =
            (uint32_t)octets[3 * i] << 16 | (uint32_t)octets[3 * i + 1] << 8 | octets[3 * i + 2];
        for (int k = 0; k < 4; k++) {
            out[4 * i + k] = alphabet[v >> (18 - 6 * k) & 63];
        }
    }
    out[SID_TEXT - 1] = '\0';
}

/* --- sessions -------------------------------------------------------------------------------- */

static bool has_expired(const struct api *a, const struct session *s, usec_t now)
{
    return now > s->last &&
           now - s->last > a->validity; /* two clock readings may meet in the wrong order */
}

static struct session *find_session(struct api *a, usec_t now, const char *sid, size_t len)
{
    struct session *found = NULL;
    if (len != SID_TEXT - 1) {
        return NULL;
    }
    for (int i = 0; i < SESSIONS_MAX; i++) {
        struct session *s = &a->sessions[i];
        if (s->used && !s->bearer && !has_expired(a, s, now) &&
            equal_in_constant_time(s->sid, sid, len)) {
            found = s;
        }
    }
    return found;
}

static struct session *take_slot(struct api *a, usec_t now)
{
    struct session *slot = &a->sessions[0];
    for (int i = 0; i < SESSIONS_MAX; i++) {
        struct session *s = &a->sessions[i];
        if (!s->used || has_expired(a, s, now)) {
            return s;
        }
        if (s->last < slot->last) {
            slot = s;
        }
    }
    return slot;
}

static enum access access_of(enum api_credential credential)
{
    switch (credential) {
    case CREDENTIAL_UNSET:
    case CREDENTIAL_PASSWORD:
    case CREDENTIAL_LOCAL:
        return ACCESS_FULL;
    case CREDENTIAL_APP:
        return ACCESS_APP;
    case CREDENTIAL_READ_ONLY:
        return ACCESS_READ;
    case CREDENTIAL_WRONG:
        break;
    }
    return ACCESS_NONE;
}

struct session *auth_open_session(struct call *c, enum api_credential credential)
{
    struct api *a = c->api;
    struct session *s = take_slot(a, c->now);
    struct strbuf agent;
    *s = (struct session){
        .used = true,
        .id = a->next_session++,
        .access = access_of(credential),
        .encrypted = c->req->encrypted,
        .peer = c->req->peer,
        .last = c->now,
        .login_unix = c->unix_us / 1000000,
        .last_unix = c->unix_us / 1000000,
    };
    make_token(a, s->sid);
    make_token(a, s->csrf);
    strbuf_init(&agent, s->user_agent, sizeof s->user_agent);
    strbuf_escaped(&agent, c->req->user_agent);
    return s;
}

void auth_close_session(struct session *s)
{
    memset(s, 0, sizeof *s);
}

void auth_end_all_sessions(struct api *a, const struct session *but)
{
    for (int i = 0; i < SESSIONS_MAX; i++) {
        if (&a->sessions[i] != but) {
            auth_close_session(&a->sessions[i]);
        }
    }
}

void auth_tick(struct api *a, usec_t now)
{
    for (int i = 0; i < SESSIONS_MAX; i++) {
        if (a->sessions[i].used && has_expired(a, &a->sessions[i], now)) {
            auth_close_session(&a->sessions[i]);
        }
    }
}

/* --- failures -------------------------------------------------------------------------------- */

/* One IPv6 host has a whole /64 to choose from. */
static struct ip_addr source_of(const struct ip_addr *peer)
{
    struct ip_addr source = *peer;
    if (!ip_is_v4(peer)) {
        memset(source.b + 8, 0, 8);
    }
    return source;
}

static struct failure *find_failure(struct api *a, usec_t now, const struct ip_addr *peer)
{
    struct ip_addr source = source_of(peer);
    for (int i = 0; i < FAILURES_MAX; i++) {
        struct failure *f = &a->failures[i];
        if (f->used && ip_equal(&f->source, &source)) {
            if (now - f->since >= 60 * USEC_PER_SEC) {
                f->used = false;
                return NULL;
            }
            return f;
        }
    }
    return NULL;
}

static void add_failure(struct api *a, usec_t now, const struct ip_addr *peer)
{
    struct failure *f = find_failure(a, now, peer);
    if (!f) {
        f = &a->failures[0];
        for (int i = 0; i < FAILURES_MAX && f->used; i++) {
            if (!a->failures[i].used || a->failures[i].since < f->since) {
                f = &a->failures[i];
            }
        }
        *f = (struct failure){.used = true, .source = source_of(peer), .since = now};
    }
    f->count++;
}

enum api_credential auth_check_password(struct call *c, struct span password)
{
    struct api *a = c->api;
    struct failure *f = find_failure(a, c->now, &c->req->peer);
    if (f && f->count >= FAILURES_A_MINUTE) {
        char seconds[16];
        struct strbuf text;
        strbuf_init(&text, seconds, sizeof seconds);
        strbuf_u64(&text, 60 - (c->now - f->since) / USEC_PER_SEC);
        reply_header(c, "Retry-After", seconds);
        reply_error(c, 429, "rate_limiting", "Rate-limiting login attempts",
                    "Wait a minute and try again");
        return CREDENTIAL_WRONG;
    }
    enum api_credential credential = a->be->password_check(a->be->ctx, password);
    bool half = credential == CREDENTIAL_PASSWORD && auth_totp_enabled(a); /* the code is to come */
    if (credential == CREDENTIAL_WRONG) {
        add_failure(a, c->now, &c->req->peer);
    } else if (f && !half) {
        f->used = false;
    }
    return credential;
}

/* --- the second step -------------------------------------------------------------------------- */

bool auth_totp_enabled(const struct api *a)
{
    uint8_t secret[TOTP_SECRET_OCTETS];
    return a->be->totp_get && a->be->totp_get(a->be->ctx, secret);
}

bool auth_totp_code(const json_t *body, uint32_t *code)
{
    const json_t *value = json_object_get(body, "totp");
    const char *text = json_string_value(value);
    json_int_t n = json_integer_value(value);
    if (text) {
        for (n = 0; *text >= '0' && *text <= '9' && n < 1000000; text++) {
            n = 10 * n + (*text - '0');
        }
    }
    *code = (uint32_t)n;
    return (json_is_integer(value) || (text && *text == '\0')) && n >= 0 && n < 1000000;
}

bool auth_check_totp(struct call *c)
{
    struct api *a = c->api;
    uint8_t secret[TOTP_SECRET_OCTETS];
    uint32_t code;
    if (!a->be->totp_get || !a->be->totp_get(a->be->ctx, secret)) {
        return true;
    }
    if (!auth_totp_code(c->body, &code)) {
        reply_error(c, 400, "bad_request", "No 2FA token found in JSON payload", NULL);
        return false;
    }
    enum totp_verdict verdict = totp_check(secret, c->unix_us / 1000000, code, &a->totp_last);
    if (verdict != TOTP_GOOD) {
        add_failure(a, c->now, &c->req->peer);
        reply_error(c, 401, "unauthorized",
                    verdict == TOTP_USED ? "Reused 2FA token" : "Invalid 2FA token", NULL);
        return false;
    }
    struct failure *f = find_failure(a, c->now, &c->req->peer);
    if (f) {
        f->used = false;
    }
    return true;
}

/* --- where clients put their SID ------------------------------------------------------------- */

static struct span cookie_sid(struct span cookie)
{
    for (size_t at = 0; at < cookie.len;) {
        while (at < cookie.len && (cookie.ptr[at] == ' ' || cookie.ptr[at] == ';')) {
            at++;
        }
        const uint8_t *start = cookie.ptr + at;
        const uint8_t *end = at < cookie.len ? memchr(start, ';', cookie.len - at) : NULL;
        size_t len = end ? (size_t)(end - start) : cookie.len - at;
        if (len > 4 && memcmp(start, "sid=", 4) == 0) {
            return span_of(start + 4, len - 4);
        }
        at += len;
    }
    return span_of(NULL, 0);
}

static bool use_sid(struct call *c, struct span sid, enum proof proof)
{
    c->session = sid.len > 0 ? find_session(c->api, c->now, (const char *)sid.ptr, sid.len) : NULL;
    c->proof = c->session ? proof : PROOF_NONE;
    return c->session != NULL;
}

static bool use_any_sid(struct call *c)
{
    char query[64];
    const char *body = json_string_value(json_object_get(c->body, "sid"));
    return (body && use_sid(c, span_str(body), PROOF_SID)) || use_sid(c, c->req->sid, PROOF_SID) ||
           use_sid(c, c->req->ftl_sid, PROOF_SID) ||
           (param_text(c, "sid", query, sizeof query) && use_sid(c, span_str(query), PROOF_SID)) ||
           use_sid(c, cookie_sid(c->req->cookie), PROOF_COOKIE);
}

/* --- keys ------------------------------------------------------------------------------------ */

static bool has_prefix_nocase(struct span s, const char *prefix)
{
    size_t len = strlen(prefix);
    for (size_t i = 0; i < len; i++) {
        if (i >= s.len || (s.ptr[i] | 0x20) != (prefix[i] | 0x20)) {
            return false;
        }
    }
    return true;
}

/*
 * A key in each request would cost a slow hash each time, so one that was good is remembered by a
 * keyed hash of 128 bits, in a session of its own that ends like others.
 */
static bool use_bearer(struct call *c)
{
    struct api *a = c->api;
    struct span key = c->req->authorization;
    if (!has_prefix_nocase(key, "bearer ")) {
        return true;
    }
    key = span_of(key.ptr + 7, key.len - 7);
    while (key.len > 0 && key.ptr[0] == ' ') {
        key = span_of(key.ptr + 1, key.len - 1);
    }
    uint64_t mac[2];
    for (int i = 0; i < 2; i++) {
        mac[i] = siphash24(a->mac_key[i], key.ptr, key.len);
    }
    for (int i = 0; i < SESSIONS_MAX; i++) {
        struct session *s = &a->sessions[i];
        if (s->used && s->bearer && !has_expired(a, s, c->now) &&
            equal_in_constant_time(s->key_mac, mac, sizeof mac)) {
            c->session = s;
            c->proof = PROOF_BEARER;
            return true;
        }
    }
    enum api_credential credential = auth_check_password(c, key);
    if (c->res->status != 0) {
        return false;
    }
    /* A password that wants a second step beside it is not a key. */
    bool half = credential == CREDENTIAL_PASSWORD && auth_totp_enabled(a);
    if (credential != CREDENTIAL_WRONG && !half) {
        c->session = auth_open_session(c, credential);
        c->session->bearer = true;
        memcpy(c->session->key_mac, mac, sizeof mac);
        c->proof = PROOF_BEARER;
    }
    return true;
}

bool auth_password_exists(const struct api *a)
{
    return !a->be->password_exists || a->be->password_exists(a->be->ctx);
}

bool auth_identify(struct call *c)
{
    if (!auth_password_exists(c->api)) {
        c->access = ACCESS_FULL;
        c->proof = PROOF_OPEN;
        return true;
    }
    if (!use_any_sid(c) && !use_bearer(c)) {
        return false;
    }
    if (c->session) {
        c->session->last = c->now;
        c->session->last_unix = c->unix_us / 1000000;
        c->access = c->session->access;
    }
    return true;
}

bool auth_has_csrf(const struct call *c)
{
    return c->session && c->req->csrf.len == SID_TEXT - 1 &&
           equal_in_constant_time(c->session->csrf, c->req->csrf.ptr, SID_TEXT - 1);
}

void auth_send_cookie(struct call *c)
{
    char value[160];
    struct strbuf text;
    strbuf_init(&text, value, sizeof value);
    strbuf_printf(&text, "sid=%s; SameSite=Strict; Path=/; Max-Age=%u; HttpOnly%s", c->session->sid,
                  (unsigned)(c->api->validity / USEC_PER_SEC), c->req->encrypted ? "; Secure" : "");
    reply_header(c, "Set-Cookie", value);
    c->session->cookie_sent = c->now;
}
