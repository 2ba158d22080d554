#include "base/device.h"

#include <string.h>

#include "base/siphash.h"

#define NAME_PART 64 /* octets that are hashed at once */

static const uint8_t discard[8] = {0x01};

struct ip_addr device_of_mac(const uint8_t mac[MAC_OCTETS])
{
    struct ip_addr a = {{0xfe, 0x80}};
    memcpy(a.b + 8, mac, 3);
    a.b[8] ^= 2; /* the bit for "universal" is inverted */
    a.b[11] = 0xff;
    a.b[12] = 0xfe;
    memcpy(a.b + 13, mac + 3, 3);
    return a;
}

bool device_mac(const struct ip_addr *addr, uint8_t mac[MAC_OCTETS])
{
    uint8_t found[MAC_OCTETS];
    memcpy(found, addr->b + 8, 3);
    found[0] ^= 2;
    memcpy(found + 3, addr->b + 13, 3);
    struct ip_addr made = device_of_mac(found);
    if (!ip_equal(&made, addr)) {
        return false;
    }
    memcpy(mac, found, sizeof found);
    return true;
}

struct ip_addr device_of_name(struct span name)
{
    struct siphash_key key = {6666, 0};
    struct ip_addr a;
    uint64_t hash = 0;
    for (size_t at = 0; at < name.len; at += NAME_PART) {
        uint8_t part[NAME_PART];
        size_t n = name.len - at < NAME_PART ? name.len - at : NAME_PART;
        for (size_t i = 0; i < n; i++) {
            uint8_t c = name.ptr[at + i];
            part[i] = (uint8_t)(c >= 'A' && c <= 'Z' ? c + 0x20 : c);
        }
        hash = siphash24(key, part, n);
        key.k1 = hash;
    }
    memcpy(a.b, discard, sizeof discard);
    be32_write(a.b + 8, (uint32_t)(hash >> 32));
    be32_write(a.b + 12, (uint32_t)hash);
    return a;
}

bool device_is_name(const struct ip_addr *addr)
{
    return memcmp(addr->b, discard, sizeof discard) == 0;
}

struct ip_addr device_of_text(struct span text)
{
    uint8_t mac[MAC_OCTETS];
    return mac_parse(text, mac) == ERR_OK ? device_of_mac(mac) : device_of_name(text);
}
