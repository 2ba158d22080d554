/*
 * Import goes through the text once; what is there already is known by a table of keys, so that
 * many rules do not cost many times many.
 */
#include "api/rules_text.h"

#include <string.h>

#include "api/rules_int.h"
#include "blocklist/parse.h"
#include "blocklist/regex.h"

enum { TEXT_MAX = BL_PATTERN_MAX + 64, KEY_MAX = TEXT_MAX + 128, LINE_SHOWN = 100, WHY_MAX = 256 };

/* One rule of a text. */
struct line {
    bool allow, regex, enabled;
    char text[TEXT_MAX];
    char client[RULES_OWNER_MAX + 1]; /* "": everybody */
    int64_t until;
    json_t *groups; /* NULL: that of everybody */
    char comment[RULES_COMMENT_MAX + 1];
};

/* ---- Reading a line. ---- */

static struct span next_word(struct span *rest)
{
    size_t n = 0;
    while (n < rest->len && !span_is_blank(rest->ptr[n])) {
        n++;
    }
    struct span word = span_of(rest->ptr, n);
    *rest = span_trim(span_of(rest->ptr + n, rest->len - n));
    return word;
}

static bool copy_to(char *to, size_t cap, struct span from)
{
    if (from.len >= cap || memchr(from.ptr, 0, from.len) != NULL) {
        return false;
    }
    memcpy(to, from.ptr, from.len);
    to[from.len] = '\0';
    return true;
}

static bool starts(struct span t, const char *with)
{
    size_t n = strlen(with);
    return t.len >= n && memcmp(t.ptr, with, n) == 0;
}

/* "/expression/": up to the first slash that a blank or the end follows. */
static const char *read_slashed(struct span *rest, struct line *out)
{
    for (size_t i = 1; i < rest->len; i++) {
        if (rest->ptr[i] == '/' && (i + 1 == rest->len || span_is_blank(rest->ptr[i + 1]))) {
            struct span pattern = span_of(rest->ptr + 1, i - 1);
            *rest = span_trim(span_of(rest->ptr + i + 1, rest->len - i - 1));
            out->regex = true;
            return copy_to(out->text, sizeof out->text, pattern)
                       ? NULL
                       : "a regular expression of more than 1024 octets";
        }
    }
    return "expected a / at the end of the regular expression";
}

static bool looks_regex(struct span word)
{
    for (size_t i = 0; i < word.len; i++) {
        if (strchr("^$+?()[]{}|\\", word.ptr[i]) != NULL && word.ptr[i] != '\0') {
            return !starts(word, "||") && !starts(word, "@@||") && !starts(word, "|");
        }
    }
    return false;
}

/* The name and all below, as the page and the API write it. */
static void write_subtree(const char *name, struct strbuf *out)
{
    strbuf_str(out, "(\\.|^)");
    for (const char *p = name; *p; p++) {
        if (*p == '.') {
            strbuf_char(out, '\\');
        }
        strbuf_char(out, *p);
    }
    strbuf_char(out, '$');
}

static const char *read_name(struct span word, struct line *out)
{
    struct bl_rule rule;
    enum bl_reason why;
    char name[DNS_NAME_TEXT];
    struct strbuf text;
    if (bl_parse_one(word, &rule, &why) != ERR_OK) {
        return bl_reason_text(why);
    }
    if (rule.kind == BL_BELOW || bl_rank_important(rule.rank)) {
        return "expected a name, *.NAME, ||NAME^ or a regular expression";
    }
    out->allow |= bl_rank_action(rule.rank) == BL_ALLOW;
    out->regex = rule.kind == BL_BOTH;
    dns_name_format(&rule.name, name);
    strbuf_init(&text, out->text, sizeof out->text);
    if (out->regex) {
        write_subtree(name, &text);
    } else {
        strbuf_str(&text, name);
    }
    return NULL;
}

static bool read_number(struct span t, int64_t max, int64_t *out)
{
    int64_t v = 0;
    for (size_t i = 0; i < t.len; i++) {
        if (t.ptr[i] < '0' || t.ptr[i] > '9' || v > max) {
            return false;
        }
        v = v * 10 + (t.ptr[i] - '0');
    }
    *out = v;
    return t.len > 0 && v <= max;
}

static bool read_groups(struct span t, json_t **out)
{
    json_t *groups = json_array();
    bool good = groups != NULL;
    while (good && t.len > 0) {
        const uint8_t *comma = memchr(t.ptr, ',', t.len);
        size_t n = comma ? (size_t)(comma - t.ptr) : t.len;
        int64_t id = 0;
        good = read_number(span_of(t.ptr, n), INT32_MAX, &id) &&
               json_array_append_new(groups, json_integer((json_int_t)id)) == 0;
        n += comma != NULL;
        t = span_of(t.ptr + n, t.len - n);
    }
    if (!good || *out != NULL) {
        json_decref(groups);
        return false;
    }
    *out = groups;
    return true;
}

static const char *read_option(struct span word, struct line *out)
{
    if (span_equal(word, span_str("off"))) {
        out->enabled = false;
        return NULL;
    }
    if (starts(word, "client=")) {
        bool fits = copy_to(out->client, sizeof out->client, span_of(word.ptr + 7, word.len - 7));
        return fits && out->client[0] ? rules_problem_of_client(out->client)
                                      : "expected an address or device behind client=";
    }
    if (starts(word, "until=")) {
        return read_number(span_of(word.ptr + 6, word.len - 6), INT64_C(1) << 33, &out->until)
                   ? NULL
                   : "expected unix seconds behind until=";
    }
    if (starts(word, "groups=")) {
        return read_groups(span_of(word.ptr + 7, word.len - 7), &out->groups)
                   ? NULL
                   : "expected numbers with commas behind groups=";
    }
    return "expected client=, groups=, until=, off or # and a comment behind the rule";
}

/* Control characters are blanks, as the export writes them. */
static const char *read_comment(struct span text, struct line *out)
{
    while (text.len > 0 && text.ptr[0] <= ' ') {
        text = span_of(text.ptr + 1, text.len - 1);
    }
    while (text.len > 0 && text.ptr[text.len - 1] <= ' ') {
        text.len--;
    }
    if (text.len >= sizeof out->comment) {
        return "a comment of more than 512 octets";
    }
    for (size_t i = 0; i < text.len; i++) {
        out->comment[i] = text.ptr[i] < ' ' ? ' ' : (char)text.ptr[i];
    }
    out->comment[text.len] = '\0';
    return NULL;
}

static const char *read_options(struct span rest, struct line *out)
{
    const char *problem = NULL;
    while (!problem && rest.len > 0) {
        if (rest.ptr[0] == '#') {
            return read_comment(span_of(rest.ptr + 1, rest.len - 1), out);
        }
        problem = read_option(next_word(&rest), out);
    }
    return problem;
}

static const char *read_line(struct span rest, struct line *out)
{
    *out = (struct line){.enabled = true};
    struct span after = rest, word = next_word(&after);
    if (span_equal(word, span_str("allow")) || span_equal(word, span_str("deny"))) {
        out->allow = word.ptr[0] == 'a';
        rest = after;
    }
    if (rest.len == 0) {
        return "expected a rule behind allow or deny";
    }
    const char *problem;
    if (rest.ptr[0] == '/') {
        problem = read_slashed(&rest, out);
    } else {
        word = next_word(&rest);
        if (looks_regex(word)) {
            out->regex = true;
            problem = copy_to(out->text, sizeof out->text, word)
                          ? NULL
                          : "a regular expression of more than 1024 octets";
        } else {
            problem = read_name(word, out);
        }
    }
    return problem ? problem : read_options(rest, out);
}

/* ---- Adding. ---- */

struct adding {
    struct rules_import *io;
    json_t *own;
    json_t *keys; /* object: what is there */
    json_int_t next_id;
};

static void write_key(bool allow, bool regex, const char *client, const char *text,
                      char key[KEY_MAX])
{
    struct strbuf s;
    strbuf_init(&s, key, KEY_MAX);
    strbuf_printf(&s, "%c%c%s %s", allow ? 'a' : 'd', regex ? 'r' : 'e', client ? client : "",
                  text);
}

static enum err begin(struct rules *r, struct rules_import *io, struct adding *a)
{
    struct rule_view v;
    char key[KEY_MAX];
    *a = (struct adding){.io = io, .own = rules_section(r, "own"), .keys = json_object()};
    io->added = io->present = io->bad = 0;
    io->errors = json_array();
    if (!a->keys || !io->errors || (io->replace && json_array_clear(a->own) != 0)) {
        return ERR_MEMORY;
    }
    for (uint32_t i = 0; rules_own_at(r, i, &v); i++) {
        write_key(v.allow, v.regex_form, v.client, v.written, key);
        a->next_id = v.id > a->next_id ? v.id : a->next_id;
        if (json_object_set_new(a->keys, key, json_true()) != 0) {
            return ERR_MEMORY;
        }
    }
    return ERR_OK;
}

static enum err complain(struct rules_import *io, uint32_t line, struct span text, const char *why)
{
    char shown[4 * LINE_SHOWN + 1];
    struct strbuf s;
    if (io->bad++ >= RULES_IMPORT_ERRORS) {
        return ERR_OK;
    }
    strbuf_init(&s, shown, sizeof shown);
    strbuf_escaped(&s, span_of(text.ptr, text.len < LINE_SHOWN ? text.len : LINE_SHOWN));
    json_t *item =
        json_pack("{s:I, s:s, s:s}", "line", (json_int_t)line, "text", shown, "error", why);
    return item && json_array_append_new(io->errors, item) == 0 ? ERR_OK : ERR_MEMORY;
}

/* Takes over `item`, checked and complete but for its id; NULL: there was no memory. */
static enum err add_item(struct adding *a, json_t *item, const char *key)
{
    if (!item) {
        return ERR_MEMORY;
    }
    if (json_object_get(a->keys, key)) {
        json_decref(item);
        a->io->present++;
        return ERR_OK;
    }
    if (json_array_size(a->own) >= RULES_OWN_MAX) {
        json_decref(item);
        return ERR_LIMIT;
    }
    a->io->added++;
    bool good = json_object_set_new(item, "id", json_integer(++a->next_id)) == 0 &&
                json_object_set_new(a->keys, key, json_true()) == 0;
    return json_array_append_new(a->own, item) == 0 && good ? ERR_OK : ERR_MEMORY;
}

static enum err check_pattern(struct rules_import *io, const char *pattern, char why[WHY_MAX])
{
    char name[DNS_NAME_TEXT];
    const char *problem = bl_pattern_problem(span_str(pattern));
    struct strbuf s;
    if (problem) {
        strbuf_init(&s, why, WHY_MAX);
        strbuf_str(&s, problem);
        return ERR_FORMAT;
    }
    return io->check && !rules_covers(pattern, name) ? io->check(io->ctx, pattern, why) : ERR_OK;
}

static enum err add_line(struct adding *a, struct line *l, uint32_t number, struct span text)
{
    char key[KEY_MAX], why[WHY_MAX] = "", covered[DNS_NAME_TEXT];
    enum err e = l->regex ? check_pattern(a->io, l->text, why) : ERR_OK;
    if (e != ERR_OK) {
        return e == ERR_FORMAT ? complain(a->io, number, text, why) : e;
    }
    write_key(l->allow, l->regex, l->client, l->text, key);
    json_t *item = json_pack(
        "{s:s, s:s, s:s, s:o, s:b, s:I, s:I, s:I, s:o, s:o}", "type", l->allow ? "allow" : "deny",
        "kind", l->regex ? "regex" : "exact", "domain", l->text, "comment",
        l->comment[0] ? json_string(l->comment) : json_null(), "enabled", (int)l->enabled, "added",
        (json_int_t)a->io->now_unix, "modified", (json_int_t)a->io->now_unix, "until",
        (json_int_t)l->until, "client", l->client[0] ? json_string(l->client) : json_null(),
        "groups", l->groups ? json_incref(l->groups) : json_pack("[i]", 0));
    if (!item) { /* with texts that are not UTF-8 no JSON can be made */
        return complain(a->io, number, text, "octets that are not UTF-8");
    }
    if (l->regex && rules_covers(l->text, covered) &&
        json_object_set_new(item, "covers", json_string(covered)) != 0) {
        json_decref(item);
        item = NULL;
    }
    return add_item(a, item, key);
}

enum err rules_import_text(struct rules *r, struct span text, struct rules_import *io)
{
    struct adding a;
    enum err e = begin(r, io, &a);
    for (uint32_t number = 1; e == ERR_OK && text.len > 0; number++) {
        const uint8_t *end = memchr(text.ptr, '\n', text.len);
        size_t n = end ? (size_t)(end - text.ptr) : text.len;
        struct span line = span_trim(span_of(text.ptr, n));
        struct line read;
        n += end != NULL;
        text = span_of(text.ptr + n, text.len - n);
        if (line.len == 0 || line.ptr[0] == '#' || line.ptr[0] == '!' || line.ptr[0] == ';') {
            continue;
        }
        const char *problem = read_line(line, &read);
        e = problem ? complain(io, number, line, problem) : add_line(&a, &read, number, line);
        json_decref(read.groups);
    }
    json_decref(a.keys);
    return e == ERR_OK && io->bad > 0 ? ERR_FORMAT : e;
}

/* ---- JSON. ---- */

/* One rule through the check of documents. NULL: *what says why. */
static json_t *checked(const json_t *item, struct strbuf *what)
{
    json_t *doc =
        json_pack("{s:i, s:[O]}", "version", RULES_VERSION, "own", (json_t *)(uintptr_t)item);
    json_t *copy = doc ? json_deep_copy(doc) : NULL;
    json_t *out = NULL;
    json_decref(doc);
    json_t *own = json_array_get(json_object_get(copy, "own"), 0);
    if (json_is_object(own) && !json_object_get(own, "id")) {
        (void)json_object_set_new(own, "id", json_integer(0));
    }
    if (copy && rules_check(copy, what) == ERR_OK) {
        out = json_incref(json_array_get(json_object_get(copy, "own"), 0));
    }
    json_decref(copy);
    return out;
}

static enum err add_json(struct adding *a, const json_t *item, uint32_t number)
{
    char why[WHY_MAX] = "", key[KEY_MAX];
    struct strbuf what;
    strbuf_init(&what, why, sizeof why);
    json_t *good = checked(item, &what);
    if (!good) {
        const char *text = json_string_value(json_object_get(item, "domain"));
        return complain(a->io, number, span_str(text ? text : ""), why);
    }
    const char *domain = json_string_value(json_object_get(good, "domain"));
    bool regex = strcmp(json_string_value(json_object_get(good, "kind")), "regex") == 0;
    enum err e = regex ? check_pattern(a->io, domain, why) : ERR_OK;
    if (e != ERR_OK) {
        e = e == ERR_FORMAT ? complain(a->io, number, span_str(domain), why) : e;
        json_decref(good);
        return e;
    }
    write_key(strcmp(json_string_value(json_object_get(good, "type")), "allow") == 0, regex,
              json_string_value(json_object_get(good, "client")), domain, key);
    return add_item(a, good, key);
}

enum err rules_import_json(struct rules *r, const json_t *own, struct rules_import *io)
{
    struct adding a;
    enum err e = begin(r, io, &a);
    for (size_t i = 0; e == ERR_OK && i < json_array_size(own); i++) {
        e = add_json(&a, json_array_get(own, i), (uint32_t)i + 1);
    }
    json_decref(a.keys);
    return e == ERR_OK && io->bad > 0 ? ERR_FORMAT : e;
}

/* ---- Export. ---- */

static void write_groups(const json_t *groups, struct strbuf *out)
{
    if (json_array_size(groups) == 1 && json_integer_value(json_array_get(groups, 0)) == 0) {
        return;
    }
    strbuf_str(out, " groups=");
    for (size_t i = 0; i < json_array_size(groups); i++) {
        strbuf_printf(out, "%s%lld", i > 0 ? "," : "",
                      (long long)json_integer_value(json_array_get(groups, i)));
    }
}

/* Would the import take *.NAME? Some names can be had by an expression only, such as numbers. */
static bool is_importable(const char *domain)
{
    struct bl_rule rule;
    enum bl_reason why;
    char text[DNS_NAME_TEXT + 2];
    struct strbuf s;
    strbuf_init(&s, text, sizeof text);
    strbuf_printf(&s, "*.%s", domain);
    return !s.truncated && bl_parse_one(span_of(text, s.len), &rule, &why) == ERR_OK;
}

void rules_export_line(const struct rule_view *v, struct strbuf *out)
{
    strbuf_str(out, v->allow ? "allow " : "deny ");
    if (v->kind == RULE_SUBTREE && (!v->regex_form || is_importable(v->domain))) {
        strbuf_printf(out, "*.%s", v->domain);
    } else if (v->kind != RULE_EXACT) {
        strbuf_printf(out, "/%s/", v->written);
    } else {
        strbuf_str(out, v->domain);
    }
    if (v->client) {
        strbuf_printf(out, " client=%s", v->client);
    }
    write_groups(v->groups, out);
    if (v->until_unix != 0) {
        strbuf_printf(out, " until=%lld", (long long)v->until_unix);
    }
    if (!v->enabled) {
        strbuf_str(out, " off");
    }
    if (v->comment && v->comment[0]) {
        strbuf_str(out, "  # ");
        for (const char *p = v->comment; *p; p++) {
            strbuf_char(out, (unsigned char)*p < ' ' ? ' ' : *p);
        }
    }
}
