/*
 * TLS trust of the image: one configuration for all connections out. The server's name and chain
 * are always checked, dates as soon as the time is known; before that one that had ended on the day
 * of the build is refused.
 */
#ifndef UNIKERNEL_TLS_H
#define UNIKERNEL_TLS_H

#include "base/attr.h"
#include "base/err.h"
#include "base/ip.h"
#include "base/rng.h"
#include "base/span.h"

struct mbedtls_ssl_config;

/* `roots`: certificates in DER, each after its length as 4 octets, big-endian. `own`: more of them
 * as PEM text with a NUL behind it, len 0 if there are none. All are kept for ever; the
 * certificates are read when the first connection wants them. */
void tls_start(struct span roots, struct span own, struct rng *rng);

/* NULL: there are no usable roots. */
const struct mbedtls_ssl_config *tls_config(void);

/* Whom the certificate must be for: a name, or an address as text, which is kept in *addr as long
 * as ssl is. ERR_MEMORY. */
struct mbedtls_ssl_context;
MUST_CHECK enum err tls_expect(struct mbedtls_ssl_context *ssl, const char *name,
                               struct ip_addr *addr);

/* Why a connection was refused, in words: "certificate is for another name", … */
const char *tls_reason(int mbedtls_error, unsigned verify_flags);

#endif
