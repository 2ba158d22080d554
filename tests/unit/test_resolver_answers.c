/*
 * docs/answers.md, held against every combination of header bits, counts, opcodes, classes and
 * types, and against EDNS in all its forms. No upstream answers here: what would be asked is told
 * by a question being on its way.
 */
#include <stdlib.h>

#include "base/cursor.h"
#include "dns/msg.h"
#include "octets.h"
#include "unit.h"
#include "world.h"

static struct world w;

enum what { NOTHING, ANSWERED, ASKED };

struct got {
    enum what what;
    unsigned rcode;
    uint16_t flags;
    size_t len;
    bool opt;
    struct dns_edns edns;
    uint8_t data[2048];
};

static void read_opt(struct got *g)
{
    struct dns_walk walk;
    struct dns_record rr;
    dns_edns_none(&g->edns);
    assert_int_equal(dns_walk_begin(g->data, g->len, &walk), ERR_OK);
    while (dns_walk_next(&walk, &rr)) {
        if (rr.type == DNS_OPT) {
            assert_false(g->opt);
            g->opt = true;
            assert_int_equal(
                dns_edns_read(rr.klass, rr.ttl, g->data + rr.rdata, rr.rdlen, &g->edns), ERR_OK);
        }
    }
    g->rcode |= (unsigned)g->edns.ext_rcode << 4;
}

/* Ask, and let whatever was sent upstream fail, so that each question finds the same world. */
static struct got ask(const uint8_t *msg, size_t len)
{
    static uint16_t port;
    struct peer peer = {.port = ++port};
    struct got g = {.what = NOTHING};
    assert_int_equal(ip_parse(span_str("192.0.2.7"), &peer.addr), ERR_OK);
    peer.tcp = true; /* no limits */
    peer.conn = port;
    world_ask(&w, 0, &peer, msg, len);
    struct world_answer *a = world_take_answer(&w);
    struct world_sent *s = world_take_sent(&w);
    assert_false(a != NULL && s != NULL);
    if (a != NULL) {
        assert_true(a->len <= sizeof g.data);
        g.what = ANSWERED;
        g.len = a->len;
        g.flags = be16_read(a->data + 2);
        g.rcode = g.flags & DNS_RCODE_MASK;
        memcpy(g.data, a->data, a->len);
        read_opt(&g);
        free(a);
    }
    if (s != NULL) {
        g.what = ASKED;
        world_fail(&w, s, RESOLVER_UNREACHABLE);
        free(s);
        free(world_take_answer(&w));
        cache_flush(w.cache);
    }
    return g;
}

static size_t make(uint8_t *msg, uint16_t flags, const uint16_t counts[4], uint16_t type,
                   uint16_t klass)
{
    struct writer wr = writer_of(msg, 512);
    writer_be16(&wr, 0xabcd);
    writer_be16(&wr, flags);
    for (unsigned i = 0; i < 4; i++) {
        writer_be16(&wr, counts[i]);
    }
    for (unsigned i = 0; i < counts[0]; i++) {
        writer_bytes(&wr,
                     "\x03www\x07"
                     "example",
                     13);
        writer_be16(&wr, type);
        writer_be16(&wr, klass);
    }
    return wr.len;
}

static void begin(void)
{
    world_open(&w);
    w.rc.rate_limit = 0;
    world_apply(&w);
}

static void every_header(void **state)
{
    (void)state;
    uint8_t msg[512];
    begin();
    for (unsigned flags = 0; flags < 0x10000; flags += 8) {
        for (uint16_t questions = 0; questions <= 2; questions++) {
            const uint16_t counts[4] = {questions, 0, 0, 0};
            struct got g = ask(msg, make(msg, (uint16_t)flags, counts, DNS_A, DNS_IN));
            enum what want = ANSWERED;
            unsigned rcode = DNS_FORMERR;
            if (flags & DNS_QR) {
                want = NOTHING;
            } else if (flags & DNS_OPCODE_MASK) {
                rcode = DNS_NOTIMP;
            } else if (questions == 1) {
                want = flags & DNS_RD ? ASKED : ANSWERED;
                rcode = DNS_REFUSED;
            }
            if (g.what != want || (want == ANSWERED && g.rcode != rcode)) {
                fail_msg("flags %04x, %u questions: %d, rcode %u", flags, questions, (int)g.what,
                         g.rcode);
            }
            if (want != ANSWERED) {
                continue;
            }
            assert_int_equal(be16_read(g.data), 0xabcd);
            assert_int_equal(g.flags & (uint16_t)~DNS_RCODE_MASK,
                             DNS_QR | DNS_RA | (flags & (DNS_OPCODE_MASK | DNS_RD | DNS_CD)));
            assert_int_equal(g.len, rcode == DNS_REFUSED ? 29 : 12);
            assert_int_equal(be16_read(g.data + 4), rcode == DNS_REFUSED);
        }
    }
    world_close(&w);
}

static void every_class_and_type(void **state)
{
    (void)state;
    static const uint16_t classes[] = {0,      DNS_IN, 2, DNS_CH, 4, DNS_CLASS_NONE, DNS_CLASS_ANY,
                                       0x8001, 65535};
    static const uint16_t counts[4] = {1, 0, 0, 0};
    uint8_t msg[512];
    begin();
    for (size_t k = 0; k < ARRAY_LEN(classes); k++) {
        for (uint32_t type = 0; type < 65536; type += type < 300 || type > 65000 ? 1 : 997) {
            struct got g = ask(msg, make(msg, DNS_RD, counts, (uint16_t)type, classes[k]));
            bool meta = type == 0 || type == DNS_OPT || (type >= 128 && type <= 254);
            enum what want = ANSWERED;
            unsigned rcode = DNS_REFUSED;
            if (classes[k] == DNS_IN && type == DNS_ANY) {
                rcode = DNS_NOERROR;
            } else if (classes[k] == DNS_IN && !meta) {
                want = ASKED;
            }
            if (g.what != want || (want == ANSWERED && g.rcode != rcode)) {
                fail_msg("class %u type %u: %d, rcode %u", classes[k], type, (int)g.what, g.rcode);
            }
        }
    }
    world_close(&w);
}

/* Records that have no business in a question are looked through, and neither kept nor passed on.
 */
static void records_in_questions(void **state)
{
    (void)state;
    static const uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 1, 2, 3, 4};
    uint8_t msg[512];
    begin();
    for (unsigned section = 1; section < 4; section++) {
        uint16_t counts[4] = {1, 0, 0, 0};
        counts[section] = 1;
        size_t len = make(msg, DNS_RD, counts, DNS_A, DNS_IN);
        assert_int_equal(ask(msg, len).rcode, DNS_FORMERR); /* announced, not there */
        memcpy(msg + len, record, sizeof record);
        assert_int_equal(ask(msg, len + sizeof record).what, ASKED);
        assert_int_equal(ask(msg, len + sizeof record - 1).rcode, DNS_FORMERR);
        assert_int_equal(ask(msg, len + sizeof record + 1).rcode, DNS_FORMERR);
    }
    world_close(&w);
}

/* OPT records, good and bad: size, version, DO and Z bits, options, how many, where. */
static void every_kind_of_edns(void **state)
{
    (void)state;
    static const struct {
        const char *why, *hex; /* after the question; counts in front */
        uint8_t authority, additional;
        enum what what;
        unsigned rcode;
        bool opt, dnssec_ok;
    } rows[] = {
        {"none", "", 0, 0, ASKED, 0, false, false},
        {"bare", "00 0029 04d0 00000000 0000", 0, 1, ASKED, 0, true, false},
        {"size 0", "00 0029 0000 00000000 0000", 0, 1, ASKED, 0, true, false},
        {"size 65535", "00 0029 ffff 00000000 0000", 0, 1, ASKED, 0, true, false},
        {"DO", "00 0029 04d0 00008000 0000", 0, 1, ASKED, 0, true, true},
        {"Z bits", "00 0029 04d0 00007fff 0000", 0, 1, ASKED, 0, true, false},
        {"version 1", "00 0029 04d0 00010000 0000", 0, 1, ANSWERED, DNS_BADVERS, true, false},
        {"version 255 with DO", "00 0029 04d0 00ff8000 0000", 0, 1, ANSWERED, DNS_BADVERS, true,
         true},
        {"an rcode in a question", "00 0029 04d0 ff000000 0000", 0, 1, ASKED, 0, true, false},
        {"unknown option", "00 0029 04d0 00000000 0008 fde9 0004 01020304", 0, 1, ASKED, 0, true,
         false},
        {"empty option", "00 0029 04d0 00000000 0004 fde9 0000", 0, 1, ASKED, 0, true, false},
        {"client subnet", "00 0029 04d0 00000000 000b 0008 0007 0001 18 00 c00002", 0, 1, ASKED, 0,
         true, false},
        {"client cookie", "00 0029 04d0 00000000 000c 000a 0008 0102030405060708", 0, 1, ASKED, 0,
         true, false},
        {"cookie of 7", "00 0029 04d0 00000000 000b 000a 0007 01020304050607", 0, 1, ANSWERED,
         DNS_FORMERR, true, false},
        {"cookie of 9", "00 0029 04d0 00000000 000d 000a 0009 010203040506070809", 0, 1, ANSWERED,
         DNS_FORMERR, true, false},
        {"option cut", "00 0029 04d0 00000000 0003 fde9 00", 0, 1, ANSWERED, DNS_FORMERR, true,
         false},
        {"option too long", "00 0029 04d0 00000000 0004 fde9 0001", 0, 1, ANSWERED, DNS_FORMERR,
         true, false},
        {"rdata cut", "00 0029 04d0 00000000 0001", 0, 1, ANSWERED, DNS_FORMERR, false, false},
        {"two", "00 0029 04d0 00000000 0000 00 0029 04d0 00000000 0000", 0, 2, ANSWERED,
         DNS_FORMERR, true, false},
        {"owner not the root", "0161 00 0029 04d0 00000000 0000", 0, 1, ANSWERED, DNS_FORMERR, true,
         false},
        {"in authority", "00 0029 04d0 00000000 0000", 1, 0, ANSWERED, DNS_FORMERR, true, false},
        {"TSIG", "00 00fa 00ff 00000000 0000", 0, 1, ANSWERED, DNS_FORMERR, false, false},
    };
    uint8_t msg[512];
    begin();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const uint16_t counts[4] = {1, 0, rows[i].authority, rows[i].additional};
        size_t len = make(msg, DNS_RD, counts, DNS_A, DNS_IN);
        len += octets_of_hex(rows[i].hex, msg + len, sizeof msg - len);
        struct got g = ask(msg, len);
        if (g.what != rows[i].what ||
            (g.what == ANSWERED && (g.rcode != rows[i].rcode || g.opt != rows[i].opt))) {
            fail_msg("%s: %d, rcode %u, opt %d", rows[i].why, (int)g.what, g.rcode, g.opt);
        }
        /* The same for a name that is answered here: look at the OPT. */
        if (rows[i].what == ASKED) {
            memcpy(msg + 12, "\x03www\x07invalid", 13);
            g = ask(msg, len);
            if (g.what != ANSWERED || g.rcode != DNS_NXDOMAIN || g.opt != rows[i].opt ||
                g.edns.dnssec_ok != rows[i].dnssec_ok ||
                (g.opt && g.edns.udp_size != DNS_UDP_MAX) || g.edns.version != 0 ||
                g.edns.has_ecs) {
                fail_msg("%s: another OPT than ours", rows[i].why);
            }
        }
    }
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_header),
        cmocka_unit_test(every_class_and_type),
        cmocka_unit_test(records_in_questions),
        cmocka_unit_test(every_kind_of_edns),
    };
    return UNIT_RUN(tests);
}
