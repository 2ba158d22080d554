/*
 * Expressions are read without regard to case and octet by octet: names are ASCII. Nothing in an
 * expression may raise a limit or call out: verbs at its start are refused, and there are no
 * callouts. The memory of a match is taken when a set is made, for each thread that will ask.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "shared/regex_pcre2.h"

#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "base/require.h"
#include "base/strbuf.h"

enum { PARENS_MAX = 50, HEAP_KIB_MAX = 256, TEXT_MAX = 253, LETTERS_MAX = 24, CAPTURES_BIG = 100 };

#define OPTIONS                                                                  \
    (PCRE2_CASELESS | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | \
     PCRE2_NEVER_BACKSLASH_C)

struct regex_set {
    struct bl_regexes set; /* first */
    struct bl_regex_rule *rules;
    struct bl_regex_index index;
    pcre2_code **codes;
    pcre2_match_context *limits;
    pcre2_match_data **users;
    unsigned user_count;
    uint32_t machine_code;
    struct tried *tried;
    uint32_t tried_count;
    char *text_memory, *texts; /* all of it, and where the next one goes */
};

struct tried {
    struct span text;
    bool good;
};

/* ---- One expression. ---- */

static void say(char *why, const char *text)
{
    struct strbuf out;
    strbuf_init(&out, why, REGEX_WHY_MAX);
    strbuf_str(&out, text);
}

static enum err compile(struct span pattern, uint32_t options, pcre2_code **out, char *why)
{
    int error = 0;
    size_t at = 0, octets = 0;
    const char *problem = bl_pattern_problem(pattern);
    if (!problem && pattern.len >= 2 && memcmp(pattern.ptr, "(*", 2) == 0) {
        problem = "found (* at the start: expressions cannot change how they are compiled";
    }
    if (problem) {
        say(why, problem);
        return ERR_FORMAT;
    }
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (!context) {
        return ERR_MEMORY;
    }
    pcre2_set_parens_nest_limit(context, PARENS_MAX);
    *out = pcre2_compile(pattern.ptr, pattern.len, OPTIONS | options, &error, &at, context);
    pcre2_compile_context_free(context);
    if (!*out) {
        PCRE2_UCHAR text[160];
        struct strbuf line;
        pcre2_get_error_message(error, text, sizeof text);
        strbuf_init(&line, why, REGEX_WHY_MAX);
        strbuf_printf(&line, "not a regular expression: character %zu: %s", at, (char *)text);
        return error == PCRE2_ERROR_HEAP_FAILED ? ERR_MEMORY : ERR_FORMAT;
    }
    if (pcre2_pattern_info(*out, PCRE2_INFO_SIZE, &octets) != 0 ||
        (octets > REGEX_OCTETS_MAX && options == 0)) {
        pcre2_code_free(*out);
        *out = NULL;
        say(why, "a regular expression that becomes too large: it repeats too much");
        return ERR_FORMAT;
    }
    return ERR_OK;
}

static pcre2_match_context *make_limits(void)
{
    pcre2_match_context *limits = pcre2_match_context_create(NULL);
    if (limits) {
        pcre2_set_match_limit(limits, REGEX_STEPS_MAX);
        pcre2_set_depth_limit(limits, REGEX_STEPS_MAX);
        pcre2_set_heap_limit(limits, HEAP_KIB_MAX);
    }
    return limits;
}

static enum bl_regex_result result_of(int rc)
{
    return rc >= 0 ? BL_REGEX_YES : rc == PCRE2_ERROR_NOMATCH ? BL_REGEX_NO : BL_REGEX_GAVE_UP;
}

/* ---- Hostile names. ---- */

/*
 * An expression is compiled so that PCRE2 calls us before each of its items: the calls are the
 * steps of one match, over all places of the name where it may begin. (PCRE2's own limit counts
 * each such place anew.)
 */
struct probe {
    pcre2_code *code; /* with calls */
    uint32_t steps;
    pcre2_match_context *limits;
    pcre2_match_data *data;
    char text[TEXT_MAX + 1];
};

static int count_step(pcre2_callout_block *block, void *arg)
{
    struct probe *p = arg;
    (void)block;
    return ++p->steps > REGEX_STEPS_MAX ? PCRE2_ERROR_MATCHLIMIT : 0;
}

/* Repeats `unit`, with a dot after each `label` octets, and ends in `end`. False: it took too
 * long. */
static bool try_repeated(struct probe *p, struct span unit, size_t label, const char *end)
{
    size_t end_len = strlen(end);
    for (size_t i = 0, in_label = 0; i < TEXT_MAX; i++) {
        bool dot = in_label == label;
        in_label = dot ? 0 : in_label + 1;
        p->text[i] = dot ? '.' : (char)unit.ptr[i % unit.len];
    }
    memcpy(p->text + TEXT_MAX - end_len, end, end_len);
    p->steps = 0;
    int rc =
        pcre2_match(p->code, (PCRE2_SPTR)p->text, TEXT_MAX, 0, PCRE2_NO_JIT, p->data, p->limits);
    return result_of(rc) != BL_REGEX_GAVE_UP;
}

/* Ends that an expression does not expect, one of them with all its letters: PCRE2 does not begin
 * where a letter that must be there is missing. */
static bool try_shapes(struct probe *p, struct span unit, const char *letters)
{
    static const size_t labels[] = {63, 1, 7};
    const char *const ends[] = {"-", "0m", letters};
    for (size_t i = 0; i < ARRAY_LEN(labels) * ARRAY_LEN(ends); i++) {
        if (!try_repeated(p, unit, labels[i % ARRAY_LEN(labels)], ends[i / ARRAY_LEN(labels)])) {
            return false;
        }
    }
    return true;
}

static bool is_host_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

/* The letters of an expression that names can have: all in their order, and a hyphen and each of
 * them once. */
static size_t letters_of(struct span pattern, char *all, char once[LETTERS_MAX])
{
    size_t n = 0, different = 1;
    once[0] = '-';
    for (size_t i = 0; i < pattern.len && n < TEXT_MAX; i++) {
        uint8_t c =
            pattern.ptr[i] >= 'A' && pattern.ptr[i] <= 'Z' ? pattern.ptr[i] + 32 : pattern.ptr[i];
        if (is_host_letter(c)) {
            all[n++] = (char)c;
            if (different < LETTERS_MAX - 1 && memchr(once, c, different) == NULL) {
                once[different++] = (char)c;
            }
        }
    }
    all[n] = once[different] = '\0';
    return n;
}

static bool bears_probes(struct probe *p, struct span pattern)
{
    static const char *const units[] = {"a", "0", "ab0-"};
    char all[TEXT_MAX + 1], once[LETTERS_MAX];
    size_t n = letters_of(pattern, all, once);
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (!try_shapes(p, span_str(units[i]), once)) {
            return false;
        }
    }
    for (const char *c = once; *c; c++) {
        if (!try_shapes(p, span_of(c, 1), once)) {
            return false;
        }
    }
    /* The whole of it, and its beginnings: what is repeated in it is often one of them. */
    for (size_t len = n; len > 1; len = len * 2 / 3) {
        if (!try_shapes(p, span_of(all, len), once)) {
            return false;
        }
    }
    return true;
}

enum err regex_check(struct span pattern, char *why)
{
    struct probe p = {0};
    pcre2_code *plain = NULL;
    enum err e = compile(pattern, 0, &plain, why);
    e = e == ERR_OK ? compile(pattern, PCRE2_AUTO_CALLOUT, &p.code, why) : e;
    pcre2_code_free(plain);
    if (e != ERR_OK) {
        return e;
    }
    p.limits = make_limits();
    p.data = pcre2_match_data_create(1, NULL);
    if (!p.limits || !p.data) {
        e = ERR_MEMORY;
    } else {
        pcre2_set_callout(p.limits, count_step, &p);
        e = bears_probes(&p, pattern) ? ERR_OK : ERR_FORMAT;
    }
    if (e == ERR_FORMAT) {
        struct strbuf line;
        strbuf_init(&line, why, REGEX_WHY_MAX);
        strbuf_printf(
            &line,
            "takes more than %d steps on a long name such as %.24s…: a ^ at its start, or "
            "fewer repetitions (* + {}) inside or after each other help",
            REGEX_STEPS_MAX, p.text);
    }
    pcre2_match_data_free(p.data);
    pcre2_match_context_free(p.limits);
    pcre2_code_free(p.code);
    return e;
}

/* ---- Sets. ---- */

static enum bl_regex_result match_one(const struct bl_regexes *set, uint32_t i, unsigned user,
                                      const char *text, size_t len)
{
    const struct regex_set *s = (const struct regex_set *)set;
    REQUIRE(user < s->user_count);
    return result_of(
        pcre2_match(s->codes[i], (PCRE2_SPTR)text, len, 0, 0, s->users[user], s->limits));
}

/* Let the memory for matches grow to what it may ever be. */
static void grow(pcre2_match_data *data, pcre2_match_context *limits)
{
    char pattern[8 * CAPTURES_BIG + 32];
    char text[TEXT_MAX];
    char why[REGEX_WHY_MAX];
    struct strbuf out;
    pcre2_code *code = NULL;
    strbuf_init(&out, pattern, sizeof pattern);
    strbuf_str(&out, "^(?:");
    for (int i = 0; i < CAPTURES_BIG; i++) {
        strbuf_str(&out, "(a)|");
    }
    strbuf_str(&out, "b)*c");
    memset(text, 'b', sizeof text);
    if (compile(span_str(pattern), 0, &code, why) == ERR_OK) {
        (void)pcre2_match(code, (PCRE2_SPTR)text, sizeof text, 0, PCRE2_NO_JIT, data, limits);
        pcre2_code_free(code);
    }
}

static bool make_users(struct regex_set *s, unsigned users)
{
    s->limits = make_limits();
    s->users = calloc(users, sizeof(pcre2_match_data *));
    if (!s->limits || !s->users) {
        return false;
    }
    for (; s->user_count < users; s->user_count++) {
        s->users[s->user_count] = pcre2_match_data_create(1, NULL);
        if (!s->users[s->user_count]) {
            return false;
        }
        grow(s->users[s->user_count], s->limits);
    }
    return true;
}

static struct span keep_text(struct regex_set *s, struct span pattern, bool good)
{
    char *text = s->texts;
    memcpy(text, pattern.ptr, pattern.len);
    s->texts += pattern.len;
    s->tried[s->tried_count] = (struct tried){.text = span_of(text, pattern.len), .good = good};
    return s->tried[s->tried_count++].text;
}

/* What PCRE2 found out about where and how a match begins. */
static void hint(struct bl_regex_rule *r, const pcre2_code *code)
{
    uint32_t options = 0, kind = 0, first = 0, least = 0;
    const uint8_t *map = NULL;
    (void)pcre2_pattern_info(code, PCRE2_INFO_ALLOPTIONS, &options);
    (void)pcre2_pattern_info(code, PCRE2_INFO_FIRSTCODETYPE, &kind);
    (void)pcre2_pattern_info(code, PCRE2_INFO_FIRSTCODEUNIT, &first);
    (void)pcre2_pattern_info(code, PCRE2_INFO_FIRSTBITMAP, (void *)&map);
    (void)pcre2_pattern_info(code, PCRE2_INFO_MINLENGTH, &least);
    r->anchored = (options & PCRE2_ANCHORED) != 0;
    r->least = (uint8_t)(least < UINT8_MAX ? least : UINT8_MAX);
    for (unsigned c = 0; map && c < 256; c++) {
        r->starts |= map[c / 8] >> c % 8 & 1 ? bl_letter_bit((uint8_t)c) : 0;
    }
    if (kind == 1) {
        first = first >= 'A' && first <= 'Z' ? first + 32 : first;
        r->starts = bl_letter_bit((uint8_t)first);
    }
}

static void add(struct regex_set *s, const struct regex_source *source, pcre2_code *code,
                struct span text)
{
    struct bl_regex_rule *r = &s->rules[s->set.count];
    *r = source->rule;
    r->text = text;
    bl_sieve_of_pattern(r->text, &r->needs);
    hint(r, code);
    s->codes[s->set.count++] = code;
}

/* NULL: not tried yet. */
static const struct tried *find_tried(const struct regex_set *known, struct span pattern)
{
    for (uint32_t i = 0; known && i < known->tried_count; i++) {
        if (span_equal(known->tried[i].text, pattern)) {
            return &known->tried[i];
        }
    }
    return NULL;
}

static enum err try_source(const struct regex_source *source, const struct regex_set_config *cfg)
{
    char why[REGEX_WHY_MAX];
    const struct tried *known = find_tried(cfg->known[0], source->pattern);
    known = known ? known : find_tried(cfg->known[1], source->pattern);
    if (known) {
        return known->good ? ERR_OK : ERR_FORMAT;
    }
    enum err e = regex_check(source->pattern, why);
    if (e == ERR_FORMAT && cfg->refused) {
        cfg->refused(cfg->ctx, source, why);
    }
    return e;
}

static enum err take(struct regex_set *s, const struct regex_source *source,
                     const struct regex_set_config *cfg)
{
    char why[REGEX_WHY_MAX];
    pcre2_code *code = NULL;
    enum err e = try_source(source, cfg);
    if (e == ERR_OK && cfg->users > 0) {
        e = compile(source->pattern, 0, &code, why);
    }
    if (e == ERR_MEMORY) {
        return e;
    }
    struct span text = keep_text(s, source->pattern, e == ERR_OK);
    if (code) {
        add(s, source, code, text);
    }
    if (cfg->breathe) {
        cfg->breathe(cfg->ctx);
    }
    return ERR_OK;
}

static enum err fill(struct regex_set *s, const struct regex_source *sources, uint32_t count,
                     const struct regex_set_config *cfg)
{
    enum err e = ERR_OK;
    for (int rank = BL_REGEX_RANKS - 1; rank >= 0; rank--) {
        for (uint32_t i = 0; i < count && e == ERR_OK; i++) {
            if (sources[i].rule.rank == rank) {
                e = take(s, &sources[i], cfg);
            }
        }
    }
    return e;
}

static void to_machine_code(struct regex_set *s)
{
    for (uint32_t i = 0; i < s->set.count; i++) {
        s->machine_code += pcre2_jit_compile(s->codes[i], PCRE2_JIT_COMPLETE) == 0;
    }
}

static size_t octets_of(const struct regex_source *sources, uint32_t count)
{
    size_t octets = 1;
    for (uint32_t i = 0; i < count; i++) {
        octets += sources[i].pattern.len;
    }
    return octets;
}

enum err regex_set_new(const struct regex_source *sources, uint32_t count,
                       const struct regex_set_config *cfg, struct regex_set **out)
{
    count = count < BL_REGEXES_MAX ? count : BL_REGEXES_MAX;
    *out = NULL;
    if (count == 0) {
        return ERR_OK;
    }
    struct regex_set *s = calloc(1, sizeof *s);
    if (!s) {
        return ERR_MEMORY;
    }
    s->rules = calloc(count, sizeof *s->rules);
    s->codes = calloc(count, sizeof(pcre2_code *));
    s->tried = calloc(count, sizeof *s->tried);
    s->texts = s->text_memory = malloc(octets_of(sources, count));
    s->set.match = match_one;
    s->set.rules = s->rules;
    enum err e = s->rules && s->codes && s->tried && s->texts ? ERR_OK : ERR_MEMORY;
    e = e == ERR_OK ? fill(s, sources, count, cfg) : e;
    if (e == ERR_OK && s->set.count > 0 && !make_users(s, cfg->users)) {
        e = ERR_MEMORY;
    }
    if (e != ERR_OK) {
        regex_set_free(s);
        return e;
    }
    if (cfg->machine_code) {
        to_machine_code(s);
    }
    bl_regex_index_make(&s->index, s->rules, s->set.count);
    s->set.index = &s->index;
    *out = s;
    return ERR_OK;
}

void regex_set_free(struct regex_set *s)
{
    if (!s) {
        return;
    }
    for (uint32_t i = 0; s->codes && i < s->set.count; i++) {
        pcre2_code_free(s->codes[i]);
    }
    for (unsigned i = 0; i < s->user_count; i++) {
        pcre2_match_data_free(s->users[i]);
    }
    pcre2_match_context_free(s->limits);
    free(s->users);
    free((void *)s->codes);
    free(s->rules);
    free(s->tried);
    free(s->text_memory);
    free(s);
}

const struct bl_regexes *regex_set_get(const struct regex_set *set)
{
    return set && set->set.count > 0 ? &set->set : NULL;
}

uint32_t regex_set_compiled(const struct regex_set *set)
{
    return set ? set->machine_code : 0;
}
