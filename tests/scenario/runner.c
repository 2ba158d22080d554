/*
 * Plays stories: README.md tells the language. A line is cut into words, the first of which chooses
 * a verb; verbs act on the world of tests/lib/world.c. The first thing that is not as told ends the
 * story with FILE:LINE.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "octets.h"
#include "resolver/dns64.h"
#include "rrtext.h"
#include "stats/names.h"
#include "story.h"

static bool verb_list(struct story *s, unsigned list, bool allows)
{
    static const char *const names[] = {"story", "second", "allowed"};
    world_add_list_line(&s->world, list, s->rest);
    s->world.list_name[list] = names[list];
    s->world.list_allows[list] = allows;
    s->dirty = true;
    return true;
}

static bool on_off(const char *word)
{
    return strcmp(word, "on") == 0;
}

static bool set_block_mode(struct story *s, const char *v)
{
    static const struct {
        const char *name;
        enum block_mode mode;
    } modes[] = {{"null", BLOCK_NULL},
                 {"nxdomain", BLOCK_NXDOMAIN},
                 {"nodata", BLOCK_NODATA},
                 {"refused", BLOCK_REFUSED}};
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        if (strcmp(v, modes[i].name) == 0) {
            s->world.draft.everybody.block_mode = modes[i].mode;
            return true;
        }
    }
    char v4[64];
    const char *comma = strchr(v, ',');
    snprintf(v4, sizeof v4, "%.*s", (int)(comma != NULL ? (size_t)(comma - v) : strlen(v)), v);
    s->world.draft.everybody.block_mode = BLOCK_ADDRESS;
    s->world.draft.everybody.block_v4 = (struct ip_addr){{0}};
    s->world.draft.everybody.block_v6 = (struct ip_addr){{0}};
    return ip_parse(span_str(v4), &s->world.draft.everybody.block_v4) == ERR_OK &&
           (comma == NULL ||
            ip_parse(span_str(comma + 1), &s->world.draft.everybody.block_v6) == ERR_OK);
}

static bool set_allow_from(struct story *s, const char *v)
{
    struct snapshot *d = &s->world.draft;
    if (!s->own_acl) {
        s->own_acl = true;
        d->allow_from_count = 0;
    }
    bool negated = v[0] == '!';
    s->world.allow_from_negated[d->allow_from_count] = negated;
    return ip_prefix_parse(span_str(v + negated), &s->world.allow_from[d->allow_from_count++]) ==
           ERR_OK;
}

static bool verb_setting(struct story *s)
{
    const char *key = s->word[1], *v = s->count > 2 ? s->word[2] : "";
    struct snapshot *d = &s->world.draft;
    uint32_t n = (uint32_t)strtoul(v, NULL, 10);
    s->dirty = true;
    if (strcmp(key, "block-mode") == 0) {
        return set_block_mode(s, v);
    }
    if (strcmp(key, "allow-from") == 0) {
        return set_allow_from(s, v);
    }
    if (strcmp(key, "client-id-from") == 0 && d->client_id_count < WORLD_PREFIXES) {
        return ip_prefix_parse(span_str(v), &s->world.client_id_from[d->client_id_count++]) ==
               ERR_OK;
    }
    if (strcmp(key, "block-service") == 0) {
        return world_block_service(&s->world, v);
    }
    if (strcmp(key, "safe-search") == 0) {
        return world_safe_search(&s->world, on_off(v), s->count > 3 ? s->word[3] : "strict");
    }
    if (strcmp(key, "rebind-allow") == 0) {
        return dns_name_parse(span_str(v), &s->world.rebind_allow[d->rebind_allow_count++]) ==
               ERR_OK;
    }
    if (strcmp(key, "dns64") == 0) {
        return ip_prefix_parse(span_str(v), &d->dns64) == ERR_OK && dns64_prefix_ok(&d->dns64);
    }
    if (strcmp(key, "version") == 0) {
        snprintf(d->version, sizeof d->version, "%s", v);
        return true;
    }
    if (strcmp(key, "api-url") == 0) {
        snprintf(d->api_url, sizeof d->api_url, "%s", v);
        return true;
    }
    const struct {
        const char *name;
        uint32_t *number;
        bool *flag;
    } rows[] = {
        {"block-ttl", &d->block_ttl_s, NULL},
        {"ttl-min", &d->ttl_min_s, NULL},
        {"ttl-max", &d->ttl_max_s, NULL},
        {"negative-max", &d->ttl_negative_max_s, NULL},
        {"stale", &d->stale_s, NULL},
        {"prefetch", NULL, &d->prefetch},
        {"rebind", NULL, &d->rebind_protection},
        {"cname-check", NULL, &d->cname_check},
        {"case", NULL, &d->case_random},
        {"relay", NULL, &d->block_icloud_relay},
        {"canary", NULL, &d->block_canary},
        {"rate", &s->world.rc.rate_limit, NULL},
        {"workers", &s->world.workers, NULL},
        {"pending", &s->world.rc.pending_max, NULL},
        {"waiting", &s->world.rc.waiting_max, NULL},
        {"cache", &s->world.cc.entries, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strcmp(key, rows[i].name) == 0) {
            if (rows[i].flag != NULL) {
                *rows[i].flag = on_off(v);
            } else {
                *rows[i].number = n;
            }
            return true;
        }
    }
    return false;
}

/* pause group NAME [TIME]; pause client CLIENT [TIME] */
static bool pause_one(struct story *s)
{
    bool group = strcmp(s->word[1], "group") == 0;
    usec_t now = s->world.now - WORLD_START;
    int64_t until = s->count > 3 ? s->world.unix_start +
                                       (int64_t)((now + story_time(s->word[3])) / USEC_PER_SEC)
                                 : 0;
    return s->dirty =
               world_pause(&s->world, group ? s->word[2] : NULL, group ? NULL : s->word[2], until);
}

static bool verb_pause(struct story *s)
{
    if (s->count > 2) {
        return pause_one(s);
    }
    story_ready(s);
    s->world.draft.everybody.pause_until =
        s->count > 1 ? s->world.now + story_time(s->word[1]) : USEC_NEVER;
    s->dirty = true;
    return true;
}

static bool client_option(struct story *s, unsigned *i, struct rrtext_question *q,
                          struct peer *peer, unsigned *worker, unsigned *times,
                          uint8_t options[512])
{
    const char *w = s->word[*i];
    const char *next = *i + 1 < s->count ? s->word[*i + 1] : "";
    if (strcmp(w, "tcp") == 0) {
        peer->tcp = true;
    } else if (strcmp(w, "do") == 0) {
        q->edns = q->dnssec_ok = true;
    } else if (strcmp(w, "cd") == 0) {
        q->cd = true;
    } else if (strcmp(w, "norec") == 0) {
        q->rd = false;
    } else if (strcmp(w, "noedns") == 0) {
        q->edns = false;
    } else if (strcmp(w, "edns") == 0) {
        q->edns = true;
        q->udp_size = (uint16_t)atoi(next);
        ++*i;
    } else if (strcmp(w, "cookie") == 0) {
        size_t n = octets_of_hex(strcmp(next, "mine") == 0 ? s->cookie : next, options + 4, 500);
        be16_write(options, 10);
        be16_write(options + 2, (uint16_t)n);
        q->options = options;
        q->options_len = n + 4;
        ++*i;
    } else if (strcmp(w, "options") == 0) {
        q->options_len = octets_of_hex(next, options, 512);
        q->options = options;
        ++*i;
    } else if (strcmp(w, "id") == 0) {
        q->id = (uint16_t)atoi(next);
        ++*i;
    } else if (strcmp(w, "port") == 0) {
        peer->port = (uint16_t)atoi(next);
        ++*i;
    } else if (strcmp(w, "conn") == 0) {
        peer->conn = (uint32_t)atoi(next);
        peer->tcp = true;
        ++*i;
    } else if (strcmp(w, "class") == 0) {
        q->klass = next;
        ++*i;
    } else if (strcmp(w, "worker") == 0) {
        *worker = (unsigned)atoi(next);
        ++*i;
    } else if (strcmp(w, "times") == 0) {
        *times = (unsigned)atoi(next);
        ++*i;
    } else {
        return false;
    }
    return true;
}

/* client ADDR asks NAME TYPE …; client ADDR sends HEX; client ADDR hangs up N */
static bool verb_client(struct story *s)
{
    struct peer peer = {.port = 40000, .listener = 1};
    uint8_t msg[4096], options[512];
    unsigned worker = 0, times = 1;
    story_ready(s);
    if (s->count < 4 || ip_parse(span_str(s->word[1]), &peer.addr) != ERR_OK) {
        return false;
    }
    if (strcmp(s->word[2], "hangs") == 0) {
        resolver_peer_gone(s->world.resolver[0], (uint32_t)atoi(s->word[4]));
        return true;
    }
    if (strcmp(s->word[2], "sends") == 0) {
        char hex[8192] = "";
        for (unsigned i = 3; i < s->count; i++) {
            strncat(hex, s->word[i], sizeof hex - strlen(hex) - 1);
        }
        world_ask(&s->world, 0, &peer, msg, octets_of_hex(hex, msg, sizeof msg));
        story_pump(s);
        return true;
    }
    if (strcmp(s->word[2], "asks") != 0 || s->count < 5) {
        return false;
    }
    struct rrtext_question q = {.name = s->word[3],
                                .type = s->word[4],
                                .klass = "IN",
                                .id = ++s->id,
                                .rd = true,
                                .edns = true,
                                .udp_size = 1232};
    for (unsigned i = 5; i < s->count; i++) {
        if (!client_option(s, &i, &q, &peer, &worker, &times, options)) {
            return story_fail(s, "unknown word '%s'", s->word[i]);
        }
    }
    if (peer.tcp && peer.conn == 0) {
        peer.conn = 1;
    }
    for (; times > 0; times--) {
        world_ask(&s->world, worker, &peer, msg, rrtext_question(&q, msg, sizeof msg));
        q.id = times > 1 ? ++s->id : q.id;
    }
    story_pump(s);
    return true;
}

static bool verb_at(struct story *s)
{
    story_ready(s);
    usec_t to = WORLD_START + story_time(s->word[1]);
    if (to < s->world.now) {
        return story_fail(s, "time does not run backwards");
    }
    story_advance(s, to);
    const char *rest = strstr(s->rest, s->word[1]) + strlen(s->word[1]);
    return story_step(s, rest + strspn(rest, " \t"));
}

/* group NAME; group NAME has CLIENT…; group NAME uses LIST…; group NAME schedule TEXT */
static bool verb_group(struct story *s)
{
    struct world *w = &s->world;
    bool good = true;
    s->dirty = true;
    if (s->count == 2) {
        return world_add_group(w, s->word[1]);
    }
    if (strcmp(s->word[2], "schedule") == 0 && s->count > 3) {
        return world_add_schedule(w, s->word[1], strstr(s->rest, "schedule") + 9);
    }
    bool has = strcmp(s->word[2], "has") == 0;
    for (unsigned i = 3; i < s->count; i++) {
        good = good && (has ? world_add_member : world_add_group_list)(w, s->word[1], s->word[i]);
    }
    return good && (has || strcmp(s->word[2], "uses") == 0);
}

/* device MAC [named NAME] has ADDR… */
static bool verb_device(struct story *s)
{
    bool named = s->count > 4 && strcmp(s->word[2], "named") == 0;
    unsigned has = named ? 4 : 2;
    bool good = s->count > has + 1 && strcmp(s->word[has], "has") == 0;
    s->dirty = true;
    for (unsigned i = has + 1; i < s->count && good; i++) {
        good = world_add_device(&s->world, s->word[1], named ? s->word[3] : NULL, s->word[i]);
    }
    return good;
}

/* rule allow|deny NAME for GROUP|CLIENT [until TIME] */
static bool verb_rule(struct story *s)
{
    bool allow = strcmp(s->word[1], "allow") == 0;
    if (s->count < 5 || (!allow && strcmp(s->word[1], "deny") != 0)) {
        return false;
    }
    usec_t until = s->count > 6 ? WORLD_START + story_time(s->word[6]) : 0;
    return s->dirty = world_add_rule(&s->world, allow, s->word[2], s->word[4], until);
}

static bool run_verb(struct story *s)
{
    const char *v = s->word[0];
    struct world *w = &s->world;
    if (strcmp(v, "at") == 0) {
        return verb_at(s);
    }
    if (strcmp(v, "client") == 0) {
        return verb_client(s);
    }
    if (strcmp(v, "upstream") == 0) {
        return story_upstream(s);
    }
    if (strcmp(v, "upstreams") == 0 && s->count > 3) {
        w->draft.upstreams[0].id = strtoull(s->word[3], NULL, 10);
        return s->dirty = true;
    }
    if (strcmp(v, "expect") == 0) {
        story_ready(s);
        return story_expect(s);
    }
    if (strcmp(v, "list") == 0 || strcmp(v, "list2") == 0) {
        return verb_list(s, v[4] == '2', false);
    }
    if (strcmp(v, "allowlist") == 0) {
        return verb_list(s, 2, true);
    }
    if (strcmp(v, "allow") == 0 || strcmp(v, "deny") == 0) {
        world_add_own(w, s->rest, v[0] == 'a' ? BL_ALLOW : BL_BLOCK);
        return s->dirty = true;
    }
    if (strcmp(v, "group") == 0 && s->count > 1) {
        return verb_group(s);
    }
    if (strcmp(v, "config") == 0) {
        world_add_config(w, s->rest);
        return s->dirty = true;
    }
    if (strcmp(v, "clock") == 0 && s->count > 1) {
        w->unix_start =
            strtoll(s->word[1], NULL, 10) - (int64_t)((w->now - WORLD_START) / USEC_PER_SEC);
        return s->dirty = true;
    }
    if (strcmp(v, "timezone") == 0 && s->count > 1) {
        return s->dirty = tz_parse(span_str(s->word[1]), &w->tz) == ERR_OK;
    }
    if (strcmp(v, "device") == 0 && s->count > 3) {
        return verb_device(s);
    }
    if (strcmp(v, "rule") == 0 && s->count > 1) {
        return verb_rule(s);
    }
    if (strcmp(v, "deny-address") == 0 && s->count > 1 && w->address_count < WORLD_PREFIXES) {
        return s->dirty = ip_prefix_parse(span_str(s->word[1]),
                                          &w->addresses[w->address_count++]) == ERR_OK;
    }
    if (strcmp(v, "allow-regex") == 0 || strcmp(v, "deny-regex") == 0) {
        world_add_regex(w, s->rest, v[0] == 'a' ? BL_ALLOW : BL_BLOCK);
        return s->dirty = true;
    }
    if (strcmp(v, "local") == 0 || strcmp(v, "hosts") == 0) {
        (v[0] == 'l' ? world_add_local : world_add_hosts)(w, s->rest);
        return s->dirty = true;
    }
    if (strcmp(v, "setting") == 0 && s->count > 1) {
        return verb_setting(s);
    }
    if (strcmp(v, "pause") == 0) {
        return verb_pause(s);
    }
    if (strcmp(v, "resume") == 0) {
        w->draft.everybody.pause_until = 0;
        return s->dirty = true;
    }
    if (strcmp(v, "flush") == 0) {
        cache_flush(w->cache);
        return true;
    }
    return false;
}

bool story_step(struct story *s, const char *line)
{
    char copy[8192];
    size_t n = strcspn(line, "\r\n");
    for (size_t i = 0; i < n; i++) {
        if (line[i] == '#' && (i == 0 || line[i - 1] == ' ')) {
            n = i; /* \# is no comment */
        }
    }
    n = n < sizeof copy ? n : sizeof copy - 1;
    while (n > 0 && (line[n - 1] == ' ' || line[n - 1] == '\t')) {
        n--;
    }
    memcpy(copy, line, n);
    copy[n] = '\0';
    story_split(s, copy);
    if (s->count == 0) {
        return true;
    }
    return run_verb(s) || (s->failed ? false : story_fail(s, "cannot do this: %s", copy));
}

static void begin_story(struct story *s, const char *file)
{
    memset(s, 0, sizeof *s);
    s->file = file;
    world_open(&s->world);
}

static void end_story(struct story *s, const char *title, int *number, int *bad)
{
    if (!s->failed && s->world.cache != NULL) {
        story_finish(s);
    }
    printf("%s %d - %s: %s\n", s->failed ? "not ok" : "ok", ++*number, s->file, title);
    if (s->failed) {
        printf("# %s\n", s->error);
        ++*bad;
    }
    fflush(stdout);
    story_free(s);
    world_close(&s->world);
}

static void play(const char *file, int *number, int *bad)
{
    static struct story s;
    char line[8192], title[256] = "";
    FILE *f = fopen(file, "r");
    if (f == NULL) {
        printf("not ok %d - cannot read %s\n", ++*number, file);
        ++*bad;
        return;
    }
    bool begun = false;
    for (unsigned n = 1; fgets(line, sizeof line, f) != NULL; n++) {
        const char *text = line + strspn(line, " \t");
        if (strncmp(text, "story ", 6) == 0) {
            if (begun) {
                end_story(&s, title, number, bad);
            }
            begin_story(&s, file);
            begun = true;
            snprintf(title, sizeof title, "%.*s", (int)strcspn(text + 6, "\r\n"), text + 6);
            continue;
        }
        if (!begun) {
            begin_story(&s, file);
            begun = true;
        }
        s.line = n;
        if (!s.failed) {
            story_step(&s, text);
        }
    }
    if (begun) {
        end_story(&s, title, number, bad);
    }
    fclose(f);
}

static int is_story(const struct dirent *d)
{
    size_t n = strlen(d->d_name);
    return n > 4 && strcmp(d->d_name + n - 4, ".scn") == 0;
}

int main(int argc, char **argv)
{
    int number = 0, bad = 0;
    for (int i = 1; i < argc; i++) {
        play(argv[i], &number, &bad);
    }
    if (argc == 1) {
        struct dirent **names;
        int n = scandir("tests/scenario", &names, is_story, alphasort);
        for (int k = 0; k < n; k++) {
            char path[512];
            snprintf(path, sizeof path, "tests/scenario/%s", names[k]->d_name);
            play(path, &number, &bad);
            free(names[k]);
        }
        if (n >= 0) {
            free(names);
        }
    }
    printf("1..%d\n", number);
    return bad > 0;
}
