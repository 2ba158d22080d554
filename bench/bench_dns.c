/*
 * What the wire format costs a query: parse the request, hash its suffixes, build the answer to a
 * blocked name, age a cached one. The baseline is a memcpy of the same packets, as any server does
 * at least once. Packets differ in name and length, so that branches are no better predicted than
 * in life.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns/build.h"
#include "dns/suffix.h"
#include "dns/ttl.h"
#include "measure.h"

enum { PACKETS = 2048, SLOT = 512, COUNT = 4000000 };

struct work {
    uint8_t in[PACKETS][SLOT];
    size_t len[PACKETS];
    uint8_t buf[SLOT]; /* what a packet was received into */
};

static struct work work;

static uint64_t next_random(void)
{
    static uint64_t x = UINT64_C(0x2545f4914f6cdd1d);
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return x;
}

/* Labels of 2 to 16 octets, 2 to 5 of them, some capitals: what clients ask. */
static size_t make_name(uint8_t *wire)
{
    size_t len = 0;
    size_t labels = 2 + next_random() % 4;
    for (size_t i = 0; i < labels; i++) {
        size_t n = i + 1 == labels ? 2 + next_random() % 2 : 2 + next_random() % 15;
        wire[len++] = (uint8_t)n;
        for (size_t j = 0; j < n; j++) {
            wire[len++] =
                (uint8_t)("abcdefghijklmnopqrstuvwxyz0123456789-AEIOU"[next_random() % 42]);
        }
    }
    wire[len++] = 0;
    return len;
}

static void make_packets(bool edns)
{
    static const uint8_t cookie[14] = {0, 12, 0, DNS_OPT_COOKIE, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8};
    for (size_t i = 0; i < PACKETS; i++) {
        uint8_t name[DNS_NAME_MAX];
        size_t n = make_name(name);
        work.len[i] = dns_build_query(work.in[i], SLOT, (uint16_t)i, DNS_RD, name, n,
                                      next_random() % 2 ? DNS_A : DNS_AAAA, DNS_IN, edns, false);
        if (edns) { /* a client cookie, as dig and systems with cookies send it */
            uint8_t *end = work.in[i] + work.len[i];
            memcpy(end - 2, cookie, sizeof cookie);
            work.len[i] += 12;
        }
    }
}

static inline size_t receive(const struct work *w, uint8_t *buf, size_t i)
{
    size_t k = i % PACKETS;
    memcpy(buf, w->in[k], w->len[k]);
    return w->len[k];
}

static uint64_t copy(void *context, size_t count)
{
    struct work *w = context;
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        size_t len = receive(w, w->buf, i);
        sum += w->buf[len - 1];
    }
    return sum;
}

static uint64_t parse(void *context, size_t count)
{
    struct work *w = context;
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        struct dns_request request;
        size_t len = receive(w, w->buf, i);
        sum += dns_request_parse(w->buf, len, &request) == DNS_REQUEST_OK ? request.qtype : 0;
    }
    return sum;
}

static uint64_t parse_and_hash(void *context, size_t count)
{
    struct work *w = context;
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        struct dns_request request;
        struct dns_suffixes suffixes;
        size_t len = receive(w, w->buf, i);
        if (dns_request_parse(w->buf, len, &request) == DNS_REQUEST_OK) {
            dns_suffixes_make(&request.qname, &suffixes);
            sum += suffixes.hash[0];
        }
    }
    return sum;
}

static uint64_t parse_hash_and_block(void *context, size_t count)
{
    struct work *w = context;
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        struct dns_request request;
        struct dns_suffixes suffixes;
        size_t len = receive(w, w->buf, i);
        if (dns_request_parse(w->buf, len, &request) != DNS_REQUEST_OK) {
            continue;
        }
        dns_suffixes_make(&request.qname, &suffixes);
        struct dns_build b;
        dns_build_begin(&b, w->buf, SLOT, dns_build_limit(&request, false), &request, DNS_NOERROR);
        if (request.qtype == DNS_A) {
            dns_build_a(&b, 60, (const uint8_t[4]){0});
        } else {
            dns_build_aaaa(&b, 60, (const uint8_t[16]){0});
        }
        sum +=
            suffixes.hash[0] +
            dns_build_end(&b, &(struct dns_edns_reply){.ede = DNS_EDE_BLOCKED,
                                                       .ede_text = "Blocked by a list of trackers",
                                                       .keepalive = -1});
    }
    return sum;
}

/* A cached answer: four addresses behind a CNAME, copied and aged. */
struct cached {
    uint8_t msg[SLOT];
    size_t len;
    uint16_t offsets[8];
    size_t count;
    uint8_t buf[SLOT];
};

static uint64_t cached_copy(void *context, size_t count)
{
    struct cached *c = context;
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        memcpy(c->buf, c->msg, c->len);
        sum += c->buf[i % c->len];
    }
    return sum;
}

static uint64_t cached_age(void *context, size_t count)
{
    struct cached *c = context;
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        memcpy(c->buf, c->msg, c->len);
        dns_ttl_age(c->buf, c->offsets, c->count, (uint32_t)(i & 63), 86400);
        sum += c->buf[i % c->len];
    }
    return sum;
}

static void make_cached(struct cached *c)
{
    struct dns_request request;
    struct dns_build b;
    size_t len = dns_build_query(c->msg, SLOT, 1, DNS_RD, (const uint8_t *)"\3www\7example", 13,
                                 DNS_A, DNS_IN, false, false);
    (void)dns_request_parse(c->msg, len, &request);
    dns_build_begin(&b, c->msg, SLOT, SLOT, &request, DNS_NOERROR);
    dns_build_record(&b, DNS_SECTION_ANSWER, NULL, DNS_CNAME, 300, (const uint8_t *)"\3cdn\0", 5);
    for (uint8_t i = 0; i < 4; i++) {
        dns_build_a(&b, 300, (const uint8_t[4]){192, 0, 2, i});
    }
    c->len = dns_build_end(&b, NULL);
    c->count = dns_ttl_offsets(c->msg, c->len, c->offsets, 8);
}

static void bench_requests(const char *title, bool edns)
{
    make_packets(edns);
    double base = measure_ns(copy, &work, COUNT);
    measure_head(title);
    measure_row("memcpy of the packet (baseline)", base, base);
    measure_row("… and dns_request_parse", measure_ns(parse, &work, COUNT), base);
    measure_row("… and dns_suffixes_make", measure_ns(parse_and_hash, &work, COUNT), base);
    measure_row("… and the blocked answer", measure_ns(parse_hash_and_block, &work, COUNT), base);
}

/* D2: the worst messages we can think of, whole verdict. */
static struct {
    uint8_t msg[65535];
    size_t len;
} worst;

static uint64_t judge(void *context, size_t count)
{
    (void)context;
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += (uint64_t)dns_msg_check(worst.msg, worst.len);
    }
    return sum;
}

static uint64_t judge_request(void *context, size_t count)
{
    (void)context;
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        struct dns_request request;
        sum += (uint64_t)dns_request_parse(worst.msg, worst.len, &request);
    }
    return sum;
}

static uint64_t worst_copy(void *context, size_t count)
{
    (void)context;
    static uint8_t to[65535];
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        memcpy(to, worst.msg, worst.len);
        sum += to[i % worst.len];
    }
    return sum;
}

static void worst_head(unsigned flags, unsigned qd, unsigned an, unsigned ar)
{
    const unsigned fields[] = {1, flags, qd, an, 0, ar};
    for (size_t i = 0; i < 6; i++) {
        be16_write(worst.msg + 2 * i, (uint16_t)fields[i]);
    }
    worst.len = 12;
}

/* Fifty names of 127 labels, then pointers to every label of every one. */
static void make_bomb(size_t max)
{
    size_t names = max > 20000 ? 50 : 2, count = 0;
    worst_head(DNS_QR, 0, 0, 0);
    for (size_t k = 0; k < names; k++, count++) {
        for (size_t i = 0; i < 127; i++) {
            memcpy(worst.msg + worst.len, "\1a", 2);
            worst.len += 2;
        }
        memcpy(worst.msg + worst.len, "\0\377\0\0\1\0\0\0\0\0\0", 11);
        worst.len += 11;
    }
    for (size_t i = 0; worst.len + 12 <= max; i++, count++) {
        be16_write(worst.msg + worst.len,
                   (uint16_t)(0xc000 | (12 + 265 * (i % names) + 2 * (i / names % 127))));
        memcpy(worst.msg + worst.len + 2, "\377\0\0\1\0\0\0\0\0\0", 10);
        worst.len += 12;
    }
    be16_write(worst.msg + 6, (uint16_t)count);
}

/* As many of the smallest records as fit. */
static void make_records(unsigned flags)
{
    worst_head(flags, 0, 0, 0);
    size_t count = 0;
    for (; worst.len + 11 <= sizeof worst.msg; worst.len += 11, count++) {
        memcpy(worst.msg + worst.len, "\0\377\0\0\1\0\0\0\0\0\0", 11);
    }
    be16_write(worst.msg + 6, (uint16_t)count);
}

/* One OPT full of empty options. */
static void make_options(size_t options)
{
    worst_head(0, 1, 0, 1);
    memcpy(worst.msg + worst.len, "\1a\0\0\1\0\1\0\0\51\4\320\0\0\0\0", 16);
    be16_write(worst.msg + worst.len + 16, (uint16_t)(4 * options));
    memset(worst.msg + worst.len + 18, 0, 4 * options);
    worst.len += 18 + 4 * options;
}

static void worst_row(const char *what, measure_body *body)
{
    double base = measure_ns(worst_copy, NULL, 2000);
    measure_row(what, measure_ns(body, NULL, 500), base);
}

int main(void)
{
    bench_requests("requests without EDNS", false);
    (void)puts("");
    bench_requests("requests with EDNS and cookie", true);

    static struct cached cached;
    make_cached(&cached);
    double base = measure_ns(cached_copy, &cached, COUNT);
    (void)puts("");
    measure_head("cached answer of five records");
    measure_row("memcpy (baseline)", base, base);
    measure_row("… and dns_ttl_age", measure_ns(cached_age, &cached, COUNT), base);

    (void)puts("");
    measure_head("worst messages (baseline: their memcpy)");
    make_bomb(65535);
    worst_row("dns_msg_check: compression bomb, 64 kB", judge);
    make_bomb(1232);
    worst_row("dns_msg_check: compression bomb, 1232 octets", judge);
    make_records(DNS_QR);
    worst_row("dns_msg_check: 5957 records, 64 kB", judge);
    make_records(0);
    worst_row("dns_request_parse: 5957 records, 64 kB", judge_request);
    make_options(200);
    worst_row("dns_request_parse: 200 options", judge_request);
    make_options(16000);
    worst_row("dns_request_parse: 16000 options, 64 kB", judge_request);
    return 0;
}
