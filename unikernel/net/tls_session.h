/*
 * TLS sessions that can be taken up again (RFC 5077 tickets, RFC 5246 7.3 identifiers), so that a
 * connection to a server that is known costs neither curve arithmetic nor the check of a chain. One
 * is offered to the name and address alone that it was made with, and no longer than
 * TLS_SESSION_AGE_US after the certificates were last seen.
 */
#ifndef UNIKERNEL_TLS_SESSION_H
#define UNIKERNEL_TLS_SESSION_H

#include <stdint.h>

#include "base/ip.h"
#include "base/time.h"

struct mbedtls_ssl_context;

enum { TLS_SESSIONS_MAX = 16, TLS_TICKET_MAX = 4096 };
#define TLS_SESSION_AGE_US (3600 * USEC_PER_SEC)

/* Before the handshake; the name is the one that mbedtls_ssl_set_hostname was given, none if the
 * server is known by its address. */
void tls_session_offer(struct mbedtls_ssl_context *ssl, const struct ip_endpoint *to);

/* After it: a good one is kept in place of the last, a failed one ends what was offered. */
void tls_session_keep(const struct mbedtls_ssl_context *ssl, const struct ip_endpoint *to);
void tls_session_drop(const struct mbedtls_ssl_context *ssl, const struct ip_endpoint *to);

struct tls_gauges {
    uint64_t full, resumed, failed; /* handshakes */
    uint32_t sessions;              /* kept now */
};
void tls_session_get_gauges(struct tls_gauges *out);

#endif
