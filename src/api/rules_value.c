/*
 * Checks of single values of the rules document, used for whole documents and for single edits.
 */
#include <string.h>

#include "api/rules_int.h"
#include "base/ip.h"
#include "base/mac.h"
#include "blocklist/regex.h"
#include "resolver/local.h"

static bool has_control(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f) {
            return true;
        }
    }
    return false;
}

static bool is_ascii(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text >= 0x80) {
            return false;
        }
    }
    return true;
}

const char *rules_problem_of_name(const char *text, char out[DNS_NAME_TEXT])
{
    struct dns_name name;
    if (!is_ascii(text)) {
        return "write an international name in its xn-- form";
    }
    if (strchr(text, '*')) {
        return "no wildcards here: a name and all below it is the regular expression "
               "(\\.|^)ads\\.example$";
    }
    if (has_control(text) || strchr(text, ' ') || dns_name_parse(span_str(text), &name) != ERR_OK ||
        name.labels == 0) {
        return "not a domain name";
    }
    dns_name_format(&name, out);
    return NULL;
}

const char *rules_problem_of_pattern(const char *text)
{
    return bl_pattern_problem(span_str(text));
}

const char *rules_problem_of_comment(const char *text)
{
    return strlen(text) > RULES_COMMENT_MAX ? "a comment of more than 512 octets" : NULL;
}

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* The rest, with addresses and ports, is the fetcher's to judge: here only what must never be
 * stored. */
const char *rules_problem_of_url(const char *text)
{
    if (strlen(text) > 1023) {
        return "an address of more than 1023 octets";
    }
    if (*text == '\0' || has_control(text) || strchr(text, ' ')) {
        return "not an address: blanks or control characters, or nothing";
    }
    const char *scheme = strstr(text, "://");
    const char *host = scheme ? scheme + 3 : text;
    size_t authority = strcspn(host, "/?#");
    return scheme && memchr(host, '@', authority) ? "a user name or password in an address" : NULL;
}

const char *rules_problem_of_prefix(const char *text)
{
    struct ip_prefix prefix;
    return ip_prefix_parse(span_str(text), &prefix) == ERR_OK ? NULL
                                                              : "not an IP address or prefix";
}

/* As a host may be called; what has digits and dots alone is an address that went wrong. */
static bool is_host_name(const char *text)
{
    bool letter = false;
    size_t n = 0;
    for (; text[n]; n++) {
        char c = text[n], low = (char)(c | 0x20);
        letter |= low >= 'a' && low <= 'z';
        if (!(low >= 'a' && low <= 'z') && !(c >= '0' && c <= '9') && !strchr("-_.", c)) {
            return false;
        }
    }
    return letter && n <= RULES_OWNER_MAX;
}

const char *rules_problem_of_client(const char *text)
{
    uint8_t mac[MAC_OCTETS];
    bool good = !rules_problem_of_prefix(text) || mac_parse(span_str(text), mac) == ERR_OK ||
                is_host_name(text);
    return good ? NULL : "not an IP address or prefix, hardware address or name of a device";
}

const char *rules_problem_of_device(const char *text)
{
    size_t len = strlen(text);
    return len == 0 || len > 255 || has_control(text)
               ? "expected an address, prefix or name of at most 255 octets"
               : NULL;
}

const char *rules_problem_of_address(const char *text, char out[IP_PREFIX_TEXT])
{
    struct ip_prefix prefix;
    if (ip_prefix_parse(span_str(text), &prefix) != ERR_OK) {
        return "not an IP address or prefix";
    }
    ip_prefix_format(&prefix, out);
    return NULL;
}

const char *rules_problem_of_group(const char *text)
{
    size_t len = strlen(text);
    return len == 0 || len > 128 || has_control(text) ? "expected a name of 1 to 128 octets" : NULL;
}

static const struct {
    const char *field;
    enum cfg_group_key key;
    enum { VALUE_TEXT, VALUE_TEXTS, VALUE_SWITCH } form;
} group_values[] = {
    {"block_mode", CFG_GROUP_BLOCK_MODE, VALUE_TEXT},
    {"safe_search", CFG_GROUP_SAFE_SEARCH, VALUE_SWITCH},
    {"upstreams", CFG_GROUP_UPSTREAM, VALUE_TEXTS},
    {"schedules", CFG_GROUP_SCHEDULE, VALUE_TEXTS},
    {"services", CFG_GROUP_SERVICE, VALUE_TEXTS},
};

const char *rules_group_field(enum cfg_group_key key)
{
    for (size_t i = 0; i < ARRAY_LEN(group_values); i++) {
        if (group_values[i].key == key) {
            return group_values[i].field;
        }
    }
    return NULL;
}

static const char *problem_of_group_text(enum cfg_group_key key, const json_t *value)
{
    uint8_t room[4096];
    struct arena scratch;
    arena_init(&scratch, room, sizeof room);
    if (!json_is_string(value) || json_string_length(value) > 1024) {
        return "expected a text of at most 1024 octets";
    }
    return cfg_group_problem(&scratch, key, span_str(json_string_value(value)));
}

const char *rules_problem_of_group_value(enum cfg_group_key key, const json_t *value)
{
    enum { TEXTS_MAX = 64 };
    size_t i = 0;
    while (group_values[i].key != key) {
        i++;
    }
    if (json_is_null(value)) {
        return NULL;
    }
    if (group_values[i].form == VALUE_SWITCH) {
        return json_is_boolean(value) ? NULL : "expected true, false or null";
    }
    if (group_values[i].form == VALUE_TEXT) {
        return problem_of_group_text(key, value);
    }
    if (!json_is_array(value) || json_array_size(value) > TEXTS_MAX) {
        return "expected an array of at most 64 texts";
    }
    const char *problem = NULL;
    for (size_t k = 0; k < json_array_size(value) && !problem; k++) {
        problem = problem_of_group_text(key, json_array_get(value, k));
    }
    return problem;
}

const char *rules_problem_of_host(const char *text)
{
    char name[DNS_NAME_TEXT];
    struct ip_addr addr;
    size_t at = strcspn(text, " ");
    if (ip_parse(span_of(text, at), &addr) != ERR_OK || text[at] != ' ') {
        return "expected ADDRESS NAME";
    }
    return rules_problem_of_name(text + at + 1, name);
}

static bool copy_part(const char *from, size_t len, char *to, size_t cap)
{
    if (len == 0 || len >= cap) {
        return false;
    }
    memcpy(to, from, len);
    to[len] = '\0';
    return true;
}

static bool is_number(const char *text, uint32_t max)
{
    uint64_t v = 0;
    for (const char *p = text; *p; p++) {
        if (*p < '0' || *p > '9' || v > max) {
            return false;
        }
        v = v * 10 + (uint64_t)(*p - '0');
    }
    return *text != '\0' && v <= max;
}

const char *rules_problem_of_cname(const char *text)
{
    char part[DNS_NAME_TEXT], name[DNS_NAME_TEXT];
    const char *expected = "expected ALIAS,TARGET or ALIAS,TARGET,SECONDS";
    size_t alias = strcspn(text, ",");
    if (text[alias] != ',' || !copy_part(text, alias, part, sizeof part)) {
        return expected;
    }
    const char *problem = rules_problem_of_name(part, name);
    const char *target = text + alias + 1;
    size_t target_len = strcspn(target, ",");
    if (problem || !copy_part(target, target_len, part, sizeof part)) {
        return problem ? problem : expected;
    }
    problem = rules_problem_of_name(part, name);
    if (problem) {
        return problem;
    }
    return target[target_len] == '\0' || is_number(target + target_len + 1, INT32_MAX) ? NULL
                                                                                       : expected;
}

const char *rules_problem_of_record(const char *text)
{
    size_t len = strlen(text);
    if (len > RULES_RECORD_MAX || has_control(text)) {
        return "expected at most 2048 octets without control characters";
    }
    return local_text_problem(span_of(text, len));
}

const char *rules_problem_of_local(enum rules_local kind, const char *text)
{
    return kind == RULES_HOSTS    ? rules_problem_of_host(text)
           : kind == RULES_CNAMES ? rules_problem_of_cname(text)
                                  : rules_problem_of_record(text);
}

const char *rules_problem_of_setting(const char *name, const char *value)
{
    size_t len = strlen(name);
    if (len == 0 || len > 64 || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != len) {
        return "not the name of an option";
    }
    return strlen(value) > 4096 || has_control(value)
               ? "expected at most 4096 octets without control characters"
               : NULL;
}

bool rules_covers(const char *pattern, char out[DNS_NAME_TEXT])
{
    char text[256];
    size_t len = 0;
    if (!starts_with(pattern, "(\\.|^)") && !starts_with(pattern, "(^|\\.)")) {
        return false;
    }
    const char *p = pattern + 6;
    for (; *p && *p != '$'; p++) {
        bool dot = p[0] == '\\' && p[1] == '.';
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                     (*p >= '0' && *p <= '9') || *p == '-' || *p == '_';
        if ((!dot && !plain) || len + 1 == sizeof text) {
            return false;
        }
        text[len++] = dot ? '.' : *p;
        p += dot;
    }
    text[len] = '\0';
    return p[0] == '$' && p[1] == '\0' && len > 0 && text[len - 1] != '.' &&
           rules_problem_of_name(text, out) == NULL;
}
