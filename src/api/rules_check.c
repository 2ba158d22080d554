/*
 * Checking a rules document. What a section's items look like stands in rows; one walk compares an
 * item with its rows and fills in what may be left out. Unknown fields are errors: a misspelt field
 * of a document that was edited by hand must not be lost in silence.
 */
#include <string.h>

#include "api/rules_int.h"
#include "base/ip.h"

enum { ID_MAX = INT32_MAX, UNIX_BITS = 33, GROUPS_OF_ITEM_MAX = 64 };

enum field_type {
    FIELD_TEXT, /* checked by `problem` */
    FIELD_WORD, /* one of `words`, separated by '|' */
    FIELD_BOOL, /* true if it is left out */
    FIELD_TIME, /* unix seconds, 0 if it is left out */
    FIELD_ID,
    FIELD_GROUPS, /* array of ids; [0] if it is left out */
    FIELD_TREAT,  /* how members of a group are treated; null if it is left out */
    FIELD_DERIVED /* made anew here */
};

struct field {
    const char *name;
    enum field_type type;
    bool required;
    const char *words;
    const char *(*problem)(const char *text);
};

static const char *no_problem(const char *text)
{
    (void)text;
    return NULL;
}

static const struct field own_fields[] = {
    {"id", FIELD_ID, true, NULL, NULL},
    {"type", FIELD_WORD, true, "allow|deny", NULL},
    {"kind", FIELD_WORD, true, "exact|subtree|regex", NULL},
    {"domain", FIELD_TEXT, true, NULL, no_problem}, /* by its kind, below */
    {"covers", FIELD_DERIVED, false, NULL, NULL},
    {"comment", FIELD_TEXT, false, NULL, rules_problem_of_comment},
    {"enabled", FIELD_BOOL, false, NULL, NULL},
    {"added", FIELD_TIME, false, NULL, NULL},
    {"modified", FIELD_TIME, false, NULL, NULL},
    {"until", FIELD_TIME, false, NULL, NULL},
    {"client", FIELD_TEXT, false, NULL, rules_problem_of_client},
    {"groups", FIELD_GROUPS, false, NULL, NULL},
    {NULL, FIELD_TEXT, false, NULL, NULL},
};

static const struct field address_fields[] = {
    {"id", FIELD_ID, true, NULL, NULL},
    {"address", FIELD_TEXT, true, NULL, rules_problem_of_prefix},
    {"comment", FIELD_TEXT, false, NULL, rules_problem_of_comment},
    {"enabled", FIELD_BOOL, false, NULL, NULL},
    {"added", FIELD_TIME, false, NULL, NULL},
    {"modified", FIELD_TIME, false, NULL, NULL},
    {"groups", FIELD_GROUPS, false, NULL, NULL},
    {NULL, FIELD_TEXT, false, NULL, NULL},
};

static const struct field list_fields[] = {
    {"url", FIELD_TEXT, true, NULL, rules_problem_of_url},
    {"type", FIELD_WORD, true, "allow|block", NULL},
    {"enabled", FIELD_BOOL, false, NULL, NULL},
    {"configured", FIELD_BOOL, true, NULL, NULL},
    {"guard", FIELD_BOOL, false, NULL, NULL},
    {"comment", FIELD_TEXT, false, NULL, rules_problem_of_comment},
    {"groups", FIELD_GROUPS, false, NULL, NULL},
    {"added", FIELD_TIME, false, NULL, NULL},
    {"modified", FIELD_TIME, false, NULL, NULL},
    {NULL, FIELD_TEXT, false, NULL, NULL},
};

static const struct field group_fields[] = {
    {"id", FIELD_ID, true, NULL, NULL},
    {"name", FIELD_TEXT, true, NULL, rules_problem_of_group},
    {"enabled", FIELD_BOOL, false, NULL, NULL},
    {"block_mode", FIELD_TREAT, false, NULL, NULL},
    {"safe_search", FIELD_TREAT, false, NULL, NULL},
    {"upstreams", FIELD_TREAT, false, NULL, NULL},
    {"schedules", FIELD_TREAT, false, NULL, NULL},
    {"services", FIELD_TREAT, false, NULL, NULL},
    {"comment", FIELD_TEXT, false, NULL, rules_problem_of_comment},
    {"added", FIELD_TIME, false, NULL, NULL},
    {"modified", FIELD_TIME, false, NULL, NULL},
    {NULL, FIELD_TEXT, false, NULL, NULL},
};

static const struct field client_fields[] = {
    {"id", FIELD_ID, true, NULL, NULL},
    {"client", FIELD_TEXT, true, NULL, rules_problem_of_device},
    {"comment", FIELD_TEXT, false, NULL, rules_problem_of_comment},
    {"groups", FIELD_GROUPS, false, NULL, NULL},
    {"added", FIELD_TIME, false, NULL, NULL},
    {"modified", FIELD_TIME, false, NULL, NULL},
    {NULL, FIELD_TEXT, false, NULL, NULL},
};

static const struct field pause_fields[] = {
    {"group", FIELD_TEXT, false, NULL, rules_problem_of_group},
    {"client", FIELD_TEXT, false, NULL, rules_problem_of_device},
    {"until", FIELD_TIME, true, NULL, NULL},
    {NULL, FIELD_TEXT, false, NULL, NULL},
};

/* Sections that are arrays: of objects with fields, or of texts. */
static const struct section {
    const char *name;
    uint32_t max;
    const struct field *fields;
    const char *(*problem)(const char *text);
} sections[] = {
    {"own", RULES_OWN_MAX, own_fields, NULL},
    {"addresses", RULES_ADDRESSES_MAX, address_fields, NULL},
    {"lists", RULES_LISTS_MAX, list_fields, NULL},
    {"groups", RULES_GROUPS_MAX, group_fields, NULL},
    {"clients", RULES_CLIENTS_MAX, client_fields, NULL},
    {"pauses", RULES_PAUSES_MAX, pause_fields, NULL},
    {"hosts", RULES_LOCAL_MAX, NULL, rules_problem_of_host},
    {"cnames", RULES_LOCAL_MAX, NULL, rules_problem_of_cname},
    {"records", RULES_LOCAL_MAX, NULL, rules_problem_of_record},
};

/* Where a problem is, for the message. */
struct place {
    const char *section;
    size_t index;
    struct strbuf *what;
};

static enum err refuse(const struct place *p, const char *field, const char *problem)
{
    strbuf_printf(p->what, "%s[%zu]%s%s: %s", p->section, p->index, field ? "." : "",
                  field ? field : "", problem);
    return ERR_FORMAT;
}

static bool is_among(const char *word, const char *words)
{
    size_t len = strlen(word);
    for (const char *w = words;; w++) {
        const char *end = strchr(w, '|');
        size_t n = end ? (size_t)(end - w) : strlen(w);
        if (n == len && memcmp(w, word, len) == 0) {
            return true;
        }
        if (!end) {
            return false;
        }
        w = end;
    }
}

static const char *problem_of_integer(const json_t *value, int64_t max, const char *problem)
{
    bool good = json_is_integer(value) && json_integer_value(value) >= 0 &&
                json_integer_value(value) <= max;
    return good ? NULL : problem;
}

const char *rules_problem_of_groups(const json_t *value)
{
    if (!json_is_array(value) || json_array_size(value) > GROUPS_OF_ITEM_MAX) {
        return "expected an array of at most 64 group numbers";
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (problem_of_integer(json_array_get(value, i), ID_MAX, "") != NULL) {
            return "expected an array of group numbers";
        }
    }
    return NULL;
}

static const char *problem_of_text(const struct field *f, const json_t *value)
{
    if (json_is_null(value) && !f->required) {
        return NULL;
    }
    return json_is_string(value) ? f->problem(json_string_value(value)) : "expected a text";
}

static const char *problem_of_treat(const char *name, const json_t *value)
{
    for (unsigned key = 0; key < CFG_GROUP_KEYS; key++) {
        const char *field = rules_group_field((enum cfg_group_key)key);
        if (field && strcmp(field, name) == 0) {
            return rules_problem_of_group_value((enum cfg_group_key)key, value);
        }
    }
    return NULL;
}

static const char *problem_of_value(const struct field *f, const json_t *value)
{
    switch (f->type) {
    case FIELD_TEXT:
        return problem_of_text(f, value);
    case FIELD_WORD:
        return json_is_string(value) && is_among(json_string_value(value), f->words)
                   ? NULL
                   : "not one of the words that are known here";
    case FIELD_BOOL:
        return json_is_boolean(value) ? NULL : "expected true or false";
    case FIELD_TIME:
        return problem_of_integer(value, INT64_C(1) << UNIX_BITS,
                                  "expected a time in unix seconds");
    case FIELD_ID:
        return problem_of_integer(value, ID_MAX, "expected a number from 0 to 2147483647");
    case FIELD_GROUPS:
        return rules_problem_of_groups(value);
    case FIELD_TREAT:
        return problem_of_treat(f->name, value);
    case FIELD_DERIVED:
        return NULL;
    }
    return NULL;
}

static bool fill_in(json_t *item, const struct field *f)
{
    switch (f->type) {
    case FIELD_BOOL:
        return json_object_set_new(item, f->name, json_true()) == 0;
    case FIELD_TIME:
        return json_object_set_new(item, f->name, json_integer(0)) == 0;
    case FIELD_GROUPS:
        return json_object_set_new(item, f->name, json_pack("[i]", 0)) == 0;
    case FIELD_TEXT:
    case FIELD_TREAT:
        return json_object_set_new(item, f->name, json_null()) == 0;
    case FIELD_WORD:
    case FIELD_ID:
    case FIELD_DERIVED:
        break;
    }
    return true;
}

static const struct field *field_named(const struct field *fields, const char *name)
{
    for (const struct field *f = fields; f->name; f++) {
        if (strcmp(f->name, name) == 0) {
            return f;
        }
    }
    return NULL;
}

static enum err check_fields(json_t *item, const struct field *fields, const struct place *p)
{
    if (!json_is_object(item)) {
        return refuse(p, NULL, "expected an object");
    }
    for (void *at = json_object_iter(item); at; at = json_object_iter_next(item, at)) {
        const struct field *f = field_named(fields, json_object_iter_key(at));
        if (!f) {
            return refuse(p, NULL, "a field that is not known");
        }
        const char *problem = problem_of_value(f, json_object_iter_value(at));
        if (problem) {
            return refuse(p, f->name, problem);
        }
    }
    for (const struct field *f = fields; f->name; f++) {
        if (json_object_get(item, f->name)) {
            continue;
        }
        if (f->required) {
            return refuse(p, f->name, "is missing");
        }
        if (!fill_in(item, f)) {
            return ERR_MEMORY;
        }
    }
    return ERR_OK;
}

/* The name of an own rule is brought to one form, a pattern that stands for a subtree gets its
 * name. */
static enum err check_own(json_t *item, const struct place *p)
{
    char name[DNS_NAME_TEXT];
    const char *kind = json_string_value(json_object_get(item, "kind"));
    const char *domain = json_string_value(json_object_get(item, "domain"));
    (void)json_object_del(item, "covers");
    if (strcmp(kind, "regex") == 0) {
        const char *problem = rules_problem_of_pattern(domain);
        if (problem) {
            return refuse(p, "domain", problem);
        }
        bool covers = rules_covers(domain, name);
        return covers && json_object_set_new(item, "covers", json_string(name)) != 0 ? ERR_MEMORY
                                                                                     : ERR_OK;
    }
    const char *problem = rules_problem_of_name(domain, name);
    if (problem) {
        return refuse(p, "domain", problem);
    }
    return json_object_set_new(item, "domain", json_string(name)) == 0 ? ERR_OK : ERR_MEMORY;
}

static enum err check_item(json_t *item, const struct section *s, const struct place *p)
{
    if (!s->fields) {
        const char *problem =
            json_is_string(item) ? s->problem(json_string_value(item)) : "expected a text";
        return problem ? refuse(p, NULL, problem) : ERR_OK;
    }
    enum err e = check_fields(item, s->fields, p);
    return e == ERR_OK && s->fields == own_fields ? check_own(item, p) : e;
}

static enum err check_section(json_t *doc, const struct section *s, struct strbuf *what)
{
    json_t *array = json_object_get(doc, s->name);
    if (!array) {
        return json_object_set_new(doc, s->name, json_array()) == 0 ? ERR_OK : ERR_MEMORY;
    }
    if (!json_is_array(array)) {
        strbuf_printf(what, "%s: expected an array", s->name);
        return ERR_FORMAT;
    }
    if (json_array_size(array) > s->max) {
        strbuf_printf(what, "%s: %zu items, expected at most %u", s->name, json_array_size(array),
                      s->max);
        return ERR_LIMIT;
    }
    for (size_t i = 0; i < json_array_size(array); i++) {
        const struct place p = {.section = s->name, .index = i, .what = what};
        enum err e = check_item(json_array_get(array, i), s, &p);
        if (e != ERR_OK) {
            return e;
        }
    }
    return ERR_OK;
}

/* --- the fields of the document itself ------------------------------------------------------- */

static enum err check_pause(json_t *doc, struct strbuf *what)
{
    json_t *pause = json_object_get(doc, "pause");
    if (!pause) {
        return json_object_set_new(doc, "pause", json_null()) == 0 ? ERR_OK : ERR_MEMORY;
    }
    if (json_is_null(pause)) {
        return ERR_OK;
    }
    const json_t *until = json_object_get(pause, "until");
    if (!json_is_object(pause) || json_object_size(pause) != 1 ||
        problem_of_integer(until, INT64_C(1) << UNIX_BITS, "") != NULL) {
        strbuf_str(what, "pause: expected null or {\"until\": unix seconds, 0: until resumed}");
        return ERR_FORMAT;
    }
    return ERR_OK;
}

static enum err check_settings(json_t *doc, struct strbuf *what)
{
    json_t *settings = json_object_get(doc, "settings");
    if (!settings) {
        return json_object_set_new(doc, "settings", json_object()) == 0 ? ERR_OK : ERR_MEMORY;
    }
    if (!json_is_object(settings)) {
        strbuf_str(what, "settings: expected an object");
        return ERR_FORMAT;
    }
    for (void *at = json_object_iter(settings); at; at = json_object_iter_next(settings, at)) {
        const char *value = json_string_value(json_object_iter_value(at));
        const char *problem =
            value ? rules_problem_of_setting(json_object_iter_key(at), value) : "expected a text";
        if (problem) {
            strbuf_str(what, "settings.");
            strbuf_escaped(what, span_str(json_object_iter_key(at)));
            strbuf_printf(what, ": %s", problem);
            return ERR_FORMAT;
        }
    }
    return ERR_OK;
}

static bool is_known(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
        if (strcmp(name, sections[i].name) == 0) {
            return true;
        }
    }
    /* took: the API adds it to what it answers; checksum: the file that is kept ends in it */
    return is_among(name, "version|pause|settings|took|checksum");
}

static enum err check_version(const json_t *doc, struct strbuf *what)
{
    const json_t *version = json_object_get(doc, "version");
    if (!json_is_object(doc) || !json_is_integer(version)) {
        strbuf_str(what, "version: expected a rules document with a version number");
        return ERR_FORMAT;
    }
    if (json_integer_value(version) != RULES_VERSION) {
        strbuf_printf(what, "version: %ld, expected %d", (long)json_integer_value(version),
                      RULES_VERSION);
        return ERR_VERSION;
    }
    return ERR_OK;
}

enum err rules_check(json_t *doc, struct strbuf *what)
{
    enum err e = check_version(doc, what);
    if (e != ERR_OK) {
        return e;
    }
    for (void *at = json_object_iter(doc); at; at = json_object_iter_next(doc, at)) {
        if (!is_known(json_object_iter_key(at))) {
            strbuf_escaped(what, span_str(json_object_iter_key(at)));
            strbuf_str(what, ": a field that is not known");
            return ERR_FORMAT;
        }
    }
    (void)json_object_del(doc, "took");
    (void)json_object_del(doc, "checksum");
    for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
        e = check_section(doc, &sections[i], what);
        if (e != ERR_OK) {
            return e;
        }
    }
    e = check_pause(doc, what);
    return e == ERR_OK ? check_settings(doc, what) : e;
}
