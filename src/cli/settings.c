/*
 * Reads the configuration's sources. The file must be there if it was named; the default one may be
 * missing. Names in the environment that begin with SINKHOLE_ and are no options are reported and
 * left alone: container platforms set such names for services.
 */
#include "cli/settings.h"
#include "host/catalog_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PREFIX "SINKHOLE_"

enum err settings_add(struct settings *s, const char *name, const char *value)
{
    if (s->count == s->room) {
        unsigned room = s->room > 0 ? s->room * 2 : 16;
        struct settings_pair *pairs = realloc(s->pairs, room * sizeof *pairs);
        if (pairs == NULL) {
            return ERR_MEMORY;
        }
        s->pairs = pairs;
        s->room = room;
    }
    s->pairs[s->count++] = (struct settings_pair){.name = name, .value = value};
    return ERR_OK;
}

void settings_free(struct settings *s)
{
    free(s->pairs);
    s->pairs = NULL;
    s->count = s->room = 0;
}

static const char *named_file(const struct settings *s)
{
    const char *env = getenv(PREFIX "CONFIG");
    return s->file != NULL ? s->file : env != NULL && env[0] != '\0' ? env : NULL;
}

const char *settings_file(const struct settings *s)
{
    const char *named = named_file(s);
    if (named != NULL) {
        return named;
    }
    return access(SETTINGS_FILE_DEFAULT, F_OK) == 0 ? SETTINGS_FILE_DEFAULT : NULL;
}

static enum err read_file(const char *path, char **text, size_t *len, struct cfg_error *error)
{
    FILE *f = fopen(path, "rb");
    char *data = malloc(SETTINGS_FILE_MAX + 1);
    enum err e = data != NULL ? ERR_OK : ERR_MEMORY;
    size_t got = 0;
    if (e == ERR_OK && f != NULL) {
        got = fread(data, 1, SETTINGS_FILE_MAX + 1, f);
    }
    if (f == NULL || ferror(f)) {
        snprintf(error->text, sizeof error->text, "%s: cannot be read: %s", path, strerror(errno));
        e = ERR_IO;
    } else if (got > SETTINGS_FILE_MAX) {
        snprintf(error->text, sizeof error->text,
                 "%s: found more than %d octets, expected a configuration file", path,
                 SETTINGS_FILE_MAX);
        e = ERR_LIMIT;
    }
    if (f != NULL) {
        fclose(f);
    }
    if (e != ERR_OK) {
        free(data);
        return e;
    }
    *text = data;
    *len = got;
    return ERR_OK;
}

static enum err apply_file(const struct settings *s, struct config *c, struct cfg_error *error)
{
    const char *path = settings_file(s);
    char *text;
    size_t len;
    if (path == NULL) {
        return ERR_OK;
    }
    enum err e = read_file(path, &text, &len, error);
    if (e == ERR_OK) {
        e = cfg_apply_text(c, path, span_of(text, len), error);
        free(text);
    }
    return e;
}

/* Names that are ours and no options. */
static bool is_other(struct span name)
{
    static const char *const others[] = {"CONFIG", "SERVER", "PASSWORD"};
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        if (span_equal(name, span_str(others[i]))) {
            return true;
        }
    }
    return false;
}

static enum err apply_environment(const struct settings *s, struct config *c,
                                  struct cfg_error *error)
{
    for (char **p = environ; p != NULL && *p != NULL; p++) {
        const char *equals = strchr(*p, '=');
        size_t prefix = strlen(PREFIX);
        if (equals == NULL || strncmp(*p, PREFIX, prefix) != 0) {
            continue;
        }
        struct span name = span_of(*p + prefix, (size_t)(equals - *p) - prefix);
        enum cfg_option option;
        char where[64];
        snprintf(where, sizeof where, "%.*s", (int)(equals - *p), *p);
        if (is_other(name)) {
            continue;
        }
        if (cfg_find(name, &option) != ERR_OK) {
            if (!s->quiet) {
                log_warning(MAIN, "%s in the environment is not an option; ignored", where);
            }
            continue;
        }
        enum err e =
            cfg_apply_pair(c, CFG_ENVIRONMENT, where, 0, name, span_str(equals + 1), error);
        if (e != ERR_OK) {
            return e;
        }
    }
    return ERR_OK;
}

static enum err apply_arguments(const struct settings *s, struct config *c, struct cfg_error *error)
{
    for (unsigned i = 0; i < s->count; i++) {
        const struct settings_pair *pair = &s->pairs[i];
        enum err e = cfg_apply_pair(c, CFG_ARGUMENT, pair->name, 0, span_str(pair->name + 2),
                                    span_str(pair->value), error);
        if (e != ERR_OK) {
            return e;
        }
    }
    return ERR_OK;
}

enum err settings_load(void *arg, struct config **out, struct cfg_error *error)
{
    const struct settings *s = arg;
    struct config *c = NULL;
    size_t len = cfg_memory();
    void *mem = malloc(len);
    if (mem == NULL) {
        snprintf(error->text, sizeof error->text, "no memory for the configuration");
        return ERR_MEMORY;
    }
    enum err e = cfg_init(&c, mem, len);
    if (e == ERR_OK) {
        e = apply_file(s, c, error);
    }
    if (e == ERR_OK) {
        e = apply_environment(s, c, error);
    }
    if (e == ERR_OK) {
        e = apply_arguments(s, c, error);
    }
    if (e != ERR_OK) {
        free(mem);
        return e;
    }
    *out = c;
    return ERR_OK;
}

void settings_unload(void *arg, struct config *config)
{
    (void)arg;
    catalog_files_free(config);
    free(config); /* the first thing in its block (cfg_init) */
}
