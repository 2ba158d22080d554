/*
 * Headers by their offsets (IEEE 802.3, RFC 791, RFC 8200, RFC 768):
 *
 *      0  to, 6  from, 12  type
 *     14  IPv4: version, 16  length, 18  ID, 20  flags and offset, 22  TTL, 23  protocol,
 *         24  checksum, 26  from, 30  to, 34  UDP
 *     14  IPv6: version, 18  length, 20  next header, 21  hop limit, 22  from, 38  to, 54  UDP
 *    UDP  0  from, 2  to, 4  length, 6  checksum
 */
#include "host/xdp_frame.h"

#include <string.h>

#include "base/ip.h"
#include "base/span.h"

enum { ETHER = 14, UDP = 8, PROTOCOL_UDP = 17, HOPS = 64, IS_V4 = 0x0800, IS_V6 = 0x86dd };

static bool is_v4(const uint8_t *frame)
{
    return be16_read(frame + 12) == IS_V4;
}

static bool read_v4(const uint8_t *frame, size_t len, struct peer *peer, size_t *udp)
{
    const uint8_t *ip = frame + ETHER;
    if (len < XDP_HEADERS_V4 || ip[0] != 0x45 || ip[9] != PROTOCOL_UDP ||
        (be16_read(ip + 6) & 0x3fff) != 0 || be16_read(ip + 2) > len - ETHER) {
        return false;
    }
    peer->addr = ip_v4(ip + 12);
    peer->local = ip_v4(ip + 16);
    *udp = ETHER + 20;
    return true;
}

static bool read_v6(const uint8_t *frame, size_t len, struct peer *peer, size_t *udp)
{
    const uint8_t *ip = frame + ETHER;
    if (len < XDP_HEADERS_V6 || ip[0] >> 4 != 6 || ip[6] != PROTOCOL_UDP ||
        be16_read(ip + 4) > len - ETHER - 40) {
        return false;
    }
    peer->addr = ip_v6(ip + 8);
    peer->local = ip_v6(ip + 24);
    *udp = ETHER + 40;
    return true;
}

/* An answer goes to one machine only. */
static bool is_one_sender(const struct ip_addr *a)
{
    bool group = ip_is_v4(a) ? a->b[12] >= 224 || a->b[12] == 0 : a->b[0] == 0xff;
    return !group && !ip_is_unspecified(a) && !ip_is_loopback(a);
}

bool xdp_frame_read(uint8_t *frame, size_t len, struct peer *peer, uint16_t *port, uint8_t **data,
                    size_t *data_len)
{
    size_t at = 0;
    memset(peer, 0, sizeof *peer);
    if (len < ETHER || (frame[0] & 1) != 0 || (frame[6] & 1) != 0) {
        return false; /* to or from a group */
    }
    bool known = is_v4(frame) ? read_v4(frame, len, peer, &at)
                              : be16_read(frame + 12) == IS_V6 && read_v6(frame, len, peer, &at);
    if (!known || !is_one_sender(&peer->addr)) {
        return false;
    }
    size_t udp_len = be16_read(frame + at + 4);
    peer->port = be16_read(frame + at);
    *port = be16_read(frame + at + 2);
    *data = frame + at + UDP;
    *data_len = udp_len - UDP;
    return udp_len >= UDP && udp_len <= len - at && peer->port != 0;
}

/* The Internet checksum's sum, before it is folded (RFC 1071); `sum` is of an even number of octets
 * before. */
static uint64_t add_octets(uint64_t sum, const uint8_t *p, size_t n)
{
    for (; n >= 4; n -= 4, p += 4) {
        sum += be32_read(p);
    }
    if (n >= 2) {
        sum += be16_read(p);
        p += 2;
        n -= 2;
    }
    return n > 0 ? sum + ((uint64_t)p[0] << 8) : sum;
}

static uint16_t fold(uint64_t sum)
{
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)~sum;
}

static void swap(uint8_t *a, uint8_t *b, size_t n)
{
    uint8_t kept[16];
    memcpy(kept, a, n);
    memcpy(a, b, n);
    memcpy(b, kept, n);
}

static void turn_udp(uint8_t *udp, size_t len, const uint8_t *addresses, size_t address_octets)
{
    swap(udp, udp + 2, 2);
    be16_write(udp + 4, (uint16_t)len);
    be16_write(udp + 6, 0);
    uint64_t sum = add_octets(PROTOCOL_UDP + len, addresses, 2 * address_octets);
    uint16_t check = fold(add_octets(sum, udp, len));
    be16_write(udp + 6, check != 0 ? check : 0xffff);
}

size_t xdp_frame_answer(uint8_t *frame, size_t len)
{
    uint8_t *ip = frame + ETHER;
    swap(frame, frame + 6, 6);
    len += UDP;
    if (!is_v4(frame)) {
        swap(ip + 8, ip + 24, 16);
        be32_write(ip, 0x60000000); /* no flow label: the client's is not ours */
        be16_write(ip + 4, (uint16_t)len);
        ip[7] = HOPS;
        turn_udp(ip + 40, len, ip + 8, 16);
        return ETHER + 40 + len;
    }
    swap(ip + 12, ip + 16, 4);
    ip[1] = 0;
    be16_write(ip + 2, (uint16_t)(20 + len));
    be16_write(ip + 4, 0);
    be16_write(ip + 6, 0x4000); /* don't fragment */
    ip[8] = HOPS;
    be16_write(ip + 10, 0);
    be16_write(ip + 10, fold(add_octets(0, ip, 20)));
    turn_udp(ip + 20, len, ip + 12, 4);
    return ETHER + 20 + len;
}
