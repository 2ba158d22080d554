/*
 * Lists as text to rules: hosts, domain, wildcard, Adblock, dnsmasq, unbound and RPZ files, also
 * mixed in one file. docs/blocklist.md tells how each kind of line is read. Text comes in pieces of
 * any size; each rule goes out through a callback.
 */
#ifndef SINKHOLE_BLOCKLIST_PARSE_H
#define SINKHOLE_BLOCKLIST_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "blocklist/rule.h"

enum bl_format {
    BL_FORMAT_AUTO, /* each line is read as what it looks like, with what earlier lines showed as
                       help */
    BL_FORMAT_HOSTS,
    BL_FORMAT_DOMAINS, /* plain names, and *.name or .name for all below */
    BL_FORMAT_ADBLOCK,
    BL_FORMAT_DNSMASQ,
    BL_FORMAT_UNBOUND,
    BL_FORMAT_RPZ,
    BL_FORMAT_REGEX, /* one expression a line, Pi-hole's way */
    BL_FORMAT_COUNT
};

enum bl_reason {
#define BL_REASON(name, text) BL_REASON_##name,
#include "blocklist/reasons.def"
#undef BL_REASON
    BL_REASON_COUNT
};

#define BL_PARSE_LINE_MAX     4096 /* octets; a longer line is skipped and counted */
#define BL_PARSE_EXAMPLES     8    /* rejected lines kept word for word */
#define BL_PARSE_EXAMPLE_TEXT 96   /* octets of each */

/* A rejected line, for the person who wonders. */
struct bl_parse_example {
    uint32_t line;
    uint8_t reason;                      /* enum bl_reason */
    uint8_t len;                         /* octets of text; cut to BL_PARSE_EXAMPLE_TEXT */
    uint8_t text[BL_PARSE_EXAMPLE_TEXT]; /* foreign bytes as they stood: escape before showing */
};

struct bl_parse_stats {
    uint32_t lines;
    uint32_t rules;    /* given to the callback; a name twice in a list counts twice */
    uint32_t patterns; /* regular expressions that the callback took */
    uint32_t comments; /* and empty lines */
    uint32_t rejected; /* sum of by_reason: names or lines that gave no rule */
    uint32_t by_reason[BL_REASON_COUNT];
    uint32_t by_format[BL_FORMAT_COUNT]; /* rules by the kind of line they came from */
    uint32_t examples;                   /* used in example[] */
    struct bl_parse_example example[BL_PARSE_EXAMPLES];
};

/* What the reader of a list wants. Callbacks get `ctx`; what they are given is borrowed for the
 * call. */
struct bl_parse_config {
    enum bl_format format;
    bool as_allow; /* the list is subscribed to as an allow list: its block rules allow */
    void *ctx;
    void (*rule)(void *ctx, const struct bl_rule *rule);

    /*
     * May be NULL: then raw international names are rejected. Turns a UTF-8 name into its ASCII
     * form (xn--…), at most `cap` octets of out, and returns their number; 0 if that cannot be
     * done.
     */
    size_t (*idna)(void *ctx, struct span utf8, char *out, size_t cap);

    /* May be NULL. A regular expression without its slashes. False: it is not wanted, and counted
     * under BL_REASON_REGEX, as all are if there is no callback. */
    bool (*regex)(void *ctx, struct span pattern, uint8_t rank, uint32_t line);
};

/* A name in a zone file: lower-case text without trailing dot; len 0: none, or the root. */
struct bl_zone_name {
    uint16_t len;
    uint8_t text[256];
};

/* A list being read. The fields but `stats` are private. About 10 kB: static, or inside something
 * of the caller's. */
struct bl_parser {
    struct bl_parse_config cfg;
    struct bl_parse_stats stats;
    enum err state;      /* sticky */
    uint32_t line;       /* number of the line at hand */
    bool began;          /* the first line has been judged */
    bool after_cr;       /* the last octet was CR: an LF now belongs to it */
    bool skipping;       /* inside a line that is too long */
    bool zone;           /* a zone file by what earlier lines showed */
    struct bl_rule rule; /* the rule being made */

    /* RPZ */
    bool zone_known;     /* by its SOA */
    bool zone_inherits;  /* the gathered line began with a blank */
    unsigned zone_depth; /* open parentheses */
    struct bl_zone_name zone_name, origin, owner;
    size_t zone_len;
    uint8_t zone_line[BL_PARSE_LINE_MAX + 8]; /* a record that goes over several lines */

    size_t carry_len;
    uint8_t carry[BL_PARSE_LINE_MAX + 8]; /* the start of a line whose end has not come yet */
};

void bl_parse_init(struct bl_parser *p, const struct bl_parse_config *cfg);

/*
 * Read on. ERR_FORMAT if the text is no list at all (HTML, XML, UTF-16, gzip, binary); then no rule
 * was given, none will be, and the error stays. Cost: O(len).
 */
MUST_CHECK enum err bl_parse_feed(struct bl_parser *p, const void *data, size_t len);

/* The text is at its end: reads the last line if no line end followed it. */
MUST_CHECK enum err bl_parse_end(struct bl_parser *p);

/* Does this begin like gzip data, which the platform has to unpack first? */
bool bl_parse_is_gzip(const void *data, size_t len);

/*
 * One rule as a person types it (Adblock, wildcard or plain name), for own rules and tests.
 * ERR_FORMAT with *why set. A plain single label is taken.
 */
MUST_CHECK enum err bl_parse_one(struct span text, struct bl_rule *out, enum bl_reason *why);

const char *bl_reason_name(enum bl_reason reason); /* "BAD_CHARACTER", for machines */
const char *bl_reason_text(enum bl_reason reason); /* for people */
const char *bl_format_name(enum bl_format format); /* "auto", "hosts", … */
MUST_CHECK enum err bl_format_parse(struct span text, enum bl_format *out);

#endif
