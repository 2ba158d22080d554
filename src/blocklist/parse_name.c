/*
 * Names as lists write them: one pass that checks, lowers and turns text into wire format, eight
 * octets a step.
 *
 * The text "ads.example" and the wire form 3 'a' 'd' 's' 7 'e' … 'e' 0 have every letter at the
 * same place but for one: the octet of a dot becomes the length of the label after it. So the text
 * is copied to wire + 1 and the lengths are put where dots were found.
 */
#include "base/attr.h"
#include "blocklist/parse_int.h"
#include "dns/name_scan.h"

#define ONES     UINT64_C(0x0101010101010101)
#define HIGHS    (ONES * 0x80)
#define TEXT_MAX 253 /* characters of a name without trailing dot */

/* Top bits of those octets of v (all below 128) that lie in lo..hi; below them there is rubbish. */
static ALWAYS_INLINE uint64_t octets_in(uint64_t v, unsigned lo, unsigned hi)
{
    return (v + ONES * (0x80 - lo)) & ~(v + ONES * (0x7f - hi));
}

/* Top bits of those octets of v (all below 128) that are not c. */
static ALWAYS_INLINE uint64_t octets_not(uint64_t v, unsigned c)
{
    return (v ^ ONES * c) + ONES * 0x7f;
}

/* Top bits of those octets of lowered text that cannot be in a name: all but a-z 0-9 '-' '.' '_'.
 */
static ALWAYS_INLINE uint64_t octets_foreign(uint64_t v)
{
    uint64_t low = v & ~HIGHS;
    uint64_t fine = octets_in(low, 'a', 'z') | (octets_in(low, '-', '9') & octets_not(low, '/')) |
                    ~octets_not(low, '_');
    return (~fine | v) & HIGHS;
}

/* One bit for each octet of lowered text that is a dot, the first octet's lowest. */
static ALWAYS_INLINE uint64_t dots_of(uint64_t v)
{
    uint64_t marks = ~octets_not(v & ~HIGHS, '.') & ~v & HIGHS;
    return (marks >> 7) * UINT64_C(0x0102040810204080) >> 56;
}

/* Which octet the lowest of these top bits belongs to; 8 if there is none. */
static ALWAYS_INLINE unsigned first_octet(uint64_t marks)
{
    return marks ? (unsigned)__builtin_ctzll(marks) / 8 : 8;
}

/* A name being copied. `prev` is where the length of the label at hand will stand. */
struct scan {
    struct dns_name *out;
    unsigned labels, prev;
    bool empty, wide;
};

static ALWAYS_INLINE void close_label(struct scan *s, unsigned at)
{
    unsigned octets = at - s->prev;
    s->empty |= octets == 0;
    s->wide |= octets > DNS_LABEL_MAX;
    s->out->wire[s->prev] = (uint8_t)octets;
    s->out->off[s->labels] = (uint8_t)s->prev;
    s->labels += octets != 0; /* empty ones are not counted, so that off[] has room */
    s->prev = at + 1;
}

static bool is_digits(const uint8_t *p, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9') {
            return false;
        }
    }
    return true;
}

static bool label_is(const struct dns_name *n, unsigned label, const char *what)
{
    const uint8_t *p = n->wire + n->off[label];
    return p[0] == strlen(what) && memcmp(p + 1, what, p[0]) == 0;
}

/* Names that machines give themselves and hosts files carry along. */
static bool is_local_name(const struct dns_name *n)
{
    static const char *const local[] = {"local",         "localhost",      "localhost4",
                                        "localhost6",    "broadcasthost",  "ip6-loopback",
                                        "ip6-localhost", "ip6-localnet",   "ip6-mcastprefix",
                                        "ip6-allnodes",  "ip6-allrouters", "ip6-allhosts"};
    if (n->labels == 2) {
        return label_is(n, 0, "localhost") && label_is(n, 1, "localdomain");
    }
    for (size_t i = 0; i < ARRAY_LEN(local); i++) {
        if (label_is(n, 0, local[i])) {
            return true;
        }
    }
    return false;
}

/* What a whole name must be beyond its octets. */
static ALWAYS_INLINE enum bl_reason judge(const struct dns_name *n, unsigned flags)
{
    const uint8_t *tld = n->wire + n->off[n->labels - 1] + 1;
    unsigned octets = tld[-1];
    if (UNLIKELY(n->labels == 1 || (n->labels == 2 && tld[0] == 'l')) && is_local_name(n)) {
        return BL_REASON_LOCAL_NAME;
    }
    if (UNLIKELY(tld[0] == '-' || tld[octets - 1] == '-')) {
        return BL_REASON_HYPHEN_TLD;
    }
    if (UNLIKELY(tld[0] <= '9') && is_digits(tld, octets)) {
        return BL_REASON_NUMERIC_TLD;
    }
    if (UNLIKELY(n->labels == 1) && !(flags & NAME_SINGLE_OK)) {
        return BL_REASON_SINGLE_LABEL;
    }
    return REASON_NONE;
}

/* Why text that is no name is none: tells apart what people mistake for names. */
static enum bl_reason diagnose(struct text t)
{
    const uint8_t *colon = text_find(t, ':');
    const uint8_t *slash = text_find(t, '/');
    if (colon && t.end - colon > 2 && colon[1] == '/' && colon[2] == '/') {
        return BL_REASON_URL;
    }
    if (slash) {
        return bl_address((struct text){t.p, slash}) != ADDRESS_NOT ? BL_REASON_ADDRESS
                                                                    : BL_REASON_URL;
    }
    if (bl_address(t) != ADDRESS_NOT) {
        return BL_REASON_ADDRESS;
    }
    if (colon && colon + 1 < t.end && is_digits(colon + 1, (unsigned)(t.end - colon - 1))) {
        return BL_REASON_PORT;
    }
    if (text_find(t, '*')) {
        return BL_REASON_GLOB;
    }
    for (const uint8_t *p = t.p; p < t.end; p++) {
        if (*p >= 0x80) {
            return BL_REASON_NOT_ASCII;
        }
    }
    return BL_REASON_BAD_CHARACTER;
}

/*
 * Copy and check the octets of a name at `p`, at most `most` of them; up to seven more may be read.
 * Returns how many belong to it, TEXT_MAX + 2 if it goes on beyond what a name can have. What is
 * wrong with the labels is left in *s.
 */
static ALWAYS_INLINE unsigned scan_octets(const uint8_t *p, size_t most, struct scan *s)
{
    unsigned stop = 0, n = 8;
    while (n == 8 && stop < most) {
        uint64_t v = dns_lower8(le64_read(p + stop));
        n = first_octet(octets_foreign(v));
        if (UNLIKELY(n > most - stop)) {
            n = (unsigned)(most - stop);
        }
        if (UNLIKELY(stop + n > TEXT_MAX + 1)) {
            return TEXT_MAX + 2;
        }
        le64_write(s->out->wire + stop + 1, v);
        for (uint64_t dots = dots_of(v) & ((1u << n) - 1); dots; dots &= dots - 1) {
            close_label(s, stop + (unsigned)__builtin_ctzll(dots));
        }
        stop += n;
    }
    return stop;
}

/* The name is read: close its last label and write the root. */
static ALWAYS_INLINE enum bl_reason scan_end(struct scan *s, unsigned stop, unsigned flags)
{
    struct dns_name *out = s->out;
    if (s->prev == stop && stop > 0) { /* a trailing dot */
        stop--;
    } else {
        close_label(s, stop);
    }
    if (UNLIKELY(s->empty || s->wide || stop > TEXT_MAX)) {
        return s->empty  ? BL_REASON_EMPTY_LABEL
               : s->wide ? BL_REASON_LONG_LABEL
                         : BL_REASON_LONG_NAME;
    }
    out->labels = (uint8_t)s->labels;
    out->off[s->labels] = (uint8_t)(stop + 1);
    out->wire[stop + 1] = 0;
    out->len = (uint8_t)(stop + 2);
    return judge(out, flags);
}

enum bl_reason bl_name_read(struct text t, unsigned flags, struct dns_name *out)
{
    struct scan s = {.out = out};
    unsigned stop = scan_octets(t.p, text_len(t), &s);
    if (stop > TEXT_MAX + 1) {
        return BL_REASON_LONG_NAME;
    }
    if (stop < text_len(t)) {
        return diagnose(t);
    }
    enum bl_reason why = scan_end(&s, stop, flags);
    return why == BL_REASON_NUMERIC_TLD && bl_address(t) != ADDRESS_NOT ? BL_REASON_ADDRESS : why;
}

/* A name of more than 63 octets, or a wrong one. */
static NOINLINE const uint8_t *scan_long(const uint8_t *p, unsigned flags, struct bl_rule *rule)
{
    struct scan s = {.out = &rule->name};
    rule->text = NULL;
    unsigned stop = scan_octets(p, SIZE_MAX, &s);
    return stop > TEXT_MAX + 1 || scan_end(&s, stop, flags) != REASON_NONE ? NULL : p + stop;
}

/*
 * Names of less than 64 octets: the dots are gathered as bits, so that empty labels show as
 * neighbours, and no label can be too long.
 */
const uint8_t *bl_name_scan(const uint8_t *p, unsigned flags, struct bl_rule *rule)
{
    struct dns_name *out = &rule->name;
    uint64_t dots = 0, capitals = 0, foreign;
    unsigned stop = 0;
    for (;; stop += 8) {
        uint64_t raw = le64_read(p + stop), v = dns_lower8(raw);
        foreign = octets_foreign(v);
        capitals |= raw ^ v; /* behind the name, too: they only cost the short cut */
        le64_write(out->wire + stop + 1, v);
        dots |= dots_of(v) << stop;
        if (foreign != 0) {
            break;
        }
        if (UNLIKELY(stop == 56)) {
            return scan_long(p, flags, rule);
        }
    }
    stop += (unsigned)__builtin_ctzll(foreign) / 8;
    dots &= (UINT64_C(1) << stop) - 1;
    unsigned len = stop;
    if (UNLIKELY(len > 0 && dots >> (len - 1) != 0)) { /* a trailing dot */
        len--;
        dots &= (UINT64_C(1) << len) - 1;
    }
    if (UNLIKELY(len == 0 || (dots & (dots << 1 | 1)) != 0)) {
        return NULL;
    }
    unsigned labels = 0, from = 0;
    for (; dots; dots &= dots - 1) {
        unsigned dot = (unsigned)__builtin_ctzll(dots);
        out->wire[from] = (uint8_t)(dot - from);
        out->off[labels++] = (uint8_t)from;
        from = dot + 1;
    }
    if (UNLIKELY(from == len)) { /* two trailing dots */
        return NULL;
    }
    out->wire[from] = (uint8_t)(len - from);
    out->off[labels++] = (uint8_t)from;
    out->off[labels] = (uint8_t)(len + 1);
    out->wire[len + 1] = 0;
    out->labels = (uint8_t)labels;
    out->len = (uint8_t)(len + 2);
    rule->text = capitals == 0 ? p : NULL;
    return judge(out, flags) == REASON_NONE ? p + stop : NULL;
}
