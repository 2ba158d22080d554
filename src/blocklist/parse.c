/*
 * Reading a list: pieces of text to lines, each line to the family it looks like, and the
 * book-keeping of what was not understood.
 *
 * Lists are mixed, glued together and mislabelled in practice, so unless a format is forced each
 * line is judged by itself. Only zone files need memory of earlier lines.
 */
#include "base/attr.h"
#include "blocklist/parse_int.h"

void bl_parse_init(struct bl_parser *p, const struct bl_parse_config *cfg)
{
    memset(p, 0, sizeof *p);
    p->cfg = *cfg;
    p->zone = cfg->format == BL_FORMAT_RPZ;
}

bool bl_parse_is_gzip(const void *data, size_t len)
{
    const uint8_t *p = data;
    return len >= 2 && p[0] == 0x1f && p[1] == 0x8b;
}

void bl_reject(struct bl_parser *p, enum bl_reason why, struct text t)
{
    struct bl_parse_stats *s = &p->stats;
    s->rejected++;
    s->by_reason[why]++;
    if (s->examples < BL_PARSE_EXAMPLES) {
        struct bl_parse_example *e = &s->example[s->examples++];
        size_t n = text_len(t);
        e->line = p->line;
        e->reason = (uint8_t)why;
        e->len = (uint8_t)(n < BL_PARSE_EXAMPLE_TEXT ? n : BL_PARSE_EXAMPLE_TEXT);
        memcpy(e->text, t.p, e->len);
    }
}

void bl_comment(struct bl_parser *p)
{
    p->stats.comments++;
}

void bl_emit(struct bl_parser *p, enum bl_kind kind, enum bl_rank rank, enum bl_format from)
{
    p->stats.rules++;
    p->stats.by_format[from]++;
    p->rule.kind = (uint8_t)kind;
    p->rule.rank = (uint8_t)(rank | (p->cfg.as_allow ? 1 : 0));
    p->rule.line = p->line;
    p->cfg.rule(p->cfg.ctx, &p->rule);
}

/* A raw international name: the caller's IDNA makes it ASCII. */
static enum bl_reason read_foreign(struct bl_parser *p, struct text t, unsigned flags)
{
    char ascii[DNS_NAME_MAX + 1 + BL_PARSE_SLACK];
    size_t n = p->cfg.idna ? p->cfg.idna(p->cfg.ctx, text_span(t), ascii, DNS_NAME_MAX + 1) : 0;
    if (n == 0 || n > DNS_NAME_MAX + 1) {
        return BL_REASON_NOT_ASCII;
    }
    const uint8_t *a = (const uint8_t *)ascii;
    return bl_name_read((struct text){a, a + n}, flags, &p->rule.name);
}

void bl_take(struct bl_parser *p, struct text t, enum bl_kind kind, enum bl_rank rank,
             unsigned flags, enum bl_format from)
{
    enum bl_reason why = bl_name_read(t, flags, &p->rule.name);
    if (UNLIKELY(why == BL_REASON_NOT_ASCII)) {
        why = read_foreign(p, t, flags);
    }
    if (LIKELY(why == REASON_NONE)) {
        p->rule.text = NULL;
        bl_emit(p, kind, rank, from);
    } else {
        bl_reject(p, why, t);
    }
}

static bool is_comment(struct text line)
{
    return *line.p == '#' || *line.p == '!' || *line.p == ';' || *line.p == '[' ||
           text_starts(line, "//", NULL);
}

/* Lines that begin with a letter, a digit or a dot: names and addresses with what goes with them.
 */
static void line_of_words(struct bl_parser *p, struct text line)
{
    struct text rest = line;
    struct text first = text_word(&rest);
    bool alone = text_trim(rest).p == text_trim(rest).end;
    if (!alone && bl_looks_rpz(line)) {
        bl_line_rpz(p, line, false);
    } else if (!alone && bl_address(first) != ADDRESS_NOT) {
        bl_line_hosts(p, line);
    } else if (bl_looks_cosmetic(line)) {
        bl_reject(p, BL_REASON_COSMETIC, line);
    } else if (text_find(first, '^') || text_find(first, '$') || text_find(first, '|')) {
        bl_line_adblock(p, line);
    } else {
        bl_line_domain(p, line);
    }
}

static void line_auto(struct bl_parser *p, struct text line)
{
    if (is_comment(line)) {
        bl_comment(p);
    } else if (*line.p == '$' || *line.p == '@' ? bl_looks_rpz(line) : false) {
        p->zone = true;
        bl_line_rpz(p, line, false);
    } else if (*line.p == '|' || *line.p == '@' || *line.p == '/') {
        bl_line_adblock(p, line);
    } else if (bl_looks_unbound(line)) {
        bl_line_unbound(p, line);
    } else if (bl_looks_dnsmasq(line)) {
        bl_line_dnsmasq(p, line);
    } else if (bl_looks_regex(line)) {
        bl_line_regex(p, line);
    } else {
        line_of_words(p, line);
    }
}

static void line_forced(struct bl_parser *p, struct text line)
{
    if (is_comment(line) && (p->cfg.format != BL_FORMAT_REGEX || *line.p == '#')) {
        bl_comment(p);
        return;
    }
    switch (p->cfg.format) {
    case BL_FORMAT_HOSTS:
        bl_line_hosts(p, line);
        break;
    case BL_FORMAT_DOMAINS:
        bl_line_domain(p, line);
        break;
    case BL_FORMAT_ADBLOCK:
        bl_line_adblock(p, line);
        break;
    case BL_FORMAT_DNSMASQ:
        bl_line_dnsmasq(p, line);
        break;
    case BL_FORMAT_UNBOUND:
        bl_line_unbound(p, line);
        break;
    case BL_FORMAT_REGEX:
        bl_line_regex(p, line);
        break;
    case BL_FORMAT_RPZ:
    case BL_FORMAT_AUTO:
    case BL_FORMAT_COUNT:
        line_auto(p, line);
        break;
    }
}

/* A page, a picture or another encoding in place of a list. Judged on the first line that has
 * anything. */
static bool is_no_list(struct text line)
{
    if (line.end - line.p >= 2 &&
        ((line.p[0] == 0xff && line.p[1] == 0xfe) || (line.p[0] == 0xfe && line.p[1] == 0xff))) {
        return true; /* UTF-16 */
    }
    return *line.p == '<' || bl_parse_is_gzip(line.p, text_len(line)) || text_find(line, 0);
}

/* One line, without its end. */
static void read_line(struct bl_parser *p, const uint8_t *start, const uint8_t *end)
{
    struct text whole = {start, end};
    p->line++;
    while (end - whole.p >= 3 && whole.p[0] == 0xef && whole.p[1] == 0xbb && whole.p[2] == 0xbf) {
        whole.p += 3; /* a byte order mark, at the start or where files were glued */
    }
    struct text line = text_trim(whole);
    if (line.p == line.end) {
        bl_comment(p);
        return;
    }
    if (UNLIKELY(!p->began)) {
        p->began = true;
        if (is_no_list(line)) {
            p->state = ERR_FORMAT;
            return;
        }
    }
    if (UNLIKELY(p->zone_depth > 0)) {
        bl_line_rpz(p, line, false);
    } else if (UNLIKELY(p->zone) && *line.p != '#') {
        bl_line_rpz(p, line, line.p > whole.p);
    } else if (p->cfg.format == BL_FORMAT_AUTO) {
        line_auto(p, line);
    } else {
        line_forced(p, line);
    }
}

/* The first CR or LF in p..end, or NULL. */
static const uint8_t *line_end(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *lf = memchr(p, '\n', (size_t)(end - p));
    const uint8_t *cr = memchr(p, '\r', (size_t)((lf ? lf : end) - p));
    return cr ? cr : lf;
}

static void finish_carried(struct bl_parser *p)
{
    if (p->skipping) {
        p->line++;
        bl_reject(p, BL_REASON_LONG_LINE, (struct text){p->carry, p->carry + p->carry_len});
    } else {
        read_line(p, p->carry, p->carry + p->carry_len);
    }
    p->skipping = false;
    p->carry_len = 0;
}

/* Keep the start of a line until its end comes. */
static void carry(struct bl_parser *p, const uint8_t *data, size_t len)
{
    size_t room = BL_PARSE_LINE_MAX - p->carry_len;
    if (len > room) {
        p->skipping = true;
        len = room;
    }
    memcpy(p->carry + p->carry_len, data, len);
    p->carry_len += len;
    if (UNLIKELY(p->skipping && !p->began)) {
        p->began = true;
        struct text t = text_trim((struct text){p->carry, p->carry + p->carry_len});
        if (t.p < t.end && is_no_list(t)) {
            p->state = ERR_FORMAT;
        }
    }
}

/*
 * The lines that lists have by the million, read in one go: a name, `0.0.0.0 name`, `127.0.0.1
 * name`, `*.name`, `||name^`. Returns where the next line begins; NULL, with nothing done, for
 * every line that is not exactly so: read_line() then says what it is, and would have said the same
 * of these.
 */
static const uint8_t *read_usual_line(struct bl_parser *p, const uint8_t *at)
{
    enum bl_format from = BL_FORMAT_DOMAINS;
    enum bl_kind kind = BL_EXACT;
    bool caret = false;
    if (*at == '0' && memcmp(at, "0.0.0.0", 7) == 0 && is_blank(at[7])) {
        at += 8;
        from = BL_FORMAT_HOSTS;
    } else if (*at == '1' && memcmp(at, "127.0.0.1", 9) == 0 && is_blank(at[9])) {
        at += 10;
        from = BL_FORMAT_HOSTS;
    } else if (*at == '*' && at[1] == '.') {
        at += 2;
        kind = BL_BOTH;
    } else if (*at == '|' && at[1] == '|') {
        at += 2;
        kind = BL_BOTH;
        from = BL_FORMAT_ADBLOCK;
        caret = true;
    }
    const uint8_t *stop = bl_name_scan(at, 0, &p->rule);
    if (!stop || (caret && *stop++ != '^')) {
        return NULL;
    }
    if (*stop == '\r') {
        stop++;
    }
    if (*stop != '\n') {
        return NULL;
    }
    p->line++;
    bl_emit(p, kind, BL_RANK_BLOCK, from);
    return stop + 1;
}

enum { USUAL_READABLE = BL_NAME_READABLE + 16 }; /* octets that read_usual_line() may touch */

enum err bl_parse_feed(struct bl_parser *p, const void *data, size_t len)
{
    const uint8_t *at = data;
    const uint8_t *end = at + len;
    while (at < end && p->state == ERR_OK) {
        if (p->after_cr && *at == '\n') {
            at++;
            p->after_cr = false;
            continue;
        }
        p->after_cr = false;
        if (LIKELY(end - at >= USUAL_READABLE && p->carry_len == 0 && p->began && !p->zone &&
                   p->zone_depth == 0) &&
            p->cfg.format == BL_FORMAT_AUTO) {
            const uint8_t *next = read_usual_line(p, at);
            if (LIKELY(next)) {
                at = next;
                continue;
            }
        }
        const uint8_t *stop = line_end(at, end);
        if (!stop) {
            carry(p, at, (size_t)(end - at));
            break;
        }
        p->after_cr = *stop == '\r';
        if (p->carry_len > 0 || end - stop < BL_PARSE_SLACK || stop - at > BL_PARSE_LINE_MAX) {
            carry(p, at, (size_t)(stop - at));
            finish_carried(p);
        } else {
            read_line(p, at, stop);
        }
        at = stop + 1;
    }
    p->stats.lines = p->line;
    return p->state;
}

enum err bl_parse_end(struct bl_parser *p)
{
    if (p->state == ERR_OK && p->carry_len > 0) {
        finish_carried(p);
    }
    p->stats.lines = p->line;
    return p->state;
}
