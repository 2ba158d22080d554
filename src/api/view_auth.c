/* Logging in and out, and the table of sessions. */
#include <string.h>

#include "api/auth.h"
#include "api/routes.h"

static void reply_session(struct call *c, int status, const char *message)
{
    const struct session *s = c->session;
    bool open = !auth_password_exists(c->api), valid = open || s != NULL;
    json_t *session = json_pack("{s:b, s:b, s:s?}", "valid", (int)valid, "totp",
                                auth_totp_enabled(c->api), "sid", s && !s->bearer ? s->sid : NULL);
    if (s && !s->bearer) {
        json_object_set_new(session, "csrf", json_string(s->csrf));
    }
    json_object_set_new(session, "validity",
                        json_integer(s ? (json_int_t)(c->api->validity / USEC_PER_SEC) : -1));
    json_object_set_new(session, "message", json_string(message));
    reply_json(c, status, json_pack("{s:o}", "session", session));
}

void view_auth_get(struct call *c)
{
    if (!auth_password_exists(c->api)) {
        reply_session(c, 200, "no password set");
    } else if (c->session) {
        if (c->proof == PROOF_COOKIE) {
            auth_send_cookie(c);
        }
        reply_session(c, 200, "session valid");
    } else {
        reply_session(c, 401, "no session");
    }
}

void view_auth_post(struct call *c)
{
    static const char *const messages[] = {
        [CREDENTIAL_WRONG] = "password incorrect",       [CREDENTIAL_UNSET] = "no password set",
        [CREDENTIAL_PASSWORD] = "password correct",      [CREDENTIAL_APP] = "app-password correct",
        [CREDENTIAL_READ_ONLY] = "app-password correct", [CREDENTIAL_LOCAL] = "password correct",
    };
    const json_t *password = json_object_get(c->body, "password");
    if (!auth_password_exists(c->api)) {
        reply_session(c, 200, "no password set");
        return;
    }
    if (c->body_bad) {
        reply_error(c, 400, "bad_request", "Invalid request body data (no valid JSON)", NULL);
        return;
    }
    if (!json_is_string(password)) {
        reply_error(c, 400, "bad_request", "No password found in JSON payload", NULL);
        return;
    }
    enum api_credential credential =
        auth_check_password(c, span_of(json_string_value(password), json_string_length(password)));
    if (c->res->status != 0) {
        return; /* 429 */
    }
    c->session = NULL;
    if (credential == CREDENTIAL_WRONG) {
        reply_session(c, 401, messages[credential]);
        return;
    }
    if (credential == CREDENTIAL_PASSWORD && !auth_check_totp(c)) {
        return;
    }
    c->session = auth_open_session(c, credential);
    c->proof = PROOF_SID;
    auth_send_cookie(c);
    reply_session(c, 200, messages[credential]);
}

void view_auth_delete(struct call *c)
{
    if (!c->session || (c->proof == PROOF_COOKIE && !auth_has_csrf(c))) {
        reply_error(c, 401, "unauthorized", "Unauthorized", NULL);
        return;
    }
    auth_close_session(c->session);
    c->session = NULL;
    reply_empty(c, 204);
    reply_header(c, "Set-Cookie", "sid=deleted; SameSite=Strict; Path=/; Max-Age=0; HttpOnly");
}

static json_t *session_object(const struct call *c, const struct session *s)
{
    char addr[IP_TEXT_MAX];
    ip_format(&s->peer, addr);
    return json_pack(
        "{s:I, s:b, s:b, s:{s:b, s:b}, s:b, s:I, s:I, s:I, s:s, s:n, s:s?, s:b}", "id",
        (json_int_t)s->id, "current_session", (int)(s == c->session), "valid", 1, "tls", "login",
        (int)s->encrypted, "mixed", 0, "app", (int)(s->access != ACCESS_FULL), "login_at",
        (json_int_t)s->login_unix, "last_active", (json_int_t)s->last_unix, "valid_until",
        (json_int_t)s->last_unix + (json_int_t)(c->api->validity / USEC_PER_SEC), "remote_addr",
        addr, "x_forwarded_for", "user_agent", s->user_agent[0] ? s->user_agent : NULL, "cli", 0);
}

void view_sessions(struct call *c)
{
    json_t *sessions = json_array();
    for (int i = 0; i < SESSIONS_MAX; i++) {
        const struct session *s = &c->api->sessions[i];
        if (s->used && c->now - s->last <= c->api->validity) {
            json_array_append_new(sessions, session_object(c, s));
        }
    }
    reply_json(c, 200, json_pack("{s:o}", "sessions", sessions));
}

void view_session_delete(struct call *c)
{
    for (int i = 0; i < SESSIONS_MAX; i++) {
        struct session *s = &c->api->sessions[i];
        char id[16];
        struct strbuf text;
        strbuf_init(&text, id, sizeof id);
        strbuf_u64(&text, s->id);
        if (s->used && strcmp(id, c->param[0]) == 0) {
            auth_close_session(s);
            reply_empty(c, 204);
            return;
        }
    }
    not_found(c, "There is no such session");
}
