/* mbedTLS: trust, time and random numbers. */
#include "net/tls.h"

#include <string.h>
#include <time.h>

#include "mbedtls/platform_time.h"
#include "mbedtls/ssl.h"
#include "mbedtls/x509_crt.h"

#include "base/log.h"
#include "lib/wallclock.h"

static mbedtls_ssl_config config;
static mbedtls_x509_crt roots_chain;
static bool ready, tried;
static struct span the_roots, own_roots;
static struct rng *the_rng;

static int random_octets(void *rng, unsigned char *out, size_t len)
{
    rng_bytes(rng, out, len);
    return 0;
}

static mbedtls_time_t wall_seconds(mbedtls_time_t *out)
{
    mbedtls_time_t now = wallclock_unix_us() / 1000000;
    if (out) {
        *out = now;
    }
    return now;
}

struct tm *mbedtls_platform_gmtime_r(const mbedtls_time_t *tt, struct tm *tm_buf)
{
    return gmtime_r(tt, tm_buf);
}

void tls_start(struct span roots, struct span own, struct rng *rng)
{
    the_roots = roots;
    own_roots = own;
    the_rng = rng;
}

/* Authorities of the house, from the card. Returns how many. */
static unsigned read_own(void)
{
    const mbedtls_x509_crt *c = &roots_chain;
    unsigned before = 0, after = 0;
    for (const mbedtls_x509_crt *i = c; i && i->raw.p; i = i->next) {
        before++;
    }
    int bad = own_roots.len > 0
                  ? mbedtls_x509_crt_parse(&roots_chain, own_roots.ptr, own_roots.len + 1)
                  : 0;
    for (const mbedtls_x509_crt *i = c; i && i->raw.p; i = i->next) {
        after++;
    }
    if (bad != 0) {
        log_error(MAIN, "roots.pem: %s, expected certificates in PEM",
                  bad > 0 ? "some certificates cannot be read" : "no certificate can be read");
    } else if (own_roots.len > 0) {
        log_info(MAIN, "tls: %u more from roots.pem", after - before);
    }
    return after - before;
}

static enum err read_roots(struct span roots, struct rng *rng)
{
    size_t pos = 0;
    unsigned taken = 0;
    mbedtls_platform_set_time(wall_seconds);
    mbedtls_x509_crt_init(&roots_chain);
    while (roots.len - pos >= 4) {
        size_t len = be32_read(roots.ptr + pos);
        pos += 4;
        if (len > roots.len - pos) {
            return ERR_FORMAT;
        }
        /* A root that this build cannot read (an old algorithm) costs only the servers under it. */
        taken += mbedtls_x509_crt_parse_der_nocopy(&roots_chain, roots.ptr + pos, len) == 0;
        pos += len;
    }
    taken += read_own();
    mbedtls_ssl_config_init(&config);
    if (taken == 0 ||
        mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                    MBEDTLS_SSL_PRESET_DEFAULT) != 0) {
        return taken == 0 ? ERR_FORMAT : ERR_MEMORY;
    }
    mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_ca_chain(&config, &roots_chain, NULL);
    mbedtls_ssl_conf_rng(&config, random_octets, rng);
    mbedtls_ssl_conf_min_version(&config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
    log_info(MAIN, "tls: %u root certificates", taken);
    ready = true;
    return ERR_OK;
}

const struct mbedtls_ssl_config *tls_config(void)
{
    /* A hundred and more certificates take a while to read: not before somebody needs them. */
    if (!tried) {
        tried = true;
        enum err e = read_roots(the_roots, the_rng);
        if (e != ERR_OK) {
            log_error(MAIN, "tls: the trusted certificates cannot be used: %s", err_text(e));
        }
    }
    return ready ? &config : NULL;
}

/*
 * mbedTLS compares names only. For a server that is known by its address the certificate must hold
 * that address (RFC 9110 4.3.5, RFC 7858 in the form tls://ADDR).
 */
static bool holds_address(const mbedtls_x509_crt *crt, const struct ip_addr *addr)
{
    enum { IP_ADDRESS = MBEDTLS_ASN1_CONTEXT_SPECIFIC | 7 };
    const uint8_t *wanted = ip_is_v4(addr) ? addr->b + 12 : addr->b;
    size_t len = ip_is_v4(addr) ? 4 : sizeof addr->b;
    for (const mbedtls_x509_sequence *s = &crt->subject_alt_names; s; s = s->next) {
        if (s->buf.tag == IP_ADDRESS && s->buf.len == len && memcmp(s->buf.p, wanted, len) == 0) {
            return true;
        }
    }
    return false;
}

/*
 * Until somebody told the time, the clock stands at the day of the build and is behind: a
 * certificate that begins later may well be good, and a house must not be without DNS because its
 * time server is. One that had ended by then is refused in any case.
 */
static int check_certificate(void *addr, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
    if (!wallclock_known()) {
        *flags &= ~(uint32_t)MBEDTLS_X509_BADCERT_FUTURE;
    }
    if (depth == 0 && !ip_is_unspecified(addr) && !holds_address(crt, addr)) {
        *flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
    }
    return 0;
}

enum err tls_expect(struct mbedtls_ssl_context *ssl, const char *name, struct ip_addr *addr)
{
    bool by_address = ip_parse(span_str(name), addr) == ERR_OK;
    if (!by_address) {
        *addr = (struct ip_addr){0};
    }
    mbedtls_ssl_set_verify(ssl, check_certificate, addr);
    return by_address || mbedtls_ssl_set_hostname(ssl, name) == 0 ? ERR_OK : ERR_MEMORY;
}

const char *tls_reason(int mbedtls_error, unsigned verify_flags)
{
    if (mbedtls_error != MBEDTLS_ERR_X509_CERT_VERIFY_FAILED) {
        return "the TLS handshake failed";
    }
    if (verify_flags & MBEDTLS_X509_BADCERT_CN_MISMATCH) {
        return "the certificate is for another name";
    }
    if (verify_flags & MBEDTLS_X509_BADCERT_EXPIRED) {
        return "the certificate has expired";
    }
    if (verify_flags & MBEDTLS_X509_BADCERT_FUTURE) {
        return "the certificate is not valid yet";
    }
    return "the certificate is not signed by a trusted authority";
}
