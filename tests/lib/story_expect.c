/*
 * What a story expects: answers by their records and flags, silence, statistics. Records are
 * compared by ldns.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns/msg.h"
#include "rrtext.h"
#include "stats/names.h"
#include "story.h"

static const char *const stops[] = {"for",          "ttl",        "ede",    "no-ede",  "flags",
                                    "case",         "soa",        "saying", "no-edns", "with-edns",
                                    "authority",    "additional", "cookie", "size",    "within",
                                    "nothing-else", NULL};

static struct world_answer *take_answer(struct story *s, const struct ip_addr *from)
{
    for (unsigned k = 0; k < s->answer_count; k++) {
        struct world_answer *a = s->answer[k];
        if (from == NULL || ip_equal(&a->peer.addr, from)) {
            memmove(&s->answer[k], &s->answer[k + 1],
                    (s->answer_count - k - 1) * sizeof s->answer[0]);
            s->answer_count--;
            return a;
        }
    }
    return NULL;
}

static bool same_records(struct story *s, const ldns_rr_list *got, const ldns_rr_list *want,
                         const char *where)
{
    size_t n = ldns_rr_list_rr_count(want);
    bool same = ldns_rr_list_rr_count(got) == n;
    for (size_t i = 0; same && i < n; i++) {
        same = ldns_rr_compare(ldns_rr_list_rr(got, i), ldns_rr_list_rr(want, i)) == 0;
    }
    if (!same) {
        char *g = ldns_rr_list2str(got), *w = ldns_rr_list2str(want);
        story_fail(s, "%s: expected\n#   %s#  found\n#   %s", where, w, g);
        free(g);
        free(w);
    }
    return same;
}

static bool check_ttl(struct story *s, const ldns_pkt *pkt, uint32_t ttl)
{
    const ldns_rr_list *list = ldns_pkt_answer(pkt);
    if (ldns_rr_list_rr_count(list) == 0) {
        list = ldns_pkt_authority(pkt);
    }
    for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++) {
        uint32_t got = ldns_rr_ttl(ldns_rr_list_rr(list, i));
        if (got != ttl) {
            return story_fail(s, "expected ttl %u, found %u", ttl, got);
        }
    }
    return ldns_rr_list_rr_count(list) > 0 || story_fail(s, "no record to have a ttl");
}

static bool check_flags(struct story *s, unsigned *i, uint16_t flags)
{
    static const struct {
        const char *name;
        uint16_t bit;
    } rows[] = {{"qr", DNS_QR}, {"aa", DNS_AA}, {"tc", DNS_TC}, {"rd", DNS_RD},
                {"ra", DNS_RA}, {"ad", DNS_AD}, {"cd", DNS_CD}};
    uint16_t want = DNS_QR | DNS_RA;
    for (bool more = true; more && *i < s->count;) {
        more = false;
        for (size_t k = 0; k < ARRAY_LEN(rows); k++) {
            if (*i < s->count && strcmp(s->word[*i], rows[k].name) == 0) {
                want |= rows[k].bit;
                ++*i;
                more = true;
            }
        }
    }
    uint16_t got = flags & (uint16_t) ~(DNS_RCODE_MASK | DNS_OPCODE_MASK);
    return got == want || story_fail(s, "expected flags %04x, found %04x", want, got);
}

static bool check_case(struct story *s, const struct world_answer *a, const char *name)
{
    ldns_rdf *want = ldns_dname_new_frm_str(name);
    bool same = want != NULL && memcmp(ldns_rdf_data(want), a->data + 12, ldns_rdf_size(want)) == 0;
    ldns_rdf_deep_free(want);
    return same || story_fail(s, "the question's case is not %s", name);
}

static void keep_cookie(struct story *s, const struct dns_edns *edns)
{
    s->cookie[0] = '\0';
    for (unsigned i = 0; i < edns->cookie_len; i++) {
        snprintf(s->cookie + 2 * i, 3, "%02x", edns->cookie[i]);
    }
}

static bool read_edns(const struct world_answer *a, struct dns_edns *out)
{
    struct dns_walk walk;
    struct dns_record rr;
    dns_edns_none(out);
    if (dns_walk_begin(a->data, a->len, &walk) != ERR_OK) {
        return false;
    }
    while (dns_walk_next(&walk, &rr)) {
        if (rr.type == DNS_OPT) {
            return dns_edns_read(rr.klass, rr.ttl, a->data + rr.rdata, rr.rdlen, out) == ERR_OK;
        }
    }
    return true;
}

static bool check_one(struct story *s, unsigned *i, const struct world_answer *a,
                      const ldns_pkt *pkt, const struct dns_edns *edns, const char *owner)
{
    const char *w = s->word[(*i)++];
    const char *v = *i < s->count ? s->word[*i] : "";
    char text[256];
    if (strcmp(w, "for") == 0) {
        ++*i;
        return true;
    }
    if (strcmp(w, "ttl") == 0) {
        ++*i;
        return check_ttl(s, pkt, (uint32_t)atoi(v));
    }
    if (strcmp(w, "ede") == 0) {
        ++*i;
        int got = rrtext_ede(a->data, a->len, text);
        return got == atoi(v) || story_fail(s, "expected ede %s, found %d (%s)", v, got, text);
    }
    if (strcmp(w, "saying") == 0) {
        ++*i;
        rrtext_ede(a->data, a->len, text);
        return (strlen(v) == strlen(text) + 2 && strncmp(v + 1, text, strlen(text)) == 0) ||
               story_fail(s, "expected the ede to say %s, found \"%s\"", v, text);
    }
    if (strcmp(w, "no-ede") == 0) {
        return rrtext_ede(a->data, a->len, text) < 0 || story_fail(s, "expected no ede");
    }
    if (strcmp(w, "flags") == 0) {
        return check_flags(s, i, be16_read(a->data + 2));
    }
    if (strcmp(w, "case") == 0) {
        ++*i;
        return check_case(s, a, v);
    }
    if (strcmp(w, "soa") == 0) {
        const ldns_rr_list *l = ldns_pkt_authority(pkt);
        return (ldns_rr_list_rr_count(l) > 0 &&
                ldns_rr_get_type(ldns_rr_list_rr(l, 0)) == LDNS_RR_TYPE_SOA) ||
               story_fail(s, "expected an SOA");
    }
    if (strcmp(w, "no-edns") == 0 || strcmp(w, "with-edns") == 0) {
        return edns->present == (w[0] == 'w') || story_fail(s, "expected %s", w);
    }
    if (strcmp(w, "cookie") == 0) {
        keep_cookie(s, edns);
        return edns->cookie_len == 24 ||
               story_fail(s, "expected a server cookie, found %u octets", edns->cookie_len);
    }
    if (strcmp(w, "size") == 0) {
        ++*i;
        return a->len <= (size_t)atoi(v) ||
               story_fail(s, "expected at most %s octets, found %zu", v, a->len);
    }
    if (strcmp(w, "within") == 0) {
        ++*i;
        return true; /* checked when the answer was taken */
    }
    if (strcmp(w, "authority") == 0) {
        ldns_rr_list *want = story_records(s, i, owner, 0, stops);
        bool same = want != NULL && same_records(s, ldns_pkt_authority(pkt), want, "authority");
        ldns_rr_list_deep_free(want);
        return same;
    }
    if (strcmp(w, "additional") == 0) {
        ldns_rr_list *want = story_records(s, i, owner, 0, stops);
        bool same = want != NULL && same_records(s, ldns_pkt_additional(pkt), want, "additional");
        ldns_rr_list_deep_free(want);
        return same;
    }
    return story_fail(s, "unknown word '%s'", w);
}

static const char *word_after(const struct story *s, const char *word)
{
    for (unsigned i = 0; i + 1 < s->count; i++) {
        if (strcmp(s->word[i], word) == 0) {
            return s->word[i + 1];
        }
    }
    return NULL;
}

static bool check_answer(struct story *s, const struct world_answer *a, unsigned rcode,
                         bool records, bool truncated)
{
    ldns_pkt *pkt = NULL;
    struct dns_edns edns;
    unsigned i = 2;
    if (ldns_wire2pkt(&pkt, a->data, a->len) != LDNS_STATUS_OK || !read_edns(a, &edns)) {
        return story_fail(s, "ldns cannot read the answer");
    }
    char owner[DNS_NAME_TEXT] = ".";
    struct dns_name name;
    size_t pos = 12;
    if (be16_read(a->data + 4) == 1 && dns_name_read(a->data, a->len, &pos, &name) == ERR_OK) {
        dns_name_format(&name, owner);
    }
    s->last_rcode = be16_read(a->data + 2) & DNS_RCODE_MASK;
    unsigned got = (unsigned)(be16_read(a->data + 2) & DNS_RCODE_MASK) | (unsigned)edns.ext_rcode
                                                                             << 4;
    bool good = true;
    if (got != rcode) {
        char *text = ldns_pkt2str(pkt);
        for (char *p = strchr(text, '\n'); p != NULL; p = strchr(p + 1, '\n')) {
            *p = ' ';
        }
        good = story_fail(s, "expected rcode %u, found %u: %s", rcode, got, text);
        free(text);
    }
    if (good && truncated != ((be16_read(a->data + 2) & DNS_TC) != 0)) {
        good = story_fail(s, truncated ? "expected TC" : "the answer is truncated");
    }
    if (good) {
        ldns_rr_list *want = records ? story_records(s, &i, owner, 0, stops) : ldns_rr_list_new();
        good = want != NULL && same_records(s, ldns_pkt_answer(pkt), want, "answer");
        ldns_rr_list_deep_free(want);
    }
    while (good && i < s->count) {
        good = check_one(s, &i, a, pkt, &edns, owner);
    }
    ldns_pkt_free(pkt);
    return good;
}

static bool expect_answer(struct story *s, unsigned rcode, bool records, bool truncated)
{
    struct ip_addr from;
    const char *client = word_after(s, "for"), *within = word_after(s, "within");
    if (client != NULL && ip_parse(span_str(client), &from) != ERR_OK) {
        return story_fail(s, "not an address: %s", client);
    }
    struct world_answer *a = take_answer(s, client != NULL ? &from : NULL);
    usec_t until = s->world.now + (within != NULL ? story_time(within) : 0);
    while (a == NULL && s->world.now < until) {
        usec_t step = s->world.now + USEC_PER_MSEC;
        story_advance(s, step < until ? step : until);
        a = take_answer(s, client != NULL ? &from : NULL);
    }
    if (a == NULL) {
        return story_fail(s, "there is no answer");
    }
    bool good = check_answer(s, a, rcode, records, truncated);
    free(a);
    return good;
}

static bool expect_count(struct story *s, bool status)
{
    uint64_t got = 0;
    bool found = false;
    if (s->count < 4) {
        return false;
    }
    for (unsigned k = 0; status && k < QUERY_STATUS_COUNT; k++) {
        if (strcmp(query_status_label((enum query_status)k), s->word[2]) == 0) {
            got = world_count_status(&s->world, (enum query_status)k);
            found = true;
        }
    }
    for (unsigned k = 0; !status && k < COUNTER_COUNT; k++) {
        if (strcmp(counter_name((enum stats_counter)k), s->word[2]) == 0) {
            got = world_count(&s->world, (enum stats_counter)k);
            found = true;
        }
    }
    if (!found) {
        return story_fail(s, "nothing is counted as '%s'", s->word[2]);
    }
    return got == strtoull(s->word[3], NULL, 10) ||
           story_fail(s, "expected %s %s, found %llu", s->word[2], s->word[3],
                      (unsigned long long)got);
}

static bool expect_health(struct story *s, bool up)
{
    for (uint16_t i = 0; i < s->upstream_count; i++) {
        struct upstream_health h;
        if (strcmp(s->upstream[i].name, s->word[2]) == 0) {
            resolver_get_upstream(s->world.resolver[0], i, &h);
            return h.up == up || story_fail(s, "%s is %s", s->word[2], h.up ? "up" : "down");
        }
    }
    return story_fail(s, "who is %s?", s->word[2]);
}

/* expect N more: so many further answers with the rcode of the last one, whatever they hold. */
static bool expect_more(struct story *s, unsigned n)
{
    for (; n > 0; n--) {
        struct world_answer *a = take_answer(s, NULL);
        if (a == NULL) {
            return story_fail(s, "%u answers are missing", n);
        }
        bool same = (be16_read(a->data + 2) & DNS_RCODE_MASK) == s->last_rcode;
        free(a);
        if (!same) {
            return story_fail(s, "an answer with another rcode");
        }
    }
    return true;
}

bool story_expect(struct story *s)
{
    static const struct {
        const char *word;
        unsigned rcode;
        bool records, truncated;
    } rows[] = {
        {"answer", DNS_NOERROR, true, false},    {"nodata", DNS_NOERROR, false, false},
        {"nxdomain", DNS_NXDOMAIN, true, false}, {"servfail", DNS_SERVFAIL, false, false},
        {"refused", DNS_REFUSED, false, false},  {"formerr", DNS_FORMERR, false, false},
        {"notimp", DNS_NOTIMP, false, false},    {"badvers", DNS_BADVERS, false, false},
        {"truncated", DNS_NOERROR, false, true},
    };
    const char *w = s->count > 1 ? s->word[1] : "";
    const char *v = s->count > 2 ? s->word[2] : "";
    story_pump(s);
    if (strcmp(w, "nothing") == 0 || strcmp(w, "no") == 0) {
        bool nothing = w[2] == 't';
        if ((nothing || v[0] == 'a') && s->answer_count > 0) {
            return story_fail(s, "there is an answer");
        }
        if ((nothing || v[0] == 'q') && s->sent_count > 0) {
            return story_fail(s, "there is a question to an upstream");
        }
        return true;
    }
    if (strcmp(v, "more") == 0) {
        return expect_more(s, (unsigned)atoi(w));
    }
    if (strcmp(w, "count") == 0 || strcmp(w, "status") == 0) {
        return expect_count(s, w[0] == 's');
    }
    if ((strcmp(w, "up") == 0 || strcmp(w, "down") == 0) && s->count > 2) {
        return expect_health(s, w[0] == 'u');
    }
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strcmp(w, rows[i].word) == 0) {
            return expect_answer(s, rows[i].rcode, rows[i].records, rows[i].truncated);
        }
    }
    return false;
}
