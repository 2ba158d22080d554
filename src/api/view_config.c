/* Local records by the paths under which Pi-hole's configuration has them, and its empty list of
 * leases. */
#include "api/items.h"
#include "api/routes.h"

static json_t *records_array(const struct rules *r, bool cname)
{
    json_t *array = json_array();
    const char *text;
    for (uint32_t i = 0; (text = cname ? rules_cname_at(r, i) : rules_host_at(r, i)) != NULL; i++) {
        json_array_append_new(array, json_text(text));
    }
    return array;
}

static void get_records(struct call *c, bool cname)
{
    reply_json(c, 200,
               json_pack("{s:{s:{s:o}}}", "config", "dns", cname ? "cnameRecords" : "hosts",
                         records_array(c->api->rules, cname)));
}

static void change_record(struct call *c, bool cname, bool add)
{
    struct rules next;
    const char *why = NULL;
    if (!rules_begin(c, &next)) {
        return;
    }
    enum err e = add ? rules_local_add(&next, cname, c->param[0], &why)
                     : rules_local_remove(&next, cname, c->param[0]);
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
    change_record(c, false, true);
}

void view_hosts_delete(struct call *c)
{
    change_record(c, false, false);
}

void view_cnames_get(struct call *c)
{
    get_records(c, true);
}

void view_cnames_put(struct call *c)
{
    change_record(c, true, true);
}

void view_cnames_delete(struct call *c)
{
    change_record(c, true, false);
}

void view_leases(struct call *c)
{
    reply_json(c, 200, json_pack("{s:[]}", "leases"));
}
