/*
 * What the files of the parser share. A line family gets a line without blanks at its ends, emits
 * rules with bl_take() or gives up with bl_reject(). Eight octets after each line may be read
 * (never used): the feeder sees to that.
 */
#ifndef SINKHOLE_BLOCKLIST_PARSE_INT_H
#define SINKHOLE_BLOCKLIST_PARSE_INT_H

#include "base/ip.h"
#include "blocklist/parse.h"

#define BL_PARSE_SLACK 8

/* Text between two pointers; `end` is not part of it. */
struct text {
    const uint8_t *p, *end;
};

enum { NAME_SINGLE_OK = 1 }; /* a single label is a name here */

#define REASON_NONE BL_REASON_COUNT

/* Space, tab, VT, FF. A no-break space is two octets and seen to by text_trim() and text_word(). */
static inline bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\v' || c == '\f';
}

static inline size_t text_len(struct text t)
{
    return (size_t)(t.end - t.p);
}

static inline struct span text_span(struct text t)
{
    return span_of(t.p, text_len(t));
}

struct text text_trim(struct text t);

/* Cut the first word off *t: octets up to a blank. Empty when nothing is left. */
struct text text_word(struct text *t);

/* Does t begin with this lower-case text, in any case of letters? Then *rest is what follows. */
bool text_starts(struct text t, const char *with, struct text *rest);
bool text_is(struct text t, const char *what);
const uint8_t *text_find(struct text t, uint8_t c);

/* Cut at the first '#': what follows is a comment. */
struct text text_uncomment(struct text t);

/* Text to name by the rules of docs/blocklist.md. REASON_NONE and *out, or why not. */
enum bl_reason bl_name_read(struct text t, unsigned flags, struct dns_name *out);

/*
 * The same for a name that ends by itself, with at least BL_NAME_READABLE octets to read: where it
 * ends, or NULL if it is none. Sets out->text too.
 */
#define BL_NAME_READABLE 264
const uint8_t *bl_name_scan(const uint8_t *p, unsigned flags, struct bl_rule *out);

/* Emit a rule on the name in t; rejects it with the right reason if it is none. */
void bl_take(struct bl_parser *p, struct text t, enum bl_kind kind, enum bl_rank rank,
             unsigned flags, enum bl_format from);

/* Emit a rule on p->rule.name. */
void bl_emit(struct bl_parser *p, enum bl_kind kind, enum bl_rank rank, enum bl_format from);

void bl_reject(struct bl_parser *p, enum bl_reason why, struct text t);

/* Give a regular expression that stands in `line` to whoever wants it, or reject it. */
void bl_take_pattern(struct bl_parser *p, struct text pattern, enum bl_rank rank, struct text line);
void bl_comment(struct bl_parser *p);

enum address { ADDRESS_NOT, ADDRESS_NULL, ADDRESS_OTHER };

/* Is the word an IP address, and one that hosts files use to sink names (null or loopback)? */
enum address bl_address(struct text word);

void bl_line_hosts(struct bl_parser *p, struct text line);
void bl_line_domain(struct bl_parser *p, struct text line);
void bl_line_adblock(struct bl_parser *p, struct text line);
void bl_line_dnsmasq(struct bl_parser *p, struct text line);
void bl_line_unbound(struct bl_parser *p, struct text line);
void bl_line_regex(struct bl_parser *p, struct text line);

/* `inherits`: the line began with a blank, so that its owner is that of the record before. */
void bl_line_rpz(struct bl_parser *p, struct text line, bool inherits);

bool bl_looks_cosmetic(struct text line);
bool bl_looks_dnsmasq(struct text line);
bool bl_looks_unbound(struct text line);
bool bl_looks_rpz(struct text line);
bool bl_looks_regex(struct text line); /* written for Pi-hole, without slashes */

#endif
