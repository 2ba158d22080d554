/*
 * Where the configuration of this process comes from: a file, the environment, the command line.
 */
#ifndef SINKHOLE_CLI_SETTINGS_H
#define SINKHOLE_CLI_SETTINGS_H

#include <stdbool.h>

#include "config/config.h"

#define SETTINGS_FILE_DEFAULT "/etc/sinkhole/sinkhole.conf"
#define SETTINGS_FILE_MAX     (1024 * 1024) /* octets of a configuration file */

struct settings_pair {
    const char *name; /* as it was given, "--listen"; kept until the end */
    const char *value;
};

struct settings {
    const char *file; /* NULL: SINKHOLE_CONFIG, else the default one if it is there */
    struct settings_pair *pairs;
    unsigned count, room;
    bool quiet; /* do not warn of names in the environment that are not known */
};

/* Remember an option of the command line. ERR_MEMORY. */
MUST_CHECK enum err settings_add(struct settings *s, const char *name, const char *value);
void settings_free(struct settings *s);

/* The file that will be read, or NULL if there is none. */
const char *settings_file(const struct settings *s);

/*
 * A cfg_loader, arg being the struct settings: defaults, file, environment, command line, in memory
 * of its own. Not finished. Each call reads everything anew. Errors have their line in error->text:
 * ERR_FORMAT, ERR_RANGE, ERR_LIMIT, ERR_IO (the file cannot be read), ERR_MEMORY.
 */
enum err settings_load(void *arg, struct config **out, struct cfg_error *error);
void settings_unload(void *arg, struct config *config); /* arg is not used */

#endif
