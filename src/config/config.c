/*
 * How values get into struct config. A value is parsed into a union first
 * and stored afterwards, so a bad one changes nothing, and a value of a lower source is checked
 * though it is not kept. Items of repeatable options have their room from the start; strings share
 * what is left of the memory.
 */
#include "config/config_int.h"

#include "base/require.h"

/* Room for strings: 256 sources of 200 octets, 1024 records of 100, and as much again for what a
 * higher source replaces. */
enum { STRING_OCTETS = 320 * 1024, ALIGN_SLACK = CFG_OPT_COUNT * 16, PATH_OCTETS_MAX = 1024 };

/* ---- messages ---- */

static void error_head(struct strbuf *s, struct cfg_error *error, const char *where, uint32_t line)
{
    strbuf_init(s, error->text, sizeof error->text);
    strbuf_str(s, where);
    if (line > 0) {
        strbuf_printf(s, ":%u", line);
    }
    strbuf_str(s, ": ");
}

void cfg_error_found(struct cfg_error *error, const char *where, uint32_t line, struct span value,
                     const char *expected)
{
    struct strbuf s;
    error_head(&s, error, where, line);
    if (value.len == 0) {
        strbuf_str(&s, "found no value");
    } else {
        strbuf_str(&s, "found \"");
        strbuf_escaped(
            &s, span_of(value.ptr, value.len < CFG_SHOWN_OCTETS ? value.len : CFG_SHOWN_OCTETS));
        strbuf_str(&s, value.len > CFG_SHOWN_OCTETS ? "...\"" : "\"");
    }
    strbuf_printf(&s, ", expected %s", expected);
}

static void error_unknown(struct cfg_error *error, const char *where, uint32_t line,
                          struct span name)
{
    const char *nearest = cfg_nearest(name);
    char storage[96];
    struct strbuf s;
    strbuf_init(&s, storage, sizeof storage);
    strbuf_str(&s, "the name of an option");
    if (nearest != NULL) {
        strbuf_printf(&s, " (did you mean %s?)", nearest);
    }
    cfg_error_found(error, where, line, name, s.text);
}

/* ---- storing ---- */

static void array_get(const void *field, struct cfg_array *out)
{
    _Static_assert(sizeof(struct cfg_array) == sizeof(struct cfg_texts) &&
                       sizeof(struct cfg_array) == sizeof(struct cfg_routes),
                   "arrays start alike");
    memcpy(out, field, sizeof *out);
}

static enum err append(struct config *c, enum cfg_option option, const void *item)
{
    const struct cfg_row *row = cfg_row(option);
    size_t octets = cfg_item_octets(row->type);
    struct cfg_array array;
    array_get(cfg_field(c, option), &array);
    if (array.count >= row->max) {
        return ERR_LIMIT;
    }
    memcpy((char *)array.item + octets * array.count, item, octets);
    array.count++;
    memcpy(cfg_field(c, option), &array, sizeof array);
    return ERR_OK;
}

static void clear(struct config *c, enum cfg_option option)
{
    struct cfg_array array;
    array_get(cfg_field(c, option), &array);
    array.count = 0;
    memcpy(cfg_field(c, option), &array, sizeof array);
}

bool cfg_is_zero_word(const struct cfg_row *row, struct span text)
{
    uint32_t index;
    return row->type != CFG_ENUM && row->words[0] != '\0' &&
           cfg_word_parse(text, row->words, &index) == ERR_OK;
}

static enum err in_range(const struct cfg_row *row, uint64_t v)
{
    return v >= row->min && v <= row->max ? ERR_OK : ERR_RANGE;
}

static enum err parse_text(struct cfg_parse *p, struct span text, uint64_t min, uint64_t max,
                           const char **out)
{
    enum err e = text.len >= min && text.len <= max ? ERR_OK : ERR_RANGE;
    for (size_t i = 0; i < text.len && e == ERR_OK; i++) {
        e = text.ptr[i] < 0x20 || text.ptr[i] == 0x7f ? ERR_FORMAT : ERR_OK;
    }
    if (e != ERR_OK) {
        return e;
    }
    const char *copy = arena_strdup(p->arena, (const char *)text.ptr, text.len);
    if (copy == NULL) {
        return ERR_LIMIT;
    }
    *out = copy;
    return ERR_OK;
}

/* One value that is not the word for none. */
static enum err parse_value(struct cfg_parse *p, const struct cfg_row *row, struct span text,
                            union cfg_value *v)
{
    uint64_t number;
    enum err e;
    switch (row->type) {
    case CFG_BOOL:
        return cfg_bool_parse(text, &v->flag);
    case CFG_U32:
        e = cfg_number_parse(text, &number);
        e = e == ERR_OK ? in_range(row, number) : e;
        if (e == ERR_OK) {
            v->number = (uint32_t)number;
        }
        return e;
    case CFG_DURATION:
        e = cfg_duration_parse(text, &v->big);
        return e == ERR_OK ? in_range(row, v->big) : e;
    case CFG_SIZE:
        e = cfg_size_parse(text, &v->big);
        return e == ERR_OK ? in_range(row, v->big) : e;
    case CFG_ENUM:
        return cfg_word_parse(text, row->words, &v->number);
    case CFG_BLOCK_MODE:
        return cfg_block_mode_parse(text, &v->block_mode);
    case CFG_PREFIX64:
        return cfg_prefix64_parse(text, &v->prefix);
    case CFG_NAME:
    case CFG_NAMES:
        return dns_name_parse(text, &v->name);
    case CFG_TEXT:
    case CFG_PATH:
        return parse_text(p, text, row->min, row->max, &v->text);
    case CFG_PATHS:
        return parse_text(p, text, 1, PATH_OCTETS_MAX, &v->text);
    case CFG_SOURCES:
        return cfg_source_parse(p, text, &v->text);
    case CFG_RECORDS:
        return cfg_record_parse(p, text, &v->text);
    case CFG_ORIGINS:
        return cfg_origin_parse(p, text, &v->text);
    case CFG_SERVICES:
        return cfg_service_parse(p, text, &v->text);
    case CFG_PREFIXES:
        return cfg_prefix_parse(p, text, &v->text);
    case CFG_CIDRS:
        return cfg_cidr_parse(text, &v->cidr);
    case CFG_LISTEN:
        return cfg_endpoint_parse(text, 53, &v->endpoint);
    case CFG_HTTP:
        return cfg_endpoint_parse(text, 80, &v->endpoint);
    case CFG_UPSTREAMS:
        return cfg_upstream_parse(p, text, &v->upstream);
    case CFG_ROUTES:
        return cfg_route_parse(p, text, &v->route);
    }
    return ERR_STATE;
}

static enum err store(struct config *c, enum cfg_option option, const union cfg_value *v)
{
    const struct cfg_row *row = cfg_row(option);
    if (row->type == CFG_NAME) {
        struct dns_name *name = ARENA_NEW(&c->arena, struct dns_name);
        if (name == NULL) {
            return ERR_LIMIT;
        }
        *name = v->name;
        *(const struct dns_name **)cfg_field(c, option) = name;
        return ERR_OK;
    }
    if (cfg_is_repeatable(row->type)) {
        return append(c, option, v);
    }
    memcpy(cfg_field(c, option), v, cfg_field_octets(row->type));
    return ERR_OK;
}

/* The word for "none", "off" or "auto": 0, an empty text, no name, no items. */
static void store_zero(struct config *c, enum cfg_option option)
{
    const struct cfg_row *row = cfg_row(option);
    if (cfg_is_repeatable(row->type)) {
        clear(c, option);
    } else if (row->type == CFG_TEXT || row->type == CFG_PATH) {
        *(const char **)cfg_field(c, option) = "";
    } else {
        memset(cfg_field(c, option), 0, cfg_field_octets(row->type));
    }
}

/* loopback, private and any stand for several networks. 0 if the word is none of them. */
static size_t network_words(struct span text, const char *const **out)
{
    static const char *const loopback[] = {"127.0.0.0/8", "::1/128"};
    static const char *const private[] = {"10.0.0.0/8",    "172.16.0.0/12",  "192.168.0.0/16",
                                          "100.64.0.0/10", "169.254.0.0/16", "fc00::/7",
                                          "fe80::/10"};
    static const char *const any[] = {"::/0"}; /* IPv4 is within it, as ::ffff:0:0/96 */
    static const struct {
        const char *word;
        const char *const *networks;
        size_t count;
    } words[] = {{"loopback", loopback, ARRAY_LEN(loopback)},
                 {"private", private, ARRAY_LEN(private)},
                 {"any", any, ARRAY_LEN(any)}};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (span_equal(text, span_str(words[i].word))) {
            *out = words[i].networks;
            return words[i].count;
        }
    }
    return 0;
}

/* ---- applying ---- */

struct target {
    struct config *c;
    enum cfg_option option;
    enum cfg_source source;
    const char *where;
    uint32_t line;
    struct cfg_error *error;
};

static enum err fail(const struct target *t, enum err e, struct span text, const char *expected)
{
    char storage[256];
    struct strbuf s;
    if (e == ERR_LIMIT) {
        strbuf_init(&s, storage, sizeof storage);
        strbuf_printf(&s, "at most %u values of %s and %u KiB of text in all",
                      (unsigned)cfg_row(t->option)->max, cfg_row(t->option)->name,
                      (unsigned)STRING_OCTETS / 1024);
        expected = s.text;
    } else if (expected == NULL) {
        strbuf_init(&s, storage, sizeof storage);
        cfg_expected(t->option, &s);
        expected = s.text;
    }
    cfg_error_found(t->error, t->where, t->line, text, expected);
    return e;
}

static enum err apply_one(const struct target *t, struct span text)
{
    const struct cfg_row *row = cfg_row(t->option);
    bool kept = t->source >= t->c->origin[t->option].source;
    if (cfg_is_zero_word(row, text)) {
        if (kept) {
            store_zero(t->c, t->option);
        }
        return ERR_OK;
    }
    const char *const *networks = NULL;
    size_t count = row->type == CFG_CIDRS ? network_words(text, &networks) : 0;
    for (size_t i = 0; i < (count > 0 ? count : 1); i++) {
        union cfg_value v;
        struct cfg_parse p = {.arena = &t->c->arena, .expected = NULL};
        size_t mark = t->c->arena.used;
        enum err e = parse_value(&p, row, count > 0 ? span_str(networks[i]) : text, &v);
        if (e == ERR_OK && kept) {
            e = store(t->c, t->option, &v);
        }
        if (e != ERR_OK || !kept) {
            t->c->arena.used = mark;
        }
        if (e != ERR_OK) {
            return fail(t, e, text, p.expected);
        }
    }
    return ERR_OK;
}

/* The octets between two values of one text; "" if a text is always one value. */
static const char *separators(const struct target *t)
{
    switch (cfg_row(t->option)->type) {
    case CFG_ORIGINS:
    case CFG_SERVICES:
    case CFG_PREFIXES:
    case CFG_NAMES:
    case CFG_CIDRS:
    case CFG_LISTEN:
    case CFG_HTTP:
    case CFG_UPSTREAMS:
    case CFG_ROUTES:
        return " \t\n";
    case CFG_SOURCES:
        return t->source == CFG_ENVIRONMENT || t->source == CFG_DEFAULT ? " \t\n" : "";
    case CFG_PATHS:
    case CFG_RECORDS:
        return t->source == CFG_ENVIRONMENT ? ";\n" : "";
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
    return "";
}

static enum err apply_all(const struct target *t, struct span value)
{
    const char *separator = separators(t);
    if (separator[0] == '\0') {
        return apply_one(t, value);
    }
    size_t at = 0, found = 0;
    while (at < value.len) {
        size_t end = at;
        while (end < value.len &&
               (value.ptr[end] == '\0' || strchr(separator, value.ptr[end]) == NULL)) {
            end++;
        }
        struct span part = cfg_trim(span_of(value.ptr + at, end - at));
        if (part.len > 0) {
            enum err e = apply_one(t, part);
            if (e != ERR_OK) {
                return e;
            }
            found++;
        }
        at = end + 1;
    }
    return found > 0 ? ERR_OK : fail(t, ERR_FORMAT, value, NULL);
}

enum err cfg_apply_pair(struct config *c, enum cfg_source source, const char *where, uint32_t line,
                        struct span name, struct span value, struct cfg_error *error)
{
    enum cfg_option option;
    if (cfg_find(name, &option) != ERR_OK) {
        error_unknown(error, where, line, name);
        return ERR_FORMAT;
    }
    struct target t = {
        .c = c, .option = option, .source = source, .where = where, .line = line, .error = error};
    struct cfg_origin *origin = &c->origin[option];
    bool again = source == origin->source && source != CFG_DEFAULT;
    if (again && source == CFG_FILE && !cfg_is_repeatable(cfg_row(option)->type)) {
        struct strbuf s;
        error_head(&s, error, where, line);
        strbuf_printf(&s, "found %s a second time (first on line %u), expected it once",
                      cfg_row(option)->name, origin->line);
        return ERR_FORMAT;
    }
    if (!again && source > origin->source && cfg_is_repeatable(cfg_row(option)->type)) {
        clear(c, option);
    }
    enum err e = apply_all(&t, value);
    if (e == ERR_OK && source >= origin->source) {
        *origin = (struct cfg_origin){.source = source, .line = line};
    }
    return e;
}

/* ---- start and end ---- */

size_t cfg_memory(void)
{
    size_t sum = sizeof(struct config) + STRING_OCTETS + ALIGN_SLACK +
                 CFG_GROUP_VALUES_MAX * sizeof(struct cfg_group_value);
    for (unsigned i = 0; i < CFG_OPT_COUNT; i++) {
        sum += cfg_item_octets(cfg_row((enum cfg_option)i)->type) *
               (size_t)cfg_row((enum cfg_option)i)->max;
    }
    return sum;
}

static void set_default(struct config *c, enum cfg_option option)
{
    const struct cfg_row *row = cfg_row(option);
    struct cfg_error error;
    if (cfg_is_repeatable(row->type)) {
        struct cfg_array array = {.count = 0};
        array.item = arena_alloc(&c->arena, cfg_item_octets(row->type) * (size_t)row->max,
                                 _Alignof(max_align_t));
        REQUIRE(array.item != NULL);
        memcpy(cfg_field(c, option), &array, sizeof array);
    }
    struct target t = {
        .c = c, .option = option, .source = CFG_DEFAULT, .where = row->name, .error = &error};
    enum err e = apply_all(&t, span_str(row->def));
    REQUIRE(e == ERR_OK);
}

enum err cfg_init(struct config **out, void *mem, size_t len)
{
    struct arena arena;
    if (len < cfg_memory()) {
        return ERR_SPACE;
    }
    arena_init(&arena, mem, len);
    struct config *c = ARENA_NEW(&arena, struct config);
    REQUIRE(c != NULL);
    c->arena = arena;
    c->file = "";
    c->groups.value = ARENA_ARRAY(&c->arena, struct cfg_group_value, CFG_GROUP_VALUES_MAX);
    REQUIRE(c->groups.value != NULL);
    for (unsigned i = 0; i < CFG_OPT_COUNT; i++) {
        set_default(c, (enum cfg_option)i);
    }
    *out = c;
    return ERR_OK;
}

static enum err finish_failed(const struct config *c, struct cfg_error *error,
                              enum cfg_option option, enum err e, const char *found,
                              const char *expected)
{
    const struct cfg_origin *origin = &c->origin[option];
    struct strbuf s;
    error_head(&s, error, origin->source == CFG_FILE ? c->file : cfg_source_name(origin->source),
               origin->line);
    strbuf_printf(&s, "%s: found %s, expected %s", cfg_row(option)->name, found, expected);
    return e;
}

enum err cfg_finish(struct config *c, struct cfg_error *error)
{
    cfg_cidrs_sort(c->allow_from.item, c->allow_from.count);
    if (c->listen.count == 0) {
        return finish_failed(c, error, CFG_OPT_listen, ERR_RANGE, "no address", "at least one");
    }
    if (c->ttl_min_us > c->ttl_max_us) {
        return finish_failed(c, error, CFG_OPT_ttl_min_us, ERR_RANGE, "a time above ttl-max",
                             "at most ttl-max");
    }
    if (c->upstream.count + c->route.count > UPSTREAM_MAX) {
        return finish_failed(c, error, CFG_OPT_route, ERR_LIMIT, "too many upstreams and routes",
                             "at most 16 together");
    }
    if (c->tcp_per_client > c->tcp_connections) {
        return finish_failed(c, error, CFG_OPT_tcp_per_client, ERR_RANGE,
                             "a number above tcp-connections", "at most tcp-connections");
    }
    if (c->pending_max > c->waiting_max) {
        return finish_failed(c, error, CFG_OPT_waiting_max, ERR_RANGE, "a number below pending-max",
                             "at least pending-max");
    }
    return ERR_OK;
}
