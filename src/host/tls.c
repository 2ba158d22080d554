/*
 * TLS towards upstreams with OpenSSL.
 */
#include "host/tls.h"

/* Both sides have an ERR_STATE; theirs is a type that we do not use. */
#define ERR_STATE openssl_err_state
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#undef ERR_STATE
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"

struct tls_trust {
    SSL_CTX *ctx;
};

struct tls_resume {
    SSL_SESSION *session;
};

struct tls {
    SSL *ssl;
    struct tls_resume *resume;
    char problem[160];
};

/* A server sent a ticket: keep the latest. Called within tls_read, so on the connection's own
 * thread. */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls_resume *r = SSL_get_app_data(ssl);
    if (!r) {
        return 0;
    }
    SSL_SESSION_free(r->session);
    r->session = session;
    return 1; /* the reference is ours now */
}

enum err tls_trust_new(struct tls_trust **out)
{
    static const unsigned char alpn[] = {3, 'd', 'o', 't'};
    struct tls_trust *t = calloc(1, sizeof *t);
    if (!t) {
        return ERR_MEMORY;
    }
    t->ctx = SSL_CTX_new(TLS_client_method());
    if (!t->ctx) {
        free(t);
        return ERR_MEMORY;
    }
    if (SSL_CTX_set_default_verify_paths(t->ctx) != 1 ||
        SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_alpn_protos(t->ctx, alpn, sizeof alpn) != 0) {
        tls_trust_free(t);
        return ERR_IO;
    }
    SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(t->ctx, keep_session);
    SSL_CTX_set_options(t->ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(t->ctx, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    *out = t;
    return ERR_OK;
}

void tls_trust_free(struct tls_trust *t)
{
    if (t) {
        SSL_CTX_free(t->ctx);
        free(t);
    }
}

enum err tls_resume_new(struct tls_resume **out)
{
    struct tls_resume *r = calloc(1, sizeof *r);
    if (!r) {
        return ERR_MEMORY;
    }
    *out = r;
    return ERR_OK;
}

void tls_resume_free(struct tls_resume *r)
{
    if (r) {
        SSL_SESSION_free(r->session);
        free(r);
    }
}

/* Whom we expect: a name (also told to the server) or an address. */
static int expect_peer(SSL *ssl, const char *name, const struct ip_addr *addr)
{
    if (name[0] != '\0') {
        SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
    }
    const unsigned char *octets = ip_is_v4(addr) ? addr->b + 12 : addr->b;
    return X509_VERIFY_PARAM_set1_ip(SSL_get0_param(ssl), octets, ip_is_v4(addr) ? 4 : 16) == 1;
}

enum err tls_new(struct tls **out, struct tls_trust *trust, int fd, const char *name,
                 const struct ip_addr *addr, struct tls_resume *resume)
{
    struct tls *t = calloc(1, sizeof *t);
    if (!t) {
        return ERR_MEMORY;
    }
    t->resume = resume;
    t->ssl = SSL_new(trust->ctx);
    if (!t->ssl || SSL_set_fd(t->ssl, fd) != 1 || !expect_peer(t->ssl, name, addr)) {
        tls_free(t);
        return ERR_MEMORY;
    }
    SSL_set_app_data(t->ssl, resume);
    if (resume && resume->session) {
        /* A TLS 1.3 ticket is used once, RFC 8446 C.4. */
        SSL_set_session(t->ssl, resume->session);
        SSL_SESSION_free(resume->session);
        resume->session = NULL;
    }
    SSL_set_connect_state(t->ssl);
    *out = t;
    return ERR_OK;
}

void tls_free(struct tls *t)
{
    if (t) {
        if (t->ssl && SSL_is_init_finished(t->ssl)) {
            SSL_shutdown(
                t->ssl); /* a last notice, sent if there is room; nobody waits for the answer */
        }
        SSL_free(t->ssl);
        ERR_clear_error();
        free(t);
    }
}

static void describe(struct tls *t)
{
    struct strbuf text;
    strbuf_init(&text, t->problem, sizeof t->problem);
    long verdict = SSL_get_verify_result(t->ssl);
    unsigned long e = ERR_peek_last_error();
    if (verdict != X509_V_OK) {
        strbuf_str(&text, X509_verify_cert_error_string(verdict));
    } else if (e != 0 && ERR_reason_error_string(e)) {
        strbuf_str(&text, ERR_reason_error_string(e));
    } else {
        strbuf_str(&text, "connection lost");
    }
    ERR_clear_error();
}

static enum tls_status status_of(struct tls *t, int result)
{
    switch (SSL_get_error(t->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return TLS_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return TLS_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_ENDED;
    default:
        describe(t);
        return TLS_BROKEN;
    }
}

enum tls_status tls_handshake(struct tls *t)
{
    ERR_clear_error();
    int result = SSL_do_handshake(t->ssl);
    return result == 1 ? TLS_DONE : status_of(t, result);
}

enum tls_status tls_read(struct tls *t, void *buf, size_t cap, size_t *done)
{
    ERR_clear_error();
    int result = SSL_read_ex(t->ssl, buf, cap, done);
    return result == 1 ? TLS_DONE : status_of(t, result);
}

enum tls_status tls_write(struct tls *t, const void *data, size_t len)
{
    size_t done;
    ERR_clear_error();
    int result = SSL_write_ex(t->ssl, data, len, &done);
    return result == 1 ? TLS_DONE : status_of(t, result);
}

size_t tls_pending(const struct tls *t)
{
    return (size_t)SSL_pending(t->ssl);
}

int tls_resumed(const struct tls *t)
{
    return SSL_session_reused(t->ssl);
}

const char *tls_problem(struct tls *t)
{
    return t->problem[0] ? t->problem : "connection lost";
}
