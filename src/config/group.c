/*
 * [group NAME] sections: the lines of one, checked by the same functions as the options.
 */
#include "config/config_int.h"
#include "base/mac.h"
#include "config/schedule.h"

static const struct {
    const char *name;
    bool once, words; /* only one value; several in a line, separated by blanks */
} keys[CFG_GROUP_KEYS] = {
    [CFG_GROUP_CLIENT] = {"client", false, true},
    [CFG_GROUP_LIST] = {"list", false, false},
    [CFG_GROUP_ALLOW_LIST] = {"allow-list", false, false},
    [CFG_GROUP_UPSTREAM] = {"upstream", false, true},
    [CFG_GROUP_SCHEDULE] = {"schedule", false, false},
    [CFG_GROUP_SERVICE] = {"service", false, true},
    [CFG_GROUP_BLOCK_MODE] = {"block-mode", true, false},
    [CFG_GROUP_SAFE_SEARCH] = {"safe-search", true, false},
    [CFG_GROUP_WITH_DEFAULT] = {"with-default", true, false},
};

const char *cfg_group_key_name(enum cfg_group_key key)
{
    return keys[key].name;
}

static bool is_service(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) {
            return false;
        }
    }
    return text.len > 0 && text.len <= 64;
}

static const char *problem_of_client(struct span text)
{
    struct ip_prefix prefix;
    uint8_t mac[MAC_OCTETS];
    bool good = ip_prefix_parse(text, &prefix) == ERR_OK || mac_parse(text, mac) == ERR_OK;
    return good ? NULL : "an address, ADDR/BITS, or a hardware address";
}

const char *cfg_group_problem(struct arena *scratch, enum cfg_group_key key, struct span text)
{
    struct cfg_parse p = {.arena = scratch, .expected = "a value"};
    struct cfg_block_mode mode;
    struct cfg_upstream upstream;
    struct schedule schedule;
    const char *copy;
    bool flag;
    switch (key) {
    case CFG_GROUP_CLIENT:
        return problem_of_client(text);
    case CFG_GROUP_LIST:
    case CFG_GROUP_ALLOW_LIST:
        return cfg_source_parse(&p, text, &copy) == ERR_OK ? NULL : p.expected;
    case CFG_GROUP_UPSTREAM:
        return cfg_upstream_parse(&p, text, &upstream) == ERR_OK ? NULL
               : p.expected                                      ? p.expected
                                                                 : "an upstream";
    case CFG_GROUP_SCHEDULE:
        return schedule_parse(text, &schedule) == ERR_OK ? NULL : SCHEDULE_EXPECTED;
    case CFG_GROUP_SERVICE:
        return is_service(text) ? NULL : "the name of a service";
    case CFG_GROUP_BLOCK_MODE:
        return cfg_block_mode_parse(text, &mode) == ERR_OK
                   ? NULL
                   : "null, nxdomain, nodata, refused, or addresses";
    case CFG_GROUP_SAFE_SEARCH:
    case CFG_GROUP_WITH_DEFAULT:
        return cfg_bool_parse(text, &flag) == ERR_OK ? NULL : "on or off";
    case CFG_GROUP_KEYS:
        break;
    }
    return "a value";
}

const char *cfg_group_value(const struct cfg_groups *g, uint32_t group, enum cfg_group_key key,
                            uint32_t n)
{
    for (uint32_t i = 0; i < g->value_count; i++) {
        if (g->value[i].group == group && g->value[i].key == key && n-- == 0) {
            return g->value[i].text;
        }
    }
    return NULL;
}

bool cfg_group_is_on(const char *text)
{
    bool on = false;
    return cfg_bool_parse(span_str(text), &on) == ERR_OK && on;
}

/* ---- A section of a file. ---- */

static bool has_control(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < 0x20 || text.ptr[i] == 0x7f) {
            return true;
        }
    }
    return false;
}

enum err cfg_group_open(struct config *c, const char *file, uint32_t line, struct span head,
                        struct cfg_error *error)
{
    static const char word[] = "[group ";
    struct span name = {0};
    if (head.len > sizeof word && memcmp(head.ptr, word, sizeof word - 1) == 0 &&
        head.ptr[head.len - 1] == ']') {
        name = cfg_trim(span_of(head.ptr + sizeof word - 1, head.len - sizeof word));
    }
    if (name.len == 0 || name.len > CFG_GROUP_NAME_MAX || has_control(name)) {
        cfg_error_found(error, file, line, head, "[group NAME]");
        return ERR_FORMAT;
    }
    for (uint32_t i = 0; i < c->groups.count; i++) {
        if (span_equal(name, span_str(c->groups.item[i].name))) {
            cfg_error_found(error, file, line, head, "each group once");
            return ERR_FORMAT;
        }
    }
    const char *copy = arena_strdup(&c->arena, (const char *)name.ptr, name.len);
    if (copy == NULL || c->groups.count == ARRAY_LEN(c->groups.item)) {
        cfg_error_found(error, file, line, head, "at most 63 groups and Default");
        return ERR_LIMIT;
    }
    c->groups.item[c->groups.count++] = (struct cfg_group){.name = copy, .line = line};
    return ERR_OK;
}

static enum err add_value(struct config *c, enum cfg_group_key key, const char *file, uint32_t line,
                          struct span text, struct cfg_error *error)
{
    struct cfg_groups *g = &c->groups;
    uint32_t group = g->count - 1;
    size_t mark = c->arena.used;
    const char *problem = cfg_group_problem(&c->arena, key, text);
    c->arena.used = mark;
    if (!problem && keys[key].once && cfg_group_value(g, group, key, 0)) {
        problem = "it once in a group";
    }
    if (problem) {
        cfg_error_found(error, file, line, text, problem);
        return ERR_FORMAT;
    }
    const char *copy = arena_strdup(&c->arena, (const char *)text.ptr, text.len);
    if (copy == NULL || g->value_count == CFG_GROUP_VALUES_MAX) {
        cfg_error_found(error, file, line, text, "at most 4096 values in all groups");
        return ERR_LIMIT;
    }
    g->value[g->value_count++] = (struct cfg_group_value){
        .group = (uint16_t)group, .key = (uint8_t)key, .line = line, .text = copy};
    return ERR_OK;
}

static enum err add_words(struct config *c, enum cfg_group_key key, const char *file, uint32_t line,
                          struct span text, struct cfg_error *error)
{
    enum err e = ERR_OK;
    while (e == ERR_OK && (text = cfg_trim(text)).len > 0) {
        size_t n = 0;
        while (n < text.len && text.ptr[n] != ' ' && text.ptr[n] != '\t') {
            n++;
        }
        e = add_value(c, key, file, line, span_of(text.ptr, n), error);
        text = span_of(text.ptr + n, text.len - n);
    }
    return e;
}

enum err cfg_group_line(struct config *c, const char *file, uint32_t line, struct span name,
                        struct span value, struct cfg_error *error)
{
    for (unsigned key = 0; key < CFG_GROUP_KEYS; key++) {
        if (span_equal(name, span_str(keys[key].name))) {
            return (keys[key].words && value.len > 0 ? add_words : add_value)(
                c, (enum cfg_group_key)key, file, line, value, error);
        }
    }
    cfg_error_found(error, file, line, name,
                    "client, list, allow-list, upstream, schedule, service, block-mode, "
                    "safe-search or with-default in a [group]");
    return ERR_FORMAT;
}

void cfg_groups_print(const struct config *c, struct strbuf *out)
{
    const struct cfg_groups *g = &c->groups;
    for (uint32_t i = 0; i < g->count; i++) {
        strbuf_printf(out, "\n[group %s]\n", g->item[i].name);
        for (uint32_t k = 0; k < g->value_count; k++) {
            const struct cfg_group_value *v = &g->value[k];
            if (v->group == i) {
                strbuf_printf(out,
                              cfg_needs_quotes(span_str(v->text)) ? "%s = \"%s\"\n" : "%s = %s\n",
                              keys[v->key].name, v->text);
            }
        }
    }
}
