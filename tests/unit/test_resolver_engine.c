/*
 * The engine as a whole under load, loss and lies, where a story would be too long: many questions,
 * random faults.
 */
#include "rrtext.h"

#include <stdlib.h>

#include "base/cursor.h"
#include "dns/proto.h"
#include "octets.h"
#include "unit.h"
#include "world.h"

static struct world w;

static struct peer peer_of(const char *addr, uint16_t port)
{
    struct peer p = {.port = port, .listener = 1};
    assert_int_equal(ip_parse(span_str(addr), &p.addr), ERR_OK);
    return p;
}

static bool ask(const char *addr, const char *name, uint16_t id)
{
    uint8_t msg[512];
    struct rrtext_question q = {.name = name,
                                .type = "A",
                                .klass = "IN",
                                .id = id,
                                .rd = true,
                                .edns = true,
                                .udp_size = 1232};
    struct peer p = peer_of(addr, (uint16_t)(1024 + id));
    return world_ask(&w, 0, &p, msg, rrtext_question(&q, msg, sizeof msg));
}

/* An answer with one A record. */
static size_t answer_to(const struct world_sent *s, uint8_t *out, size_t cap)
{
    static const uint8_t a[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 14, 16, 0, 4, 198, 51, 100, 7};
    size_t end = 12;
    while (s->data[end] != 0) {
        end += s->data[end] + 1U;
    }
    end += 5;
    assert_true(end + sizeof a <= cap);
    memcpy(out, s->data, end);
    out[2] |= 0x80;
    be16_write(out + 6, 1);
    be16_write(out + 10, 0);
    memcpy(out + end, a, sizeof a);
    return end + sizeof a;
}

static void respond(const struct world_sent *s)
{
    uint8_t out[512];
    world_respond(&w, s, out, answer_to(s, out, sizeof out));
}

static unsigned drop_answers(unsigned rcode)
{
    unsigned n = 0;
    struct world_answer *a;
    while ((a = world_take_answer(&w)) != NULL) {
        n += (a->data[3] & 15U) == rcode;
        free(a);
    }
    return n;
}

static void drop_sent(void)
{
    struct world_sent *s;
    while ((s = world_take_sent(&w)) != NULL) {
        free(s);
    }
}

static void assert_idle(void)
{
    const char *why = "";
    drop_sent();
    if (!world_is_idle(&w, &why)) {
        fail_msg("%s", why);
    }
    drop_answers(2);
    drop_sent();
}

static void name_number(char out[32], const char *kind, unsigned i)
{
    snprintf(out, 32, "%s%u.example", kind, i);
}

static void ids_case_and_tickets_are_random(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    static uint8_t seen[65536];
    unsigned distinct = 0, steps = 0, capitals = 0, letters = 0;
    uint16_t last = 0, last_step = 0;
    memset(seen, 0, sizeof seen);
    world_open(&w);
    w.rc.rate_limit = 0;
    world_apply(&w);
    for (unsigned i = 0; i < COUNT; i++) {
        char name[32];
        name_number(name, "abcdefgh", i);
        assert_true(ask("192.0.2.7", name, (uint16_t)i));
        struct world_sent *s = world_take_sent(&w);
        assert_non_null(s);
        uint16_t id = be16_read(s->data);
        distinct += !seen[id];
        seen[id] = 1;
        steps += (uint16_t)(id - last) == last_step;
        last_step = (uint16_t)(id - last);
        last = id;
        for (unsigned k = 0; k < 8; k++) {
            letters++;
            capitals += s->data[13 + k] >= 'A' && s->data[13 + k] <= 'Z';
        }
        respond(s);
        free(s);
    }
    assert_true(distinct >= 280);
    assert_true(steps <= 3);
    assert_true(capitals > letters * 4 / 10 && capitals < letters * 6 / 10);
    drop_answers(0);
    assert_idle();
    world_close(&w);
}

/* Two workers with the same start do not ask with the same IDs, nor does one that starts anew. */
static void other_seeds_give_other_ids(void **state)
{
    (void)state;
    uint16_t first[2][20];
    for (uint8_t run = 0; run < 2; run++) {
        world_open(&w);
        w.seed = run;
        world_apply(&w);
        for (unsigned i = 0; i < 20; i++) {
            char name[32];
            name_number(name, "n", i);
            ask("192.0.2.7", name, (uint16_t)i);
            struct world_sent *s = world_take_sent(&w);
            first[run][i] = be16_read(s->data);
            respond(s);
            free(s);
        }
        drop_answers(0);
        world_close(&w);
    }
    assert_memory_not_equal(first[0], first[1], sizeof first[0]);
}

static void a_thousand_questions_are_in_flight_at_once(void **state)
{
    (void)state;
    enum { COUNT = 1024 };
    world_open(&w);
    w.rc.rate_limit = 0;
    w.rc.pending_max = 2048;
    w.rc.waiting_max = 4096;
    w.cc.entries = 4096;
    world_apply(&w);
    for (unsigned i = 0; i < COUNT; i++) {
        char name[32];
        name_number(name, "n", i);
        assert_true(ask("192.0.2.7", name, (uint16_t)i));
    }
    struct resolver_gauges g;
    resolver_get_gauges(w.resolver[0], &g);
    assert_int_equal(g.pending, COUNT);
    struct world_sent *s;
    while ((s = world_take_sent(&w)) != NULL) {
        respond(s);
        free(s);
    }
    assert_int_equal(drop_answers(0), COUNT);
    assert_idle();
    world_close(&w);
}

/* Names that never answer fill all places; a second client still gets what can be had. */
static void saturation_does_not_starve_others(void **state)
{
    (void)state;
    world_open(&w);
    w.rc.rate_limit = 0;
    w.rc.pending_max = 64;
    w.rc.waiting_max = 128;
    world_apply(&w);
    unsigned good = 0;
    for (unsigned i = 0; i < 2000; i++) {
        char name[32], addr[32];
        name_number(name, "void", i);
        snprintf(addr, sizeof addr, "10.0.%u.%u", i % 7, i % 5); /* many forged clients */
        ask(addr, name, (uint16_t)i);
        drop_sent();
        if (i % 20 == 0) {
            name_number(name, "good", i);
            ask("192.0.2.7", name, (uint16_t)i);
            struct world_sent *s = world_take_sent(&w);
            assert_non_null(s);
            respond(s);
            free(s);
            struct world_answer *a;
            while ((a = world_take_answer(&w)) != NULL) {
                good += a->peer.addr.b[12] == 192 && (a->data[3] & 15) == 0;
                free(a);
            }
        }
        world_advance(&w, w.now + 2000);
        drop_sent();
    }
    assert_int_equal(good, 100);
    assert_idle();
    world_close(&w);
}

/* Each datagram to and from the upstreams is lost with this chance (U4). */
static double answered_with_loss(unsigned upstreams, unsigned loss_percent, unsigned count)
{
    struct test_random rnd = {upstreams * 1000 + loss_percent};
    struct flight {
        struct world_sent *s;
        usec_t at;
    } flight[64];
    unsigned good = 0;
    world_open(&w);
    w.rc.rate_limit = 0;
    for (unsigned i = 0; i < upstreams; i++) {
        world_add_upstream(&w, UPSTREAM_UDP, 0);
    }
    world_apply(&w);
    for (unsigned i = 0; i < count; i++) {
        char name[32];
        unsigned flights = 0;
        bool done = false;
        name_number(name, "n", i);
        ask("192.0.2.7", name, (uint16_t)i);
        usec_t end = w.now + 5 * USEC_PER_SEC;
        while (w.now < end && !done) {
            struct world_sent *s;
            while ((s = world_take_sent(&w)) != NULL) {
                bool lost = test_random_below(&rnd, 100) < loss_percent ||
                            test_random_below(&rnd, 100) < loss_percent;
                if (lost || flights == ARRAY_LEN(flight)) {
                    free(s);
                } else {
                    flight[flights++] = (struct flight){s, w.now + 10000};
                }
            }
            world_advance(&w, w.now + 5000);
            for (unsigned k = 0; k < flights; k++) {
                if (flight[k].at <= w.now) {
                    respond(flight[k].s);
                    free(flight[k].s);
                    flight[k--] = flight[--flights];
                }
            }
            struct world_answer *a;
            while ((a = world_take_answer(&w)) != NULL) {
                done = true;
                good += (a->data[3] & 15) == 0;
                free(a);
            }
        }
        while (flights > 0) {
            free(flight[--flights].s);
        }
    }
    assert_idle();
    world_close(&w);
    return (double)good / count;
}

static void a_quarter_of_packets_lost_is_borne(void **state)
{
    (void)state;
    assert_true(answered_with_loss(1, 25, 1000) >= 0.99);
    assert_true(answered_with_loss(2, 25, 1000) >= 0.99);
}

/* Black hole: the median is back to normal after at most five questions, and probes notice its
 * return (U3). */
static void a_black_hole_costs_five_questions_at_most(void **state)
{
    (void)state;
    world_open(&w);
    w.rc.rate_limit = 0;
    uint16_t one = world_add_upstream(&w, UPSTREAM_UDP, 0);
    world_add_upstream(&w, UPSTREAM_UDP, 0);
    world_apply(&w);
    unsigned slow = 0;
    for (unsigned i = 0; i < 60; i++) {
        char name[32];
        bool dead = i >= 20 && i < 40;
        name_number(name, "n", i);
        ask("192.0.2.7", name, (uint16_t)i);
        usec_t begin = w.now;
        bool done = false;
        for (unsigned step = 0; step < 500; step++) {
            struct world_sent *s;
            while ((s = world_take_sent(&w)) != NULL) {
                if (!(dead && s->upstream == one)) {
                    respond(s);
                }
                free(s);
            }
            if (!done && drop_answers(0) > 0) {
                done = true;
                slow += w.now - begin > 100000;
            }
            world_advance(&w, w.now + 1000); /* half a second a question */
        }
        assert_true(done);
    }
    assert_true(slow <= 5);
    struct upstream_health h;
    resolver_get_upstream(w.resolver[0], one, &h);
    assert_true(h.up);
    assert_idle();
    world_close(&w);
}

/* A dead upstream, and no sockets left for its probes: probing goes on, and finds it again. Memory
 * beside the upstreams was written there once. */
static void probes_without_a_socket_harm_nobody(void **state)
{
    (void)state;
    world_open(&w);
    w.rc.rate_limit = 0;
    uint16_t one = world_add_upstream(&w, UPSTREAM_UDP, 0);
    world_apply(&w);
    struct upstream_health h;
    unsigned without_socket = 0;
    for (unsigned i = 0; i < 30; i++) {
        char name[32];
        bool no_sockets = i >= 8 && i < 20;
        name_number(name, "n", i);
        ask("192.0.2.7", name, (uint16_t)i);
        for (unsigned step = 0; step < 100; step++) {
            struct world_sent *s;
            while ((s = world_take_sent(&w)) != NULL) {
                if (no_sockets) {
                    world_fail(&w, s, RESOLVER_NO_SOCKET);
                    without_socket++;
                } else if (i >= 20) {
                    respond(s);
                }
                free(s);
            }
            world_advance(&w, w.now + 10000); /* a second a question */
        }
        drop_answers(0);
        resolver_get_upstream(w.resolver[0], one, &h);
        assert_true(i != 7 || !h.up);
    }
    assert_true(without_socket > 5);
    assert_true(h.up);
    assert_idle();
    world_close(&w);
}

/* A cookie of ours lifts the limit of errors, one of another client does not. */
static void cookies_lift_limits_for_their_owner_only(void **state)
{
    (void)state;
    static const uint8_t opt[] = {0,  0, 41, 4, 208, 0, 0, 0, 0, 0, 12, 0,
                                  10, 0, 8,  1, 2,   3, 4, 5, 6, 7, 8};
    static const uint8_t head[] = {0, 1, 1, 0,   0, 1, 0,       0, 0, 0,
                                   0, 1, 1, 'a', 0, 0, 255 - 3, 0, 1}; /* AXFR */
    uint8_t msg[128];
    world_open(&w);
    world_apply(&w);
    memcpy(msg, head, sizeof head);
    memcpy(msg + sizeof head, opt, sizeof opt);
    struct peer p = peer_of("192.0.2.7", 4000), other = peer_of("192.0.2.9", 4000);
    world_ask(&w, 0, &p, msg, sizeof head + sizeof opt);
    struct world_answer *a = world_take_answer(&w);
    assert_non_null(a);
    /* The server's cookie stands at the end but for the EDE behind it: find option 10. */
    size_t at = sizeof head + 11;
    while (be16_read(a->data + at) != 10) {
        at += 4U + be16_read(a->data + at + 2);
        assert_true(at + 28 <= a->len);
    }
    assert_int_equal(be16_read(a->data + at + 2), 24);
    memcpy(msg + sizeof head + 15, a->data + at + 4, 24);
    be16_write(msg + sizeof head + 9, 28);
    be16_write(msg + sizeof head + 13, 24);
    free(a);
    size_t len = sizeof head + 15 + 24;
    unsigned mine = 0, theirs = 0;
    for (unsigned i = 0; i < 400; i++) {
        world_ask(&w, 0, &p, msg, len);
        mine += drop_answers(DNS_REFUSED);
    }
    for (unsigned i = 0; i < 400; i++) {
        world_ask(&w, 0, &other, msg, len);
        theirs += drop_answers(DNS_REFUSED);
    }
    assert_int_equal(mine, 400);
    assert_true(theirs < 150);
    world_close(&w);
}

/* A record of a random type for a random one of some names. */
static void random_record(struct test_random *rnd, struct writer *wr, const struct dns_name *owners,
                          unsigned count)
{
    static const uint16_t types[] = {DNS_A, DNS_CNAME, DNS_NS, DNS_DNAME, DNS_A};
    uint16_t type = types[test_random_below(rnd, ARRAY_LEN(types))];
    const struct dns_name *owner = &owners[test_random_below(rnd, count)];
    const struct dns_name *target = &owners[test_random_below(rnd, count)];
    writer_bytes(wr, owner->wire, owner->len);
    writer_be16(wr, type);
    writer_be16(wr, DNS_IN);
    writer_be32(wr, 300);
    if (type == DNS_A) {
        writer_be16(wr, 4);
        writer_be32(wr, 0xcb007142);
    } else {
        writer_be16(wr, target->len);
        writer_bytes(wr, target->wire, target->len);
    }
}

/* Whatever stands in an answer, afterwards the cache knows of the asked name and no other (P5, P6).
 */
static void no_answer_poisons_other_names(void **state)
{
    (void)state;
    static const char *const texts[] = {"www.example", "a.example",    "example",
                                        "bank.test",   "ns.evil.test", "test"};
    static const uint16_t types[] = {DNS_A, DNS_AAAA, DNS_CNAME, DNS_NS, DNS_DNAME, CACHE_ANY_TYPE};
    struct dns_name owners[ARRAY_LEN(texts)];
    struct test_random rnd = {77};
    unsigned kept = 0;
    for (unsigned i = 0; i < ARRAY_LEN(texts); i++) {
        assert_int_equal(dns_name_parse(span_str(texts[i]), &owners[i]), ERR_OK);
    }
    world_open(&w);
    w.rc.rate_limit = 0;
    world_apply(&w);
    for (unsigned round = 0; round < 3000; round++) {
        uint8_t out[4096];
        ask("192.0.2.7", texts[0], (uint16_t)round);
        for (struct world_sent *s = world_take_sent(&w); s != NULL; s = world_take_sent(&w)) {
            if (s->data[13] != 'w' && s->data[13] != 'W') {
                world_fail(&w, s, RESOLVER_UNREACHABLE); /* an open chain is asked on */
                free(s);
                continue;
            }
            struct writer wr = writer_of(out, sizeof out);
            writer_bytes(&wr, s->data, 29);
            out[2] |= 0x80;
            out[3] = (uint8_t)(test_random_below(&rnd, 4) == 0 ? DNS_NXDOMAIN : 0);
            memset(out + 6, 0, 6);
            for (unsigned section = 0; section < 3; section++) {
                unsigned n = test_random_below(&rnd, 6);
                out[7 + 2 * section] = (uint8_t)n;
                while (n-- > 0) {
                    random_record(&rnd, &wr, owners, ARRAY_LEN(owners));
                }
            }
            world_respond(&w, s, out, wr.len);
            free(s);
        }
        for (unsigned i = 0; i < ARRAY_LEN(owners); i++) {
            for (unsigned k = 0; k < ARRAY_LEN(types); k++) {
                uint8_t room[2048];
                struct cache_hit hit;
                struct cache_key key = {.name = &owners[i],
                                        .hash = cache_hash(w.cache, &owners[i]),
                                        .type = types[k],
                                        .klass = DNS_IN};
                bool found =
                    cache_find(w.cache, &key, w.now, 0, 0, room, sizeof room, &hit) == CACHE_FRESH;
                bool failure = found && hit.rcode == DNS_SERVFAIL;
                if (found && !failure &&
                    (i != 0 || (types[k] != DNS_A && hit.rcode != DNS_NXDOMAIN))) {
                    fail_msg("round %u: %s is known now", round, texts[i]);
                }
                kept += found && i == 0 && !failure;
            }
        }
        drop_answers(0);
        cache_flush(w.cache);
    }
    assert_true(kept > 100);
    assert_idle();
    world_close(&w);
}

/* The largest answer there is passes from a stream to a TCP client, and is cut for others. */
static void sixty_four_kilobytes_are_intact(void **state)
{
    (void)state;
    static uint8_t out[65535];
    uint8_t msg[512];
    world_open(&w);
    world_apply(&w);
    struct rrtext_question q = {
        .name = "big.example", .type = "TXT", .klass = "IN", .id = 9, .rd = true};
    struct peer p = peer_of("192.0.2.7", 4000), udp = p;
    p.tcp = true;
    p.conn = 1;
    world_ask(&w, 0, &p, msg, rrtext_question(&q, msg, sizeof msg));
    world_ask(&w, 0, &udp, msg, rrtext_question(&q, msg, sizeof msg));
    struct world_sent *s = world_take_sent(&w);
    assert_non_null(s);
    memcpy(out, s->data, 29);
    out[2] |= 0x82; /* QR, TC */
    out[11] = 0;
    world_respond(&w, s, out, 29);
    free(s);
    s = world_take_sent(&w);
    assert_true(s != NULL && s->stream);
    /* 256 records of 255 octets fill it nearly up. */
    struct writer wr = writer_of(out, sizeof out);
    writer_bytes(&wr, s->data, 29);
    out[2] |= 0x80;
    out[11] = 0;
    unsigned records = 0;
    for (; wr.cap - wr.len > 255; records++) {
        writer_be16(&wr, 0xc00c);
        writer_be16(&wr, DNS_TXT);
        writer_be16(&wr, DNS_IN);
        writer_be32(&wr, 60);
        writer_be16(&wr, 242);
        writer_u8(&wr, 241);
        for (unsigned k = 0; k < 241; k++) {
            writer_u8(&wr, (uint8_t)(records * 7 + k));
        }
    }
    be16_write(out + 6, (uint16_t)records);
    assert_true(wr.len > 65000);
    world_respond(&w, s, out, wr.len);
    free(s);
    unsigned whole = 0, cut = 0;
    struct world_answer *a;
    while ((a = world_take_answer(&w)) != NULL) {
        whole +=
            a->peer.tcp && a->len == wr.len && memcmp(a->data + 29, out + 29, wr.len - 29) == 0;
        cut += !a->peer.tcp && a->len == 29 && (a->data[2] & 2) != 0;
        free(a);
    }
    assert_int_equal(whole, 1);
    assert_int_equal(cut, 1);
    assert_idle();
    world_close(&w);
}

/* All upstreams are dead; everything that expired stands in, each within 1.8 s, repeats at once. */
static void a_hundred_stale_names_are_all_served(void **state)
{
    (void)state;
    enum { COUNT = 100 };
    world_open(&w);
    w.rc.rate_limit = 0;
    world_add_upstream(&w, UPSTREAM_UDP, 0);
    world_add_upstream(&w, UPSTREAM_UDP, 0);
    world_apply(&w);
    struct world_sent *s;
    for (unsigned pass = 0; pass < 3; pass++) {
        for (unsigned i = 0; i < COUNT; i++) {
            char name[32];
            name_number(name, "n", i);
            assert_true(ask("192.0.2.7", name, (uint16_t)i));
            while ((s = world_take_sent(&w)) != NULL) {
                if (pass == 0) {
                    respond(s);
                }
                free(s);
            }
        }
        unsigned now = drop_answers(0);
        assert_int_equal(now,
                         pass == 1 ? 0 : COUNT); /* the second time they wait for the upstreams */
        world_advance(&w, w.now + 1800 * USEC_PER_MSEC);
        drop_sent();
        assert_int_equal(drop_answers(0), pass == 1 ? COUNT : 0);
        world_advance(&w, w.now + (pass == 0 ? 4000 : 5) * USEC_PER_SEC);
        drop_sent();
    }
    assert_idle();
    world_close(&w);
}

/* Thousands of hostile and broken exchanges leave nothing behind. */
static void nothing_leaks(void **state)
{
    (void)state;
    struct test_random rnd = {5};
    world_open(&w);
    w.rc.rate_limit = 0;
    w.rc.pending_max = 32;
    w.rc.waiting_max = 48;
    world_add_upstream(&w, UPSTREAM_UDP, 0);
    world_add_upstream(&w, UPSTREAM_TCP, 0);
    world_add_upstream(&w, UPSTREAM_UDP, 0);
    world_apply(&w);
    for (unsigned i = 0; i < 20000; i++) {
        char name[32], addr[32];
        name_number(name, "n", test_random_below(&rnd, 500));
        snprintf(addr, sizeof addr, "10.0.0.%u", test_random_below(&rnd, 20));
        ask(addr, name, (uint16_t)test_random_below(&rnd, 65536));
        struct world_sent *s;
        while ((s = world_take_sent(&w)) != NULL) {
            uint8_t out[512];
            size_t len = answer_to(s, out, sizeof out);
            switch (test_random_below(&rnd, 8)) {
            case 0:
                break;
            case 1:
                world_fail(&w, s, (enum resolver_failure)test_random_below(&rnd, 5));
                break;
            case 2:
                out[test_random_below(&rnd, (uint32_t)len)] ^=
                    (uint8_t)(1U << test_random_below(&rnd, 8));
                world_respond(&w, s, out, len);
                break;
            case 3:
                world_respond(&w, s, out, test_random_below(&rnd, (uint32_t)len));
                break;
            case 4:
                out[3] = (uint8_t)(out[3] | test_random_below(&rnd, 16));
                world_respond(&w, s, out, len);
                break;
            case 5:
                out[2] |= 2; /* TC */
                world_respond(&w, s, out, len);
                break;
            default:
                world_respond(&w, s, out, len);
                break;
            }
            free(s);
        }
        if (test_random_below(&rnd, 4) == 0) {
            world_advance(&w, w.now + test_random_below(&rnd, 300000));
        }
        if (test_random_below(&rnd, 500) == 0) {
            w.draft.upstreams[test_random_below(&rnd, 3)].id += 10;
            world_apply(&w);
        }
        struct world_answer *a;
        while ((a = world_take_answer(&w)) != NULL) {
            free(a);
        }
    }
    assert_idle();
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_case_and_tickets_are_random),
        cmocka_unit_test(other_seeds_give_other_ids),
        cmocka_unit_test(a_thousand_questions_are_in_flight_at_once),
        cmocka_unit_test(saturation_does_not_starve_others),
        cmocka_unit_test(a_quarter_of_packets_lost_is_borne),
        cmocka_unit_test(a_black_hole_costs_five_questions_at_most),
        cmocka_unit_test(probes_without_a_socket_harm_nobody),
        cmocka_unit_test(cookies_lift_limits_for_their_owner_only),
        cmocka_unit_test(no_answer_poisons_other_names),
        cmocka_unit_test(sixty_four_kilobytes_are_intact),
        cmocka_unit_test(a_hundred_stale_names_are_all_served),
        cmocka_unit_test(nothing_leaks),
    };
    return UNIT_RUN(tests);
}
