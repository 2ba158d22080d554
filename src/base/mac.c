#include "base/mac.h"

static int digit_of(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum err mac_parse(struct span text, uint8_t out[MAC_OCTETS])
{
    uint8_t mac[MAC_OCTETS];
    if (text.len != MAC_TEXT - 1) {
        return ERR_FORMAT;
    }
    for (unsigned i = 0; i < MAC_OCTETS; i++) {
        const uint8_t *p = text.ptr + (size_t)i * 3;
        int high = digit_of(p[0]), low = digit_of(p[1]);
        bool separated =
            i + 1 == MAC_OCTETS || ((p[2] == ':' || p[2] == '-') && p[2] == text.ptr[2]);
        if (high < 0 || low < 0 || !separated) {
            return ERR_FORMAT;
        }
        mac[i] = (uint8_t)(high << 4 | low);
    }
    memcpy(out, mac, sizeof mac);
    return ERR_OK;
}

void mac_format(const uint8_t mac[MAC_OCTETS], char out[MAC_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    for (unsigned i = 0; i < MAC_OCTETS; i++) {
        out[i * 3] = digits[mac[i] >> 4];
        out[i * 3 + 1] = digits[mac[i] & 15];
        out[i * 3 + 2] = i + 1 < MAC_OCTETS ? ':' : '\0';
    }
}
