/*
 * Bounded text and the small printf that the core uses. Nothing here can fail: what does not fit is
 * dropped and `truncated` is set.
 */
#include "base/strbuf.h"

#include <string.h>

#include "base/require.h"

void strbuf_init(struct strbuf *s, char *storage, size_t cap)
{
    REQUIRE(storage != NULL && cap > 0);
    s->text = storage;
    s->cap = cap;
    strbuf_clear(s);
}

void strbuf_clear(struct strbuf *s)
{
    s->len = 0;
    s->truncated = false;
    s->text[0] = '\0';
}

/* Once something was dropped nothing more is added: the text is a prefix of what was meant. */
void strbuf_bytes(struct strbuf *s, const void *data, size_t len)
{
    if (s->truncated || len == 0) {
        return;
    }
    size_t room = s->cap - 1 - s->len;
    if (len > room) {
        len = room;
        s->truncated = true;
    }
    if (len > 0) {
        memcpy(s->text + s->len, data, len);
    }
    s->len += len;
    s->text[s->len] = '\0';
}

void strbuf_char(struct strbuf *s, char c)
{
    strbuf_bytes(s, &c, 1);
}

void strbuf_str(struct strbuf *s, const char *text)
{
    strbuf_bytes(s, text, strlen(text));
}

#define DIGITS_MAX 20 /* decimal digits of UINT64_MAX */

/* Writes the digits of v so that they end at `end`; returns where they start. */
static char *digits(char *end, uint64_t v, unsigned radix, const char *alphabet)
{
    char *p = end;
    do {
        *--p = alphabet[v % radix];
        v /= radix;
    } while (v > 0);
    return p;
}

static const char lower_digits[] = "0123456789abcdef";
static const char upper_digits[] = "0123456789ABCDEF";

void strbuf_u64(struct strbuf *s, uint64_t v)
{
    char text[DIGITS_MAX];
    char *p = digits(text + sizeof text, v, 10, lower_digits);
    strbuf_bytes(s, p, (size_t)(text + sizeof text - p));
}

/* The absolute value without overflow at INT64_MIN. */
static uint64_t magnitude(int64_t v)
{
    return v < 0 ? UINT64_C(0) - (uint64_t)v : (uint64_t)v;
}

void strbuf_i64(struct strbuf *s, int64_t v)
{
    if (v < 0) {
        strbuf_char(s, '-');
    }
    strbuf_u64(s, magnitude(v));
}

void strbuf_escaped(struct strbuf *s, struct span bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t c = bytes.ptr[i];
        if (c >= 0x20 && c < 0x7f && c != '\\') {
            strbuf_char(s, (char)c);
        } else {
            char hex[4] = {'\\', 'x', lower_digits[c >> 4], lower_digits[c & 15]};
            strbuf_bytes(s, hex, sizeof hex);
        }
    }
}

/* One conversion, as read from the format. */
struct conversion {
    bool left, zero;
    bool has_precision;
    size_t width, precision;
    enum { SIZE_INT, SIZE_LONG, SIZE_LONG_LONG, SIZE_SIZE } size;
    char letter;
};

static void pad(struct strbuf *s, char c, size_t count)
{
    while (count-- > 0 && !s->truncated) {
        strbuf_char(s, c);
    }
}

static void put_padded(struct strbuf *s, const struct conversion *c, const char *sign,
                       const char *body, size_t len)
{
    size_t sign_len = strlen(sign);
    size_t total = sign_len + len;
    size_t fill = c->width > total ? c->width - total : 0;
    if (!c->left && !c->zero) {
        pad(s, ' ', fill);
    }
    strbuf_bytes(s, sign, sign_len);
    if (!c->left && c->zero) {
        pad(s, '0', fill);
    }
    strbuf_bytes(s, body, len);
    if (c->left) {
        pad(s, ' ', fill);
    }
}

static void put_number(struct strbuf *s, const struct conversion *c, uint64_t v, bool negative)
{
    char text[DIGITS_MAX];
    bool decimal = c->letter != 'x' && c->letter != 'X';
    char *p = digits(text + sizeof text, v, decimal ? 10 : 16,
                     c->letter == 'X' ? upper_digits : lower_digits);
    put_padded(s, c, negative ? "-" : "", p, (size_t)(text + sizeof text - p));
}

static size_t bounded_len(const char *text, size_t max)
{
    const char *end = memchr(text, '\0', max);
    return end != NULL ? (size_t)(end - text) : max;
}

/* va_list may be an array type; a struct makes it passable by pointer everywhere. */
struct arguments {
    va_list list;
};

static uint64_t take_unsigned(struct arguments *a, const struct conversion *c)
{
    switch (c->size) {
    case SIZE_LONG:
        return va_arg(a->list, unsigned long);
    case SIZE_LONG_LONG:
        return va_arg(a->list, unsigned long long);
    case SIZE_SIZE:
        return va_arg(a->list, size_t);
    case SIZE_INT:
        break;
    }
    return va_arg(a->list, unsigned);
}

static int64_t take_signed(struct arguments *a, const struct conversion *c)
{
    switch (c->size) {
    case SIZE_LONG:
        return va_arg(a->list, long);
    case SIZE_LONG_LONG:
        return va_arg(a->list, long long);
    case SIZE_SIZE:
        return va_arg(a->list, ptrdiff_t);
    case SIZE_INT:
        break;
    }
    return va_arg(a->list, int);
}

static size_t read_number(const char **p, struct arguments *a)
{
    if (**p == '*') {
        (*p)++;
        int v = va_arg(a->list, int);
        return v > 0 ? (size_t)v : 0;
    }
    size_t v = 0;
    for (; **p >= '0' && **p <= '9'; (*p)++) {
        v = v < 10000 ? v * 10 + (size_t)(**p - '0') : v;
    }
    return v;
}

/* Reads a conversion after its '%'; returns the place after its letter. */
static const char *read_conversion(const char *p, struct arguments *a, struct conversion *c)
{
    *c = (struct conversion){.size = SIZE_INT};
    for (; *p == '0' || *p == '-'; p++) {
        c->zero = c->zero || *p == '0';
        c->left = c->left || *p == '-';
    }
    c->width = read_number(&p, a);
    if (*p == '.') {
        p++;
        c->has_precision = true;
        c->precision = read_number(&p, a);
    }
    if (*p == 'l') {
        p++;
        c->size = SIZE_LONG;
        if (*p == 'l') {
            p++;
            c->size = SIZE_LONG_LONG;
        }
    } else if (*p == 'z') {
        p++;
        c->size = SIZE_SIZE;
    }
    c->letter = *p;
    return *p != '\0' ? p + 1 : p;
}

/* False: not a conversion we know, nothing was written. */
static bool put_conversion(struct strbuf *s, struct conversion *c, struct arguments *a)
{
    switch (c->letter) {
    case '%':
        strbuf_char(s, '%');
        return true;
    case 'c': {
        char ch = (char)va_arg(a->list, int);
        c->zero = false;
        put_padded(s, c, "", &ch, 1);
        return true;
    }
    case 's': {
        const char *text = va_arg(a->list, const char *);
        text = text != NULL ? text : "(null)";
        c->zero = false;
        put_padded(s, c, "", text,
                   c->has_precision ? bounded_len(text, c->precision) : strlen(text));
        return true;
    }
    case 'd':
    case 'i': {
        int64_t v = take_signed(a, c);
        put_number(s, c, magnitude(v), v < 0);
        return true;
    }
    case 'u':
    case 'x':
    case 'X':
        put_number(s, c, take_unsigned(a, c), false);
        return true;
    default:
        return false;
    }
}

void strbuf_vprintf(struct strbuf *s, const char *format, va_list args)
{
    struct arguments a;
    va_copy(a.list, args);
    const char *p = format;
    while (*p != '\0') {
        const char *percent = strchr(p, '%');
        if (percent == NULL) {
            strbuf_str(s, p);
            break;
        }
        strbuf_bytes(s, p, (size_t)(percent - p));
        struct conversion c;
        p = read_conversion(percent + 1, &a, &c);
        if (!put_conversion(s, &c, &a)) {
            /* The argument's type is unknown, so what follows cannot be read either. */
            strbuf_str(s, percent);
            break;
        }
    }
    va_end(a.list);
}

void strbuf_printf(struct strbuf *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    strbuf_vprintf(s, format, args);
    va_end(args);
}
