/*
 * See offline.h.
 */
#include "cli/offline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/rules.h"
#include "blocklist/match.h"
#include "cli/remote.h"
#include "host/lists.h"
#include "host/store.h"

enum { HITS_MAX = 64, OTHERS_MAX = 20 };

struct offline {
    struct cli *cli;
    struct list_image *image; /* NULL: none */
    struct rules rules;       /* doc NULL: none */
    struct cfg_block_mode block_mode;
};

/* The rules document; a missing one is fine. */
static bool rules_open(struct offline *o, struct store *store)
{
    struct store_blob blob;
    char what[256];
    enum err e = store_read(store, "rules.json", RULES_TEXT_MAX, &blob);
    if (e == ERR_NOT_FOUND) {
        return true;
    }
    if (e == ERR_OK) {
        what[0] = '\0';
        e = rules_parse(&o->rules, span_of(blob.data, blob.len), what, sizeof what);
        store_blob_free(&blob);
        if (e != ERR_OK) {
            cli_error(o->cli, "%s/rules.json: %s", store_dir(store),
                      what[0] != '\0' ? what : err_text(e));
        }
    } else {
        cli_error(o->cli, "%s/rules.json: %s", store_dir(store), err_text(e));
    }
    return e == ERR_OK;
}

static int open_all(struct offline *o, const struct config *c)
{
    char path[2048];
    struct store *store;
    enum err e = store_open(c->state_dir, &store);
    if (e != ERR_OK) {
        cli_error(o->cli,
                  "no resolver is running here, and the state directory %s cannot be read: %s",
                  c->state_dir, err_text(e));
        return EXIT_FAILED;
    }
    bool fine = rules_open(o, store);
    store_close(store);
    if (!fine) {
        return EXIT_FAILED;
    }
    snprintf(path, sizeof path, "%s/blocklist.img", c->state_dir);
    e = list_image_open(path, &o->image);
    if (e != ERR_OK) {
        cli_error(o->cli, "no resolver is running here, and %s cannot be used: %s", path,
                  err_text(e));
        return EXIT_FAILED;
    }
    o->block_mode = c->block_mode;
    return EXIT_FINE;
}

int offline_open(struct cli *cli, struct offline **out)
{
    struct config *c = cli_config(cli);
    struct offline *o = calloc(1, sizeof *o);
    int status = c == NULL ? EXIT_USAGE : EXIT_FAILED;
    if (c != NULL && o != NULL) {
        o->cli = cli;
        status = open_all(o, c);
    }
    settings_unload(NULL, c);
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
        list_image_close(o->image);
        rules_free(&o->rules);
        free(o);
    }
}

static json_t *text_of(const struct dns_name *name)
{
    char text[DNS_NAME_TEXT];
    dns_name_format(name, text);
    return json_string(text);
}

/* The name whose rule starts at this label of the asked one. */
static json_t *suffix_of(const struct dns_name *name, unsigned label)
{
    struct span wire = dns_name_suffix(name, label);
    struct dns_name suffix;
    return dns_name_from_wire(wire.ptr, wire.len, &suffix) == ERR_OK ? text_of(&suffix)
                                                                     : json_string("");
}

static json_t *rule_of_hit(const struct offline *o, const struct dns_name *name,
                           const struct bl_hit *hit)
{
    struct bl_list_info list;
    bl_image_list(list_image_get(o->image), hit->source.list, &list);
    return json_pack("{s:s, s:i, s:o, s:o, s:b, s:I, s:s}", "source", "list", "list_id",
                     (int)hit->source.list, "list",
                     json_stringn((const char *)list.name.ptr, list.name.len), "rule",
                     suffix_of(name, hit->label), "subtree", (hit->source.kind & BL_BELOW) != 0,
                     "line", (json_int_t)hit->source.line, "action",
                     bl_rank_action(hit->source.rank) == BL_ALLOW ? "allow" : "block");
}

/* The own rule that decides, or NULL. An own allow beats an own deny. */
static json_t *own_rule(const struct offline *o, const struct dns_name *name, bool *allow)
{
    json_t *found = NULL;
    for (uint32_t i = 0; o->rules.doc != NULL && i < rules_own_count(&o->rules); i++) {
        struct rule_view v;
        struct dns_name own;
        if (!rules_own_at(&o->rules, i, &v) || !rules_own_active(&v, time(NULL)) ||
            dns_name_parse(span_str(v.domain), &own) != ERR_OK) {
            continue;
        }
        bool fits = v.kind == RULE_EXACT ? dns_name_equal(name, &own) : dns_name_within(name, &own);
        if (fits && v.client == NULL && (found == NULL || (v.allow && !*allow))) {
            json_decref(found);
            found = json_pack("{s:s, s:n, s:n, s:o, s:b, s:n, s:s}", "source", "rule", "list_id",
                              "list", "rule", text_of(&own), "subtree", v.kind == RULE_SUBTREE,
                              "line", "action", v.allow ? "allow" : "block");
            *allow = v.allow;
        }
    }
    return found;
}

/* The hits of the lists: what decides and the others. */
static enum bl_action list_rules(const struct offline *o, const struct dns_name *name,
                                 json_t **decided, json_t *others)
{
    struct bl_hit hits[HITS_MAX];
    struct bl_verdict verdict;
    size_t count = bl_explain(list_image_get(o->image), name, NULL, hits, HITS_MAX, &verdict);
    for (size_t i = count < HITS_MAX ? count : HITS_MAX; i-- > 0;) {
        if (!hits[i].applies) {
            continue;
        }
        json_t *rule = rule_of_hit(o, name, &hits[i]);
        if (*decided == NULL && hits[i].wins) {
            *decided = rule;
        } else if (json_array_size(others) < OTHERS_MAX) {
            json_array_append_new(others, rule);
        } else {
            json_decref(rule);
        }
    }
    return (enum bl_action)verdict.action;
}

json_t *offline_check(const struct offline *o, const char *text)
{
    struct dns_name name;
    bool allow = false;
    json_t *others = json_array(), *by_list = NULL;
    if (dns_name_parse(span_str(text), &name) != ERR_OK) {
        json_decref(others);
        return NULL;
    }
    json_t *decided = own_rule(o, &name, &allow);
    enum bl_action action = list_rules(o, &name, &by_list, others);
    if (decided != NULL) {
        action = allow ? BL_ALLOW : BL_BLOCK;
        if (by_list != NULL) {
            json_array_insert_new(others, 0, by_list);
        }
    } else {
        decided = by_list != NULL ? by_list : json_null();
    }
    char answer[128];
    struct strbuf s;
    strbuf_init(&s, answer, sizeof answer);
    cfg_block_mode_format(&o->block_mode, &s);
    return json_pack("{s:o, s:n, s:s, s:b, s:o, s:o, s:o}", "domain", text_of(&name), "client",
                     "verdict", action == BL_BLOCK ? "blocked" : "allowed", "paused", 0, "answer",
                     action == BL_BLOCK ? json_string(answer) : json_null(), "decided_by", decided,
                     "others", others);
}
