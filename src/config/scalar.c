/*
 * Text to single values and back: switches, numbers, durations, sizes, words, the block mode. Each
 * parser uses the whole text or fails, and writes its result only on success. What cfg_*_format
 * writes, the parser reads back to the same value.
 */
#include "config/config_int.h"
#include "resolver/dns64.h"

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static bool is_word(struct span text, const char *word)
{
    size_t len = strlen(word);
    if (text.len != len) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (lower(text.ptr[i]) != (uint8_t)word[i]) {
            return false;
        }
    }
    return true;
}

enum err cfg_bool_parse(struct span text, bool *out)
{
    static const struct {
        const char *word;
        bool value;
    } rows[] = {{"on", true},   {"off", false},   {"yes", true}, {"no", false},
                {"true", true}, {"false", false}, {"1", true},   {"0", false}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (is_word(text, rows[i].word)) {
            *out = rows[i].value;
            return ERR_OK;
        }
    }
    return ERR_FORMAT;
}

/* Digits at the start of *text, which is moved past them. ERR_FORMAT: none; ERR_RANGE: more than 64
 * bits. */
static enum err digits_take(struct span *text, uint64_t *out)
{
    uint64_t v = 0;
    size_t i = 0;
    for (; i < text->len && is_digit(text->ptr[i]); i++) {
        unsigned digit = (unsigned)(text->ptr[i] - '0');
        if (v > (UINT64_MAX - digit) / 10) {
            return ERR_RANGE;
        }
        v = v * 10 + digit;
    }
    if (i == 0) {
        return ERR_FORMAT;
    }
    *text = span_of(text->ptr + i, text->len - i);
    *out = v;
    return ERR_OK;
}

enum err cfg_number_parse(struct span text, uint64_t *out)
{
    uint64_t v;
    enum err e = digits_take(&text, &v);
    if (e != ERR_OK) {
        return e;
    }
    if (text.len > 0) {
        return ERR_FORMAT;
    }
    *out = v;
    return ERR_OK;
}

/* Largest first, as cfg_duration_format tries them. */
static const struct {
    const char *name;
    uint64_t us;
} duration_units[] = {{"d", 86400 * USEC_PER_SEC}, {"h", 3600 * USEC_PER_SEC},
                      {"m", 60 * USEC_PER_SEC},    {"s", USEC_PER_SEC},
                      {"ms", USEC_PER_MSEC},       {"us", 1}};

/* Letters at the start of *text, which is moved past them. */
static struct span letters_take(struct span *text)
{
    size_t i = 0;
    while (i < text->len && lower(text->ptr[i]) >= 'a' && lower(text->ptr[i]) <= 'z') {
        i++;
    }
    struct span letters = span_of(text->ptr, i);
    *text = span_of(text->ptr + i, text->len - i);
    return letters;
}

/* "90s", "1h30m", "500ms"; a bare number is seconds. */
enum err cfg_duration_parse(struct span text, usec_t *out)
{
    uint64_t total = 0;
    bool bare = true; /* true until a unit was seen */
    do {
        uint64_t v;
        enum err e = digits_take(&text, &v);
        if (e != ERR_OK) {
            return e;
        }
        struct span unit = letters_take(&text);
        if (unit.len == 0 && (text.len > 0 || !bare)) {
            return ERR_FORMAT;
        }
        uint64_t us = unit.len == 0 ? USEC_PER_SEC : 0;
        for (size_t i = 0; i < ARRAY_LEN(duration_units) && us == 0; i++) {
            us = is_word(unit, duration_units[i].name) ? duration_units[i].us : 0;
        }
        if (us == 0) {
            return ERR_FORMAT;
        }
        if (v > (UINT64_MAX - total) / us) {
            return ERR_RANGE;
        }
        total += v * us;
        bare = false;
    } while (text.len > 0);
    *out = total;
    return ERR_OK;
}

void cfg_duration_format(usec_t value, struct strbuf *out)
{
    if (value == 0) {
        strbuf_str(out, "0s");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(duration_units); i++) {
        if (value % duration_units[i].us == 0) {
            strbuf_u64(out, value / duration_units[i].us);
            strbuf_str(out, duration_units[i].name);
            return;
        }
    }
}

static const struct {
    const char *name;
    unsigned shift;
} size_units[] = {{"G", 30}, {"M", 20}, {"K", 10}, {"", 0}};

/* "64M", "64MB" and "64MiB" are the same: 64 * 1024 * 1024 octets. */
enum err cfg_size_parse(struct span text, uint64_t *out)
{
    uint64_t v;
    enum err e = digits_take(&text, &v);
    if (e != ERR_OK) {
        return e;
    }
    unsigned shift = 0;
    if (text.len > 0) {
        uint8_t letter = lower(text.ptr[0]);
        shift = letter == 'k' ? 10 : letter == 'm' ? 20 : letter == 'g' ? 30 : 0;
        struct span rest = span_of(text.ptr + 1, text.len - 1);
        bool bare_b = shift == 0 && letter == 'b' && rest.len == 0;
        bool suffix = shift != 0 && (rest.len == 0 || is_word(rest, "b") || is_word(rest, "ib"));
        if (!bare_b && !suffix) {
            return ERR_FORMAT;
        }
    }
    if (v > UINT64_MAX >> shift) {
        return ERR_RANGE;
    }
    *out = v << shift;
    return ERR_OK;
}

void cfg_size_format(uint64_t value, struct strbuf *out)
{
    size_t i = 0;
    while (value == 0 ? size_units[i].shift > 0
                      : (value & ((UINT64_C(1) << size_units[i].shift) - 1)) != 0) {
        i++;
    }
    strbuf_u64(out, value >> size_units[i].shift);
    strbuf_str(out, size_units[i].name);
}

/* The index-th of the words between '|'; len 0 past the last. */
static struct span word_at(const char *words, uint32_t index)
{
    for (;;) {
        size_t len = strcspn(words, "|");
        if (index == 0) {
            return span_of(words, len);
        }
        if (words[len] == '\0') {
            return span_of(words + len, 0);
        }
        words += len + 1;
        index--;
    }
}

enum err cfg_word_parse(struct span text, const char *words, uint32_t *out)
{
    if (text.len == 0) {
        return ERR_FORMAT;
    }
    for (uint32_t i = 0; word_at(words, i).len > 0; i++) {
        struct span word = word_at(words, i);
        bool same = word.len == text.len;
        for (size_t k = 0; k < text.len && same; k++) {
            same = lower(text.ptr[k]) == word.ptr[k];
        }
        if (same) {
            *out = i;
            return ERR_OK;
        }
    }
    return ERR_FORMAT;
}

void cfg_word_format(const char *words, uint32_t index, struct strbuf *out)
{
    struct span word = word_at(words, index);
    strbuf_bytes(out, word.ptr, word.len);
}

/* "on" is the well-known prefix, RFC 6052 2.1. */
enum err cfg_prefix64_parse(struct span text, struct ip_prefix *out)
{
    struct ip_prefix prefix;
    bool on;
    if (cfg_bool_parse(text, &on) == ERR_OK && on) {
        text = span_str("64:ff9b::/96");
    }
    if (ip_prefix_parse(text, &prefix) != ERR_OK || ip_is_v4(&prefix.addr) ||
        !dns64_prefix_ok(&prefix)) {
        return ERR_FORMAT;
    }
    *out = prefix;
    return ERR_OK;
}

static const char block_words[] = "null|nxdomain|nodata|refused";
_Static_assert(BLOCK_NULL == 0 && BLOCK_NXDOMAIN == 1 && BLOCK_NODATA == 2 && BLOCK_REFUSED == 3,
               "block_words has their order");

enum err cfg_block_mode_parse(struct span text, struct cfg_block_mode *out)
{
    struct cfg_block_mode mode = {.mode = BLOCK_NULL};
    uint32_t word;
    if (cfg_word_parse(text, block_words, &word) == ERR_OK) {
        mode.mode = (enum block_mode)word;
        *out = mode;
        return ERR_OK;
    }
    const uint8_t *comma = text.len > 0 ? memchr(text.ptr, ',', text.len) : NULL;
    if (comma == NULL) {
        return ERR_FORMAT;
    }
    size_t first = (size_t)(comma - text.ptr);
    enum err e = ip_parse(cfg_trim(span_of(text.ptr, first)), &mode.v4);
    if (e == ERR_OK) {
        e = ip_parse(cfg_trim(span_of(comma + 1, text.len - first - 1)), &mode.v6);
    }
    if (e != ERR_OK || !ip_is_v4(&mode.v4) || ip_is_v4(&mode.v6)) {
        return ERR_FORMAT;
    }
    mode.mode = BLOCK_ADDRESS;
    *out = mode;
    return ERR_OK;
}

void cfg_block_mode_format(const struct cfg_block_mode *mode, struct strbuf *out)
{
    if (mode->mode != BLOCK_ADDRESS) {
        cfg_word_format(block_words, mode->mode, out);
        return;
    }
    char v4[IP_TEXT_MAX], v6[IP_TEXT_MAX];
    ip_format(&mode->v4, v4);
    ip_format(&mode->v6, v6);
    strbuf_printf(out, "%s,%s", v4, v6);
}
