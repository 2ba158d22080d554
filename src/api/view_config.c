/* Local records: hosts and aliases by the paths under which Pi-hole's configuration has them, all
 * others by paths of our own; and Pi-hole's empty list of leases. */
#include "api/items.h"
#include "api/routes.h"

static json_t *records_array(const struct rules *r, enum rules_local kind)
{
    json_t *array = json_array();
    const char *text;
    for (uint32_t i = 0; (text = rules_local_at(r, kind, i)) != NULL; i++) {
        json_array_append_new(array, json_text(text));
    }
    return array;
}

static void get_records(struct call *c, bool cname)
{
    reply_json(c, 200,
               json_pack("{s:{s:{s:o}}}", "config", "dns", cname ? "cnameRecords" : "hosts",
                         records_array(c->api->rules, cname ? RULES_CNAMES : RULES_HOSTS)));
}

static void change_record(struct call *c, enum rules_local kind, bool add)
{
    struct rules next;
    const char *why = NULL;
    if (!rules_begin(c, &next)) {
        return;
    }
    enum err e = add ? rules_local_add(&next, kind, c->param[0], &why)
                     : rules_local_remove(&next, kind, c->param[0]);
    if (e != ERR_OK) {
        rules_free(&next);
        reply_rules_error(c, e, why, c->param[0]);
    } else if (rules_commit(c, &next, RULES_LOCAL)) {
        if (add) {
            reply_json(c, 201, json_object());
        } else {
            reply_empty(c, 204);
        }
    }
}

void view_hosts_get(struct call *c)
{
    get_records(c, false);
}

void view_hosts_put(struct call *c)
{
    change_record(c, RULES_HOSTS, true);
}

void view_hosts_delete(struct call *c)
{
    change_record(c, RULES_HOSTS, false);
}

void view_cnames_get(struct call *c)
{
    get_records(c, true);
}

void view_cnames_put(struct call *c)
{
    change_record(c, RULES_CNAMES, true);
}

void view_cnames_delete(struct call *c)
{
    change_record(c, RULES_CNAMES, false);
}

/* ---- records of any type ---- */

struct record_change {
    struct rules next;
    struct processed processed;
    enum err last;
    const char *why;
};

static void add_record(void *ctx, const char *text)
{
    struct record_change *x = ctx;
    x->last = rules_local_add(&x->next, RULES_RECORDS, text, &x->why);
    processed_add(&x->processed, text, x->last, x->why);
}

static void reply_records(struct call *c, int status, struct processed *p)
{
    json_t *o = json_pack("{s:o}", "records", records_array(c->api->rules, RULES_RECORDS));
    if (p) {
        json_object_set_new(o, "processed", processed_object(p));
    }
    reply_json(c, status, o);
}

void view_records_get(struct call *c)
{
    reply_records(c, 200, NULL);
}

void view_records_post(struct call *c)
{
    struct record_change x = {.why = NULL};
    const json_t *text = json_object_get(c->body, "record");
    if (!body_is_object(c) || !rules_begin(c, &x.next)) {
        return;
    }
    x.processed = processed_new(c);
    if (!items_each(c, "record", add_record, &x)) {
        rules_free(&x.next);
        processed_free(&x.processed);
    } else if (json_is_string(text) && x.last != ERR_OK) {
        rules_free(&x.next);
        processed_free(&x.processed);
        reply_rules_error(c, x.last, x.why, json_string_value(text));
    } else if (x.processed.done == 0) {
        rules_free(&x.next);
        reply_records(c, 201, &x.processed);
    } else if (rules_commit(c, &x.next, RULES_LOCAL)) {
        reply_records(c, 201, &x.processed);
    } else {
        processed_free(&x.processed);
    }
}

void view_records_delete(struct call *c)
{
    change_record(c, RULES_RECORDS, false);
}

void view_leases(struct call *c)
{
    reply_json(c, 200, json_pack("{s:[]}", "leases"));
}
