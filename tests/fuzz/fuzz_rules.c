/*
 * A rules document from hostile octets. What is accepted can be read, printed, and comes back the
 * same; names in it are names.
 */
#include <string.h>

#include "api/rules.h"
#include "fuzz.h"

struct text {
    char *at;
    size_t len;
};

static int keep(const char *text, size_t len, void *arg)
{
    struct text *t = arg;
    t->at = realloc(t->at, t->len + len);
    if (!t->at) {
        return -1;
    }
    memcpy(t->at + t->len, text, len);
    t->len += len;
    return 0;
}

static void read_all(const struct rules *r)
{
    struct rule_view own;
    struct list_view list;
    struct group_view group;
    struct client_view client;
    const char *name, *value;
    for (uint32_t i = 0; rules_own_at(r, i, &own); i++) {
        struct dns_name parsed;
        FUZZ_CHECK(own.domain && own.written && json_is_array(own.groups));
        FUZZ_CHECK(own.kind == RULE_REGEX ||
                   dns_name_parse(span_str(own.domain), &parsed) == ERR_OK);
        (void)rules_own_active(&own, 1000);
    }
    for (uint32_t i = 0; rules_list_at(r, i, &list); i++) {
        FUZZ_CHECK(list.url && list.id != 0 && list.id <= INT32_MAX);
    }
    for (uint32_t i = 0; rules_group_at(r, i, &group); i++) {
        FUZZ_CHECK(group.name && group.id >= 0);
    }
    for (uint32_t i = 0; rules_client_at(r, i, &client); i++) {
        FUZZ_CHECK(client.client && json_is_array(client.groups));
    }
    for (uint32_t i = 0; rules_setting_at(r, i, &name, &value); i++) {
        FUZZ_CHECK(name && value);
    }
    FUZZ_CHECK(rules_next_end(r) >= 0);
    (void)rules_pause_until(r, 1000, 1000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct rules r = {0}, again = {0};
    struct text t = {0};
    char what[256];
    if (rules_parse(&r, span_of(data, len), what, sizeof what) != ERR_OK) {
        FUZZ_CHECK(what[0] != '\0' && memchr(what, 0, sizeof what));
        return 0;
    }
    read_all(&r);
    FUZZ_CHECK(rules_print(&r, keep, &t) == ERR_OK);
    FUZZ_CHECK(rules_parse(&again, span_of(t.at, t.len), what, sizeof what) == ERR_OK);
    FUZZ_CHECK(json_equal(r.doc, again.doc));
    FUZZ_CHECK(rules_own_expire(&r, INT64_MAX) <= rules_own_count(&again));
    rules_free(&r);
    rules_free(&again);
    free(t.at);
    return 0;
}
