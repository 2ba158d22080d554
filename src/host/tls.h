/*
 * TLS towards upstreams (DNS over TLS, RFC 7858): the program's door to OpenSSL. At least TLS 1.2;
 * the certificate must chain to the system's trust store and be for the name (or, without a name,
 * the address) of the configuration. There is no way to switch that off. Sessions are resumed.
 */
#ifndef SINKHOLE_HOST_TLS_H
#define SINKHOLE_HOST_TLS_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/ip.h"

struct tls_trust;  /* the trust store and settings, shared by all threads */
struct tls;        /* one connection; belongs to one thread */
struct tls_resume; /* what a thread remembers of one server for its next connection */

enum tls_status {
    TLS_DONE,
    TLS_WANT_READ,
    TLS_WANT_WRITE,
    TLS_ENDED, /* the peer closed in an orderly way */
    TLS_BROKEN /* tls_problem says why */
};

/* Loads the system's certificates. ERR_IO, ERR_MEMORY. */
MUST_CHECK enum err tls_trust_new(struct tls_trust **out);
void tls_trust_free(struct tls_trust *t);

MUST_CHECK enum err tls_resume_new(struct tls_resume **out);
void tls_resume_free(struct tls_resume *r);

/*
 * A connection over a connected, non-blocking socket, which stays the caller's. `name` "" means
 * that the certificate must be for `addr`. `resume` is kept until tls_free.
 */
MUST_CHECK enum err tls_new(struct tls **out, struct tls_trust *trust, int fd, const char *name,
                            const struct ip_addr *addr, struct tls_resume *resume);
void tls_free(struct tls *t);

/* None of them waits. *done is written only with TLS_DONE. */
enum tls_status tls_handshake(struct tls *t);
enum tls_status tls_read(struct tls *t, void *buf, size_t cap, size_t *done);
/* All or nothing: after a WANT call again with the same octets. */
enum tls_status tls_write(struct tls *t, const void *data, size_t len);

/* Octets already decrypted that the next tls_read returns without the socket becoming readable. */
size_t tls_pending(const struct tls *t);

/* Was the session resumed? After the handshake. */
int tls_resumed(const struct tls *t);

/* One printable line on what went wrong last. */
const char *tls_problem(struct tls *t);

#endif
