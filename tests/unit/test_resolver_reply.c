/*
 * Upstream answers: which belong to the question, and what is left of them. Messages are made by
 * ldns.
 */
#include "rrtext.h"

#include "octets.h"
#include "resolver/reply.h"
#include "unit.h"

static uint8_t question[512], msg[65536], room[65536];
static size_t question_len;
static struct reply reply;
static struct dns_name name;
static uint8_t wire[DNS_NAME_ROOM];
static struct reply_expect expect;
static const struct reply_limits limits = {0, 86400, 10800};

static void ask(const char *text, const char *type, bool dnssec_ok)
{
    struct rrtext_question q = {.name = text,
                                .type = type,
                                .klass = "IN",
                                .id = 0x1234,
                                .rd = true,
                                .edns = true,
                                .dnssec_ok = dnssec_ok,
                                .udp_size = 1232};
    question_len = rrtext_question(&q, question, sizeof question);
    size_t pos = 12;
    assert_int_equal(dns_name_read(question, question_len, &pos, &name), ERR_OK);
    memcpy(wire, question + 12, name.len);
    expect = (struct reply_expect){.name = &name,
                                   .wire = wire,
                                   .id = 0x1234,
                                   .type = be16_read(question + pos),
                                   .klass = DNS_IN,
                                   .edns = true,
                                   .dnssec_ok = dnssec_ok};
    reply.msg = room;
    reply.cap = DNS_TCP_MAX;
}

static ldns_rr_list *list_of(const char *const *texts)
{
    ldns_rr_list *list = ldns_rr_list_new();
    for (; texts != NULL && *texts != NULL; texts++) {
        ldns_rr *rr = rrtext_parse(*texts, ".", 300);
        assert_non_null(rr);
        ldns_rr_list_push_rr(list, rr);
    }
    return list;
}

static size_t make(unsigned rcode, const char *const *answer, const char *const *authority)
{
    ldns_rr_list *an = list_of(answer), *ns = list_of(authority);
    size_t len = rrtext_reply(question, question_len, rcode, an, ns, NULL, msg, sizeof msg);
    ldns_rr_list_deep_free(an);
    ldns_rr_list_deep_free(ns);
    return len;
}

static enum reply_kind read_reply(size_t len)
{
    return reply_read(msg, len, &expect, &limits, &reply);
}

/* The rewritten message, its header made whole, as ldns reads it. */
static ldns_pkt *rewritten(void)
{
    ldns_pkt *pkt = NULL;
    be16_write(room + 6, reply.hit.answers);
    be16_write(room + 8, reply.hit.authorities);
    assert_int_equal(dns_msg_check(room, reply.records + reply.hit.len), ERR_OK);
    assert_int_equal(ldns_wire2pkt(&pkt, room, reply.records + reply.hit.len), LDNS_STATUS_OK);
    return pkt;
}

static void assert_records(const ldns_rr_list *got, const char *const *want)
{
    ldns_rr_list *list = list_of(want);
    assert_int_equal(ldns_rr_list_rr_count(got), ldns_rr_list_rr_count(list));
    for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++) {
        ldns_rr *a = ldns_rr_list_rr(got, i), *b = ldns_rr_list_rr(list, i);
        if (ldns_rr_compare(a, b) != 0) {
            fail_msg("%s instead of %s", ldns_rr2str(a), ldns_rr2str(b));
        }
    }
    ldns_rr_list_deep_free(list);
}

/* Every type whose rdata has names, and some that have none, come out as they went in. */
static void records_of_all_types_survive(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"A", "www.example A 198.51.100.1"},
        {"NS", "www.example NS ns.www.example"},
        {"CNAME", "www.example CNAME other.www.example"},
        {"SOA", "www.example SOA ns.www.example host.example 1 2 3 4 5"},
        {"PTR", "www.example PTR Mixed.Case.example"},
        {"HINFO", "www.example HINFO cpu os"},
        {"MINFO", "www.example MINFO a.example b.www.example"},
        {"MX", "www.example MX 10 mail.www.example"},
        {"TXT", "www.example TXT text text"},
        {"RP", "www.example RP a.www.example b.www.example"},
        {"AFSDB", "www.example AFSDB 1 a.www.example"},
        {"AAAA", "www.example AAAA 2001:db8::1"},
        {"SRV", "www.example SRV 1 2 3 target.www.example"},
        {"NAPTR", "www.example NAPTR 1 2 \"s\" \"http\" \"!a!b!\" target.www.example"},
        {"KX", "www.example KX 1 kx.www.example"},
        {"DNAME", "www.example DNAME new.www.example"},
        {"DS",
         "www.example DS 1 8 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
        {"NSEC", "www.example NSEC next.www.example A RRSIG NSEC"},
        {"DNSKEY", "www.example DNSKEY 256 3 8 AQID"},
        {"TYPE65", "www.example TYPE65 \\# 3 000100"},
        {"CAA", "www.example CAA 0 issue \"ca.example\""},
        {"TYPE65280", "www.example TYPE65280 \\# 4 c00cc00c"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *const answer[] = {rows[i][1], NULL};
        ask("www.example", rows[i][0], true);
        if (read_reply(make(0, answer, NULL)) != RESPONSE_GOOD) {
            fail_msg("%s", rows[i][1]);
        }
        ldns_pkt *pkt = rewritten();
        assert_records(ldns_pkt_answer(pkt), answer);
        ldns_pkt_free(pkt);
    }
}

/* Names keep their case, but for what they share with the question, whose case was ours. */
static void our_random_case_does_not_show(void **state)
{
    (void)state;
    const char *const answer[] = {"wWw.eXaMpLe CNAME tArGeT.eXaMpLe",
                                  "tArGeT.eXaMpLe A 198.51.100.1", NULL};
    ask("wWw.eXaMpLe", "A", false);
    assert_int_equal(read_reply(make(0, answer, NULL)), RESPONSE_GOOD);
    ldns_pkt *pkt = rewritten();
    char *text = ldns_rdf2str(ldns_rr_rdf(ldns_rr_list_rr(ldns_pkt_answer(pkt), 0), 0));
    assert_string_equal(text, "tArGeT.example.");
    free(text);
    ldns_pkt_free(pkt);
}

static void answers_are_compressed(void **state)
{
    (void)state;
    const char *const answer[] = {"www.example CNAME a-rather-long-name.cdn.example",
                                  "a-rather-long-name.cdn.example A 198.51.100.1",
                                  "a-rather-long-name.cdn.example A 198.51.100.2", NULL};
    ask("www.example", "A", false);
    assert_int_equal(read_reply(make(0, answer, NULL)), RESPONSE_GOOD);
    /* CNAME: 12 + label of 18 and 3, pointer; each A: 16 */
    assert_int_equal(reply.hit.len, 12 + 19 + 4 + 2 + 16 + 16);
}

static void each_field_must_fit(void **state)
{
    (void)state;
    const char *const answer[] = {"www.example A 198.51.100.1", NULL};
    ask("www.example", "A", false);
    size_t len = make(0, answer, NULL);
    assert_int_equal(read_reply(len), RESPONSE_GOOD);
    /* Any single bit of ID, QR, opcode, QDCOUNT, QNAME, QTYPE and QCLASS. */
    for (size_t at = 0; at < 12 + 13 + 4; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            bool checked = at < 2 || (at == 2 && bit >= 3) || at == 4 || at == 5 || at >= 12;
            if (!checked) {
                continue;
            }
            msg[at] ^= (uint8_t)(1U << bit);
            enum reply_kind kind = read_reply(len);
            if (kind != RESPONSE_FOREIGN && kind != RESPONSE_CASE) {
                fail_msg("octet %zu bit %u is not looked at", at, bit);
            }
            msg[at] ^= (uint8_t)(1U << bit);
        }
    }
}

static void every_cut_is_noticed(void **state)
{
    (void)state;
    const char *const answer[] = {"www.example CNAME b.example", "b.example A 198.51.100.1", NULL};
    ask("www.example", "A", false);
    size_t len = make(0, answer, NULL);
    for (size_t n = 0; n < len; n++) {
        assert_int_not_equal(read_reply(n), RESPONSE_GOOD);
    }
    msg[len] = 0;
    assert_int_equal(read_reply(len + 1), RESPONSE_MALFORMED);
}

static void rcodes(void **state)
{
    (void)state;
    static const struct {
        unsigned rcode;
        enum reply_kind edns, plain;
    } rows[] = {
        {DNS_FORMERR, RESPONSE_FAILURE, RESPONSE_FAILURE},
        {DNS_SERVFAIL, RESPONSE_FAILURE, RESPONSE_FAILURE},
        {DNS_NOTIMP, RESPONSE_FAILURE, RESPONSE_FAILURE},
        {DNS_REFUSED, RESPONSE_FAILURE, RESPONSE_FAILURE},
        {6, RESPONSE_FAILURE, RESPONSE_FAILURE},
        {DNS_NXDOMAIN, RESPONSE_GOOD, RESPONSE_GOOD},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        ask("www.example", "A", false);
        size_t len = make(rows[i].rcode, NULL, NULL);
        assert_int_equal(read_reply(len), rows[i].edns);
        expect.edns = false;
        assert_int_equal(read_reply(len), rows[i].plain);
        expect.edns = true;
        /* The same without OPT: FORMERR and NOTIMP then mean EDNS. */
        len -= 11;
        msg[11] = 0;
        bool about_edns = rows[i].rcode == DNS_FORMERR || rows[i].rcode == DNS_NOTIMP;
        assert_int_equal(read_reply(len), about_edns ? RESPONSE_NO_EDNS : rows[i].edns);
    }
}

static void how_long_answers_are_kept(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        unsigned rcode;
        const char *answer[4], *authority[3];
        uint32_t ttl_s;
    } rows[] = {
        {"the least of the chain",
         0,
         {"www.example CNAME b.example ttl 50", "b.example A 1.2.3.4 ttl 70"},
         {NULL},
         50},
        {"more than the most", 0, {"www.example A 1.2.3.4 ttl 100000"}, {NULL}, 86400},
        {"zero", 0, {"www.example A 1.2.3.4 ttl 0"}, {NULL}, 0},
        {"top bit", 0, {"www.example A 1.2.3.4 ttl 2147483648"}, {NULL}, 0},
        {"SOA's TTL", 3, {NULL}, {"example SOA a b 1 2 3 4 900 ttl 60"}, 60},
        {"SOA's minimum", 3, {NULL}, {"example SOA a b 1 2 3 4 30 ttl 60"}, 30},
        {"minimum with top bit", 3, {NULL}, {"example SOA a b 1 2 3 4 2147483649 ttl 60"}, 0},
        {"at most", 0, {NULL}, {"example SOA a b 1 2 3 4 86400 ttl 86400"}, 10800},
        {"no SOA", 3, {NULL}, {NULL}, 0},
        {"SOA of a sibling", 3, {NULL}, {"other.example SOA a b 1 2 3 4 60"}, 0},
        {"SOA below", 3, {NULL}, {"x.www.example SOA a b 1 2 3 4 60"}, 0},
        {"chain that ends in nothing",
         3,
         {"www.example CNAME b.test ttl 20"},
         {"test SOA a b 1 2 3 4 60"},
         20},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        ask("www.example", "A", false);
        if (read_reply(make(rows[i].rcode, rows[i].answer, rows[i].authority)) != RESPONSE_GOOD ||
            reply.ttl_s != rows[i].ttl_s) {
            fail_msg("%s: %u", rows[i].why, reply.ttl_s);
        }
    }
}

static void ttls_stand_where_the_offsets_say(void **state)
{
    (void)state;
    const char *const answer[] = {"www.example CNAME b.example ttl 50",
                                  "b.example CNAME c.test ttl 60", "c.test A 198.51.100.1 ttl 70",
                                  "c.test A 198.51.100.2 ttl 70", NULL};
    ask("www.example", "A", false);
    assert_int_equal(read_reply(make(0, answer, NULL)), RESPONSE_GOOD);
    assert_int_equal(reply.ttl_count, 4);
    static const uint32_t want[] = {50, 60, 70, 70};
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(be32_read(room + reply.records + reply.ttl_off[i]), want[i]);
    }
}

static void flags_for_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *type, *answer;
        uint8_t flags;
    } rows[] = {
        {"A", "www.example A 198.51.100.1", 0},
        {"A", "www.example A 10.0.0.1", CACHE_HAS_PRIVATE},
        {"A", "www.example A 172.31.255.255", CACHE_HAS_PRIVATE},
        {"A", "www.example A 172.32.0.0", 0},
        {"A", "www.example A 192.168.0.1", CACHE_HAS_PRIVATE},
        {"A", "www.example A 169.254.1.1", CACHE_HAS_PRIVATE},
        {"A", "www.example A 127.1.2.3", CACHE_HAS_PRIVATE},
        {"A", "www.example A 0.0.0.0", CACHE_HAS_NULL},
        {"AAAA", "www.example AAAA 2001:db8::1", 0},
        {"AAAA", "www.example AAAA fd00::1", CACHE_HAS_PRIVATE},
        {"AAAA", "www.example AAAA fe80::1", CACHE_HAS_PRIVATE},
        {"AAAA", "www.example AAAA ::1", CACHE_HAS_PRIVATE},
        {"AAAA", "www.example AAAA ::ffff:10.0.0.1", CACHE_HAS_PRIVATE},
        {"AAAA", "www.example AAAA ::", CACHE_HAS_NULL},
        {"TYPE65", "www.example TYPE65 \\# 11 00010000040004c6336401", 0},
        {"TYPE65", "www.example TYPE65 \\# 11 00010000040004c0a80001", CACHE_HAS_PRIVATE},
        {"TYPE64", "www.example TYPE64 \\# 15 00010000040008c63364010a000001", CACHE_HAS_PRIVATE},
        {"TYPE65",
         "www.example TYPE65 \\# 30 0001000001000302683200060010"
         "fd000000000000000000000000000001",
         CACHE_HAS_PRIVATE},
        {"TYPE65", "www.example TYPE65 \\# 17 0001016103636f6d000004000400000000", CACHE_HAS_NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *const answer[] = {rows[i].answer, NULL};
        ask("www.example", rows[i].type, false);
        assert_int_equal(read_reply(make(0, answer, NULL)), RESPONSE_GOOD);
        if (reply.hit.flags != rows[i].flags) {
            fail_msg("%s", rows[i].answer);
        }
    }
}

/* Answer sections of random records: what is kept is the chain from the question, nothing else. */
static void nothing_beside_the_chain_is_kept(void **state)
{
    (void)state;
    static const char *const names[] = {"www.example", "a.example", "b.example",
                                        "c.test",      "bank.test", "d.example"};
    struct test_random rnd = {11};
    for (unsigned round = 0; round < 3000; round++) {
        char text[12][128];
        const char *answer[13], *authority[4];
        unsigned n = test_random_below(&rnd, 12), m = test_random_below(&rnd, 3);
        for (unsigned i = 0; i < n; i++) {
            const char *owner = names[test_random_below(&rnd, ARRAY_LEN(names))];
            const char *target = names[test_random_below(&rnd, ARRAY_LEN(names))];
            switch (test_random_below(&rnd, 5)) {
            case 0:
            case 1:
                snprintf(text[i], sizeof text[i], "%s CNAME %s", owner, target);
                break;
            case 2:
                snprintf(text[i], sizeof text[i], "%s NS %s", owner, target);
                break;
            default:
                snprintf(text[i], sizeof text[i], "%s A 198.51.100.%u", owner, i);
                break;
            }
            answer[i] = text[i];
        }
        answer[n] = NULL;
        for (unsigned i = 0; i < m; i++) {
            authority[i] =
                test_random_below(&rnd, 2) ? "bank.test A 203.0.113.66" : "test NS ns.evil.test";
        }
        authority[m] = NULL;
        ask("www.example", "A", false);
        if (read_reply(make(0, answer, authority)) != RESPONSE_GOOD) {
            continue;
        }
        assert_int_equal(reply.hit.authorities, 0);
        ldns_pkt *pkt = rewritten();
        const ldns_rr_list *got = ldns_pkt_answer(pkt);
        char at[256] = "www.example.";
        for (size_t i = 0; i < ldns_rr_list_rr_count(got); i++) {
            ldns_rr *rr = ldns_rr_list_rr(got, i);
            char *owner = ldns_rdf2str(ldns_rr_owner(rr));
            assert_string_equal(owner, at);
            free(owner);
            assert_true(ldns_rr_get_type(rr) == LDNS_RR_TYPE_A ||
                        ldns_rr_get_type(rr) == LDNS_RR_TYPE_CNAME);
            if (ldns_rr_get_type(rr) == LDNS_RR_TYPE_CNAME) {
                char *target = ldns_rdf2str(ldns_rr_rdf(rr, 0));
                snprintf(at, sizeof at, "%s", target);
                free(target);
            }
        }
        ldns_pkt_free(pkt);
    }
}

static void the_largest_answer_is_intact(void **state)
{
    (void)state;
    static char text[4000][64];
    static const char *answer[4001];
    for (unsigned i = 0; i < 4000; i++) {
        snprintf(text[i], sizeof text[i], "www.example A 198.51.%u.%u", i / 250, i % 250);
        answer[i] = text[i];
    }
    ask("www.example", "A", false);
    expect.stream = true;
    size_t len = make(0, answer, NULL);
    assert_true(len > 64000);
    assert_int_equal(read_reply(len), RESPONSE_GOOD);
    assert_int_equal(reply.hit.answers, 4000);
    assert_int_equal(reply.ttl_s, 0); /* too many to be cached */
    ldns_pkt *pkt = rewritten();
    assert_records(ldns_pkt_answer(pkt), answer);
    ldns_pkt_free(pkt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_of_all_types_survive),
        cmocka_unit_test(our_random_case_does_not_show),
        cmocka_unit_test(answers_are_compressed),
        cmocka_unit_test(each_field_must_fit),
        cmocka_unit_test(every_cut_is_noticed),
        cmocka_unit_test(rcodes),
        cmocka_unit_test(how_long_answers_are_kept),
        cmocka_unit_test(ttls_stand_where_the_offsets_say),
        cmocka_unit_test(flags_for_addresses),
        cmocka_unit_test(nothing_beside_the_chain_is_kept),
        cmocka_unit_test(the_largest_answer_is_intact),
    };
    return UNIT_RUN(tests);
}
