/*
 * Reverse names of private networks (RFC 6303, RFC 7793): zones that exist only here.
 */
#include <string.h>

#include "resolver/special.h"

/* Octets of IPv4 reverse zones from the right: the first is in 'a', the second from lo to hi (or
 * any). */
struct reverse4 {
    uint8_t a;
    bool whole; /* all of a.0.0.0/8 */
    uint8_t lo, hi;
};

static const struct reverse4 reverse4_rows[] = {
    {0, true, 0, 0},        {10, true, 0, 0},     {127, true, 0, 0},      {100, false, 64, 127},
    {169, false, 254, 254}, {172, false, 16, 31}, {192, false, 168, 168},
};

/* Whole /24 zones. */
static const uint8_t reverse4_small[][3] = {{192, 0, 2}, {198, 51, 100}, {203, 0, 113}};

/* The label as a number 0..255, -1 if it is none. */
static int label_number(const struct dns_name *n, unsigned label)
{
    const uint8_t *p = n->wire + n->off[label];
    int v = 0;
    if (p[0] == 0 || p[0] > 3 || (p[0] > 1 && p[1] == '0')) {
        return -1;
    }
    for (unsigned i = 1; i <= p[0]; i++) {
        if (p[i] < '0' || p[i] > '9') {
            return -1;
        }
        v = v * 10 + (p[i] - '0');
    }
    return v <= 255 ? v : -1;
}

/* How many labels the private zone's name has that n is in; 0: none. */
static unsigned private4(const struct dns_name *n)
{
    unsigned left = n->labels - 2U; /* octets given */
    int v[4] = {-1, -1, -1, -1};
    for (unsigned i = 0; i < left && i < 4; i++) {
        v[i] = label_number(n, left - 1 - i);
    }
    for (size_t i = 0; i < ARRAY_LEN(reverse4_rows); i++) {
        const struct reverse4 *z = &reverse4_rows[i];
        if (v[0] == z->a && z->whole) {
            return 3;
        }
        if (v[0] == z->a && v[1] >= z->lo && v[1] <= z->hi) {
            return 4;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(reverse4_small); i++) {
        const uint8_t *z = reverse4_small[i];
        if (v[0] == z[0] && v[1] == z[1] && v[2] == z[2]) {
            return 5;
        }
    }
    return v[0] == 255 && v[1] == 255 && v[2] == 255 && v[3] == 255 ? 6 : 0;
}

static int nibble(const struct dns_name *n, unsigned from_top)
{
    if (n->labels < from_top + 3U) {
        return -1;
    }
    const uint8_t *p = n->wire + n->off[n->labels - 3U - from_top];
    if (p[0] != 1) {
        return -1;
    }
    return p[1] >= '0' && p[1] <= '9'   ? p[1] - '0'
           : p[1] >= 'a' && p[1] <= 'f' ? p[1] - 'a' + 10
                                        : -1;
}

static unsigned private6(const struct dns_name *n)
{
    static const uint8_t documentation[] = {2, 0, 0, 1, 0, 13, 11, 8};
    int first = nibble(n, 0), second = nibble(n, 1), third = nibble(n, 2);
    if (first == 15 && (second == 12 || second == 13)) {
        return 4; /* fc00::/7 */
    }
    if (first == 15 && second == 14 && third >= 8 && third <= 11) {
        return 5; /* fe80::/10 */
    }
    unsigned same = 0;
    while (same < sizeof documentation && nibble(n, same) == documentation[same]) {
        same++;
    }
    if (same == sizeof documentation) {
        return 2 + sizeof documentation;
    }
    /* :: and ::1 */
    unsigned zeros = 0;
    while (zeros < 31 && nibble(n, zeros) == 0) {
        zeros++;
    }
    int last = nibble(n, 31);
    return zeros == 31 && (last == 0 || last == 1) ? 34 : 0;
}

/* Is it the reverse name of a loopback address? */
bool reverse_is_loopback(const struct dns_name *n)
{
    return special_ends_with(n, "1.0.0.127.in-addr.arpa") ||
           (n->labels == 34 && nibble(n, 31) == 1 && private6(n) == 34);
}

unsigned reverse_zone(const struct dns_name *n)
{
    if (n->labels >= 3 && special_ends_with(n, "in-addr.arpa")) {
        return private4(n);
    }
    if (n->labels >= 3 && special_ends_with(n, "ip6.arpa")) {
        return private6(n);
    }
    return 0;
}
