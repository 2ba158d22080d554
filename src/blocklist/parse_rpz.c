/*
 * Response policy zones as text: the part of master files (RFC 1035 5.1) and of
 * draft-vixie-dnsop-dns-rpz that says which names to block. $ORIGIN, relative and absolute owners,
 * inherited owners, TTLs, classes, comments and parentheses are read; triggers on addresses and
 * name servers, and records that send people elsewhere, are counted and left out. Zones are often
 * published without their SOA; then names stand as they are.
 */
#include "base/strbuf.h"
#include "blocklist/parse_int.h"

#define WORDS_MAX 16

/* A name as text: lower case, no trailing dot. */
static bool put_name(struct bl_zone_name *to, struct text t)
{
    size_t n = text_len(t);
    if (n > sizeof to->text) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        uint8_t c = t.p[i];
        to->text[i] = c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
    }
    to->len = (uint16_t)n;
    return true;
}

/* `t` made absolute under the origin. False if it gets too long. */
static bool put_absolute(const struct bl_parser *p, struct bl_zone_name *to, struct text t)
{
    const struct bl_zone_name origin = p->origin; /* a copy: `to` may be the origin itself */
    if (text_is(t, "@")) {
        *to = origin;
        return true;
    }
    bool absolute = t.p < t.end && t.end[-1] == '.';
    if (absolute) {
        t.end--;
    }
    if (!put_name(to, t)) {
        return false;
    }
    if (!absolute && origin.len > 0) {
        if (to->len + 1u + origin.len > sizeof to->text) {
            return false;
        }
        to->text[to->len++] = '.';
        memcpy(to->text + to->len, origin.text, origin.len);
        to->len = (uint16_t)(to->len + origin.len);
    }
    return true;
}

static struct text text_of(const struct bl_zone_name *n)
{
    return (struct text){n->text, n->text + n->len};
}

/* The trigger: `name` without the zone's own name. Empty at the apex and for names outside the
 * zone. */
static struct text trigger_of(const struct bl_parser *p, const struct bl_zone_name *name)
{
    struct text t = text_of(name);
    const struct bl_zone_name *zone = &p->zone_name;
    if (zone->len == 0) {
        return t;
    }
    size_t n = text_len(t);
    if (n <= zone->len || memcmp(t.end - zone->len, zone->text, zone->len) != 0 ||
        t.end[-(int)zone->len - 1] != '.') {
        return (struct text){t.p, t.p};
    }
    t.end -= zone->len + 1;
    return t;
}

static bool is_number(struct text t)
{
    return t.p < t.end && *t.p >= '0' && *t.p <= '9';
}

static bool is_class(struct text t)
{
    return text_is(t, "in") || text_is(t, "ch") || text_is(t, "hs");
}

enum trigger { TRIGGER_NAME, TRIGGER_ADDRESS, TRIGGER_OTHER };

/* What the trigger's last label says it is. */
static enum trigger kind_of(struct text t)
{
    static const char *const others[] = {"rpz-nsip", "rpz-nsdname", "rpz-client-ip"};
    const uint8_t *last = t.end;
    while (last > t.p && last[-1] != '.') {
        last--;
    }
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        if (text_is((struct text){last, t.end}, others[i])) {
            return TRIGGER_OTHER;
        }
    }
    return text_is((struct text){last, t.end}, "rpz-ip") ? TRIGGER_ADDRESS : TRIGGER_NAME;
}

/* The last label before t->end goes; *t is what stands before it. */
static struct text cut_label(struct text *t)
{
    const uint8_t *at = t->end;
    while (at > t->p && at[-1] != '.') {
        at--;
    }
    struct text label = {at, t->end};
    t->end = at > t->p ? at - 1 : at;
    return label;
}

/* "24.0.113.0.203.rpz-ip", "128.1.zz.db8.2001.rpz-ip": a prefix, its parts from the last to the
 * first, "zz" for "::". As text; false: it is none. */
static bool read_prefix(struct text t, struct ip_prefix *out)
{
    char text[64];
    struct strbuf s;
    unsigned parts = 0;
    bool gap = false, v4 = true;
    (void)cut_label(&t); /* rpz-ip */
    const uint8_t *dot = text_find(t, '.');
    if (!dot) {
        return false;
    }
    struct text bits = {t.p, dot}, rest = {dot + 1, t.end};
    for (struct text look = rest; look.p < look.end; parts++) {
        struct text label = cut_label(&look);
        v4 = v4 && text_len(label) <= 3 && !text_is(label, "zz");
    }
    v4 = v4 && parts == 4;
    strbuf_init(&s, text, sizeof text);
    for (unsigned i = 0; i < parts; i++) {
        struct text label = cut_label(&rest);
        if (text_is(label, "zz")) {
            strbuf_str(&s, i == 0 || i + 1 == parts ? "::" : ":");
            gap = true;
            continue;
        }
        strbuf_str(&s, i == 0 || (gap && s.len > 0 && text[s.len - 1] == ':' && i == 1) ? ""
                       : v4                                                             ? "."
                                                                                        : ":");
        strbuf_bytes(&s, label.p, text_len(label));
    }
    strbuf_str(&s, "/");
    strbuf_bytes(&s, bits.p, text_len(bits));
    return text_len(t) < sizeof text && ip_prefix_parse(span_of(text, s.len), out) == ERR_OK;
}

/* An address rule goes the way of the expressions. */
static void take_address(struct bl_parser *p, struct text trigger, enum bl_rank rank,
                         struct text line)
{
    char text[1 + IP_PREFIX_TEXT] = {BL_PATTERN_ADDRESS};
    struct ip_prefix prefix;
    if (!read_prefix(trigger, &prefix)) {
        bl_reject(p, BL_REASON_TRIGGER, line);
        return;
    }
    ip_prefix_format(&prefix, text + 1);
    rank = (enum bl_rank)(rank | (p->cfg.as_allow ? 1 : 0));
    if (!p->cfg.regex ||
        !p->cfg.regex(p->cfg.ctx, span_of(text, strlen(text)), (uint8_t)rank, p->line)) {
        bl_reject(p, BL_REASON_TRIGGER, line);
        return;
    }
    p->stats.patterns++;
    p->stats.by_format[BL_FORMAT_RPZ]++;
}

enum policy { POLICY_NONE, POLICY_BLOCK, POLICY_ALLOW };

static enum policy policy_of(const struct bl_parser *p, struct text type, struct text data)
{
    if (text_is(type, "a") || text_is(type, "aaaa")) {
        return bl_address(data) == ADDRESS_NULL ? POLICY_BLOCK : POLICY_NONE;
    }
    if (!text_is(type, "cname")) {
        return POLICY_NONE;
    }
    if (text_is(data, ".") || text_is(data, "*.") || text_is(data, "rpz-drop.")) {
        return POLICY_BLOCK;
    }
    if (text_is(data, "rpz-passthru.")) {
        return POLICY_ALLOW;
    }
    /* The old spelling of passthru: an alias to the trigger itself. */
    struct text trigger = trigger_of(p, &p->owner);
    text_starts(trigger, "*.", &trigger);
    if (data.p < data.end && data.end[-1] == '.') {
        data.end--;
    }
    size_t n = text_len(trigger);
    if (n == 0 || text_len(data) != n) {
        return POLICY_NONE;
    }
    for (size_t i = 0; i < n; i++) {
        uint8_t c = data.p[i];
        if ((c >= 'A' && c <= 'Z' ? c + 32 : c) != trigger.p[i]) {
            return POLICY_NONE;
        }
    }
    return POLICY_ALLOW;
}

static void directive(struct bl_parser *p, struct text line, const struct text *word,
                      unsigned count)
{
    if (text_is(word[0], "$ttl")) {
        bl_comment(p);
    } else if (text_is(word[0], "$origin") && count > 1 && put_absolute(p, &p->origin, word[1])) {
        if (!p->zone_known) {
            p->zone_name = p->origin;
        }
        bl_comment(p);
    } else {
        bl_reject(p, BL_REASON_OTHER_DATA, line);
    }
}

static void record(struct bl_parser *p, struct text line, struct text type, struct text data)
{
    if (text_is(type, "soa")) {
        p->zone_name = p->owner;
        if (p->origin.len == 0) {
            p->origin = p->owner;
        }
        p->zone_known = true;
        bl_comment(p);
        return;
    }
    struct text trigger = trigger_of(p, &p->owner);
    if (text_is(type, "ns")) {
        bl_comment(p);
        return;
    }
    enum policy policy = policy_of(p, type, data);
    if (policy == POLICY_NONE || trigger.p == trigger.end) {
        bl_reject(p, BL_REASON_OTHER_DATA, line);
        return;
    }
    enum bl_rank rank = policy == POLICY_ALLOW ? BL_RANK_ALLOW : BL_RANK_BLOCK;
    switch (kind_of(trigger)) {
    case TRIGGER_OTHER:
        bl_reject(p, BL_REASON_TRIGGER, line);
        return;
    case TRIGGER_ADDRESS:
        take_address(p, trigger, rank, line);
        return;
    case TRIGGER_NAME:
        break;
    }
    uint8_t name[sizeof p->owner.text + BL_PARSE_SLACK];
    size_t n = text_len(trigger);
    memcpy(name, trigger.p, n);
    struct text t = {name, name + n};
    if (text_starts(t, "*.", &t)) {
        bl_take(p, t, BL_BELOW, rank, NAME_SINGLE_OK, BL_FORMAT_RPZ);
    } else {
        bl_take(p, t, BL_EXACT, rank, 0, BL_FORMAT_RPZ);
    }
}

/* [owner] [ttl] [class] type data */
static void logical_line(struct bl_parser *p, struct text line, bool inherits)
{
    struct text word[WORDS_MAX];
    unsigned count = 0, at = 0;
    for (struct text rest = line; count < WORDS_MAX; count++) {
        word[count] = text_word(&rest);
        if (word[count].p == word[count].end) {
            break;
        }
    }
    if (count == 0) {
        bl_comment(p);
        return;
    }
    if (*word[0].p == '$') {
        directive(p, line, word, count);
        return;
    }
    if (!inherits && !put_absolute(p, &p->owner, word[at++])) {
        p->owner.len = 0;
        bl_reject(p, BL_REASON_LONG_NAME, line);
        return;
    }
    while (at < count && (is_number(word[at]) || is_class(word[at]))) {
        at++;
    }
    if (count - at < 2) {
        bl_reject(p, BL_REASON_OTHER_DATA, line);
        return;
    }
    record(p, line, word[at], word[at + 1]);
}

bool bl_looks_rpz(struct text line)
{
    struct text rest = line;
    text_word(&rest);
    for (unsigned i = 0; i < 4; i++) {
        struct text word = text_word(&rest);
        if (text_is(word, "cname") || text_is(word, "soa") || text_is(word, "ns")) {
            return true;
        }
        if (!is_number(word) && !is_class(word)) {
            break;
        }
    }
    return text_starts(line, "$origin ", NULL) || text_starts(line, "$ttl ", NULL) ||
           text_starts(line, "$origin\t", NULL) || text_starts(line, "$ttl\t", NULL);
}

/* Records may go on over lines while a parenthesis is open: such lines are gathered first, without
 * comments and parentheses. */
void bl_line_rpz(struct bl_parser *p, struct text line, bool inherits)
{
    bool gathering = p->zone_depth > 0;
    if (!gathering) {
        p->zone_len = 0;
        p->zone_inherits = inherits;
    }
    bool quoted = false, plain = !gathering;
    for (const uint8_t *c = line.p; c < line.end; c++) {
        if (*c == '"') {
            quoted = !quoted;
        }
        if (*c == ';' && !quoted) {
            line.end = c;
            break;
        }
        plain = plain && *c != '(' && *c != ')';
    }
    if (plain) {
        logical_line(p, line, inherits);
        return;
    }
    quoted = false;
    for (const uint8_t *c = line.p; c < line.end; c++) {
        uint8_t put = *c;
        if (put == '"') {
            quoted = !quoted;
        }
        if (!quoted && (put == '(' || put == ')')) {
            if (put == '(') {
                p->zone_depth++;
            } else if (p->zone_depth > 0) {
                p->zone_depth--;
            }
            put = ' ';
        }
        if (p->zone_len < BL_PARSE_LINE_MAX) {
            p->zone_line[p->zone_len++] = put;
        }
    }
    if (p->zone_len < BL_PARSE_LINE_MAX) {
        p->zone_line[p->zone_len++] = ' ';
    }
    if (p->zone_depth == 0) {
        logical_line(p, (struct text){p->zone_line, p->zone_line + p->zone_len}, p->zone_inherits);
    }
}
