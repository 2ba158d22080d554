/*
 * Domain names. Names out of messages are first walked and judged, then copied, so that a bad one
 * leaves nothing behind. Left out on purpose: internationalised names (the host translates them
 * before they come here) and any opinion on which octets a label should hold (RFC 2181 11).
 */
#include "dns/name.h"

#include "base/require.h"
#include "dns/name_scan.h"
#include "dns/proto.h"

#define POINTER_MARK 0xc0 /* top bits of a pointer's first octet; 0x40 and 0x80 are reserved */

_Static_assert(DNS_NAME_ROOM % 8 == 0 && DNS_NAME_ROOM >= DNS_NAME_MAX + 8, "room for words");

/* A walk over the labels of a possibly compressed name. */
struct label_walk {
    const uint8_t *msg;
    size_t len;
    size_t pos;    /* the next label */
    size_t start;  /* where the present run of labels began: pointers must lead to before it */
    size_t after;  /* offset after the name as it stands; 0 while no pointer was met */
    unsigned hops; /* pointers still allowed */
};

static ALWAYS_INLINE struct label_walk label_walk_at(const uint8_t *msg, size_t len, size_t pos)
{
    return (struct label_walk){
        .msg = msg, .len = len, .pos = pos, .start = pos, .hops = DNS_NAME_HOPS};
}

/* Steps over one label: its offset and octets without the length; 0 octets is the root. */
static ALWAYS_INLINE enum err label_next(struct label_walk *w, size_t *label, unsigned *octets)
{
    for (;;) {
        if (w->pos >= w->len) {
            return ERR_SHORT;
        }
        unsigned first = w->msg[w->pos];
        if (LIKELY(first <= DNS_LABEL_MAX)) {
            if (w->len - w->pos <= first) {
                return ERR_SHORT;
            }
            *label = w->pos;
            *octets = first;
            w->pos += first + 1;
            return ERR_OK;
        }
        if (first < POINTER_MARK) {
            return ERR_FORMAT;
        }
        if (w->len - w->pos < 2) {
            return ERR_SHORT;
        }
        size_t target = be16_read(w->msg + w->pos) & 0x3fff;
        if (target >= w->start || target < DNS_HEADER_OCTETS || w->hops == 0) {
            return ERR_FORMAT;
        }
        if (w->after == 0) {
            w->after = w->pos + 2;
        }
        w->hops--;
        w->pos = w->start = target;
    }
}

/* What a judged name is like. */
struct measure {
    size_t after;    /* offset after the name as it stands */
    size_t size;     /* octets when expanded, 1..255 */
    unsigned labels; /* the root included */
    unsigned hops;   /* pointers followed */
};

static ALWAYS_INLINE enum err name_measure(const uint8_t *msg, size_t len, size_t pos,
                                           struct measure *out)
{
    struct label_walk w = label_walk_at(msg, len, pos);
    size_t size = 0;
    unsigned labels = 0;
    unsigned octets;
    do {
        size_t label;
        enum err e = label_next(&w, &label, &octets);
        if (e != ERR_OK) {
            return e;
        }
        size += octets + 1;
        labels++;
        if (size > DNS_NAME_MAX) {
            return ERR_FORMAT;
        }
    } while (octets > 0);
    out->after = w.after != 0 ? w.after : w.pos;
    out->size = size;
    out->labels = labels;
    out->hops = DNS_NAME_HOPS - w.hops;
    return ERR_OK;
}

/* Copies a compressed name that name_measure found good. */
static void name_expand(const uint8_t *msg, size_t len, size_t pos, struct dns_name *out)
{
    struct label_walk w = label_walk_at(msg, len, pos);
    size_t used = 0;
    unsigned n = 0;
    for (;;) {
        size_t label = 0;
        unsigned octets = 0;
        enum err e = label_next(&w, &label, &octets);
        ASSERT(e == ERR_OK);
        (void)e;
        out->off[n] = (uint8_t)used;
        out->wire[used++] = (uint8_t)octets;
        if (octets == 0) {
            break;
        }
        dns_lower_copy(out->wire + used, msg + label + 1, octets);
        used += octets;
        n++;
    }
    out->labels = (uint8_t)n;
    out->len = (uint8_t)used;
}

enum err dns_name_read(const uint8_t *msg, size_t len, size_t *pos, struct dns_name *out)
{
    struct measure m;
    enum err e = name_measure(msg, len, *pos, &m);
    if (e != ERR_OK) {
        return e;
    }
    if (m.after - *pos ==
        m.size) { /* as it stands: what a pointer stands for never has two octets */
        (void)dns_labels_scan(msg + *pos, m.size, out->off, &out->labels);
        dns_lower_copy(out->wire, msg + *pos, m.size);
        out->len = (uint8_t)m.size;
    } else {
        name_expand(msg, len, *pos, out);
    }
    *pos = m.after;
    return ERR_OK;
}

static ALWAYS_INLINE void mark_begin(struct dns_name_memo *memo, size_t off)
{
    if (memo != NULL && off < DNS_POINTER_REACH) {
        memo->begins[off / 64] |= UINT64_C(1) << off % 64;
    }
}

static ALWAYS_INLINE bool is_begin(const struct dns_name_memo *memo, size_t off)
{
    return memo == NULL || (memo->begins[off / 64] >> off % 64 & 1) != 0;
}

/*
 * Steps over the labels that stand at pos: the offset after them, and where the pointer at their
 * end leads to, 0 if they end with the root.
 */
static ALWAYS_INLINE enum err name_run(const uint8_t *msg, size_t len, size_t pos, size_t *after,
                                       size_t *target, struct dns_name_memo *memo)
{
    size_t p = pos;
    while (p < len) {
        unsigned first = msg[p];
        mark_begin(memo, p);
        if (first == 0) {
            *after = p + 1;
            *target = 0;
            return ERR_OK;
        }
        if (first >= POINTER_MARK) {
            if (len - p < 2) {
                return ERR_SHORT;
            }
            size_t to = be16_read(msg + p) & 0x3fff;
            if (to >= pos || to < DNS_HEADER_OCTETS || !is_begin(memo, to)) {
                return ERR_FORMAT;
            }
            *after = p + 2;
            *target = to;
            return ERR_OK;
        }
        p += first + 1;
        if (first > DNS_LABEL_MAX || p - pos >= DNS_NAME_MAX) {
            return ERR_FORMAT;
        }
    }
    return ERR_SHORT;
}

enum err dns_name_skip(const uint8_t *msg, size_t len, size_t *pos)
{
    size_t target;
    return name_run(msg, len, *pos, pos, &target, NULL);
}

/* The name that a pointer leads to, out of memory or by walking it. */
static enum err memo_measure(const uint8_t *msg, size_t len, size_t target,
                             struct dns_name_memo *memo, struct measure *out)
{
    size_t slot = (target * 40503U >> 7) % DNS_MEMO_SLOTS; /* neighbours apart */
    if (memo->target[slot] == target) {
        out->size = memo->size[slot];
        out->hops = memo->hops[slot];
        return ERR_OK;
    }
    enum err e = name_measure(msg, len, target, out);
    if (e != ERR_OK) {
        return e;
    }
    unsigned steps = out->labels + out->hops;
    if (steps > memo->steps) {
        return ERR_FORMAT;
    }
    memo->steps -= steps;
    memo->target[slot] = (uint16_t)target;
    memo->size[slot] = (uint8_t)out->size;
    memo->hops[slot] = (uint8_t)out->hops;
    return ERR_OK;
}

enum err dns_name_check(const uint8_t *msg, size_t len, size_t *pos, struct dns_name_memo *memo)
{
    struct measure m = {.size = 0};
    if (memo == NULL) {
        enum err e = name_measure(msg, len, *pos, &m);
        if (e == ERR_OK) {
            *pos = m.after;
        }
        return e;
    }
    size_t after, target;
    enum err e = name_run(msg, len, *pos, &after, &target, memo);
    if (e == ERR_OK && target != 0) {
        e = memo_measure(msg, len, target, memo, &m);
        if (e == ERR_OK && (after - *pos - 2 + m.size > DNS_NAME_MAX || m.hops >= DNS_NAME_HOPS)) {
            e = ERR_FORMAT;
        }
    }
    if (e == ERR_OK) {
        *pos = after;
    }
    return e;
}

bool dns_name_matches(const uint8_t *msg, size_t len, size_t pos, const struct dns_name *name)
{
    struct label_walk w = label_walk_at(msg, len, pos);
    for (unsigned i = 0;; i++) {
        size_t label;
        unsigned octets;
        if (label_next(&w, &label, &octets) != ERR_OK || octets != name->wire[name->off[i]]) {
            return false;
        }
        if (octets == 0) {
            return true;
        }
        const uint8_t *mine = name->wire + name->off[i] + 1;
        for (unsigned j = 0; j < octets; j++) {
            if (dns_lower1(msg[label + 1 + j]) != mine[j]) {
                return false;
            }
        }
    }
}

enum err dns_name_from_wire(const uint8_t *wire, size_t len, struct dns_name *out)
{
    size_t pos = 0;
    while (pos < len && wire[pos] != 0) {
        if (wire[pos] > DNS_LABEL_MAX) {
            return ERR_FORMAT;
        }
        pos += wire[pos] + 1U;
    }
    if (pos >= len) {
        return ERR_SHORT;
    }
    if (pos + 1 != len || len > DNS_NAME_MAX) {
        return ERR_FORMAT;
    }
    (void)dns_labels_scan(wire, len, out->off, &out->labels);
    dns_lower_copy(out->wire, wire, len);
    out->len = (uint8_t)len;
    return ERR_OK;
}

/* One octet of a label's text at *i, escapes resolved. False: a bad escape, or an octet that must
 * be escaped. */
static bool text_octet(struct span text, size_t *i, uint8_t *out)
{
    uint8_t c = text.ptr[(*i)++];
    if (c != '\\') {
        *out = c;
        return c > ' ' && c != 0x7f;
    }
    if (*i == text.len) {
        return false;
    }
    c = text.ptr[(*i)++];
    if (c < '0' || c > '9') {
        *out = c;
        return c >= ' ' && c != 0x7f;
    }
    if (text.len - *i < 2) {
        return false;
    }
    unsigned v = (unsigned)(c - '0');
    for (unsigned n = 0; n < 2; n++) {
        c = text.ptr[(*i)++];
        if (c < '0' || c > '9') {
            return false;
        }
        v = v * 10 + (unsigned)(c - '0');
    }
    *out = (uint8_t)v;
    return v <= 255;
}

enum err dns_name_parse(struct span text, struct dns_name *out)
{
    uint8_t wire[DNS_NAME_MAX];
    size_t used = 1; /* wire[start] becomes the length of the label under way */
    size_t start = 0;
    if (text.len == 0) {
        return ERR_FORMAT;
    }
    bool root = text.len == 1 && text.ptr[0] == '.';
    for (size_t i = root ? 1 : 0; i < text.len;) {
        bool dot = text.ptr[i] == '.';
        uint8_t c = 0;
        if (dot) {
            i++;
        } else if (!text_octet(text, &i, &c)) {
            return ERR_FORMAT;
        }
        size_t octets = used - start - 1;
        if (used == sizeof wire || (dot ? octets == 0 : octets == DNS_LABEL_MAX)) {
            return ERR_FORMAT;
        }
        if (dot) {
            wire[start] = (uint8_t)octets;
            start = used++;
        } else {
            wire[used++] = dns_lower1(c);
        }
    }
    size_t octets = used - start - 1;
    wire[start] = (uint8_t)octets;
    if (octets > 0) { /* no trailing dot */
        if (used == sizeof wire) {
            return ERR_FORMAT;
        }
        wire[used++] = 0;
    }
    return dns_name_from_wire(wire, used, out);
}

/* Octets that stand for something in zone files get a backslash, what cannot be printed \DDD. */
static char *format_octet(char *p, uint8_t c)
{
    if (c <= ' ' || c >= 0x7f) {
        *p++ = '\\';
        *p++ = (char)('0' + c / 100);
        *p++ = (char)('0' + c / 10 % 10);
        *p++ = (char)('0' + c % 10);
        return p;
    }
    if (strchr(".\\\"();@$", c) != NULL) {
        *p++ = '\\';
    }
    *p++ = (char)c;
    return p;
}

size_t dns_name_format(const struct dns_name *name, char out[DNS_NAME_TEXT])
{
    char *p = out;
    if (name->labels == 0) {
        *p++ = '.';
    }
    for (unsigned i = 0; i < name->labels; i++) {
        const uint8_t *label = name->wire + name->off[i];
        if (i > 0) {
            *p++ = '.';
        }
        for (unsigned j = 1; j <= label[0]; j++) {
            p = format_octet(p, label[j]);
        }
    }
    *p = '\0';
    return (size_t)(p - out);
}

bool dns_name_within(const struct dns_name *name, const struct dns_name *ancestor)
{
    if (name->labels < ancestor->labels) {
        return false;
    }
    struct span tail = dns_name_suffix(name, (unsigned)(name->labels - ancestor->labels));
    return tail.len == ancestor->len && memcmp(tail.ptr, ancestor->wire, tail.len) == 0;
}

int dns_name_compare(const struct dns_name *a, const struct dns_name *b)
{
    unsigned common = a->labels < b->labels ? a->labels : b->labels;
    for (unsigned i = 1; i <= common; i++) {
        const uint8_t *x = a->wire + a->off[a->labels - i];
        const uint8_t *y = b->wire + b->off[b->labels - i];
        int order = memcmp(x + 1, y + 1, x[0] < y[0] ? x[0] : y[0]);
        if (order == 0) {
            order = (int)x[0] - (int)y[0];
        }
        if (order != 0) {
            return order;
        }
    }
    return (int)a->labels - (int)b->labels;
}
