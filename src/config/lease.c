/*
 *      1790000000 3c:22:fb:01:02:03 192.168.1.20 laptop 01:3c:…          dnsmasq
 *      lease 192.168.1.20 { hardware ethernet 3c:…; client-hostname "laptop"; }   ISC
 *      192.168.1.20,3c:22:fb:01:02:03,,3600,1790000000,1,0,0,laptop,0,   Kea, below a line of heads
 *      192.168.1.20 laptop                                               hosts
 */
#include "config/lease.h"

#include <string.h>

enum { WORDS_MAX = 24 };

bool lease_name_read(struct span text, char out[LEASE_NAME])
{
    char name[LEASE_NAME];
    bool letter = false;
    if (text.len > 0 && text.ptr[text.len - 1] == '.') {
        text.len--;
    }
    if (text.len == 0 || text.len >= LEASE_NAME || text.ptr[0] == '.' || text.ptr[0] == '-') {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        c = (uint8_t)(c >= 'A' && c <= 'Z' ? c + 0x20 : c);
        bool dot = c == '.' && text.ptr[i - 1] != '.';
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_' && !dot) {
            return false;
        }
        letter |= c >= 'a' && c <= 'z';
        name[i] = (char)c;
    }
    name[text.len] = '\0';
    if (letter) {
        memcpy(out, name, text.len + 1);
    }
    return letter;
}

static void set_name(struct lease *l, struct span text)
{
    if (!lease_name_read(text, l->name)) {
        l->name[0] = '\0';
    }
}

static void set_mac(struct lease *l, struct span text)
{
    l->has_mac = mac_parse(text, l->mac) == ERR_OK;
}

static bool read_number(struct span text, int64_t *out)
{
    int64_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || i > 15) {
            return false;
        }
        n = n * 10 + (text.ptr[i] - '0');
    }
    *out = n;
    return text.len > 0;
}

/* ---- Lines and words. ---- */

static bool next_line(struct span *text, struct span *line)
{
    if (text->len == 0) {
        return false;
    }
    const uint8_t *end = memchr(text->ptr, '\n', text->len);
    size_t len = end ? (size_t)(end - text->ptr) : text->len;
    *line = span_of(text->ptr, len);
    size_t used = end ? len + 1 : len;
    *text = span_of(text->ptr + used, text->len - used);
    if (line->len > 0 && line->ptr[line->len - 1] == '\r') {
        line->len--;
    }
    return true;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == ';';
}

/* Words between blanks; quoted ones may have blanks, and lose their quotes. */
static unsigned split_words(struct span line, struct span word[WORDS_MAX])
{
    unsigned count = 0;
    size_t at = 0;
    while (count < WORDS_MAX) {
        while (at < line.len && is_blank(line.ptr[at])) {
            at++;
        }
        if (at == line.len || line.ptr[at] == '#') {
            break;
        }
        bool quoted = line.ptr[at] == '"';
        size_t start = at += quoted;
        while (at < line.len && (quoted ? line.ptr[at] != '"' : !is_blank(line.ptr[at]))) {
            at++;
        }
        word[count++] = span_of(line.ptr + start, at - start);
        at += quoted && at < line.len;
    }
    return count;
}

/* The fields of a line of Kea's, of which the last may be left out. */
static unsigned split_fields(struct span line, struct span field[WORDS_MAX])
{
    unsigned count = 0;
    size_t start = 0;
    for (size_t at = 0; at <= line.len && count < WORDS_MAX; at++) {
        if (at == line.len || line.ptr[at] == ',') {
            field[count++] = span_of(line.ptr + start, at - start);
            start = at + 1;
        }
    }
    return count;
}

static bool is_word(struct span word, const char *text)
{
    return span_equal(word, span_str(text));
}

/* ---- The forms. ---- */

struct reading {
    int64_t now_unix;
    lease_function *each;
    void *ctx;
    bool in_block; /* of ISC's */
    struct lease block;
    bool csv; /* places of Kea's columns; WORDS_MAX: there is none */
    unsigned addr, mac, expire, name, state;
};

static void tell(const struct reading *r, const struct lease *l)
{
    r->each(r->ctx, l);
}

static void read_heads(struct reading *r, const struct span *field, unsigned count)
{
    r->csv = true;
    r->addr = r->mac = r->expire = r->name = r->state = WORDS_MAX;
    for (unsigned i = 0; i < count; i++) {
        const struct {
            const char *head;
            unsigned *place;
        } heads[] = {{"address", &r->addr},
                     {"hwaddr", &r->mac},
                     {"expire", &r->expire},
                     {"hostname", &r->name},
                     {"state", &r->state}};
        for (size_t k = 0; k < ARRAY_LEN(heads); k++) {
            *heads[k].place = is_word(field[i], heads[k].head) ? i : *heads[k].place;
        }
    }
}

static void read_kea(struct reading *r, struct span line)
{
    struct span field[WORDS_MAX];
    struct lease l = {.ended = false};
    int64_t expire;
    unsigned count = split_fields(line, field);
    if (is_word(field[0], "address")) {
        read_heads(r, field, count);
        return;
    }
    if (r->addr >= count || ip_parse(field[r->addr], &l.addr) != ERR_OK) {
        return;
    }
    if (r->mac < count) {
        set_mac(&l, field[r->mac]);
    }
    if (r->name < count) {
        set_name(&l, field[r->name]);
    }
    l.ended = (r->state < count && !is_word(field[r->state], "0")) ||
              (r->expire < count && read_number(field[r->expire], &expire) && expire < r->now_unix);
    tell(r, &l);
}

/* What stands within a block, one a line. */
static void read_block(struct reading *r, const struct span *word, unsigned count)
{
    if (is_word(word[0], "}")) {
        r->in_block = false;
        tell(r, &r->block);
    } else if (count >= 3 && is_word(word[0], "hardware") && is_word(word[1], "ethernet")) {
        set_mac(&r->block, word[2]);
    } else if (count >= 2 && is_word(word[0], "client-hostname")) {
        set_name(&r->block, word[1]);
    } else if (count >= 3 && is_word(word[0], "binding") && is_word(word[1], "state")) {
        r->block.ended = !is_word(word[2], "active");
    }
}

static void read_line(struct reading *r, struct span line)
{
    struct span word[WORDS_MAX];
    struct lease l = {.ended = false};
    int64_t expire;
    if (r->csv || (line.len > 8 && memcmp(line.ptr, "address,", 8) == 0)) {
        read_kea(r, line);
        return;
    }
    unsigned count = split_words(line, word);
    if (count > 0 && r->in_block) {
        read_block(r, word, count);
    } else if (count >= 3 && is_word(word[0], "lease") && is_word(word[2], "{")) {
        r->block = l;
        r->in_block = ip_parse(word[1], &r->block.addr) == ERR_OK;
    } else if (count >= 4 && read_number(word[0], &expire) &&
               ip_parse(word[2], &l.addr) == ERR_OK) {
        l.ended = expire != 0 && expire < r->now_unix; /* 0: for good */
        set_mac(&l, word[1]);
        set_name(&l, word[3]);
        tell(r, &l);
    } else if (count >= 2 && ip_parse(word[0], &l.addr) == ERR_OK) {
        set_name(&l, word[1]);
        tell(r, &l);
    }
}

void leases_read(struct span text, int64_t now_unix, lease_function *each, void *ctx)
{
    struct reading r = {.now_unix = now_unix, .each = each, .ctx = ctx};
    struct span line;
    while (next_line(&text, &line)) {
        read_line(&r, line);
    }
}
