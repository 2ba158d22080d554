/* One-time passwords; see totp.h. */
#include "api/totp.h"

#include "base/sha1.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/* RFC 4226 5.3 */
uint32_t totp_code(const uint8_t secret[TOTP_SECRET_OCTETS], uint64_t step)
{
    uint8_t counter[8], mac[SHA1_OCTETS];
    be32_write(counter, (uint32_t)(step >> 32));
    be32_write(counter + 4, (uint32_t)step);
    sha1_hmac(span_of(secret, TOTP_SECRET_OCTETS), span_of(counter, sizeof counter), mac);
    return (be32_read(mac + (mac[SHA1_OCTETS - 1] & 15)) & 0x7fffffff) % 1000000;
}

enum totp_verdict totp_check(const uint8_t secret[TOTP_SECRET_OCTETS], int64_t unix_s,
                             uint32_t code, uint64_t *last)
{
    uint64_t now = unix_s > 0 ? (uint64_t)unix_s / TOTP_PERIOD_S : 0, found = 0;
    for (uint64_t step = now > 0 ? now - 1 : 0; step <= now + 1; step++) {
        if (totp_code(secret, step) == code) {
            found = step;
        }
    }
    if (found == 0) {
        return TOTP_BAD;
    }
    if (found <= *last) {
        return TOTP_USED;
    }
    *last = found;
    return TOTP_GOOD;
}

/* 160 bits are 32 characters of five bits. */
void totp_secret_format(const uint8_t secret[TOTP_SECRET_OCTETS], char out[TOTP_SECRET_TEXT])
{
    for (unsigned i = 0; i < TOTP_SECRET_TEXT - 1; i++) {
        unsigned bit = 5 * i, at = bit / 8;
        unsigned two = (unsigned)secret[at] << 8;
        two |= at + 1 < TOTP_SECRET_OCTETS ? secret[at + 1] : 0;
        out[i] = alphabet[two >> (11 - bit % 8) & 31];
    }
    out[TOTP_SECRET_TEXT - 1] = '\0';
}

static int digit_of(uint8_t c)
{
    c = c >= 'a' && c <= 'z' ? (uint8_t)(c - 0x20) : c;
    for (int i = 0; i < 32; i++) {
        if ((uint8_t)alphabet[i] == c) {
            return i;
        }
    }
    return -1;
}

enum err totp_secret_parse(struct span text, uint8_t out[TOTP_SECRET_OCTETS])
{
    uint8_t secret[TOTP_SECRET_OCTETS] = {0};
    unsigned n = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c == ' ' || c == '-' || c == '=') {
            continue;
        }
        int digit = digit_of(c);
        if (digit < 0 || n == TOTP_SECRET_TEXT - 1) {
            return ERR_FORMAT;
        }
        for (unsigned b = 0; b < 5; b++) {
            unsigned bit = 5 * n + b;
            secret[bit / 8] |= (uint8_t)(((unsigned)digit >> (4 - b) & 1) << (7 - bit % 8));
        }
        n++;
    }
    if (n != TOTP_SECRET_TEXT - 1) {
        return ERR_FORMAT;
    }
    memcpy(out, secret, sizeof secret);
    return ERR_OK;
}
