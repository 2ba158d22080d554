/* Reading the configuration. */
#include "settings.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define PREFIX "sinkhole."

enum { NTP_PORT = 123 };

/* Settings that are not options of the daemon: static address and tests. */
static const char *const boot_only[] = {"address", "gateway",  "nameserver",
                                        "probe",   "password", "ntp"};

static bool is_boot_only(struct span name)
{
    for (size_t i = 0; i < ARRAY_LEN(boot_only); i++) {
        if (span_equal(name, span_str(boot_only[i]))) {
            return true;
        }
    }
    return false;
}

/* One word of the line, in "quotes" if it holds blanks; len 0 at the end. */
static struct span word_at(const char **at)
{
    const char *word = *at + strspn(*at, " \t\n");
    bool quoted = *word == '"';
    word += quoted;
    size_t len = strcspn(word, quoted ? "\"" : " \t\n");
    *at = word + len + (quoted && word[len] == '"');
    return span_of(word, len);
}

/* The next sinkhole.NAME=VALUE; false at the end. */
static bool next_word(const char **at, struct span *name, struct span *value)
{
    const size_t prefix = sizeof PREFIX - 1;
    while (**at) {
        struct span word = word_at(at);
        const uint8_t *eq = memchr(word.ptr, '=', word.len);
        if (word.len > prefix && memcmp(word.ptr, PREFIX, prefix) == 0 && eq) {
            size_t name_len = (size_t)(eq - word.ptr) - prefix;
            *name = span_of(word.ptr + prefix, name_len);
            *value = span_of(eq + 1, word.len - prefix - name_len - 1);
            return true;
        }
    }
    return false;
}

const char *settings_boot_value(const char *cmdline, const char *name, char *value, size_t cap)
{
    struct span n, v;
    while (next_word(&cmdline, &n, &v)) {
        if (span_equal(n, span_str(name)) && v.len < cap) {
            memcpy(value, v.ptr, v.len);
            value[v.len] = '\0';
            return value;
        }
    }
    return NULL;
}

/* An address of the command line; unspecified if it is absent or wrong (told). */
static struct ip_addr boot_address(const char *cmdline, const char *name)
{
    char text[64];
    struct ip_addr out = {0};
    if (settings_boot_value(cmdline, name, text, sizeof text) &&
        ip_parse(span_str(text), &out) != ERR_OK) {
        log_error(MAIN,
                  "kernel command line: sinkhole.%s=%s, expected an address such as 192.168.1.1",
                  name, text);
    }
    return out;
}

static struct ip_addr mask_of(uint8_t bits)
{
    uint32_t mask = bits == 0 ? 0 : UINT32_MAX << (32 - bits);
    uint8_t octets[4];
    be32_write(octets, mask);
    return ip_v4(octets);
}

/* sinkhole.ntp=NAME, NAME:PORT or "off". */
static void read_time_server(const char *cmdline, struct net_config *out)
{
    static char name[128];
    out->time_server = "pool.ntp.org";
    out->time_port = NTP_PORT;
    if (!settings_boot_value(cmdline, "ntp", name, sizeof name)) {
        return;
    }
    out->time_server = strcmp(name, "off") == 0 ? NULL : name;
    char *colon = strchr(name, ':');
    if (colon && !strchr(colon + 1, ':')) {
        char *end;
        unsigned long port = strtoul(colon + 1, &end, 10);
        if (*end != '\0' || port == 0 || port > UINT16_MAX) {
            log_error(MAIN, "kernel command line: sinkhole.ntp=%s, expected NAME or NAME:PORT",
                      name);
        } else {
            out->time_port = (uint16_t)port;
        }
        *colon = '\0';
    }
}

void settings_network(const char *cmdline, struct net_config *out)
{
    char text[64];
    struct ip_prefix prefix;
    const char *slash;
    out->use_dhcp = true;
    if (settings_boot_value(cmdline, "probe", text, sizeof text)) {
        out->probe_address = strcmp(text, "off") != 0;
    }
    read_time_server(cmdline, out);
    if (!settings_boot_value(cmdline, "address", text, sizeof text)) {
        return;
    }
    slash = strchr(text, '/');
    if (!slash || ip_prefix_parse(span_str(text), &prefix) != ERR_OK || prefix.bits < 96 ||
        ip_parse(span_of(text, (size_t)(slash - text)), &out->address) != ERR_OK) {
        log_error(MAIN,
                  "kernel command line: sinkhole.address=%s, expected an IPv4 address with its "
                  "bits such as 192.168.1.2/24; asking DHCP instead",
                  text);
        return;
    }
    out->mask = mask_of((uint8_t)(prefix.bits - 96));
    out->gateway = boot_address(cmdline, "gateway");
    out->nameserver = boot_address(cmdline, "nameserver");
    out->use_dhcp = false;
}

static void apply_words(struct config *c, const char *cmdline)
{
    struct cfg_error error;
    struct span name, value;
    while (next_word(&cmdline, &name, &value)) {
        if (!is_boot_only(name) && cfg_apply_pair(c, CFG_ARGUMENT, "kernel command line", 0, name,
                                                  value, &error) != ERR_OK) {
            log_error(MAIN, "%s; left at its default", error.text);
        }
    }
}

/* What a person set on the page stands above the file. */
static void apply_rules(struct config *c, const struct rules *rules)
{
    struct cfg_error error;
    const char *name, *value;
    for (uint32_t i = 0; rules_setting_at(rules, i, &name, &value); i++) {
        if (cfg_apply_pair(c, CFG_RULES, "rules.json", 0, span_str(name), span_str(value),
                           &error) != ERR_OK) {
            log_warning(MAIN, "%s; left out", error.text);
        }
    }
}

enum err settings_load(struct span file, const char *cmdline, const struct rules *rules,
                       void **memory, struct config **out)
{
    struct config *c;
    struct cfg_error error;
    size_t len = cfg_memory();
    void *mem = malloc(len);
    if (!mem || cfg_init(&c, mem, len) != ERR_OK) {
        free(mem);
        return ERR_MEMORY;
    }
    if (file.len > 0 && cfg_apply_text(c, "sinkhole.conf", file, &error) != ERR_OK) {
        log_error(MAIN, "%s; what stands after it is not used", error.text);
    }
    apply_words(c, cmdline);
    apply_rules(c, rules);
    if (cfg_finish(c, &error) != ERR_OK) {
        log_error(MAIN, "%s", error.text);
    }
    *memory = mem;
    *out = c;
    return ERR_OK;
}
