/*
 * What the files of src/config share.
 */
#ifndef SINKHOLE_CONFIG_CONFIG_INT_H
#define SINKHOLE_CONFIG_CONFIG_INT_H

#include "config/config.h"

/* The greatest number of labels, octets or values that a message shows of a bad value. */
#define CFG_SHOWN_OCTETS 60

/* One value before it is stored: the field's type, or one item of it. */
union cfg_value {
    bool flag;
    uint32_t number;
    uint64_t big; /* DURATION, SIZE */
    struct cfg_block_mode block_mode;
    struct ip_prefix prefix;
    const char *text;
    struct dns_name name;
    struct ip_endpoint endpoint;
    struct cfg_cidr cidr;
    struct cfg_upstream upstream;
    struct cfg_route route;
};

/* Where strings of a value go, and why a value was refused: static text that says what was
 * expected, or NULL for cfg_expected's. */
struct cfg_parse {
    struct arena *arena;
    const char *expected;
};

/* Text to value, scalar.c. ERR_FORMAT, ERR_RANGE. */
MUST_CHECK enum err cfg_bool_parse(struct span text, bool *out);
MUST_CHECK enum err cfg_number_parse(struct span text, uint64_t *out);
MUST_CHECK enum err cfg_size_parse(struct span text, uint64_t *out);
MUST_CHECK enum err cfg_word_parse(struct span text, const char *words, uint32_t *out);
MUST_CHECK enum err cfg_prefix64_parse(struct span text, struct ip_prefix *out);
void cfg_size_format(uint64_t value, struct strbuf *out);
void cfg_word_format(const char *words, uint32_t index, struct strbuf *out);

/* Text to one item of a repeatable option, item.c. ERR_FORMAT, ERR_RANGE, ERR_LIMIT (no room for
 * strings). */
MUST_CHECK enum err cfg_source_parse(struct cfg_parse *p, struct span text, const char **out);
MUST_CHECK enum err cfg_origin_parse(struct cfg_parse *p, struct span text, const char **out);
MUST_CHECK enum err cfg_service_parse(struct cfg_parse *p, struct span text, const char **out);
MUST_CHECK enum err cfg_prefix_parse(struct cfg_parse *p, struct span text, const char **out);
MUST_CHECK enum err cfg_record_parse(struct cfg_parse *p, struct span text, const char **out);
MUST_CHECK enum err cfg_endpoint_parse(struct span text, uint16_t port, struct ip_endpoint *out);
MUST_CHECK enum err cfg_cidr_parse(struct span text, struct cfg_cidr *out);
MUST_CHECK enum err cfg_upstream_parse(struct cfg_parse *p, struct span text,
                                       struct cfg_upstream *out);
MUST_CHECK enum err cfg_route_parse(struct cfg_parse *p, struct span text, struct cfg_route *out);
void cfg_cidr_format(const struct cfg_cidr *cidr, struct strbuf *out);
void cfg_upstream_format(const struct cfg_upstream *upstream, struct strbuf *out);

/* Octets of one item of a repeatable type, 0 for others. */
size_t cfg_item_octets(enum cfg_type type);
size_t cfg_field_octets(enum cfg_type type);

/* The field of an option, and for repeatable ones its array. All arrays start alike: items, count.
 */
struct cfg_array {
    void *item;
    uint32_t count;
};
void *cfg_field(struct config *c, enum cfg_option option);
const void *cfg_field_const(const struct config *c, enum cfg_option option);

/* Is `text` the word of the row for "none" or 0? */
bool cfg_is_zero_word(const struct cfg_row *row, struct span text);

/* "WHERE:LINE: found "VALUE", expected EXPECTED" */
void cfg_error_found(struct cfg_error *error, const char *where, uint32_t line, struct span value,
                     const char *expected);

struct span cfg_trim(struct span text);

/* group.c: the head of a section, and a line of the section at hand. ERR_FORMAT, ERR_LIMIT. */
MUST_CHECK enum err cfg_group_open(struct config *c, const char *file, uint32_t line,
                                   struct span head, struct cfg_error *error);
MUST_CHECK enum err cfg_group_line(struct config *c, const char *file, uint32_t line,
                                   struct span name, struct span value, struct cfg_error *error);
void cfg_groups_print(const struct config *c, struct strbuf *out);

/* Would the value be read back as another one if it stood in a file without quotes? */
bool cfg_needs_quotes(struct span value);

#endif
