#include "schema.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct check {
    const json_t *document;
    char *problem;
    size_t cap;
    bool quiet; /* inside anyOf: a mismatch is no problem yet */
    char where[512];
};

static bool wrong(struct check *c, const char *what)
{
    if (!c->quiet) {
        snprintf(c->problem, c->cap, "%s: %s", c->where[0] ? c->where : "(root)", what);
    }
    return false;
}

static const json_t *resolve(const json_t *document, const json_t *object)
{
    const char *ref = json_string_value(json_object_get(object, "$ref"));
    if (!ref) {
        return object;
    }
    const json_t *at = document;
    for (const char *p = strchr(ref, '/'); p && at;) {
        char key[128];
        size_t len = strcspn(p + 1, "/");
        snprintf(key, sizeof key, "%.*s", (int)len, p + 1);
        at = json_object_get(at, key);
        p = p[1 + len] ? p + 1 + len : NULL;
    }
    return at;
}

static bool has_type(const char *type, const json_t *v)
{
    if (strcmp(type, "integer") == 0) {
        return json_is_integer(v);
    }
    return (strcmp(type, "string") == 0 && json_is_string(v)) ||
           (strcmp(type, "number") == 0 && json_is_number(v)) ||
           (strcmp(type, "boolean") == 0 && json_is_boolean(v)) ||
           (strcmp(type, "null") == 0 && json_is_null(v)) ||
           (strcmp(type, "array") == 0 && json_is_array(v)) ||
           (strcmp(type, "object") == 0 && json_is_object(v));
}

static bool check_type(struct check *c, const json_t *type, const json_t *v)
{
    char what[128];
    if (json_is_string(type) && has_type(json_string_value(type), v)) {
        return true;
    }
    for (size_t i = 0; i < json_array_size(type); i++) {
        if (has_type(json_string_value(json_array_get(type, i)), v)) {
            return true;
        }
    }
    char *text = json_dumps(type, JSON_ENCODE_ANY);
    snprintf(what, sizeof what, "not of type %s", text ? text : "?");
    free(text);
    return wrong(c, what);
}

static bool check_value(struct check *c, const json_t *schema, const json_t *v);

static bool check_inner(struct check *c, const char *name, const json_t *schema, const json_t *v)
{
    size_t len = strlen(c->where);
    snprintf(c->where + len, sizeof c->where - len, "/%s", name);
    bool ok = check_value(c, schema, v);
    c->where[len] = '\0';
    return ok;
}

static bool check_object(struct check *c, const json_t *schema, const json_t *v)
{
    const json_t *properties = json_object_get(schema, "properties"),
                 *required = json_object_get(schema, "required"),
                 *more = json_object_get(schema, "additionalProperties");
    const char *key;
    json_t *item;
    char what[256];
    for (size_t i = 0; i < json_array_size(required); i++) {
        key = json_string_value(json_array_get(required, i));
        if (!json_object_get(v, key)) {
            snprintf(what, sizeof what, "\"%s\" is missing", key);
            return wrong(c, what);
        }
    }
    json_object_foreach((json_t *)(uintptr_t)v, key, item)
    {
        const json_t *inner = json_object_get(properties, key);
        inner = inner ? inner : more;
        if (json_is_false(inner)) {
            snprintf(what, sizeof what, "\"%s\" is not in the document", key);
            return wrong(c, what);
        }
        if (inner && !check_inner(c, key, inner, item)) {
            return false;
        }
    }
    return true;
}

static bool check_array(struct check *c, const json_t *schema, const json_t *v)
{
    const json_t *items = json_object_get(schema, "items"),
                 *least = json_object_get(schema, "minItems"),
                 *most = json_object_get(schema, "maxItems");
    json_int_t size = (json_int_t)json_array_size(v);
    if ((least && size < json_integer_value(least)) || (most && size > json_integer_value(most))) {
        return wrong(c, "too few or too many items");
    }
    for (size_t i = 0; items && i < json_array_size(v); i++) {
        char name[24];
        snprintf(name, sizeof name, "%zu", i);
        if (!check_inner(c, name, items, json_array_get(v, i))) {
            return false;
        }
    }
    return true;
}

static bool check_any(struct check *c, const json_t *schemas, const json_t *v)
{
    bool quiet = c->quiet;
    for (size_t i = 0; i < json_array_size(schemas); i++) {
        c->quiet = true;
        bool ok = check_value(c, json_array_get(schemas, i), v);
        c->quiet = quiet;
        if (ok) {
            return true;
        }
    }
    return wrong(c, "fits none of the choices");
}

static bool check_keyword(struct check *c, const json_t *schema, const char *key, const json_t *arg,
                          const json_t *v)
{
    static const char *const elsewhere[] = {
        "description", "properties", "required", "additionalProperties",
        "items",       "minItems",   "maxItems"};
    if (strcmp(key, "type") == 0) {
        return check_type(c, arg, v);
    }
    if (strcmp(key, "enum") == 0) {
        for (size_t i = 0; i < json_array_size(arg); i++) {
            if (json_equal(json_array_get(arg, i), v)) {
                return true;
            }
        }
        return wrong(c, "not one of the words");
    }
    if (strcmp(key, "minimum") == 0) {
        return json_number_value(v) >= json_number_value(arg) || wrong(c, "too small");
    }
    if (strcmp(key, "maximum") == 0) {
        return json_number_value(v) <= json_number_value(arg) || wrong(c, "too large");
    }
    if (strcmp(key, "anyOf") == 0 || strcmp(key, "oneOf") == 0) {
        return check_any(c, arg, v);
    }
    for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++) {
        if (strcmp(key, elsewhere[i]) == 0) {
            return true;
        }
    }
    (void)schema;
    return wrong(c, "the schema has a keyword that this test does not know");
}

static bool check_value(struct check *c, const json_t *schema, const json_t *v)
{
    const char *key;
    json_t *arg;
    schema = resolve(c->document, schema);
    if (!schema) {
        return wrong(c, "the schema refers to nothing");
    }
    json_object_foreach((json_t *)(uintptr_t)schema, key, arg)
    {
        if (!check_keyword(c, schema, key, arg, v)) {
            return false;
        }
    }
    return (!json_is_object(v) || check_object(c, schema, v)) &&
           (!json_is_array(v) || check_array(c, schema, v));
}

bool schema_check(const json_t *document, const json_t *schema, const json_t *value, char *problem,
                  size_t cap)
{
    struct check c = {.document = document, .problem = problem, .cap = cap};
    return check_value(&c, schema, value);
}

bool schema_check_response(const json_t *document, const char *method, const char *path, int status,
                           const json_t *value, char *problem, size_t cap)
{
    char lower[16] = "", code[16];
    for (size_t i = 0; method[i] && i + 1 < sizeof lower; i++) {
        lower[i] = (char)(method[i] | 0x20);
    }
    snprintf(code, sizeof code, "%d", status);
    const json_t *operation =
        json_object_get(json_object_get(json_object_get(document, "paths"), path), lower);
    const json_t *responses = json_object_get(operation, "responses"),
                 *response = json_object_get(responses, code);
    response = resolve(document, response ? response : json_object_get(responses, "default"));
    if (!response) {
        snprintf(problem, cap, "%s %s has no response %d in the document", method, path, status);
        return false;
    }
    const json_t *media = json_object_get(json_object_get(response, "content"), "application/json");
    if (!media != !value) {
        snprintf(problem, cap, "%s %s %d: %s", method, path, status,
                 value ? "a body that is not in the document" : "no JSON body");
        return false;
    }
    return !value || schema_check(document, json_object_get(media, "schema"), value, problem, cap);
}
