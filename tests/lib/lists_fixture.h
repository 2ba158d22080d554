/*
 * Lists for tests: text to rules, rules to images, and a plain model that says what an image must
 * answer.
 */
#ifndef SINKHOLE_TESTS_LISTS_FIXTURE_H
#define SINKHOLE_TESTS_LISTS_FIXTURE_H

#include "blocklist/compile.h"
#include "blocklist/match.h"
#include "blocklist/parse.h"

/* A rule of a list. */
struct fixture_rule {
    uint8_t list;
    struct bl_rule rule;
};

/* Growing; zero it to begin with. */
struct fixture_rules {
    struct fixture_rule *rule;
    size_t count, cap;
};

void rules_add(struct fixture_rules *rules, unsigned list, const char *name, unsigned kind,
               unsigned rank, uint32_t line);
void rules_add_rule(struct fixture_rules *rules, unsigned list, const struct bl_rule *rule);
void fixture_rules_free(struct fixture_rules *rules);

/* Everything that a parser makes of `text`, fed in pieces of `piece` octets (0: all at once).
 * `idna` as in the parser's configuration. */
struct parsed {
    struct fixture_rules rules;
    struct bl_parse_stats stats;
    enum err err;
};
void parsed_make(struct parsed *out, enum bl_format format, struct span text, size_t piece,
                 size_t (*idna)(void *, struct span, char *, size_t));
void parsed_free(struct parsed *p);

/* Rules as "name flags" joined by "; ", in the order given; flags as in dumps: [@][!]{E|S|ES}. */
void rules_format(const struct fixture_rules *rules, char *out, size_t cap);

/* An image in memory of its own. Rules of list i get the name "list i" and the URL
 * "https://lists.example/i". */
struct built {
    uint8_t *mem;
    size_t len;
    struct bl_image image;
    size_t scratch_peak;
};
/* Rules must come by list. memory 0: what bl_compile_memory() says. */
enum err built_try(struct built *out, const struct fixture_rules *rules, unsigned passes,
                   size_t memory);
/* passes, jobs and pause as in `how`; lists are spread over as many feeds as it has threads. */
enum err built_with(struct built *out, const struct fixture_rules *rules, size_t memory,
                    const struct bl_compile_config *how);
void built_make(struct built *out, const struct fixture_rules *rules,
                unsigned passes); /* or the test fails */
void built_free(struct built *b);

struct bl_verdict built_match(const struct built *b, const char *name,
                              const struct bl_list_set *lists);
struct bl_verdict image_match(const struct bl_image *image, const struct dns_name *name,
                              const struct bl_list_set *lists);

/* The model: what these rules say of a name, by looking at each of them. BL_NONE, or the rank and
 * the most specific label. */
struct bl_verdict model_match(const struct fixture_rules *rules, const struct dns_name *name,
                              const struct bl_list_set *lists);

struct dns_name fixture_name(const char *text);

#endif
