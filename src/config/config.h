/*
 * The configuration: one row an option in options.def gives its field here, parsing, range check,
 * printing, documentation and defaults on both platforms. Options come from several sources; the
 * higher source wins, whatever the order in which they are applied, and the values of a repeatable
 * option come from one source only. The core reads no files: text comes as a span with a name for
 * messages.
 *
 *     cfg_init(&c, mem, cfg_memory());                   defaults
 *     cfg_apply_text(c, "sinkhole.conf", text, &error);  any number of texts and pairs
 *     cfg_apply_pair(c, CFG_ARGUMENT, "--listen", 0, name, value, &error);
 *     cfg_finish(c, &error);                             what must hold between options
 *     … c->cache_entries, c->listen.item[0] …            read only from here on
 */
#ifndef SINKHOLE_CONFIG_CONFIG_H
#define SINKHOLE_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/ip.h"
#include "base/log.h"
#include "base/span.h"
#include "base/strbuf.h"
#include "base/time.h"
#include "config/group.h"
#include "dns/name.h"
#include "resolver/snapshot.h"

/* Where a value came from; a higher one wins. CFG_RULES is what a person set on the page
 * (rules.json). */
enum cfg_source { CFG_DEFAULT, CFG_FILE, CFG_RULES, CFG_ENVIRONMENT, CFG_ARGUMENT };

/* Values of repeatable options. Items and strings live in the configuration's memory. */
struct cfg_texts {
    const char **item; /* NUL-terminated */
    uint32_t count;
};

struct cfg_names {
    struct dns_name *item;
    uint32_t count;
};

struct cfg_endpoints {
    struct ip_endpoint *item;
    uint32_t count; /* 0: "off" */
};

/* Who may ask. Sorted so that the first match decides: longer prefixes first, refusals first among
 * equals. */
struct cfg_cidr {
    struct ip_prefix prefix;
    bool negated;   /* "!CIDR" */
    bool connected; /* "connected": the platform puts the networks of its interfaces here; prefix is
                       unused */
};

struct cfg_cidrs {
    struct cfg_cidr *item;
    uint32_t count;
};

struct cfg_upstream {
    enum upstream_transport transport;
    struct ip_endpoint endpoint; /* port 53, 853 or 443 where none was given */
    const char
        *name; /* TLS: server name; HTTPS: the URL without ADDR, "https://NAME/PATH"; else "" */
};

struct cfg_upstreams {
    struct cfg_upstream *item;
    uint32_t count; /* 0: those of the system */
};

/* Conditional forwarding. CIDRs were turned into their reverse zones. */
struct cfg_route {
    struct dns_name domain;
    struct cfg_upstream upstream;
};

struct cfg_routes {
    struct cfg_route *item;
    uint32_t count;
};

struct cfg_block_mode {
    enum block_mode mode;
    struct ip_addr v4, v6; /* for BLOCK_ADDRESS */
};

enum cfg_log_format { CFG_LOG_TEXT, CFG_LOG_JSON };

/* The C type of each option type. A name that is not set is NULL; numbers whose word ("off",
 * "auto") was given are 0. */
#define CFG_TYPE_BOOL       bool
#define CFG_TYPE_U32        uint32_t
#define CFG_TYPE_DURATION   usec_t
#define CFG_TYPE_SIZE       uint64_t
#define CFG_TYPE_ENUM       uint32_t
#define CFG_TYPE_BLOCK_MODE struct cfg_block_mode
#define CFG_TYPE_PREFIX64   struct ip_prefix
#define CFG_TYPE_TEXT       const char *
#define CFG_TYPE_PATH       const char *
#define CFG_TYPE_NAME       const struct dns_name *
#define CFG_TYPE_SOURCES    struct cfg_texts
#define CFG_TYPE_PATHS      struct cfg_texts
#define CFG_TYPE_RECORDS    struct cfg_texts
#define CFG_TYPE_ORIGINS    struct cfg_texts
#define CFG_TYPE_SERVICES   struct cfg_texts
#define CFG_TYPE_PREFIXES   struct cfg_texts
#define CFG_TYPE_NAMES      struct cfg_names
#define CFG_TYPE_CIDRS      struct cfg_cidrs
#define CFG_TYPE_LISTEN     struct cfg_endpoints
#define CFG_TYPE_HTTP       struct cfg_endpoints
#define CFG_TYPE_UPSTREAMS  struct cfg_upstreams
#define CFG_TYPE_ROUTES     struct cfg_routes

struct catalogs;

/* CFG_OPT_cache_entries …: the index of each option. */
#define SECTION(title)
#define OPT(name, field, type, min, max, def, words, unit, reload, help) CFG_OPT_##field,
enum cfg_option {
#include "config/options.def"
    CFG_OPT_COUNT
};
#undef OPT

/* Where the value of an option comes from. */
struct cfg_origin {
    enum cfg_source source;
    uint32_t line; /* of its (last) value in a file, 0 elsewhere */
};

/* One field for each row of options.def, named as its second column says. */
#define OPT(name, field, type, min, max, def, words, unit, reload, help) CFG_TYPE_##type field;
/* The order is that of the options. */
struct config { // NOLINT(clang-analyzer-optin.performance.Padding)
#include "config/options.def"
    struct cfg_origin origin[CFG_OPT_COUNT];
    struct cfg_groups groups;        /* [group NAME] sections of files */
    const struct catalogs *catalogs; /* of services and safe search, catalogs.h; the platform's,
                                        NULL until it has read them */
    const char *file;                /* the last one applied, for messages; "" if there was none */
    struct arena arena;
};
#undef OPT
#undef SECTION

/* One error, ready to print: "FILE:LINE: found X, expected Y". Foreign bytes are escaped. */
struct cfg_error {
    char text[512];
};

/* Octets that cfg_init wants. */
size_t cfg_memory(void);

/* A configuration of defaults. `mem` is aligned for any type and stays in use as long as *out.
 * ERR_SPACE: len < cfg_memory(). */
MUST_CHECK enum err cfg_init(struct config **out, void *mem, size_t len);

/*
 * Apply the text of a file: "name = value" lines, # comments, repeatable names repeat; after a line
 * [group NAME] the lines are the group's. `file` is for messages. Stops at the first error:
 * ERR_FORMAT (syntax, unknown name, bad value), ERR_RANGE, ERR_LIMIT (too many values, or the
 * memory for strings is used up).
 */
MUST_CHECK enum err cfg_apply_text(struct config *c, const char *file, struct span text,
                                   struct cfg_error *error);

/*
 * Apply one option. `where` heads the message: a file's name (with its line) or, with line 0,
 * "--listen", "SINKHOLE_LISTEN". Calls for the same repeatable option and source add values; a
 * value may hold several, separated by blanks (records and paths: by ';' in the environment).
 * Errors as above.
 */
MUST_CHECK enum err cfg_apply_pair(struct config *c, enum cfg_source source, const char *where,
                                   uint32_t line, struct span name, struct span value,
                                   struct cfg_error *error);

/* Check what must hold between options, and sort allow_from. May be called again after applying
 * more. ERR_LIMIT. */
MUST_CHECK enum err cfg_finish(struct config *c, struct cfg_error *error);

/* The text of a value that was found good, for those who keep texts. Strings go to the arena.
 * ERR_FORMAT, ERR_RANGE, ERR_LIMIT. */
MUST_CHECK enum err cfg_upstream_read(struct arena *arena, struct span text,
                                      struct cfg_upstream *out);
MUST_CHECK enum err cfg_block_mode_parse(struct span text, struct cfg_block_mode *out);

/* Sort entries as struct cfg_cidr wants it, for a platform that has put in its own networks. */
void cfg_cidrs_sort(struct cfg_cidr *item, uint32_t count);

/*
 * Makes a fresh configuration out of all sources of this process, for start and SIGHUP; not yet
 * finished (cfg_finish), so that the rules document's settings can be added.
 */
typedef enum err cfg_loader(void *arg, struct config **out, struct cfg_error *error);

/* ---- Options as data: for printing, documents and the settings page. ---- */

enum cfg_type {
    CFG_BOOL,
    CFG_U32,
    CFG_DURATION,
    CFG_SIZE,
    CFG_ENUM,
    CFG_BLOCK_MODE,
    CFG_PREFIX64,
    CFG_TEXT,
    CFG_PATH,
    CFG_NAME,
    CFG_SOURCES,
    CFG_PATHS,
    CFG_RECORDS,
    CFG_ORIGINS,
    CFG_SERVICES,
    CFG_PREFIXES,
    CFG_NAMES,
    CFG_CIDRS,
    CFG_LISTEN,
    CFG_HTTP,
    CFG_UPSTREAMS,
    CFG_ROUTES
};

enum cfg_reload { CFG_START, CFG_RELOAD };

/* A row of options.def. */
struct cfg_row {
    const char *name;
    enum cfg_type type;
    enum cfg_reload reload;
    uint64_t min, max;
    const char *def, *words, *unit;
    const char *help;
    size_t offset; /* of the field in struct config */
};

const struct cfg_row *cfg_row(enum cfg_option option);
/* The heading that the row stands under: "Lists", "Upstream" ... */
const char *cfg_section(enum cfg_option option);

bool cfg_is_repeatable(enum cfg_type type);

/* "default", "file", "rules", "environment", "command line" */
const char *cfg_source_name(enum cfg_source source);

/* The option of that name, or ERR_NOT_FOUND. Underscores count as hyphens. */
MUST_CHECK enum err cfg_find(struct span name, enum cfg_option *out);

/* The known name that is nearest to a misspelt one, or NULL if none is near. */
const char *cfg_nearest(struct span name);

/* How many values an option has now (1 if it is not repeatable), and the text of one, which
 * cfg_apply_pair reads back. */
uint32_t cfg_value_count(const struct config *c, enum cfg_option option);
void cfg_value_format(const struct config *c, enum cfg_option option, uint32_t index,
                      struct strbuf *out);

#define CFG_VALUE_MAX 2048 /* octets of the text of one value with NUL */

/* What values an option takes, for people: "a number from 256 to 4194304", "on or off" … */
void cfg_expected(enum cfg_option option, struct strbuf *out);

/* Do both hold the same value? For telling which START options a reload cannot take. */
bool cfg_equal(const struct config *a, const struct config *b, enum cfg_option option);

/* Single values, for other places where a person writes or reads them. ERR_FORMAT, ERR_RANGE. */
MUST_CHECK enum err cfg_duration_parse(struct span text, usec_t *out);
void cfg_duration_format(usec_t value, struct strbuf *out);
void cfg_block_mode_format(const struct cfg_block_mode *mode, struct strbuf *out);

/* The whole as a file that cfg_apply_text reads back, each option with its origin as a comment. */
#define CFG_PRINT_MAX (1024 * 1024) /* octets that are always enough */
void cfg_print(const struct config *c, struct strbuf *out);

#endif
