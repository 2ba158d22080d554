/* A table of sessions; full, the one that was not used for longest goes. */
#include "net/tls_session.h"

#include <string.h>

#include "mbedtls/ssl.h"

#include "arch/aarch64/cpu.h"
#include "lib/wallclock.h"

enum { SERVER_MAX = 256 };

static struct entry {
    bool used, dates_checked;
    char name[SERVER_MAX];
    struct ip_endpoint to;
    usec_t made; /* with certificates */
    usec_t last;
    mbedtls_ssl_session session;
} entries[TLS_SESSIONS_MAX];

static struct tls_gauges gauges;

static const char *name_of(const struct mbedtls_ssl_context *ssl)
{
    return ssl->hostname ? ssl->hostname : "";
}

static struct entry *find(const struct mbedtls_ssl_context *ssl, const struct ip_endpoint *to)
{
    for (struct entry *e = entries; e < entries + TLS_SESSIONS_MAX; e++) {
        if (e->used && e->to.port == to->port && ip_equal(&e->to.addr, &to->addr) &&
            strcmp(e->name, name_of(ssl)) == 0) {
            return e;
        }
    }
    return NULL;
}

static void forget(struct entry *e)
{
    mbedtls_ssl_session_free(&e->session);
    memset(e, 0, sizeof *e);
}

static struct entry *place(void)
{
    struct entry *oldest = entries;
    for (struct entry *e = entries; e < entries + TLS_SESSIONS_MAX; e++) {
        if (!e->used) {
            return e;
        }
        oldest = e->last < oldest->last ? e : oldest;
    }
    forget(oldest);
    return oldest;
}

/* One from before the time was known was not checked for its dates: it ends when the time is. */
static bool still_good(const struct entry *e)
{
    return clock_now() - e->made < TLS_SESSION_AGE_US && (e->dates_checked || !wallclock_known());
}

void tls_session_offer(struct mbedtls_ssl_context *ssl, const struct ip_endpoint *to)
{
    struct entry *e = find(ssl, to);
    if (e && !still_good(e)) {
        forget(e);
        e = NULL;
    }
    if (e && mbedtls_ssl_set_session(ssl, &e->session) != 0) {
        forget(e);
    }
}

void tls_session_keep(const struct mbedtls_ssl_context *ssl, const struct ip_endpoint *to)
{
    struct entry *e = find(ssl, to), fresh = {.used = true, .to = *to, .last = clock_now()};
    const char *name = name_of(ssl);
    /* The master secret stays that of the handshake with certificates. */
    bool resumed =
        e && memcmp(e->session.master, ssl->session->master, sizeof e->session.master) == 0;
    gauges.resumed += resumed;
    gauges.full += !resumed;
    fresh.made = resumed ? e->made : fresh.last;
    fresh.dates_checked = resumed ? e->dates_checked : wallclock_known();
    mbedtls_ssl_session_init(&fresh.session);
    if (strlen(name) >= SERVER_MAX || ssl->session->ticket_len > TLS_TICKET_MAX ||
        mbedtls_ssl_get_session(ssl, &fresh.session) != 0) {
        mbedtls_ssl_session_free(&fresh.session);
        return;
    }
    memcpy(fresh.name, name, strlen(name) + 1);
    if (e) {
        forget(e);
    }
    *(e ? e : place()) = fresh;
}

void tls_session_drop(const struct mbedtls_ssl_context *ssl, const struct ip_endpoint *to)
{
    struct entry *e = find(ssl, to);
    gauges.failed++;
    if (e) {
        forget(e);
    }
}

void tls_session_get_gauges(struct tls_gauges *out)
{
    *out = gauges;
    for (const struct entry *e = entries; e < entries + TLS_SESSIONS_MAX; e++) {
        out->sessions += e->used;
    }
}
