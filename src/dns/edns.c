/*
 * The OPT record. Reading is one pass over the options, of which there may be so many and no more;
 * options that mean nothing to us are stepped over. Writing decides first what fits and then writes
 * it.
 */
#include "dns/edns.h"

#include <string.h>

#include "base/device.h"
#include "base/require.h"
#include "base/siphash.h"
#include "dns/proto.h"

#define OPT_FIXED     11 /* octets: root owner, type, size, flags, rdlength */
#define OPTION_HEADER 4  /* octets: code, length */
#define EDE_TEXT_MAX  200

/* The first cookie counts, RFC 7873 4; its length is 8, or 8 and 8 to 32 more, RFC 7873 5.2.1. */
static enum err cookie_read(const uint8_t *data, size_t len, struct dns_edns *out)
{
    if (len != DNS_COOKIE_CLIENT && (len < 16 || len > sizeof out->cookie)) {
        return ERR_FORMAT;
    }
    memcpy(out->cookie, data, len);
    out->cookie_len = (uint8_t)len;
    return ERR_OK;
}

/* ---- For whom a router asks. What is not in a known form tells nothing. ---- */

/* Family, source and scope prefix length, and as many octets as that needs. */
static void subnet_read(const uint8_t *data, size_t len, struct dns_edns_client *out)
{
    if (len == 8 && be16_read(data) == 1 && data[2] == 32) {
        out->addr = ip_v4(data + 4);
        out->has_addr = true;
    } else if (len == 20 && be16_read(data) == 2 && data[2] == 128) {
        out->addr = ip_v6(data + 4);
        out->has_addr = true;
    }
}

static int base64_digit(uint8_t c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

/* Eight digits for six octets. */
static bool base64_mac(const uint8_t *data, uint8_t mac[MAC_OCTETS])
{
    uint64_t bits = 0;
    for (unsigned i = 0; i < 8; i++) {
        int digit = base64_digit(data[i]);
        if (digit < 0) {
            return false;
        }
        bits = bits << 6 | (unsigned)digit;
    }
    for (unsigned i = 0; i < MAC_OCTETS; i++) {
        mac[i] = (uint8_t)(bits >> (40 - 8 * i));
    }
    return true;
}

/* A hardware address stands before a text, whichever comes first. */
static void device_read(unsigned code, const uint8_t *data, size_t len, struct dns_edns_client *out)
{
    uint8_t mac[MAC_OCTETS];
    bool found = mac_parse(span_of(data, len), mac) == ERR_OK ||
                 (code == DNS_OPT_DEVICE_ID && len == 8 && base64_mac(data, mac));
    if (code == DNS_OPT_MAC && len == MAC_OCTETS) {
        memcpy(mac, data, sizeof mac);
        found = true;
    }
    if (found) {
        out->device = device_of_mac(mac);
        out->has_device = true;
    } else if (code != DNS_OPT_MAC && len > 0 && !out->has_device) {
        out->device = device_of_name(span_of(data, len));
        out->has_device = true;
    }
}

static enum err option_read(unsigned code, const uint8_t *data, size_t len, struct dns_edns *out)
{
    switch (code) {
    case DNS_OPT_COOKIE:
        return out->cookie_len == 0 ? cookie_read(data, len, out) : ERR_OK;
    case DNS_OPT_ECS:
        out->has_ecs = true;
        subnet_read(data, len, &out->client);
        break;
    case DNS_OPT_KEEPALIVE:
        out->has_keepalive = true;
        break;
    case DNS_OPT_NSID:
        out->has_nsid = true;
        break;
    case DNS_OPT_EDE:
        if (len >= 2 && out->ede == DNS_EDE_NONE) {
            uint16_t code_of = be16_read(data);
            out->ede = code_of <= INT16_MAX ? (int16_t)code_of : DNS_EDE_OTHER;
        }
        break;
    case DNS_OPT_MAC:
    case DNS_OPT_DEVICE_ID:
    case DNS_OPT_CPE_ID:
        device_read(code, data, len, &out->client);
        break;
    default:
        break;
    }
    return ERR_OK;
}

enum err dns_edns_read(uint16_t klass, uint32_t ttl, const uint8_t *rdata, size_t rdlen,
                       struct dns_edns *out)
{
    struct dns_edns e;
    dns_edns_none(&e);
    e.present = true;
    e.udp_size = klass < DNS_UDP_MIN ? DNS_UDP_MIN : klass;
    e.ext_rcode = (uint8_t)(ttl >> 24);
    e.version = (uint8_t)(ttl >> 16);
    e.dnssec_ok = (ttl & DNS_EDNS_DO) != 0;
    /* What the options of another version look like nobody knows, RFC 6891 6.1.3. */
    size_t end = e.version == 0 ? rdlen : 0;
    size_t pos = 0;
    for (unsigned n = 0; pos < end; n++) {
        if (end - pos < OPTION_HEADER || n == DNS_EDNS_OPTIONS_MAX) {
            return ERR_FORMAT;
        }
        unsigned code = be16_read(rdata + pos);
        size_t len = be16_read(rdata + pos + 2);
        pos += OPTION_HEADER;
        if (end - pos < len || option_read(code, rdata + pos, len, &e) != ERR_OK) {
            return ERR_FORMAT;
        }
        pos += len;
    }
    *out = e;
    return ERR_OK;
}

/* Octets of text up to max, not cut inside a UTF-8 sequence. */
static size_t text_len(const char *text, size_t max)
{
    const char *nul = memchr(text, '\0', max);
    if (nul != NULL) {
        return (size_t)(nul - text);
    }
    size_t n = max;
    while (n > 0 && ((uint8_t)text[n] & 0xc0) == 0x80) {
        n--;
    }
    return n;
}

static size_t option_size(bool there, size_t len)
{
    return there ? OPTION_HEADER + len : 0;
}

static void option_begin(struct writer *w, unsigned code, size_t len)
{
    writer_be16(w, (uint16_t)code);
    writer_be16(w, (uint16_t)len);
}

void dns_edns_write(struct writer *w, const struct dns_edns_reply *reply)
{
    size_t room = w->bad ? 0 : w->cap - w->len;
    bool cookie = reply->cookie != NULL && reply->cookie_len > 0;
    bool keepalive = reply->keepalive >= 0;
    bool ede = reply->ede != DNS_EDE_NONE;
    size_t text = ede && reply->ede_text != NULL ? text_len(reply->ede_text, EDE_TEXT_MAX) : 0;

    size_t least = OPT_FIXED + option_size(cookie, reply->cookie_len) + option_size(keepalive, 2);
    if (least + option_size(ede, 2 + text) > room) {
        text = 0;
    }
    if (least + option_size(ede, 2) > room) {
        ede = false;
    }
    if (least > room) {
        cookie = keepalive = false;
    }
    size_t rdlen = option_size(cookie, reply->cookie_len) + option_size(keepalive, 2) +
                   option_size(ede, 2 + text);

    writer_u8(w, 0);
    writer_be16(w, DNS_OPT);
    writer_be16(w, reply->udp_size);
    writer_u8(w, reply->ext_rcode);
    writer_u8(w, 0); /* version */
    writer_be16(w, reply->dnssec_ok ? DNS_EDNS_DO : 0);
    writer_be16(w, (uint16_t)rdlen);
    if (cookie) {
        option_begin(w, DNS_OPT_COOKIE, reply->cookie_len);
        writer_bytes(w, reply->cookie, reply->cookie_len);
    }
    if (keepalive) {
        option_begin(w, DNS_OPT_KEEPALIVE, 2);
        writer_be16(w, reply->keepalive <= UINT16_MAX ? (uint16_t)reply->keepalive : UINT16_MAX);
    }
    if (ede) {
        option_begin(w, DNS_OPT_EDE, 2 + text);
        writer_be16(w, (uint16_t)reply->ede);
        writer_bytes(w, reply->ede_text, text);
    }
}

/*
 * RFC 9018 4: client cookie 8 | version 1 | reserved 3 | time 4 | hash 8; the hash covers all
 * before it and the address.
 */
#define COOKIE_HASHED 16
#define COOKIE_ADDR   16 /* the longest address */

static uint64_t cookie_hash(const struct dns_cookie_key *key, const uint8_t head[COOKIE_HASHED],
                            const void *addr, size_t addr_len)
{
    uint8_t input[COOKIE_HASHED + COOKIE_ADDR];
    REQUIRE(addr_len <= COOKIE_ADDR);
    memcpy(input, head, COOKIE_HASHED);
    memcpy(input + COOKIE_HASHED, addr, addr_len);
    struct siphash_key k = {le64_read(key->key), le64_read(key->key + 8)};
    return siphash24(k, input, COOKIE_HASHED + addr_len);
}

void dns_cookie_make(const struct dns_cookie_key *key, const uint8_t client[DNS_COOKIE_CLIENT],
                     const void *addr, size_t addr_len, uint32_t now_unix, uint8_t out[24])
{
    memmove(out, client, DNS_COOKIE_CLIENT);
    be32_write(out + 8, UINT32_C(1) << 24); /* version 1, reserved zero */
    be32_write(out + 12, now_unix);
    le64_write(out + 16, cookie_hash(key, out, addr, addr_len));
}

bool dns_cookie_valid(const struct dns_cookie_key *key, const uint8_t cookie[24], const void *addr,
                      size_t addr_len, uint32_t now_unix)
{
    const uint32_t max_age_s = 3600, max_ahead_s = 300;
    /* One word compared at once: no octet-wise time to measure. */
    bool same = le64_read(cookie + 16) == cookie_hash(key, cookie, addr, addr_len);
    uint32_t age_s = now_unix - be32_read(cookie + 12); /* serial arithmetic, RFC 1982 */
    bool fresh = age_s <= max_age_s || (uint32_t)-age_s <= max_ahead_s;
    return same && cookie[8] == 1 && fresh;
}
