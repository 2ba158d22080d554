/* Reading the configuration. */
#include "settings.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "config/catalogs.h"
#include "storage.h"

#define PREFIX "sinkhole."

/* A smaller log than the daemon's: a million rules and everything else in 48 MiB. */
enum { NTP_PORT = 123, LOG_ENTRIES = 50000 };

enum { VALUE_MAX = 128, CATALOG_MAX = 1 << 20 };

/* Settings of the machine, which the daemon does not have. */
enum machine_setting {
    ADDRESS,
    GATEWAY,
    NAMESERVER,
    NTP,
    PROBE,
    PASSWORD,
    TOTP,
    AUDIBLE,
    MACHINE_SETTINGS
};
static const char *const machine_name[MACHINE_SETTINGS] = {
    "address", "gateway", "nameserver", "ntp", "probe", "password", "totp", "audible"};

static struct {
    struct span conf; /* sinkhole.conf without the machine's lines */
    const char *cmdline;
    char value[MACHINE_SETTINGS][VALUE_MAX]; /* "": not set */
    char from[MACHINE_SETTINGS][32];         /* where, for people */
} settings;

static int machine_setting_of(struct span name)
{
    for (int i = 0; i < MACHINE_SETTINGS; i++) {
        if (span_equal(name, span_str(machine_name[i]))) {
            return i;
        }
    }
    return -1;
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

static void keep(int which, struct span value, const char *from)
{
    struct strbuf text;
    if (value.len >= VALUE_MAX) {
        log_error(MAIN, "%s: %s: found %u octets, expected fewer than %u", from,
                  machine_name[which], (unsigned)value.len, (unsigned)VALUE_MAX);
        return;
    }
    strbuf_init(&text, settings.value[which], VALUE_MAX);
    strbuf_bytes(&text, value.ptr, value.len);
    strbuf_init(&text, settings.from[which], sizeof settings.from[which]);
    strbuf_str(&text, from);
}

static struct span trimmed(struct span s)
{
    while (s.len > 0 && s.ptr[0] <= ' ') {
        s = span_of(s.ptr + 1, s.len - 1);
    }
    while (s.len > 0 && s.ptr[s.len - 1] <= ' ') {
        s.len--;
    }
    return s;
}

/* A line of the machine's is taken, and blanked for who reads the options. */
static void take_line(uint8_t *line, size_t len, unsigned number)
{
    const uint8_t *comment = memchr(line, '#', len), *eq = memchr(line, '=', len);
    char from[32];
    struct strbuf text;
    if (!eq || (comment && comment < eq)) {
        return;
    }
    int which = machine_setting_of(trimmed(span_of(line, (size_t)(eq - line))));
    if (which < 0) {
        return;
    }
    size_t end = comment && which != PASSWORD ? (size_t)(comment - line) : len;
    strbuf_init(&text, from, sizeof from);
    strbuf_printf(&text, "sinkhole.conf:%u", number);
    keep(which, trimmed(span_of(eq + 1, end - (size_t)(eq + 1 - line))), from);
    memset(line, ' ', len);
}

void settings_start(uint8_t *conf, size_t len, const char *cmdline)
{
    struct span name, value;
    unsigned number = 1;
    settings.conf = span_of(conf, len);
    settings.cmdline = cmdline;
    for (size_t at = 0; at < len; number++) {
        const uint8_t *end = memchr(conf + at, '\n', len - at);
        size_t line = end ? (size_t)(end - (conf + at)) : len - at;
        take_line(conf + at, line, number);
        at += line + 1;
    }
    while (next_word(&cmdline, &name, &value)) {
        int which = machine_setting_of(name);
        if (which >= 0) {
            keep(which, value, "kernel command line");
        }
    }
}

static bool is_set(enum machine_setting which)
{
    return settings.value[which][0] != '\0';
}

const char *settings_password(void)
{
    return is_set(PASSWORD) ? settings.value[PASSWORD] : NULL;
}

bool settings_audible(void)
{
    return strcmp(settings.value[AUDIBLE], "on") == 0;
}

bool settings_forget_totp(void)
{
    return strcmp(settings.value[TOTP], "off") == 0;
}

static void complain(enum machine_setting which, const char *expected)
{
    log_error(MAIN, "%s: %s = %s, expected %s", settings.from[which], machine_name[which],
              settings.value[which], expected);
}

/* Unspecified if it is absent or wrong (told). */
static struct ip_addr address_of(enum machine_setting which)
{
    struct ip_addr out = {0};
    if (is_set(which) && ip_parse(span_str(settings.value[which]), &out) != ERR_OK) {
        complain(which, "an address such as 192.168.1.1");
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

/* NAME, NAME:PORT or "off". */
static void read_time_server(struct net_config *out)
{
    static char name[VALUE_MAX];
    out->time_server = "pool.ntp.org";
    out->time_port = NTP_PORT;
    if (!is_set(NTP)) {
        return;
    }
    memcpy(name, settings.value[NTP], sizeof name);
    out->time_server = strcmp(name, "off") == 0 ? NULL : name;
    char *colon = strchr(name, ':');
    if (colon && !strchr(colon + 1, ':')) {
        char *end;
        unsigned long port = strtoul(colon + 1, &end, 10);
        if (*end != '\0' || port == 0 || port > UINT16_MAX) {
            complain(NTP, "NAME, NAME:PORT or off");
        } else {
            out->time_port = (uint16_t)port;
        }
        *colon = '\0';
    }
}

void settings_network(struct net_config *out)
{
    const char *text = settings.value[ADDRESS], *slash = strchr(text, '/');
    struct ip_prefix prefix;
    out->use_dhcp = true;
    out->probe_address = strcmp(settings.value[PROBE], "off") != 0;
    read_time_server(out);
    if (!is_set(ADDRESS)) {
        return;
    }
    if (!slash || ip_prefix_parse(span_str(text), &prefix) != ERR_OK || prefix.bits < 96 ||
        ip_parse(span_of(text, (size_t)(slash - text)), &out->address) != ERR_OK) {
        complain(ADDRESS,
                 "an IPv4 address with its bits such as 192.168.1.2/24; asking DHCP instead");
        return;
    }
    out->mask = mask_of((uint8_t)(prefix.bits - 96));
    out->gateway = address_of(GATEWAY);
    out->nameserver = address_of(NAMESERVER);
    out->use_dhcp = false;
}

static void apply_words(struct config *c)
{
    const char *cmdline = settings.cmdline;
    struct cfg_error error;
    struct span name, value;
    while (next_word(&cmdline, &name, &value)) {
        if (machine_setting_of(name) < 0 && cfg_apply_pair(c, CFG_ARGUMENT, "kernel command line",
                                                           0, name, value, &error) != ERR_OK) {
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

/* A file of the card by the last part of its path; its text is kept for ever. */
static void read_catalog(const char *path, struct catalog_text *out)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    *out = (struct catalog_text){.file = NULL};
    if (name[0] != '\0') {
        struct span text = storage_file(name, CATALOG_MAX);
        if (text.len > 0) {
            *out = (struct catalog_text){.file = path, .text = text};
        } else {
            log_error(MAIN, "%s is not on the card; what is inside the program is used", path);
        }
    }
}

/* Services and safe search: those inside the program, or files of the card in their place, which
 * are read at the start. */
static const struct catalogs *get_catalogs(const struct config *c)
{
    static struct catalogs catalogs;
    static bool known;
    struct catalog_text text[2];
    const struct catalog_text none = {.file = NULL};
    struct cfg_error error;
    if (known) {
        return &catalogs;
    }
    known = true;
    read_catalog(c->services_file, &text[0]);
    read_catalog(c->safe_search_file, &text[1]);
    enum err e = catalogs_read(&catalogs, &text[0], &text[1], &error);
    if (e != ERR_OK) {
        log_error(MAIN, "%s; what is inside the program is used", error.text);
        e = catalogs_read(&catalogs, &none, &none, &error);
    }
    if (e != ERR_OK) {
        log_error(MAIN, "%s", error.text);
        catalogs = (struct catalogs){.services = {.count = 0}};
    }
    return &catalogs;
}

enum err settings_load(const struct rules *rules, void **memory, struct config **out)
{
    struct config *c;
    struct cfg_error error;
    size_t len = cfg_memory();
    void *mem = malloc(len);
    if (!mem || cfg_init(&c, mem, len) != ERR_OK) {
        free(mem);
        return ERR_MEMORY;
    }
    if (settings.conf.len > 0 &&
        cfg_apply_text(c, "sinkhole.conf", settings.conf, &error) != ERR_OK) {
        log_error(MAIN, "%s; what stands after it is not used", error.text);
    }
    apply_words(c);
    apply_rules(c, rules);
    if (cfg_finish(c, &error) != ERR_OK) {
        log_error(MAIN, "%s", error.text);
    }
    c->catalogs = get_catalogs(c);
    if (c->origin[CFG_OPT_log_entries].source == CFG_DEFAULT) {
        c->log_entries = LOG_ENTRIES;
    }
    *memory = mem;
    *out = c;
    return ERR_OK;
}
