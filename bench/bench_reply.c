/*
 * What it costs to judge and rewrite an upstream's answer: usual ones, the largest, and ones made
 * to cost as much as they can. The baseline is a memcpy of the same octets.
 */
#include <stdlib.h>
#include <string.h>

#include "measure.h"
#include "resolver/reply.h"

struct work {
    struct dns_name name;
    struct reply_expect expect;
    size_t len;
    uint8_t msg[65535];
};

static struct work work;
static struct reply reply;
static uint8_t room[65535], copy_room[65535];

static struct writer begin(const char *name, unsigned answers, bool stream)
{
    if (dns_name_parse(span_str(name), &work.name) != ERR_OK) {
        abort();
    }
    work.expect = (struct reply_expect){.name = &work.name,
                                        .wire = work.name.wire,
                                        .id = 7,
                                        .type = DNS_A,
                                        .klass = DNS_IN,
                                        .stream = stream};
    struct writer w = writer_of(work.msg, sizeof work.msg);
    writer_be16(&w, 7);
    writer_be16(&w, DNS_QR | DNS_RA);
    writer_be16(&w, 1);
    writer_be16(&w, (uint16_t)answers);
    writer_be32(&w, 0);
    writer_bytes(&w, work.name.wire, work.name.len);
    writer_be16(&w, DNS_A);
    writer_be16(&w, DNS_IN);
    return w;
}

static void head(struct writer *w, uint16_t owner, uint16_t type, size_t rdlen)
{
    writer_be16(w, owner);
    writer_be16(w, type);
    writer_be16(w, DNS_IN);
    writer_be32(w, 300);
    writer_be16(w, (uint16_t)rdlen);
}

static void address(struct writer *w, uint16_t owner)
{
    head(w, owner, DNS_A, 4);
    writer_be32(w, 0xc6336401);
}

static uint64_t judge(void *context, size_t count)
{
    static const struct reply_limits limits = {0, 86400, 10800};
    uint64_t sum = 0;
    (void)context;
    for (size_t i = 0; i < count; i++) {
        sum += (uint64_t)reply_read(work.msg, work.len, &work.expect, &limits, &reply);
    }
    return sum;
}

static uint64_t copy(void *context, size_t count)
{
    uint64_t sum = 0;
    (void)context;
    for (size_t i = 0; i < count; i++) {
        memcpy(copy_room, work.msg, work.len);
        sum += copy_room[work.len - 1];
    }
    return sum;
}

static void row(const char *what, struct writer w, size_t count)
{
    work.len = w.len;
    measure_row(what, measure_ns(judge, NULL, count), measure_ns(copy, NULL, count));
}

int main(void)
{
    reply.msg = room;
    reply.cap = sizeof room;
    measure_head("an upstream's answer");
    struct writer w = begin("www.example.com", 1, false);
    address(&w, 0xc00c);
    row("one address", w, 500000);

    w = begin("www.example.com", 4, false);
    head(&w, 0xc00c, DNS_CNAME, 11);
    uint16_t target = (uint16_t)(0xc000 | w.len);
    writer_bytes(&w,
                 "\x04"
                 "edge\x03"
                 "cdn\xc0\x10",
                 11);
    for (int i = 0; i < 3; i++) {
        address(&w, target);
    }
    row("a CNAME and three addresses", w, 500000);

    w = begin("www.example.com", 4090, true);
    for (int i = 0; i < 4090; i++) {
        address(&w, 0xc00c);
    }
    row("64 kB of addresses", w, 2000);

    /* A name of 127 labels, each record's owner a pointer to another label of it. */
    char deep[256];
    for (int i = 0; i < 127; i++) {
        memcpy(deep + 2 * i, "a.", 2);
    }
    deep[253] = '\0';
    w = begin(deep, 4070, true);
    for (int i = 0; i < 4070; i++) {
        address(&w, (uint16_t)(0xc00c + 2 * (i % 127)));
    }
    row("64 kB of owners with 127 labels", w, 2000);

    w = begin(deep, 3600, true);
    work.expect.type = DNS_MX;
    work.msg[12 + 255 + 1] = DNS_MX;
    for (int i = 0; i < 3600; i++) {
        head(&w, 0xc00c, DNS_MX, 4);
        writer_be16(&w, 1);
        writer_be16(&w, (uint16_t)(0xc00c + 2 * (i % 120)));
    }
    row("64 kB of mail exchangers with 127 labels", w, 2000);

    w = begin("n0.example.com", 2000, true);
    for (int i = 0; i < 2000; i++) {
        head(&w, 0xc00c, DNS_CNAME, 2);
        writer_be16(&w, 0xc00c);
    }
    row("64 kB of CNAMEs", w, 2000);
    return 0;
}
