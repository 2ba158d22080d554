/* mbedTLS: trust, time and random numbers. */
#include "net/tls.h"

#include <time.h>

#include "mbedtls/platform_time.h"
#include "mbedtls/ssl.h"
#include "mbedtls/x509_crt.h"

#include "base/log.h"
#include "lib/wallclock.h"

static mbedtls_ssl_config config;
static mbedtls_x509_crt roots_chain;
static bool ready, tried;
static struct span the_roots;
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

struct tm *mbedtls_platform_gmtime_r(const mbedtls_time_t *t, struct tm *out)
{
    return gmtime_r(t, out);
}

void tls_start(struct span roots, struct rng *rng)
{
    the_roots = roots;
    the_rng = rng;
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
