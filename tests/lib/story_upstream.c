/*
 * The upstreams' part of a story: what they get, and what they say to it, right or wrong.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns/build.h"
#include "dns/msg.h"
#include "octets.h"
#include "rrtext.h"
#include "story.h"

static const char *const stops[] = {"authority", "additional", "wrong", "times",
                                    "ede",       "without",    ",",     NULL};

static int find_upstream(const struct story *s, const char *name)
{
    for (unsigned i = 0; i < s->upstream_count; i++) {
        if (strcmp(s->upstream[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static bool is_transport(const char *word, enum upstream_transport *out)
{
    static const char *const names[] = {"udp", "tcp", "tls", "https"};
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(word, names[i]) == 0) {
            *out = (enum upstream_transport)i;
            return true;
        }
    }
    return false;
}

/* upstream NAME TRANSPORT [for DOMAIN] */
static bool define(struct story *s, enum upstream_transport transport)
{
    uint16_t route = 0;
    struct snapshot *d = &s->world.draft;
    int known = find_upstream(s, s->word[1]);
    if (s->count > 4 && strcmp(s->word[3], "for") == 0) {
        route = (uint16_t)(d->route_count + 1);
        s->world.routes[d->route_count].route = route;
        if (dns_name_parse(span_str(s->word[4]), &s->world.routes[d->route_count++].domain) !=
            ERR_OK) {
            return story_fail(s, "not a name: %s", s->word[4]);
        }
    }
    if (known < 0) {
        snprintf(s->upstream[s->upstream_count].name, sizeof s->upstream[0].name, "%s", s->word[1]);
        s->upstream_count++;
        world_add_upstream(&s->world, transport, route);
    }
    s->dirty = true;
    return true;
}

static bool set_mode(struct story *s, int only, const char *word)
{
    static const char *const names[] = {"alive",   "silent",  "dead",     "refusing",
                                        "failing", "formerr", "malformed"};
    for (unsigned m = 0; m < ARRAY_LEN(names); m++) {
        for (unsigned i = 0; strcmp(word, names[m]) == 0 && i < s->upstream_count; i++) {
            if (only < 0 || (unsigned)only == i) {
                s->upstream[i].mode = (enum story_mode)m;
            }
        }
        if (strcmp(word, names[m]) == 0) {
            return true;
        }
    }
    return false;
}

static void question_text(const struct world_sent *m, char out[DNS_NAME_TEXT + 32])
{
    struct dns_name name;
    char text[DNS_NAME_TEXT] = "?", type[16] = "?";
    size_t pos = DNS_HEADER_OCTETS;
    if (dns_name_read(m->data, m->len, &pos, &name) == ERR_OK) {
        dns_name_format(&name, text);
        dns_type_format(be16_read(m->data + pos), type);
    }
    snprintf(out, DNS_NAME_TEXT + 32, "%s %s", text, type);
}

static bool has_capitals(const struct world_sent *m)
{
    bool any = false;
    for (size_t i = DNS_HEADER_OCTETS; m->data[i] != 0; i++) {
        any = any || (m->data[i] >= 'A' && m->data[i] <= 'Z');
    }
    return any;
}

static bool check_options(struct story *s, unsigned *i, const struct world_sent *m)
{
    bool edns = be16_read(m->data + 10) > 0;
    bool dnssec_ok = edns && (be16_read(m->data + m->len - 4) & DNS_EDNS_DO) != 0;
    for (; *i + 1 < s->count && strcmp(s->word[*i], ",") != 0; *i += 2) {
        const char *w = s->word[*i], *v = s->word[*i + 1];
        bool good = false;
        if (strcmp(w, "by") == 0) {
            good = m->stream == (strcmp(v, "tcp") == 0);
        } else if (strcmp(w, "with") == 0 && strcmp(v, "do") == 0) {
            good = dnssec_ok;
        } else if (strcmp(w, "with") == 0 && strcmp(v, "cd") == 0) {
            good = (be16_read(m->data + 2) & DNS_CD) != 0;
        } else if (strcmp(w, "with") == 0 && strcmp(v, "edns") == 0) {
            good = edns;
        } else if (strcmp(w, "in") == 0) {
            good = has_capitals(m) == (strcmp(v, "mixed") == 0);
        } else if (strcmp(w, "without") == 0 && strcmp(v, "do") == 0) {
            good = !dnssec_ok;
        } else if (strcmp(w, "without") == 0) {
            good = !edns;
        }
        if (!good) {
            return story_fail(s, "the question is not '%s %s'", w, v);
        }
    }
    return true;
}

/* gets NAME TYPE … */
static bool gets(struct story *s, int *upstream, unsigned *i)
{
    char want[DNS_NAME_TEXT + 32], found[DNS_NAME_TEXT + 32] = "nothing";
    struct dns_name name;
    char text[DNS_NAME_TEXT];
    if (*i + 2 >= s->count + 0U + 1U ||
        dns_name_parse(span_str(s->word[*i + 1]), &name) != ERR_OK) {
        return story_fail(s, "gets what?");
    }
    dns_name_format(&name, text);
    snprintf(want, sizeof want, "%s %s", text, s->word[*i + 2]);
    for (unsigned k = 0; k < s->sent_count; k++) {
        struct world_sent *m = s->sent[k];
        if (*upstream >= 0 && m->upstream != (unsigned)*upstream) {
            continue;
        }
        question_text(m, found);
        if (strcmp(found, want) != 0) {
            continue;
        }
        memmove(&s->sent[k], &s->sent[k + 1], (s->sent_count - k - 1) * sizeof s->sent[0]);
        s->sent_count--;
        *upstream = m->upstream;
        free(s->upstream[m->upstream].got);
        s->upstream[m->upstream].got = m;
        *i += 3;
        return check_options(s, i, m);
    }
    return story_fail(s, "expected a question '%s', found %s%s", want, found,
                      s->sent_count == 0 ? "" : " (among others)");
}

/* ignores NAME TYPE */
static bool ignores(struct story *s, int upstream, unsigned i)
{
    char want[DNS_NAME_TEXT + 32], found[DNS_NAME_TEXT + 32];
    unsigned kept = 0;
    bool all = strcmp(s->word[i + 1], "everything") == 0;
    snprintf(want, sizeof want, "%s %s", s->word[i + 1], i + 2 < s->count ? s->word[i + 2] : "");
    for (unsigned k = 0; k < s->sent_count; k++) {
        question_text(s->sent[k], found);
        if ((all || strcmp(found, want) == 0) &&
            (upstream < 0 || s->sent[k]->upstream == (unsigned)upstream)) {
            free(s->sent[k]);
        } else {
            s->sent[kept++] = s->sent[k];
        }
    }
    bool any = kept < s->sent_count;
    s->sent_count = kept;
    return any || story_fail(s, "there was no question '%s' to ignore", want);
}

/* Make the answer wrong in one place. */
static bool spoil(uint8_t *msg, const char *what)
{
    static const struct {
        const char *what;
        unsigned at;
        uint8_t flip;
    } rows[] = {
        {"id", 1, 0x5a}, {"qr", 2, 0x80}, {"opcode", 2, 0x20}, {"name", 13, 1}, {"question", 5, 1}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strcmp(what, rows[i].what) == 0) {
            msg[rows[i].at] ^= rows[i].flip;
            return true;
        }
    }
    size_t end = DNS_HEADER_OCTETS;
    while (msg[end] != 0) {
        end += msg[end] + 1U;
    }
    if (strcmp(what, "type") == 0) {
        msg[end + 2] ^= 1;
    } else if (strcmp(what, "class") == 0) {
        msg[end + 4] ^= 2;
    } else if (strcmp(what, "case") == 0) {
        for (size_t i = DNS_HEADER_OCTETS; i < end; i++) {
            msg[i] ^= (msg[i] | 0x20) >= 'a' && (msg[i] | 0x20) <= 'z' ? 0x20 : 0;
        }
    } else {
        return false;
    }
    return true;
}

struct saying {
    unsigned rcode;
    bool answers, truncated;
    ldns_rr_list *answer, *authority, *additional;
    const char *wrong;
    unsigned times;
    int ede;
    bool no_edns;
};

static bool read_saying(struct story *s, unsigned *i, const char *owner, struct saying *out)
{
    if (out->answers) {
        out->answer = story_records(s, i, owner, 300, stops);
        if (out->answer == NULL) {
            return false;
        }
    }
    while (*i < s->count) {
        const char *w = s->word[(*i)++];
        if (strcmp(w, "authority") == 0 || strcmp(w, "additional") == 0) {
            ldns_rr_list **list = w[1] == 'u' ? &out->authority : &out->additional;
            *list = story_records(s, i, owner, 300, stops);
            if (*list == NULL) {
                return false;
            }
        } else if (strcmp(w, "wrong") == 0 && *i < s->count) {
            out->wrong = s->word[(*i)++];
        } else if (strcmp(w, "times") == 0 && *i < s->count) {
            out->times = (unsigned)atoi(s->word[(*i)++]);
        } else if (strcmp(w, "ede") == 0 && *i < s->count) {
            out->ede = atoi(s->word[(*i)++]);
        } else if (strcmp(w, "without") == 0) {
            out->no_edns = true;
            ++*i;
        } else if (strcmp(w, ",") != 0) {
            return story_fail(s, "unknown word '%s'", w);
        }
    }
    return true;
}

static size_t append_ede(uint8_t *msg, size_t len, int ede)
{
    /* ldns wrote the OPT last, without options. */
    be16_write(msg + len - 2, 6);
    be16_write(msg + len, DNS_OPT_EDE);
    be16_write(msg + len + 2, 2);
    be16_write(msg + len + 4, (uint16_t)ede);
    return len + 6;
}

static bool say(struct story *s, const struct world_sent *m, struct saying *what)
{
    static uint8_t out[65536];
    size_t n = rrtext_reply(m->data, m->len, what->rcode, what->answer, what->authority,
                            what->additional, out, sizeof out);
    if (what->truncated) {
        out[2] |= DNS_TC >> 8;
    }
    if (what->ede >= 0) {
        n = append_ede(out, n, what->ede);
    }
    if (what->no_edns && be16_read(out + 10) == 1) {
        be16_write(out + 10, 0);
        n -= 11;
    }
    if (what->wrong != NULL && !spoil(out, what->wrong)) {
        return story_fail(s, "cannot be wrong in '%s'", what->wrong);
    }
    for (unsigned k = 0; k < what->times; k++) {
        if (what->wrong != NULL && strcmp(what->wrong, "id") == 0) {
            out[0] ^= (uint8_t)(k + 1);
        }
        world_respond(&s->world, m, out, n);
        story_pump(s);
    }
    return true;
}

static bool says_hex(struct story *s, const struct world_sent *m, unsigned i)
{
    char hex[8192] = "";
    uint8_t out[4096];
    for (; i < s->count; i++) {
        strncat(hex, s->word[i], sizeof hex - strlen(hex) - 1);
    }
    /* "id" stands for the right one. */
    char *id = strstr(hex, "id");
    size_t n = octets_of_hex(id != NULL ? id + 2 : hex, out + (id != NULL ? 2 : 0), sizeof out - 2);
    if (id != NULL) {
        memcpy(out, m->data, 2);
        n += 2;
    }
    world_respond(&s->world, m, out, n);
    story_pump(s);
    return true;
}

static bool fails(struct story *s, const struct world_sent *m, const char *word, bool *done)
{
    static const struct {
        const char *word;
        enum resolver_failure why;
    } rows[] = {{"closes", RESOLVER_CLOSED},
                {"unreachable", RESOLVER_UNREACHABLE},
                {"resets", RESOLVER_REFUSED},
                {"distrusted", RESOLVER_TLS_FAILED},
                {"no-socket", RESOLVER_NO_SOCKET}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strcmp(word, rows[i].word) == 0) {
            world_fail(&s->world, m, rows[i].why);
            story_pump(s);
            *done = true;
        }
    }
    return true;
}

static bool says(struct story *s, int upstream, unsigned i)
{
    static const struct {
        const char *word;
        unsigned rcode;
    } rcodes[] = {{"answers", DNS_NOERROR},   {"nodata", DNS_NOERROR},
                  {"truncated", DNS_NOERROR}, {"nxdomain", DNS_NXDOMAIN},
                  {"servfail", DNS_SERVFAIL}, {"refused", DNS_REFUSED},
                  {"formerr", DNS_FORMERR},   {"notimp", DNS_NOTIMP}};
    struct world_sent *m = s->upstream[upstream < 0 ? 0 : upstream].got;
    if (m == NULL) {
        return story_fail(s, "it has got no question");
    }
    const char *word = s->word[i++];
    bool done = false;
    if (strcmp(word, "silent") == 0) {
        return true;
    }
    if (strcmp(word, "says") == 0) {
        return says_hex(s, m, i);
    }
    fails(s, m, word, &done);
    for (size_t k = 0; k < ARRAY_LEN(rcodes) && !done; k++) {
        if (strcmp(word, rcodes[k].word) != 0) {
            continue;
        }
        char owner[DNS_NAME_TEXT + 32];
        question_text(m, owner);
        *strrchr(owner, ' ') = '\0';
        struct saying what = {.rcode = rcodes[k].rcode, .times = 1, .ede = -1};
        what.answers = k == 0;
        what.truncated = k == 2;
        if (k == 3 && i < s->count && strcmp(s->word[i], "after") == 0) {
            what.answers = true;
            i++;
        }
        done = read_saying(s, &i, owner, &what) && say(s, m, &what);
        ldns_rr_list_deep_free(what.answer);
        ldns_rr_list_deep_free(what.authority);
        ldns_rr_list_deep_free(what.additional);
        if (!done) {
            return false;
        }
    }
    return done ? true : story_fail(s, "unknown word '%s'", word);
}

bool story_upstream(struct story *s)
{
    enum upstream_transport transport;
    if (s->count >= 3 && is_transport(s->word[2], &transport)) {
        return define(s, transport);
    }
    story_ready(s);
    unsigned i = 1;
    int upstream = s->count > 1 ? find_upstream(s, s->word[1]) : -1;
    i += upstream >= 0;
    if (i + 1 < s->count && strcmp(s->word[i], "is") == 0) {
        return set_mode(s, upstream, s->word[i + 1]);
    }
    if (i + 1 < s->count && strcmp(s->word[i], "ignores") == 0) {
        return ignores(s, upstream, i);
    }
    if (i < s->count && strcmp(s->word[i], "gets") == 0) {
        if (!gets(s, &upstream, &i)) {
            return false;
        }
        if (i == s->count) {
            return true;
        }
        i += strcmp(s->word[i], ",") == 0;
    }
    return i < s->count && says(s, upstream, i);
}
