/*
 * The sieve. Each pair of neighbouring letters is a bit of 256: a text has the bits of all of its
 * own, an expression needs those of the plain letters that it cannot do without. An
 * expression whose bits a text lacks cannot match it; the other way round it may or may not.
 *
 * Reading an expression errs on the safe side: whatever is not understood here needs nothing.
 */
#include "blocklist/regex.h"

/* a to z, 0 to 9, '-', '_', '.', all others. */
enum { LETTER_DOT = 38 };

const uint8_t bl_letter_bits[256] = {
    39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39,
    39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 36, 38, 39,
    26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39,
    39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 37,
    39, 0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22,
    23, 24, 25, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39,
    39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39,
    39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39,
    39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39,
    39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39,
    39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39, 39};

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static inline void add(struct bl_sieve *s, uint32_t before, uint32_t c)
{
    uint32_t h = (before << 8 | c) * 0x9e3779b1u >> 24;
    s->bits[h / 64] |= UINT64_C(1) << h % 64;
}

void bl_sieve_of_text(const char *text, size_t len, struct bl_sieve *out)
{
    *out = (struct bl_sieve){{0}};
    for (size_t i = 1; i < len; i++) {
        add(out, (uint8_t)text[i - 1], (uint8_t)text[i]);
    }
}

/* The same as dns_name_format and bl_sieve_of_text, in one go, for names of plain letters; false:
 * it has others. */
static bool look_at_plain(const struct dns_name *name, struct bl_regex_name *out)
{
    const uint8_t *wire = name->wire + 1;
    uint64_t letters = 0;
    uint8_t before = 0;
    unsigned left = name->wire[0];
    struct bl_sieve has = {{0}};
    out->len = name->len - 2U;
    for (size_t i = 0; i < out->len; i++) {
        uint8_t c = wire[i];
        if (left-- == 0) {
            left = c;
            c = '.';
        } else if (UNLIKELY(bl_letter_bits[c] >= LETTER_DOT)) {
            return false;
        }
        letters |= bl_letter_bit(c);
        add(&has, before, c); /* the first with 0: no expression needs it */
        out->text[i] = (char)c;
        before = c;
    }
    out->text[out->len] = '\0';
    out->letters = letters;
    out->has = has;
    return true;
}

void bl_regex_name_make(const struct dns_name *name, struct bl_regex_name *out)
{
    if (UNLIKELY(!look_at_plain(name, out))) {
        out->letters = 0;
        out->len = dns_name_format(name, out->text);
        for (size_t i = 0; i < out->len; i++) {
            out->letters |= bl_letter_bit((uint8_t)out->text[i]);
        }
        bl_sieve_of_text(out->text, out->len, &out->has);
    }
    out->first = bl_letter_bit((uint8_t)out->text[0]);
}

struct reader {
    const uint8_t *p, *end;
    struct bl_sieve *out;
    uint8_t last; /* of the run at hand; 0: it begins */
    uint8_t held; /* the newest letter, which a quantifier may still make optional; 0: none */
};

/* The letter at hand is needed. */
static void settle(struct reader *r)
{
    if (r->held != 0) {
        if (r->last != 0) {
            add(r->out, r->last, r->held);
        }
        r->last = r->held;
        r->held = 0;
    }
}

static void break_run(struct reader *r)
{
    settle(r);
    r->last = 0;
}

static void letter(struct reader *r, uint8_t c)
{
    settle(r);
    r->held = lower(c);
}

/* Over a class; false if it has no end. */
static bool skip_class(struct reader *r)
{
    const uint8_t *p = r->p + 1;
    p += p < r->end && *p == '^';
    p += p < r->end && *p == ']'; /* first, it is a letter of the class */
    while (p < r->end && *p != ']') {
        if (*p == '\\') {
            p++;
            if (p < r->end && *p == 'Q') {
                return false; /* quoting */
            }
        } else if (*p == '[' && r->end - p > 1 && (p[1] == ':' || p[1] == '.' || p[1] == '=')) {
            uint8_t kind = p[1];
            const uint8_t *close = p + 2;
            while (r->end - close > 1 && !(close[0] == kind && close[1] == ']')) {
                close++;
            }
            p = r->end - close > 1 ? close + 1 : p;
        }
        p++;
    }
    r->p = p + 1;
    return p < r->end;
}

/* Over a group with all in it; false if it has no end, or is of a kind that reaches beyond itself.
 */
static bool skip_group(struct reader *r)
{
    unsigned depth = 0;
    while (r->p < r->end) {
        uint8_t c = *r->p;
        if (c == '(' && r->end - r->p > 1 && (r->p[1] == '*' || r->p[1] == '?') &&
            !(r->p[1] == '?' && r->end - r->p > 2 && r->p[2] == ':')) {
            return false;
        }
        if (c == '[') {
            if (!skip_class(r)) {
                return false;
            }
            continue;
        }
        if (c == '\\' && r->end - r->p > 1 && (r->p[1] == 'Q' || r->p[1] == 'E')) {
            return false;
        }
        r->p += c == '\\' ? 2 : 1;
        depth += c == '(';
        depth -= c == ')';
        if (depth == 0) {
            return r->p <= r->end;
        }
    }
    return false;
}

/* {n}, {n,} or {n,m}: *least is n. False: something else. */
static bool read_count(struct reader *r, unsigned *least)
{
    const uint8_t *p = r->p + 1;
    unsigned n = 0, digits = 0;
    for (; p < r->end && *p >= '0' && *p <= '9' && digits < 6; p++, digits++) {
        n = n * 10 + (unsigned)(*p - '0');
    }
    while (p < r->end && (*p == ',' || (*p >= '0' && *p <= '9'))) {
        p++;
    }
    *least = n;
    r->p = p + 1;
    return digits > 0 && p < r->end && *p == '}';
}

/* What comes is a quantifier of what was before. False: it is not understood. */
static bool quantifier(struct reader *r)
{
    unsigned least = *r->p == '+';
    if (*r->p != '{') {
        r->p++;
    } else if (!read_count(r, &least)) {
        return false;
    }
    if (least == 0) {
        r->held = 0;
    }
    break_run(r);
    if (r->p < r->end && (*r->p == '?' || *r->p == '+')) {
        r->p++; /* lazy, possessive */
    }
    return true;
}

static bool escape(struct reader *r)
{
    if (r->end - r->p < 2) {
        return false;
    }
    uint8_t c = r->p[1];
    bool word = (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') || c >= 0x80;
    r->p += 2;
    if (!word) {
        letter(r, c);
        return true;
    }
    break_run(r);
    return c == 'd' || c == 'D' || c == 'w' || c == 'W' || c == 's' || c == 'S' || c == 'b' ||
           c == 'B';
}

/* One piece of the expression. False: nothing can be said of the whole. */
static bool piece(struct reader *r)
{
    switch (*r->p) {
    case '|':
        return false;
    case '(':
        break_run(r);
        return skip_group(r);
    case '[':
        break_run(r);
        return skip_class(r);
    case '\\':
        return escape(r);
    case '*':
    case '+':
    case '?':
    case '{':
        return quantifier(r);
    case '.':
    case '^':
    case '$':
        break_run(r);
        r->p++;
        return true;
    case ')':
        return false;
    default:
        letter(r, *r->p++);
        return true;
    }
}

void bl_sieve_of_pattern(struct span pattern, struct bl_sieve *out)
{
    struct reader r = {.p = pattern.ptr, .end = pattern.ptr + pattern.len, .out = out};
    *out = (struct bl_sieve){{0}};
    while (r.p < r.end) {
        if (!piece(&r)) {
            *out = (struct bl_sieve){{0}};
            return;
        }
    }
    settle(&r);
}
