/*
 * What the whole engine costs a query, without sockets: from the packet in its buffer to the answer
 * in the same buffer, statistics and event ring included. 100 000 names are blocked, 4000 cached.
 * The baseline copies the packet in and out, as the platform does for any server.
 */
#include <stdio.h>
#include <string.h>

#include "dns/build.h"
#include "engine.h"
#include "measure.h"

enum { COUNT = 1000000, CHUNK = 1024 };

static struct packets blocked, cached, cname;

static uint64_t answered(void *context, size_t count)
{
    struct engine *b = context;
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t k = (uint32_t)engine_random() % ENGINE_NAMES;
        sum += engine_ask(b, b->packets->data[k], b->packets->len[k], k) == RESOLVER_ANSWER;
        if (i % CHUNK == 0) {
            engine_empty_ring(b);
        }
    }
    if (sum != count) {
        engine_die("a question was not answered at once");
    }
    return sum;
}

/* The same copies and the same random choice, without the engine. */
static uint64_t copied(void *context, size_t count)
{
    struct engine *b = context;
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t k = (uint32_t)engine_random() % ENGINE_NAMES;
        memcpy(b->buf, b->packets->data[k], b->packets->len[k]);
        memcpy(b->out, b->buf, b->packets->len[k] + 16);
        sum += b->out[0];
    }
    return sum;
}

static uint64_t forwarded(void *context, size_t count)
{
    struct engine *b = context;
    uint64_t sum = 0;
    uint8_t data[128];
    struct dns_name name;
    if (dns_name_parse(span_str("aaaaaa.new.example"), &name) != ERR_OK) {
        engine_die("name");
    }
    size_t len = dns_build_query(data, sizeof data, 1, DNS_RD, name.wire, name.len, DNS_A, DNS_IN,
                                 true, false);
    for (size_t i = 0; i < count; i++) {
        b->serial++;
        for (unsigned k = 0; k < 6; k++) {
            data[13 + k] = (uint8_t)('a' + (b->serial >> 4 * k & 15));
        }
        sum += engine_ask(b, data, len, b->serial) == RESOLVER_PENDING ? engine_take(b, 0) : 0;
        if (i % CHUNK == 0) {
            engine_empty_ring(b);
        }
    }
    if (sum != count) {
        engine_die("a question was not forwarded");
    }
    return sum;
}

/* One row, if the program's argument (if any) is part of its name. */
static void row(const char *only, const char *what, struct engine *b, struct packets *p,
                measure_body *body, size_t count, double base)
{
    if (only == NULL || strstr(what, only) != NULL) {
        b->packets = p;
        measure_row(what, measure_ns(body, b, count), base);
    }
}

int main(int argc, char **argv)
{
    static struct engine b;
    const char *only = argc > 1 ? argv[1] : NULL;
    engine_start(&b);
    engine_packets(&blocked, "ads", true);
    engine_packets(&cached, "web", true);
    engine_packets(&cname, "cdn", true);
    engine_fill_cache(&b, &cached, 0);
    engine_fill_cache(&b, &cname, 1);
    measure_head("a query through the engine");
    b.packets = &cached;
    double base = measure_ns(copied, &b, COUNT);
    measure_row("copies only", base, base);
    row(only, "blocked", &b, &blocked, answered, COUNT, base);
    row(only, "cached", &b, &cached, answered, COUNT, base);
    row(only, "cached, with a CNAME", &b, &cname, answered, COUNT, base);
    row(only, "forwarded and answered", &b, &cached, forwarded, COUNT / 4, base);
    engine_add_policy(&b, 0); /* in the same run, so that the rows can be compared */
    row(only, "blocked, with groups", &b, &blocked, answered, COUNT, base);
    row(only, "cached, with groups", &b, &cached, answered, COUNT, base);
    row(only, "cached, with a CNAME, with groups", &b, &cname, answered, COUNT, base);
    row(only, "forwarded and answered, with groups", &b, &cached, forwarded, COUNT / 4, base);
    engine_add_policy(&b, ENGINE_EXPRESSIONS);
    row(only, "blocked, with groups and expressions", &b, &blocked, answered, COUNT, base);
    row(only, "cached, with groups and expressions", &b, &cached, answered, COUNT, base);
    row(only, "cached, with a CNAME, with groups and expressions", &b, &cname, answered, COUNT,
        base);
    row(only, "forwarded and answered, with groups and expressions", &b, &cached, forwarded,
        COUNT / 4, base);
    return 0;
}
