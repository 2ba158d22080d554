/*
 * Writes records of a message into another one: owners and the names in the rdata of old types are
 * expanded and compressed anew, everything else is copied octet by octet. Compression is against
 * the names written before, which begin with the question's, so an answer can later stand behind
 * any client's question for that name.
 *
 * Names keep the case that they came in, but for what they share with the question.
 */
#include "resolver/reply.h"

#include <string.h>

#include "dns/suffix.h"

#define POINTER_MAX 0x3fff

/* A name as it came, expanded. */
struct raw_name {
    struct dns_name lower;
    uint8_t wire[DNS_NAME_MAX];
};

/* Expand the name at *pos. The message was checked before, so this only fails on a caller's
 * mistake. */
static bool read_raw(struct rewrite *rw, size_t *pos, struct raw_name *out)
{
    size_t at = *pos;
    if (at >= rw->len || dns_name_read(rw->msg, rw->len, pos, &out->lower) != ERR_OK) {
        return false;
    }
    rw->labels += out->lower.labels;
    if (rw->labels > REPLY_LABELS) {
        return false;
    }
    size_t to = 0;
    while (to < out->lower.len) {
        unsigned c = rw->msg[at];
        if (c >= 0xc0) {
            at = (c & 0x3f) << 8 | rw->msg[at + 1];
            continue;
        }
        /* Letters of the question are in the case that we made up; those of others are kept. */
        const uint8_t *from = at < rw->quiet ? out->lower.wire + to : rw->msg + at;
        memcpy(out->wire + to, from, c + 1U);
        at += c + 1U;
        to += c + 1U;
    }
    return true;
}

/* Names stand where their hash says; one that finds its place taken is not remembered. */
static void remember(struct rewrite *rw, uint64_t hash, size_t off)
{
    unsigned place = (unsigned)hash % REPLY_NAMES;
    if (rw->off[place] == 0 && off <= POINTER_MAX) {
        rw->off[place] = (uint16_t)off;
        rw->hash[place] = (uint32_t)(hash >> 32);
    }
}

/* Does the suffix from label i on stand at `off` of what was written? Hashes say so already; this
 * makes it certain. */
static bool stands_at(const struct rewrite *rw, size_t off, const struct dns_name *name, unsigned i)
{
    struct dns_name suffix;
    suffix.len = (uint8_t)(name->len - name->off[i]);
    suffix.labels = (uint8_t)(name->labels - i);
    for (unsigned k = 0; k <= suffix.labels; k++) {
        suffix.off[k] = (uint8_t)(name->off[i + k] - name->off[i]);
    }
    memcpy(suffix.wire, name->wire + name->off[i], suffix.len);
    return dns_name_matches(rw->w.data, rw->w.len, off, &suffix);
}

/* Where such a name may stand, 0 if nowhere. */
static uint16_t find_written(const struct rewrite *rw, uint64_t hash)
{
    unsigned place = (unsigned)hash % REPLY_NAMES;
    return rw->hash[place] == (uint32_t)(hash >> 32) ? rw->off[place] : 0;
}

static void write_name(struct rewrite *rw, const struct raw_name *name, bool compress)
{
    if (!compress) {
        writer_bytes(&rw->w, name->wire, name->lower.len);
        return;
    }
    struct dns_suffixes hashes;
    dns_suffixes_make(&name->lower, &hashes);
    unsigned i = 0;
    for (; i < name->lower.labels; i++) {
        uint16_t off = find_written(rw, hashes.hash[i]);
        if (off != 0 && stands_at(rw, off, &name->lower, i)) {
            size_t head = name->lower.off[i];
            for (unsigned k = 0; k < i; k++) {
                remember(rw, hashes.hash[k], rw->w.len + name->lower.off[k]);
            }
            writer_bytes(&rw->w, name->wire, head);
            writer_be16(&rw->w, (uint16_t)(0xc000 | off));
            return;
        }
    }
    for (unsigned k = 0; k < name->lower.labels; k++) {
        remember(rw, hashes.hash[k], rw->w.len + name->lower.off[k]);
    }
    writer_bytes(&rw->w, name->wire, name->lower.len);
}

void rewrite_begin(struct rewrite *rw, uint8_t *room, size_t cap, const struct dns_name *name,
                   uint16_t type, uint16_t klass)
{
    rw->w = writer_of(room, cap);
    rw->labels = 0;
    rw->from = rw->to = 0;
    memset(rw->off, 0, sizeof rw->off);
    memset(room, 0, DNS_HEADER_OCTETS);
    be16_write(room + 4, 1);
    rw->w.len = DNS_HEADER_OCTETS;
    struct dns_suffixes hashes;
    dns_suffixes_make(name, &hashes);
    for (unsigned k = 0; k < name->labels; k++) {
        remember(rw, hashes.hash[k], DNS_HEADER_OCTETS + (size_t)name->off[k]);
    }
    writer_bytes(&rw->w, name->wire, name->len);
    writer_be16(&rw->w, type);
    writer_be16(&rw->w, klass);
}

void rewrite_from(struct rewrite *rw, const uint8_t *msg, size_t len, size_t quiet)
{
    rw->msg = msg;
    rw->len = len;
    rw->quiet = quiet;
    rw->from = rw->to = 0;
}

/*
 * Where names lie in rdata that may hold compressed ones (RFC 3597 4): octets before the first, how
 * many there are, whether they may be written compressed again (only types of RFC 1035). All behind
 * them is copied. Types that are not here hold no compressed names.
 */
struct layout {
    uint16_t type;
    uint8_t before;
    uint8_t names;
    bool compress;
};

static const struct layout layouts[] = {
    {DNS_NS, 0, 1, true},     {3, 0, 1, true} /* MD */,   {4, 0, 1, true} /* MF */,
    {DNS_CNAME, 0, 1, true},  {DNS_SOA, 0, 2, true},      {DNS_MB, 0, 1, true},
    {DNS_MG, 0, 1, true},     {DNS_MR, 0, 1, true},       {DNS_PTR, 0, 1, true},
    {DNS_MINFO, 0, 2, true},  {DNS_MX, 2, 1, true},       {DNS_RP, 0, 2, false},
    {DNS_AFSDB, 2, 1, false}, {21, 2, 1, false} /* RT */, {DNS_SIG, 18, 1, false},
    {DNS_PX, 2, 2, false},    {DNS_NXT, 0, 1, false},     {DNS_SRV, 6, 1, false},
    {DNS_KX, 2, 1, false},    {DNS_DNAME, 0, 1, false},
};

static const struct layout *layout_of(uint16_t type)
{
    for (size_t i = 0; i < ARRAY_LEN(layouts); i++) {
        if (layouts[i].type == type) {
            return &layouts[i];
        }
    }
    return NULL;
}

/* NAPTR alone has strings before its name: order, preference, three character-strings, RFC 3403 4.
 */
static size_t naptr_before(const uint8_t *rdata, size_t rdlen)
{
    size_t at = 4;
    for (int i = 0; i < 3 && at < rdlen; i++) {
        at += 1U + rdata[at];
    }
    return at;
}

static void write_rdata(struct rewrite *rw, const struct dns_record *rr)
{
    struct layout layout = {.names = 0};
    if (rr->type == DNS_NAPTR) {
        layout.names = 1;
    } else if (layout_of(rr->type) != NULL) {
        layout = *layout_of(rr->type);
    }
    size_t end = rr->rdata + rr->rdlen;
    size_t before =
        rr->type == DNS_NAPTR ? naptr_before(rw->msg + rr->rdata, rr->rdlen) : layout.before;
    size_t pos = rr->rdata;
    if (layout.names > 0 && before < rr->rdlen) {
        writer_bytes(&rw->w, rw->msg + pos, before);
        pos += before;
        for (unsigned i = 0; i < layout.names; i++) {
            struct raw_name name;
            if (!read_raw(rw, &pos, &name) || pos > end) {
                rw->w.bad = true;
                return;
            }
            write_name(rw, &name, layout.compress);
        }
    }
    writer_bytes(&rw->w, rw->msg + pos, end - pos);
}

/* The owner. Many records in a row have the same one, as a pointer to the same place: then it need
 * not be read again. */
static void write_owner(struct rewrite *rw, size_t pos)
{
    struct raw_name owner;
    uint16_t pointer = rw->msg[pos] >= 0xc0 ? be16_read(rw->msg + pos) & POINTER_MAX : 0;
    if (pointer != 0 && pointer == rw->from) {
        writer_be16(&rw->w, (uint16_t)(0xc000 | rw->to));
        return;
    }
    size_t start = rw->w.len;
    if (!read_raw(rw, &pos, &owner)) {
        rw->w.bad = true;
        return;
    }
    write_name(rw, &owner, true);
    rw->from = start <= POINTER_MAX ? pointer : 0;
    rw->to = (uint16_t)start;
    if (!rw->w.bad && rw->w.data[start] >= 0xc0) {
        rw->to = be16_read(rw->w.data + start) & POINTER_MAX;
    }
}

size_t rewrite_record(struct rewrite *rw, const struct dns_record *rr, uint32_t ttl_s)
{
    write_owner(rw, rr->owner);
    writer_be16(&rw->w, rr->type);
    writer_be16(&rw->w, rr->klass);
    size_t ttl_off = rw->w.len;
    writer_be32(&rw->w, ttl_s);
    size_t len_off = rw->w.len;
    writer_be16(&rw->w, 0);
    write_rdata(rw, rr);
    if (!rw->w.bad) {
        be16_write(rw->w.data + len_off, (uint16_t)(rw->w.len - len_off - 2));
    }
    return ttl_off;
}
