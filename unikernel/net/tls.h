/*
 * TLS trust of the image: one configuration for all connections out. The server's name and chain
 * are always checked, dates as soon as the time is known (before that, against the day of the
 * build, so that a long-expired certificate is refused even then).
 */
#ifndef UNIKERNEL_TLS_H
#define UNIKERNEL_TLS_H

#include "base/attr.h"
#include "base/err.h"
#include "base/rng.h"
#include "base/span.h"

struct mbedtls_ssl_config;

/* `roots`: certificates in DER, each after its length as 4 octets, big-endian. Both are kept for
 * ever; the certificates are read when the first connection wants them. */
void tls_start(struct span roots, struct rng *rng);

/* NULL: there are no usable roots. */
const struct mbedtls_ssl_config *tls_config(void);

/* Why a connection was refused, in words: "certificate is for another name", … */
const char *tls_reason(int mbedtls_error, unsigned verify_flags);

#endif
