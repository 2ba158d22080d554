/*
 * The rows of options.def as data, and finding one by its name.
 */
#include "base/require.h"
#include "config/config_int.h"

static const struct cfg_row rows[CFG_OPT_COUNT] = {
#define SECTION(title)
#define OPT(name, field, type, min, max, def, words, unit, reload, help) \
    {name, CFG_##type, CFG_##reload, min,  max,                          \
     def,  words,      unit,         help, offsetof(struct config, field)},
#include "config/options.def"
#undef OPT
#undef SECTION
};

const struct cfg_row *cfg_row(enum cfg_option option)
{
    REQUIRE(option < CFG_OPT_COUNT);
    return &rows[option];
}

/* The heading that stands before the row in options.def. */
const char *cfg_section(enum cfg_option option)
{
    static const struct {
        const char *title;
        int next; /* index of the option behind it */
    } lines[] = {
#define SECTION(title)                                                   {title, -1},
#define OPT(name, field, type, min, max, def, words, unit, reload, help) {NULL, CFG_OPT_##field},
#include "config/options.def"
#undef OPT
#undef SECTION
    };
    const char *title = "";
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        if (lines[i].title != NULL) {
            title = lines[i].title;
        } else if (lines[i].next == (int)option) {
            break;
        }
    }
    return title;
}

static const struct {
    size_t field, item; /* octets; item 0: not repeatable */
    enum cfg_type type;
} sizes[] = {
    {sizeof(bool), 0, CFG_BOOL},
    {sizeof(uint32_t), 0, CFG_U32},
    {sizeof(usec_t), 0, CFG_DURATION},
    {sizeof(uint64_t), 0, CFG_SIZE},
    {sizeof(uint32_t), 0, CFG_ENUM},
    {sizeof(struct cfg_block_mode), 0, CFG_BLOCK_MODE},
    {sizeof(struct ip_prefix), 0, CFG_PREFIX64},
    {sizeof(const char *), 0, CFG_TEXT},
    {sizeof(const char *), 0, CFG_PATH},
    {sizeof(const struct dns_name *), 0, CFG_NAME},
    {sizeof(struct cfg_texts), sizeof(const char *), CFG_SOURCES},
    {sizeof(struct cfg_texts), sizeof(const char *), CFG_PATHS},
    {sizeof(struct cfg_texts), sizeof(const char *), CFG_RECORDS},
    {sizeof(struct cfg_texts), sizeof(const char *), CFG_ORIGINS},
    {sizeof(struct cfg_texts), sizeof(const char *), CFG_SERVICES},
    {sizeof(struct cfg_texts), sizeof(const char *), CFG_PREFIXES},
    {sizeof(struct cfg_names), sizeof(struct dns_name), CFG_NAMES},
    {sizeof(struct cfg_cidrs), sizeof(struct cfg_cidr), CFG_CIDRS},
    {sizeof(struct cfg_endpoints), sizeof(struct ip_endpoint), CFG_LISTEN},
    {sizeof(struct cfg_endpoints), sizeof(struct ip_endpoint), CFG_HTTP},
    {sizeof(struct cfg_upstreams), sizeof(struct cfg_upstream), CFG_UPSTREAMS},
    {sizeof(struct cfg_routes), sizeof(struct cfg_route), CFG_ROUTES},
};

size_t cfg_item_octets(enum cfg_type type)
{
    ASSERT(sizes[type].type == type);
    return sizes[type].item;
}

size_t cfg_field_octets(enum cfg_type type)
{
    ASSERT(sizes[type].type == type);
    return sizes[type].field;
}

bool cfg_is_repeatable(enum cfg_type type)
{
    return cfg_item_octets(type) > 0;
}

const char *cfg_source_name(enum cfg_source source)
{
    static const char *const names[] = {"default", "file", "rules", "environment", "command line"};
    REQUIRE(source < ARRAY_LEN(names));
    return names[source];
}

void *cfg_field(struct config *c, enum cfg_option option)
{
    return (char *)c + rows[option].offset;
}

const void *cfg_field_const(const struct config *c, enum cfg_option option)
{
    return (const char *)c + rows[option].offset;
}

/* ---- names of options ---- */

static char folded(uint8_t c)
{
    return c == '_' ? '-' : (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

enum err cfg_find(struct span name, enum cfg_option *out)
{
    for (unsigned i = 0; i < CFG_OPT_COUNT; i++) {
        size_t k = 0;
        while (k < name.len && rows[i].name[k] != '\0' && folded(name.ptr[k]) == rows[i].name[k]) {
            k++;
        }
        if (k == name.len && rows[i].name[k] == '\0') {
            *out = (enum cfg_option)i;
            return ERR_OK;
        }
    }
    return ERR_NOT_FOUND;
}

enum { NAME_OCTETS_MAX = 32 }; /* longer ones are near to nothing */

/* Insertions, deletions, changes and swaps of neighbours that make a into b (Damerau's distance,
 * restricted). */
static unsigned distance(struct span a, const char *b)
{
    unsigned row[3][NAME_OCTETS_MAX + 1];
    size_t len = strlen(b);
    for (size_t k = 0; k <= len; k++) {
        row[0][k] = (unsigned)k;
        row[1][k] = 0;
        row[2][k] = 0;
    }
    for (size_t i = 1; i <= a.len; i++) {
        unsigned *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
        char c = folded(a.ptr[i - 1]);
        now[0] = (unsigned)i;
        for (size_t k = 1; k <= len; k++) {
            unsigned best = last[k - 1] + (c != b[k - 1]);
            best = last[k] + 1 < best ? last[k] + 1 : best;
            best = now[k - 1] + 1 < best ? now[k - 1] + 1 : best;
            if (i > 1 && k > 1 && c == b[k - 2] && folded(a.ptr[i - 2]) == b[k - 1] &&
                before[k - 2] + 1 < best) {
                best = before[k - 2] + 1;
            }
            now[k] = best;
        }
    }
    return row[a.len % 3][len];
}

const char *cfg_nearest(struct span name)
{
    const char *nearest = NULL;
    unsigned least = name.len < 6 ? 2 : 4; /* the first distance that is too far */
    if (name.len == 0 || name.len > NAME_OCTETS_MAX) {
        return NULL;
    }
    for (unsigned i = 0; i < CFG_OPT_COUNT; i++) {
        unsigned d = distance(name, rows[i].name);
        if (d < least) {
            least = d;
            nearest = rows[i].name;
        }
    }
    return nearest;
}
