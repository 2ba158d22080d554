/* What rules.c, rules_check.c and rules_edit.c share. */
#ifndef SINKHOLE_API_RULES_INT_H
#define SINKHOLE_API_RULES_INT_H

#include "api/rules.h"
#include "base/ip.h"
#include "base/strbuf.h"

/* Complete and check a document in place: absent sections are made, names brought to one form.
 * `what` gets the first problem. */
MUST_CHECK enum err rules_check(json_t *doc, struct strbuf *what);

/*
 * Checks of single values, shared by documents and edits. They return NULL, or what is wrong as a
 * static text. A good name is written to `out` in presentation format, lower case.
 */
const char *rules_problem_of_name(const char *text, char out[DNS_NAME_TEXT]);
const char *rules_problem_of_pattern(const char *text);
const char *rules_problem_of_comment(const char *text);
const char *rules_problem_of_url(const char *text);
const char *rules_problem_of_prefix(const char *text);
/* Of a rule: an address, prefix, hardware address or name of a device of RULES_OWNER_MAX octets. */
#define RULES_OWNER_MAX 63
const char *rules_problem_of_client(const char *text);
const char *rules_problem_of_device(
    const char *text); /* of the clients table: also names and hardware addresses */
/* A good one is written to `out` in one form. */
const char *rules_problem_of_address(const char *text, char out[IP_PREFIX_TEXT]);
const char *rules_problem_of_group(const char *text);
const char *rules_problem_of_host(const char *text);   /* "ADDR NAME" */
const char *rules_problem_of_cname(const char *text);  /* "ALIAS,TARGET[,TTL]" */
const char *rules_problem_of_record(const char *text); /* "NAME [SECONDS] TYPE VALUE" */
const char *rules_problem_of_local(enum rules_local kind, const char *text);
const char *rules_problem_of_groups(const json_t *value);
const char *rules_problem_of_setting(const char *name, const char *value);

/*
 * Is the pattern the usual way to write "this name and all below", (\.|^)ads\.example$ or
 * (^|\.)ads\.example$? Then the name goes to `out`.
 */
bool rules_covers(const char *pattern, char out[DNS_NAME_TEXT]);

/* The section of a kind of local records. */
const char *rules_local_section(enum rules_local kind);

/* The field of a group that holds the values of a key; NULL: none does. */
const char *rules_group_field(enum cfg_group_key key);

/* Is the value of such a field good: a text, texts, true or false, or null. */
const char *rules_problem_of_group_value(enum cfg_group_key key, const json_t *value);

/* The array of a section; NULL only in a document that was not checked. */
json_t *rules_section(const struct rules *r, const char *name);

#endif
