/*
 * The configuration as text: one value, what an option takes, the whole.
 */
#include "config/config_int.h"

#include "base/require.h"

uint32_t cfg_value_count(const struct config *c, enum cfg_option option)
{
    if (!cfg_is_repeatable(cfg_row(option)->type)) {
        return 1;
    }
    struct cfg_array array;
    memcpy(&array, cfg_field_const(c, option), sizeof array);
    return array.count;
}

/* A single label has its dot, so that the name "none" is not taken for the word. */
static void format_name(const struct dns_name *name, struct strbuf *out)
{
    char text[DNS_NAME_TEXT];
    dns_name_format(name, text);
    strbuf_str(out, text);
    if (name->labels == 1) {
        strbuf_char(out, '.');
    }
}

static void format_endpoint(const struct ip_endpoint *endpoint, struct strbuf *out)
{
    char text[IP_ENDPOINT_TEXT];
    ip_endpoint_format(endpoint, text);
    strbuf_str(out, text);
}

static void format_number(const struct cfg_row *row, uint64_t v, struct strbuf *out)
{
    if (v == 0 && row->words[0] != '\0') {
        strbuf_str(out, row->words);
    } else if (row->type == CFG_DURATION) {
        cfg_duration_format(v, out);
    } else if (row->type == CFG_SIZE) {
        cfg_size_format(v, out);
    } else {
        strbuf_u64(out, v);
    }
}

static void format_prefix(const struct cfg_row *row, const struct ip_prefix *p, struct strbuf *out)
{
    char text[IP_PREFIX_TEXT];
    if (p->bits == 0) {
        strbuf_str(out, row->words);
        return;
    }
    ip_prefix_format(p, text);
    strbuf_str(out, text);
}

static void format_scalar(const struct cfg_row *row, const void *field, struct strbuf *out)
{
    union cfg_value v;
    const struct dns_name *name;
    REQUIRE(!cfg_is_repeatable(row->type));
    switch (row->type) {
    case CFG_BOOL:
        memcpy(&v.flag, field, sizeof v.flag);
        strbuf_str(out, v.flag ? "on" : "off");
        break;
    case CFG_U32:
        memcpy(&v.number, field, sizeof v.number);
        format_number(row, v.number, out);
        break;
    case CFG_DURATION:
    case CFG_SIZE:
        memcpy(&v.big, field, sizeof v.big);
        format_number(row, v.big, out);
        break;
    case CFG_ENUM:
        memcpy(&v.number, field, sizeof v.number);
        cfg_word_format(row->words, v.number, out);
        break;
    case CFG_BLOCK_MODE:
        memcpy(&v.block_mode, field, sizeof v.block_mode);
        cfg_block_mode_format(&v.block_mode, out);
        break;
    case CFG_PREFIX64:
        memcpy(&v.prefix, field, sizeof v.prefix);
        format_prefix(row, &v.prefix, out);
        break;
    case CFG_NAME:
        name = *(const struct dns_name *const *)field;
        if (name == NULL) {
            strbuf_str(out, row->words);
        } else {
            format_name(name, out);
        }
        break;
    case CFG_TEXT:
    case CFG_PATH:
        memcpy(&v.text, field, sizeof v.text);
        strbuf_str(out, v.text[0] == '\0' ? row->words : v.text);
        break;
    case CFG_SOURCES:
    case CFG_PATHS:
    case CFG_RECORDS:
    case CFG_ORIGINS:
    case CFG_SERVICES:
    case CFG_PREFIXES:
    case CFG_NAMES:
    case CFG_CIDRS:
    case CFG_LISTEN:
    case CFG_HTTP:
    case CFG_UPSTREAMS:
    case CFG_ROUTES:
        break;
    }
}

static void format_item(enum cfg_type type, const void *item, struct strbuf *out)
{
    const char *text;
    REQUIRE(cfg_is_repeatable(type));
    switch (type) {
    case CFG_SOURCES:
    case CFG_PATHS:
    case CFG_RECORDS:
    case CFG_ORIGINS:
    case CFG_SERVICES:
    case CFG_PREFIXES:
        memcpy(&text, item, sizeof text);
        strbuf_str(out, text);
        break;
    case CFG_NAMES:
        format_name(item, out);
        break;
    case CFG_CIDRS:
        cfg_cidr_format(item, out);
        break;
    case CFG_LISTEN:
    case CFG_HTTP:
        format_endpoint(item, out);
        break;
    case CFG_UPSTREAMS:
        cfg_upstream_format(item, out);
        break;
    case CFG_ROUTES: {
        const struct cfg_route *route = item;
        format_name(&route->domain, out);
        strbuf_char(out, '=');
        cfg_upstream_format(&route->upstream, out);
        break;
    }
    case CFG_BOOL:
    case CFG_U32:
    case CFG_DURATION:
    case CFG_SIZE:
    case CFG_ENUM:
    case CFG_BLOCK_MODE:
    case CFG_PREFIX64:
    case CFG_TEXT:
    case CFG_PATH:
    case CFG_NAME:
        break;
    }
}

void cfg_value_format(const struct config *c, enum cfg_option option, uint32_t index,
                      struct strbuf *out)
{
    const struct cfg_row *row = cfg_row(option);
    const void *field = cfg_field_const(c, option);
    REQUIRE(index < cfg_value_count(c, option));
    if (!cfg_is_repeatable(row->type)) {
        format_scalar(row, field, out);
        return;
    }
    struct cfg_array array;
    memcpy(&array, field, sizeof array);
    format_item(row->type, (const char *)array.item + cfg_item_octets(row->type) * index, out);
}

/* ---- what an option takes ---- */

static void expected_range(const struct cfg_row *row, const char *kind, struct strbuf *out)
{
    strbuf_printf(out, "%s from ", kind);
    struct cfg_row plain = *row;
    plain.words = "";
    format_number(&plain, row->min, out);
    strbuf_str(out, " to ");
    format_number(&plain, row->max, out);
}

/* "error, warning, info or debug" */
static void expected_words(const char *words, struct strbuf *out)
{
    uint32_t last = 0;
    for (const char *p = words; *p != '\0'; p++) {
        last += *p == '|';
    }
    for (uint32_t i = 0; i <= last; i++) {
        strbuf_str(out, i == 0 ? "" : i == last ? " or " : ", ");
        cfg_word_format(words, i, out);
    }
}

void cfg_expected(enum cfg_option option, struct strbuf *out)
{
    const struct cfg_row *row = cfg_row(option);
    switch (row->type) {
    case CFG_BOOL:
        strbuf_str(out, "on or off");
        break;
    case CFG_U32:
        expected_range(row, "a number", out);
        break;
    case CFG_DURATION:
        expected_range(row, "a time such as 90s, 30m, 24h or 1d,", out);
        break;
    case CFG_SIZE:
        expected_range(row, "a size such as 64M,", out);
        break;
    case CFG_ENUM:
        expected_words(row->words, out);
        return;
    case CFG_BLOCK_MODE:
        strbuf_str(out, "null, nxdomain, nodata, refused or ADDR4,ADDR6");
        break;
    case CFG_PREFIX64:
        strbuf_str(out, "on, or an IPv6 prefix of 32, 40, 48, 56, 64 or 96 bits");
        break;
    case CFG_TEXT:
    case CFG_PATH:
        strbuf_printf(out, "%s of %u to %u characters", row->type == CFG_PATH ? "a path" : "a text",
                      (unsigned)row->min, (unsigned)row->max);
        break;
    case CFG_PATHS:
        strbuf_str(out, "a path");
        break;
    case CFG_NAME:
    case CFG_NAMES:
        strbuf_str(out, "a domain name");
        break;
    case CFG_CIDRS:
        strbuf_str(out, "ADDR, ADDR/BITS, !ADDR/BITS, loopback, private, connected or any");
        break;
    case CFG_LISTEN:
    case CFG_HTTP:
        strbuf_str(out, "ADDR:PORT or [ADDR6]:PORT");
        break;
    case CFG_SOURCES:
        strbuf_str(out, "a URL (http://, https://, file://), a path, builtin");
        break;
    case CFG_PREFIXES:
        strbuf_str(out, "ADDR or ADDR/BITS");
        break;
    case CFG_SERVICES:
        strbuf_str(out, "the name of a service");
        break;
    case CFG_ORIGINS:
        strbuf_str(out, "http://HOST[:PORT], https://HOST[:PORT] or *");
        break;
    case CFG_RECORDS:
        strbuf_str(out, "NAME TYPE VALUE");
        break;
    case CFG_UPSTREAMS:
        strbuf_str(out, "ADDR[:PORT], tcp://ADDR, tls://NAME@ADDR or https://NAME@ADDR/PATH");
        break;
    case CFG_ROUTES:
        strbuf_str(out, "DOMAIN=UPSTREAM or CIDR=UPSTREAM");
        break;
    }
    if (row->words[0] != '\0') {
        strbuf_printf(out, ", or %s", row->words);
    }
}

/* ---- the whole ---- */

bool cfg_equal(const struct config *a, const struct config *b, enum cfg_option option)
{
    uint32_t count = cfg_value_count(a, option);
    if (count != cfg_value_count(b, option)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        char text_a[CFG_VALUE_MAX], text_b[CFG_VALUE_MAX];
        struct strbuf s, t;
        strbuf_init(&s, text_a, sizeof text_a);
        strbuf_init(&t, text_b, sizeof text_b);
        cfg_value_format(a, option, i, &s);
        cfg_value_format(b, option, i, &t);
        if (s.len != t.len || memcmp(text_a, text_b, s.len) != 0) {
            return false;
        }
    }
    return true;
}

/* A value as it stands in a file. */
static void print_value(const struct config *c, enum cfg_option option, uint32_t index,
                        struct strbuf *out)
{
    size_t start = out->len;
    cfg_value_format(c, option, index, out);
    if (!cfg_needs_quotes(span_of(out->text + start, out->len - start))) {
        return;
    }
    char value[CFG_VALUE_MAX];
    size_t len = out->len - start < sizeof value ? out->len - start : sizeof value;
    memcpy(value, out->text + start, len);
    out->len = start;
    strbuf_char(out, '"');
    for (size_t i = 0; i < len; i++) {
        if (value[i] == '"' || value[i] == '\\') {
            strbuf_char(out, '\\');
        }
        strbuf_char(out, value[i]);
    }
    strbuf_char(out, '"');
}

static void print_option(const struct config *c, enum cfg_option option, struct strbuf *out)
{
    const struct cfg_row *row = cfg_row(option);
    const struct cfg_origin *origin = &c->origin[option];
    uint32_t count = cfg_value_count(c, option);
    if (origin->source != CFG_DEFAULT) {
        strbuf_printf(out, "# %s", cfg_source_name(origin->source));
        if (origin->line > 0) {
            strbuf_printf(out, ", line %u", origin->line);
        }
        strbuf_char(out, '\n');
    }
    for (uint32_t i = 0; i < count; i++) {
        strbuf_printf(out, "%s = ", row->name);
        print_value(c, option, i, out);
        strbuf_char(out, '\n');
    }
    if (count == 0) {
        strbuf_printf(out, "%s = %s\n", row->name, row->words);
    }
}

void cfg_print(const struct config *c, struct strbuf *out)
{
    const char *section = "";
    for (unsigned i = 0; i < CFG_OPT_COUNT; i++) {
        const char *title = cfg_section((enum cfg_option)i);
        if (strcmp(title, section) != 0) {
            strbuf_printf(out, "%s# ---- %s ----\n", section[0] == '\0' ? "" : "\n", title);
            section = title;
        }
        print_option(c, (enum cfg_option)i, out);
    }
    cfg_groups_print(c, out);
}
