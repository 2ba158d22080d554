/* What the routes for domains, lists, groups and clients have in common: Pi-hole's shape of answers
 * to changes. */
#ifndef SINKHOLE_API_ITEMS_H
#define SINKHOLE_API_ITEMS_H

#include "api/api_int.h"

#define ITEMS_MAX 1000 /* items in one request */

/* "processed": what was done with each item of a request. */
struct processed {
    json_t *success, *errors;
    struct call *c;
    uint32_t done;
};

/* May a regular expression be used? As the back end's regex_check; ERR_OK without an engine. */
enum err items_check_regex(struct call *c, const char *pattern, char why[API_WHY_MAX]);

/* Are all words of a value of block-service services? ERR_FORMAT with the reason. */
enum err services_check(const struct call *c, const char *value, struct strbuf *why);

struct processed processed_new(struct call *c);
void processed_add(struct processed *p, const char *item, enum err e, const char *why);
json_t *processed_object(struct processed *p); /* ends it */
void processed_free(struct processed *p);

/* Calls `each` for the text, or for each text of the array, at body[name]. false: answered with
 * 400. */
typedef void item_function(void *ctx, const char *item);
bool items_each(struct call *c, const char *name, item_function *each, void *ctx);

/* For :batchDelete: the body's array of objects. false: answered with 400. */
typedef void batch_function(void *ctx, const json_t *item);
bool batch_each(struct call *c, batch_function *each, void *ctx);

/* Fields of the body with defaults. */
const char *body_text(const struct call *c, const char *name); /* NULL: absent or null */
bool body_bool(const struct call *c, const char *name, bool absent);
json_t *body_groups(const struct call *c); /* NULL: absent */

/* The body must be a JSON object; else 400 is answered and false returned. */
bool body_is_object(struct call *c);

/* A copy of the rules to change; false: 500 is answered. */
bool rules_begin(struct call *c, struct rules *next);

const char *err_words(enum err e, const char *why);

/* Location of a new item: the path of the request and the item, escaped. */
void reply_location(struct call *c, const char *base, const char *item);

#endif
