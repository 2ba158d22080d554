#include "story.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns/msg.h"
#include "rrtext.h"

bool story_fail(struct story *s, const char *format, ...)
{
    if (!s->failed) {
        s->failed = true;
        int n = snprintf(s->error, sizeof s->error, "%s:%u: ", s->file, s->line);
        va_list args;
        va_start(args, format);
        vsnprintf(s->error + n, sizeof s->error - (size_t)n, format, args);
        va_end(args);
    }
    return false;
}

/* Words; "…" is one; a comma or semicolon at a word's end is a word of its own. */
void story_split(struct story *s, const char *line)
{
    const char *space = strpbrk(line, " \t");
    snprintf(s->rest, sizeof s->rest, "%s", space != NULL ? space + strspn(space, " \t") : "");
    s->count = 0;
    char *to = s->text;
    const char *p = line;
    while (*p != '\0' && s->count < STORY_WORDS) {
        p += strspn(p, " \t");
        if (*p == '\0') {
            break;
        }
        s->word[s->count++] = to;
        if (*p == '"') {
            *to++ = *p++;
            while (*p != '\0' && *p != '"') {
                *to++ = *p++;
            }
            *to++ = '"';
            p += *p == '"';
        } else if (*p == ',' || *p == ';') {
            *to++ = *p++;
        } else {
            while (*p != '\0' && strchr(" \t", *p) == NULL &&
                   !(strchr(",;", *p) != NULL && strchr(" \t", p[1]) != NULL)) {
                *to++ = *p++;
            }
        }
        *to++ = '\0';
    }
}

usec_t story_time(const char *word)
{
    static const struct {
        const char *unit;
        usec_t us;
    } units[] = {{"us", 1},       {"ms", 1000},      {"s", 1000000},
                 {"m", 60000000}, {"h", 3600000000}, {"d", 86400000000}};
    char *end;
    double v = strtod(word, &end);
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (strcmp(end, units[i].unit) == 0) {
            return (usec_t)(v * (double)units[i].us + 0.5);
        }
    }
    fprintf(stderr, "not a time: %s\n", word);
    exit(2);
}

void story_ready(struct story *s)
{
    if (s->world.cache == NULL && s->upstream_count == 0) {
        snprintf(s->upstream[s->upstream_count++].name, sizeof s->upstream[0].name, "up");
        world_add_upstream(&s->world, UPSTREAM_UDP, 0);
    }
    if (s->dirty || s->world.cache == NULL) {
        world_apply(&s->world);
        s->dirty = false;
        story_pump(s);
    }
}

static bool is_probe(const struct world_sent *m)
{
    return m->len >= 17 && m->data[12] == 0 && be16_read(m->data + 13) == DNS_NS;
}

static void respond(struct story *s, const struct world_sent *m, unsigned rcode)
{
    uint8_t out[4096];
    world_respond(&s->world, m, out,
                  rrtext_reply(m->data, m->len, rcode, NULL, NULL, NULL, out, sizeof out));
}

/* What an upstream does by itself; false if the story has to say it. */
static bool act(struct story *s, struct world_sent *m)
{
    enum story_mode mode = s->upstream[m->upstream].mode;
    switch (mode) {
    case STORY_TOLD:
        if (!is_probe(m)) {
            return false;
        }
        respond(s, m, DNS_NOERROR);
        break;
    case STORY_SILENT:
        break;
    case STORY_DEAD:
        world_fail(&s->world, m, RESOLVER_UNREACHABLE);
        break;
    case STORY_REFUSING:
        respond(s, m, DNS_REFUSED);
        break;
    case STORY_FAILING:
        respond(s, m, DNS_SERVFAIL);
        break;
    case STORY_FORMERR:
        respond(s, m, DNS_FORMERR);
        break;
    case STORY_MALFORMED: {
        uint8_t out[4096];
        size_t n = rrtext_reply(m->data, m->len, DNS_NOERROR, NULL, NULL, NULL, out, sizeof out);
        out[7] = 1; /* one answer, which is not there */
        world_respond(&s->world, m, out, n);
        break;
    }
    }
    free(m);
    return true;
}

void story_pump(struct story *s)
{
    struct world_sent *m;
    struct world_answer *a;
    while ((m = world_take_sent(&s->world)) != NULL) {
        if (!act(s, m)) {
            if (s->sent_count == ARRAY_LEN(s->sent)) {
                story_fail(s, "too many questions to upstreams that nobody looked at");
                free(m);
                return;
            }
            s->sent[s->sent_count++] = m;
        }
    }
    while ((a = world_take_answer(&s->world)) != NULL) {
        if (s->answer_count == ARRAY_LEN(s->answer)) {
            story_fail(s, "too many answers that nobody looked at");
            free(a);
            return;
        }
        s->answer[s->answer_count++] = a;
    }
}

void story_advance(struct story *s, usec_t to)
{
    while (s->world.now < to) {
        usec_t step = to;
        for (unsigned i = 0; i < s->world.workers; i++) {
            usec_t next = resolver_deadline(s->world.resolver[i]);
            step = next > s->world.now && next < step ? next : step;
        }
        usec_t change = s->world.next_change == INT64_MAX
                            ? USEC_NEVER
                            : world_time_of(&s->world, s->world.next_change);
        step = change > s->world.now && change < step ? change : step;
        world_advance(&s->world, step);
        if (s->world.now >= change) {
            s->dirty = true; /* as the owner of the clock does */
            story_ready(s);
        }
        story_pump(s);
    }
}

void story_finish(struct story *s)
{
    const char *why = "";
    story_pump(s);
    if (s->answer_count > 0) {
        story_fail(s, "%u answers were left that nobody expected", s->answer_count);
    } else if (s->sent_count > 0) {
        story_fail(s, "%u questions to upstreams were left that nobody looked at", s->sent_count);
    } else {
        story_advance(s, s->world.now + 70 * USEC_PER_SEC);
        if (!world_is_idle(&s->world, &why)) {
            story_fail(s, "%s", why);
        }
    }
}

void story_free(struct story *s)
{
    for (unsigned i = 0; i < s->answer_count; i++) {
        free(s->answer[i]);
    }
    for (unsigned i = 0; i < s->sent_count; i++) {
        free(s->sent[i]);
    }
    for (unsigned i = 0; i < UPSTREAM_MAX; i++) {
        free(s->upstream[i].got);
    }
}

static bool is_any(const char *word, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strcmp(word, *words) == 0) {
            return true;
        }
    }
    return false;
}

struct ldns_struct_rr_list *story_records(struct story *s, unsigned *i, const char *owner,
                                          uint32_t ttl_s, const char *const *stop)
{
    ldns_rr_list *list = ldns_rr_list_new();
    char text[4096] = "";
    for (;; ++*i) {
        bool end = *i >= s->count || is_any(s->word[*i], stop);
        if (end || strcmp(s->word[*i], ";") == 0) {
            ldns_rr *rr = text[0] != '\0' ? rrtext_parse(text, owner, ttl_s) : NULL;
            if (rr == NULL) {
                if (text[0] != '\0' || !end) {
                    story_fail(s, "not a record: '%s'", text);
                    ldns_rr_list_deep_free(list);
                    return NULL;
                }
            } else {
                ldns_rr_list_push_rr(list, rr);
            }
            text[0] = '\0';
            if (end) {
                return list;
            }
            continue;
        }
        strncat(text, text[0] != '\0' ? " " : "", sizeof text - strlen(text) - 1);
        strncat(text, s->word[*i], sizeof text - strlen(text) - 1);
    }
}
