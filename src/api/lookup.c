/* Small questions to the platform that several views ask. */
#include <string.h>

#include "api/api_int.h"

void client_name_of(const struct api *a, const struct ip_addr *addr, char out[DNS_NAME_TEXT])
{
    out[0] = '\0';
    if (a->be->client_name && a->be->client_name(a->be->ctx, addr, out) == 0) {
        out[0] = '\0';
    }
}

bool list_by_id(const struct api *a, uint32_t id, struct api_list *out)
{
    uint32_t count = a->be->list_count(a->be->ctx);
    for (uint32_t i = 0; i < count; i++) {
        memset(out, 0, sizeof *out);
        a->be->list_at(a->be->ctx, i, out);
        if (out->id == id) {
            return true;
        }
    }
    return false;
}

/* The list's own name, or the last part of its address. */
void list_display_name(const struct api_list *list, char *out, size_t cap)
{
    struct strbuf text;
    strbuf_init(&text, out, cap);
    if (list->name[0]) {
        strbuf_str(&text, list->name);
        return;
    }
    const char *last = list->url;
    for (const char *p = list->url; *p; p++) {
        if (*p == '/' && p[1] && p[1] != '?' && p[1] != '#') {
            last = p + 1;
        }
    }
    strbuf_bytes(&text, last, strcspn(last, "?#"));
}

void list_names_load(struct api *a)
{
    struct api_list list;
    uint32_t count = a->be->list_count(a->be->ctx);
    a->list_names_count = 0;
    for (uint32_t i = 0; i < count && a->list_names_count < ARRAY_LEN(a->list_names); i++) {
        memset(&list, 0, sizeof list);
        a->be->list_at(a->be->ctx, i, &list);
        a->list_names[a->list_names_count].id = list.id;
        list_display_name(&list, a->list_names[a->list_names_count].name,
                          sizeof a->list_names[0].name);
        a->list_names_count++;
    }
}

const char *list_name_of(const struct api *a, uint32_t id)
{
    for (uint32_t i = 0; i < a->list_names_count; i++) {
        if (a->list_names[i].id == id) {
            return a->list_names[i].name;
        }
    }
    return "";
}
