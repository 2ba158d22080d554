/*
 * See offline.h.
 */
#include "cli/offline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/explain.h"
#include "api/policy_plan.h"
#include "api/rules.h"
#include "cli/remote.h"
#include "host/catalog_files.h"
#include "host/list_build.h"
#include "host/lists.h"
#include "host/rules_file.h"
#include "host/snapshot_regex.h"
#include "host/store.h"
#include "host/timezone.h"

enum { OTHERS_MAX = 20 };

struct offline {
    struct cli *cli;
    struct config *config;
    const struct ip_addr *client; /* NULL: somebody who is not described */
    int64_t now_unix;
    usec_t now; /* of pauses and ends of rules: they are told in unix time */
    struct tz tz;
    struct list_image *image; /* NULL: none */
    struct snapshot_regex *regexes;
    struct policy_plan plan;
    void *plan_memory;
    struct rules rules; /* doc NULL: none */
};

/* Lists go by their id, as in the daemon; those that no index knows by their place. */
enum { NO_ID = 0x7fffff00 };

static uint32_t id_of_slot(const void *image, unsigned slot)
{
    uint32_t id = list_image_id(image, slot);
    return id != 0 ? id : NO_ID + slot;
}

static unsigned slot_of_id(const struct list_image *image, uint32_t id)
{
    return id >= NO_ID ? id - NO_ID : (unsigned)list_image_slot(image, id);
}

/* The rules document; a missing one is fine. */
static bool rules_open(struct offline *o, struct store *store)
{
    struct store_blob blob;
    char what[256];
    enum err e = store_read(store, RULES_FILE, RULES_TEXT_MAX, &blob);
    if (e == ERR_NOT_FOUND) {
        return rules_clear(&o->rules) == ERR_OK;
    }
    if (e == ERR_OK) {
        what[0] = '\0';
        e = rules_parse(&o->rules, span_of(blob.data, blob.len), what, sizeof what);
        store_blob_free(&blob);
        if (e != ERR_OK) {
            cli_error(o->cli, "%s/" RULES_FILE ": %s", store_dir(store),
                      what[0] != '\0' ? what : err_text(e));
        }
    } else {
        cli_error(o->cli, "%s/" RULES_FILE ": %s", store_dir(store), err_text(e));
    }
    return e == ERR_OK;
}

/* Whose rules they are, and the regular expressions among them. */
static enum err make_rules(struct offline *o, const struct config *c)
{
    const struct snapshot_source source = {.config = c,
                                           .rules = &o->rules,
                                           .image = o->image,
                                           .tz = &o->tz,
                                           .regex_users = 1,
                                           .now = o->now,
                                           .now_unix = o->now_unix};
    struct policy_source from;
    snapshots_policy_source(&source, &from);
    size_t len = policy_plan_memory(&from);
    o->plan_memory = malloc(len);
    enum err e =
        o->plan_memory ? policy_plan_make(&o->plan, &from, o->plan_memory, len) : ERR_MEMORY;
    return e == ERR_OK ? snapshot_regex_make(&o->regexes, &source, &o->plan, true) : e;
}

static int open_all(struct offline *o, struct config *c)
{
    struct store *store;
    uint64_t fingerprint;
    struct cfg_error error;
    if (catalog_files_load(c, &error) != ERR_OK) {
        cli_error(o->cli, "%s", error.text);
        return EXIT_USAGE;
    }
    enum err e = store_open_existing(c->state_dir, &store);
    if (e != ERR_OK) {
        cli_error(o->cli,
                  "no resolver is running here, and the state directory %s cannot be read: %s",
                  c->state_dir, err_text(e));
        return EXIT_FAILED;
    }
    bool fine = rules_open(o, store);
    e = fine ? list_image_open_saved(store, &o->image, &fingerprint) : ERR_OK;
    store_close(store);
    if (!fine) {
        return EXIT_FAILED;
    }
    if (e != ERR_OK) {
        cli_error(o->cli, "no resolver is running here, and %s/blocklist.img cannot be used: %s",
                  c->state_dir, err_text(e));
        return EXIT_FAILED;
    }
    timezone_read(c->timezone, &o->tz);
    return make_rules(o, c) == ERR_OK ? EXIT_FINE : EXIT_FAILED;
}

int offline_open(struct cli *cli, const struct ip_addr *client, int64_t at_unix,
                 struct offline **out)
{
    struct config *c = cli_config(cli);
    struct offline *o = calloc(1, sizeof *o);
    int status = c == NULL ? EXIT_USAGE : EXIT_FAILED;
    if (c != NULL && o != NULL) {
        o->cli = cli;
        o->config = c;
        o->client = client;
        o->now_unix = at_unix != 0 ? at_unix : time(NULL);
        o->now = (usec_t)o->now_unix * USEC_PER_SEC;
        status = open_all(o, c);
    } else {
        settings_unload(NULL, c);
    }
    if (status != EXIT_FINE) {
        offline_close(o);
        return status;
    }
    *out = o;
    return EXIT_FINE;
}

void offline_close(struct offline *o)
{
    if (o != NULL) {
        snapshot_regex_drop(o->regexes);
        free(o->plan_memory);
        list_image_close(o->image);
        rules_free(&o->rules);
        settings_unload(NULL, o->config);
        free(o);
    }
}

static json_t *text_of(const struct dns_name *name)
{
    char text[DNS_NAME_TEXT];
    dns_name_format(name, text);
    return json_string(text);
}

static json_t *rule_of(const struct offline *o, const struct api_match *m)
{
    struct bl_list_info list = {0};
    bool own = m->list == 0, service = m->service.len > 0;
    unsigned slot = own ? 0 : slot_of_id(o->image, m->list);
    if (!own) {
        bl_image_list(list_image_get(o->image), slot, &list);
    }
    json_t *rule = m->regex.len > 0 ? json_stringn((const char *)m->regex.ptr, m->regex.len)
                                    : text_of(&m->rule);
    return json_pack("{s:s, s:o, s:o, s:o, s:b, s:b, s:o, s:s}", "source",
                     service ? "service"
                     : own   ? "rule"
                             : "list",
                     "list_id", own ? json_null() : json_integer((json_int_t)m->list), "list",
                     service ? json_stringn((const char *)m->service.ptr, m->service.len)
                     : own   ? json_null()
                             : json_stringn((const char *)list.name.ptr, list.name.len),
                     "rule", rule ? rule : json_string("?"), "subtree", (int)m->subtree, "regex",
                     m->regex.len > 0, "line", own ? json_null() : json_integer(m->line), "action",
                     m->allow ? "allow" : "block");
}

static void add_step(json_t *steps, const char *step, const char *text)
{
    if (text[0] != '\0') {
        json_array_append_new(steps, json_pack("{s:s, s:s}", "step", step, "text", text));
    }
}

/* Who is treated how, as far as it was asked for. */
static json_t *steps_of(const struct api_verdict *v)
{
    json_t *steps = json_array();
    add_step(steps, "client", v->entry[0] ? v->entry : "not described: in the group of everybody");
    add_step(steps, "groups", v->groups[0] ? v->groups : "none: nothing is blocked");
    add_step(steps, "schedule", v->no_clock ? "no clock is known: the stricter side holds" : "");
    add_step(steps, "schedule", v->schedule);
    add_step(steps, "schedule",
             v->at_times ? "blocked at this time, as no own rule allows it" : "");
    add_step(steps, "pause", v->pause);
    return steps;
}

json_t *offline_check(const struct offline *o, const char *text)
{
    static struct api_verdict v;
    struct dns_name name;
    char answer[128];
    struct strbuf s;
    if (dns_name_parse(span_str(text), &name) != ERR_OK) {
        return NULL;
    }
    const struct snapshot snapshot = {.image = list_image_get(o->image),
                                      .regexes = snapshot_regex_get(o->regexes)};
    const struct explain_source src = {.snapshot = &snapshot,
                                       .rules = &o->rules,
                                       .plan = &o->plan,
                                       .client = o->client,
                                       .now = o->now,
                                       .now_unix = o->now_unix,
                                       .list_id = id_of_slot,
                                       .ctx = o->image};
    v = (struct api_verdict){.count = 0};
    explain_name(&src, &name, &v);
    json_t *decided = NULL, *others = json_array();
    for (uint32_t i = 0; i < v.count; i++) {
        if (v.match[i].wins) {
            decided = rule_of(o, &v.match[i]);
        } else if (json_array_size(others) < OTHERS_MAX) {
            json_array_append_new(others, rule_of(o, &v.match[i]));
        }
    }
    strbuf_init(&s, answer, sizeof answer);
    const struct cfg_block_mode mode = {.mode = v.block_mode, .v4 = v.block_v4, .v6 = v.block_v6};
    cfg_block_mode_format(&mode, &s);
    return json_pack("{s:o, s:n, s:s, s:b, s:o, s:o, s:o, s:o}", "domain", text_of(&name), "client",
                     "verdict", v.blocked ? "blocked" : "allowed", "paused", v.pause[0] != '\0',
                     "answer", v.blocked ? json_string(answer) : json_null(), "decided_by",
                     decided ? decided : json_null(), "others", others, "steps", steps_of(&v));
}
