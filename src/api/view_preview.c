/* What a list would have blocked, before it is switched on: started by POST, looked at by GET. */
#include "api/items.h"
#include "api/routes.h"

static json_t *clients_array(const struct call *c, const struct api_client_count *clients,
                             uint32_t count)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < count; i++) {
        char ip[IP_TEXT_MAX], name[DNS_NAME_TEXT];
        ip_format(&clients[i].client, ip);
        client_name_of(c->api, &clients[i].client, name);
        json_array_append_new(array, json_pack("{s:s, s:o, s:I}", "ip", ip, "name",
                                               json_text_or_null(name), "count",
                                               (json_int_t)clients[i].count));
    }
    return array;
}

static json_t *list_object(const struct api_preview *p)
{
    json_t *examples = json_array();
    for (uint32_t i = 0; i < p->list.example_count; i++) {
        json_array_append_new(examples, json_text(p->list.example[i]));
    }
    return json_pack(
        "{s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "format", json_text_or_null(p->list.format),
        "rules", (json_int_t)p->list.rules, "new_rules", (json_int_t)p->new_rules, "duplicates",
        (json_int_t)p->list.duplicates, "rejected", (json_int_t)p->list.rejected, "ignored",
        (json_int_t)p->list.ignored, "octets", (json_int_t)p->list.octets, "examples", examples);
}

static json_t *domains_array(const struct call *c, const struct api_preview *p)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < p->name_count; i++) {
        json_array_append_new(array,
                              json_pack("{s:o, s:I, s:o}", "domain", json_name(&p->name[i].name),
                                        "count", (json_int_t)p->name[i].count, "clients",
                                        clients_array(c, p->name[i].client, p->name[i].clients)));
    }
    return array;
}

static json_t *result_object(const struct call *c, const struct api_preview *p)
{
    return json_pack("{s:I, s:I, s:s, s:b, s:I, s:I, s:I, s:I, s:o, s:o}", "from",
                     (json_int_t)p->from_unix, "until", (json_int_t)p->until_unix, "source",
                     p->from_history ? "history" : "memory", "partial", (int)p->partial, "queries",
                     (json_int_t)p->queries, "would_block", (json_int_t)p->hits, "names",
                     (json_int_t)p->names_hit, "clients_hit", (json_int_t)p->clients_hit, "domains",
                     domains_array(c, p), "clients", clients_array(c, p->client, p->client_count));
}

static void reply_preview(struct call *c, int status)
{
    static const char *const states[] = {[API_PREVIEW_FETCHING] = "fetching",
                                         [API_PREVIEW_MATCHING] = "matching",
                                         [API_PREVIEW_DONE] = "done",
                                         [API_PREVIEW_FAILED] = "failed"};
    struct api_preview *p = &c->api->preview;
    memset(p, 0, sizeof *p);
    if (!c->api->be->preview_get(c->api->be->ctx, p)) {
        reply_json(c, status, json_pack("{s:n}", "preview"));
        return;
    }
    bool counted = p->state == API_PREVIEW_MATCHING || p->state == API_PREVIEW_DONE;
    reply_json(c, status,
               json_pack("{s:{s:I, s:o, s:s, s:o, s:o, s:o}}", "preview", "id", (json_int_t)p->id,
                         "url", json_text(p->list.url), "state", states[p->state], "error",
                         json_text_or_null(p->list.error), "list",
                         counted ? list_object(p) : json_null(), "result",
                         p->state == API_PREVIEW_DONE ? result_object(c, p) : json_null()));
}

static bool has_preview(struct call *c)
{
    const struct api_backend *be = c->api->be;
    if (be->preview_start && be->preview_get && be->preview_end) {
        return true;
    }
    reply_error(c, 501, "not_implemented", "This platform cannot try lists beforehand", NULL);
    return false;
}

void view_preview_get(struct call *c)
{
    if (has_preview(c)) {
        reply_preview(c, 200);
    }
}

void view_preview_post(struct call *c)
{
    const char *url = body_text(c, "url"), *why = NULL;
    if (!has_preview(c) || !body_is_object(c)) {
        return;
    }
    if (!url || strlen(url) >= API_LIST_URL_MAX) {
        bad_request(c, "Expected {\"url\": address of a list}");
        return;
    }
    enum err e = c->api->be->preview_start(c->api->be->ctx, url, &why);
    if (e == ERR_FORMAT) {
        reply_error(c, 400, "bad_request", "The address of the list is not accepted", why);
    } else if (e != ERR_OK) {
        reply_error(c, 503, "busy", "The list cannot be tried now", err_text(e));
    } else {
        reply_preview(c, 202);
    }
}

void view_preview_delete(struct call *c)
{
    if (has_preview(c)) {
        c->api->be->preview_end(c->api->be->ctx);
        reply_empty(c, 204);
    }
}
