/*
 * Opening and reading images. Everything is checked before anything is believed: sizes and offsets
 * against the block, octets against their checksums. What lies inside sections is checked where it
 * is used, so that even a forged image can only give wrong verdicts, never a read outside of it.
 */
#include "blocklist/image.h"

#include "blocklist/checksum.h"
#include "blocklist/codes.h"
#include "blocklist/format.h"
#include "blocklist/image_int.h"
#include "dns/suffix.h"

uint64_t bl_format_hash_check(void)
{
    static const uint8_t labels[] = "a-fixed-name-of-some-length\0\0\0\0\0\0\0\0";
    return dns_suffix_child(dns_suffix_child(dns_suffix_root(), labels, 7), labels, 27);
}

uint64_t bl_format_codes_check(void)
{
    uint8_t digit[256];
    for (unsigned i = 0; i < 256; i++) {
        digit[i] = (uint8_t)bl_code_weight[0][i];
    }
    return bl_checksum_of(digit, sizeof digit);
}

struct section {
    const uint8_t *p;
    uint64_t len;
};

static enum err open_section(const uint8_t *base, uint64_t total, unsigned i, struct section *out)
{
    const uint8_t *row = base + BL_AT_SECTIONS + (size_t)i * 24;
    uint64_t off = le64_read(row), len = le64_read(row + 8);
    if (off < BL_HEADER || off > total || len > total - off) {
        return ERR_RANGE;
    }
    if (bl_checksum_of(base + off, (size_t)len) != le64_read(row + 16)) {
        return ERR_CHECKSUM;
    }
    *out = (struct section){base + off, len};
    return ERR_OK;
}

static bool is_rows(struct section s, uint64_t row, uint64_t least, uint64_t most)
{
    return s.len % row == 0 && s.len / row >= least && s.len / row <= most;
}

static enum err check_shapes(const struct section s[BL_SECTION_COUNT])
{
    bool ok =
        s[BL_TRIE].len > BL_TRIE_PAD &&
        s[BL_TRIE].len <= INT32_MAX && /* offsets have four octets, distances 31 bits */
        is_rows(s[BL_DIRECTORY], 4, 1, UINT32_MAX) &&     /* every hash has a bucket */
        is_rows(s[BL_TLDS], BL_TLD, 0, BL_TLDS_MAX) &&    /* */
        is_rows(s[BL_TLD_SLOTS], 2, 1, UINT16_MAX + 1) && /* */
        ((s[BL_TLD_SLOTS].len / 2) & (s[BL_TLD_SLOTS].len / 2 - 1)) == 0 && /* a power of two */
        is_rows(s[BL_EFFECTS], 1, 1, BL_NUMBER_MAX) &&      /* class 0 is always there */
        s[BL_CLASSES].len == (s[BL_EFFECTS].len + 1) * 4 && /* */
        is_rows(s[BL_SOURCES], 2, 0, UINT32_MAX) &&         /* */
        s[BL_LINES].len >= 8 &&
        is_rows(s[BL_MARKS], BL_MARK, 0, UINT32_MAX) && /* words of eight are read */
        is_rows(s[BL_LISTS], BL_LIST, 0, BL_LISTS_MAX) && s[BL_TEXTS].len <= UINT32_MAX &&
        s[BL_PATTERNS].len <= BL_PATTERNS_MAX * (uint64_t)(BL_PATTERN_HEAD + BL_PATTERN_MAX);
    return ok ? ERR_OK : ERR_RANGE;
}

static enum err check_header(const uint8_t *base, size_t len)
{
    if (len < BL_HEADER) {
        return ERR_SHORT;
    }
    if (memcmp(base + BL_AT_MAGIC, BL_MAGIC, 8) != 0) {
        return ERR_FORMAT;
    }
    if (le32_read(base + BL_AT_VERSION) != BL_IMAGE_VERSION) {
        return ERR_VERSION;
    }
    if (bl_checksum_of(base, BL_AT_CHECKSUM) != le64_read(base + BL_AT_CHECKSUM)) {
        return ERR_CHECKSUM;
    }
    if (le32_read(base + BL_AT_SECTIONS_COUNT) != BL_SECTION_COUNT ||
        le64_read(base + BL_AT_HASH) != bl_format_hash_check() ||
        le64_read(base + BL_AT_CODES) != bl_format_codes_check()) {
        return ERR_VERSION;
    }
    return le64_read(base + BL_AT_TOTAL) > len ? ERR_SHORT : ERR_OK;
}

static void mark_tld_rules(struct bl_image *image)
{
    for (uint32_t i = 0; i < image->tld_count; i++) {
        const uint8_t *row = image->tlds + (size_t)i * BL_TLD;
        if (le32_read(row + BL_TLD_CLASS) != 0 && row[0] >= 1 && row[0] <= DNS_LABEL_MAX) {
            uint64_t hash = dns_suffix_child(dns_suffix_root(), row + 1, row[0]);
            image->tld_rules[hash >> 61] |= UINT64_C(1) << (hash >> 55 & 63);
        }
    }
}

enum err bl_image_open(const void *mem, size_t len, struct bl_image *out)
{
    const uint8_t *base = mem;
    struct section s[BL_SECTION_COUNT];
    enum err e = check_header(base, len);
    if (e != ERR_OK) {
        return e;
    }
    uint64_t total = le64_read(base + BL_AT_TOTAL);
    for (unsigned i = 0; i < BL_SECTION_COUNT; i++) {
        e = open_section(base, total, i, &s[i]);
        if (e != ERR_OK) {
            return e;
        }
    }
    e = check_shapes(s);
    if (e != ERR_OK) {
        return e;
    }
    *out = (struct bl_image){
        .trie = s[BL_TRIE].p,
        .trie_len = (uint32_t)s[BL_TRIE].len - BL_TRIE_PAD,
        .directory = s[BL_DIRECTORY].p,
        .bucket_count = (uint32_t)(s[BL_DIRECTORY].len / 4),
        .tlds = s[BL_TLDS].p,
        .tld_count = (uint32_t)(s[BL_TLDS].len / BL_TLD),
        .tld_slots = s[BL_TLD_SLOTS].p,
        .tld_mask = (uint32_t)(s[BL_TLD_SLOTS].len / 2 - 1),
        .effects = s[BL_EFFECTS].p,
        .class_count = (uint32_t)s[BL_EFFECTS].len,
        .classes = s[BL_CLASSES].p,
        .sources = s[BL_SOURCES].p,
        .source_count = (uint32_t)(s[BL_SOURCES].len / 2),
        .lines = s[BL_LINES].p,
        .line_octets = s[BL_LINES].len,
        .marks = s[BL_MARKS].p,
        .mark_count = (uint32_t)(s[BL_MARKS].len / BL_MARK),
        .lists = s[BL_LISTS].p,
        .list_count = (uint32_t)(s[BL_LISTS].len / BL_LIST),
        .texts = s[BL_TEXTS].p,
        .text_len = (uint32_t)s[BL_TEXTS].len,
        .patterns = s[BL_PATTERNS].p,
        .pattern_octets = (uint32_t)s[BL_PATTERNS].len,
        .rule_count = le32_read(base + BL_AT_RULES),
        .built_unix = le64_read(base + BL_AT_BUILT),
        .total = total,
    };
    mark_tld_rules(out);
    return ERR_OK;
}

bool bl_image_pattern(const struct bl_image *image, uint32_t *cursor, struct bl_pattern *out)
{
    uint32_t left = image->pattern_octets - *cursor;
    const uint8_t *p = image->patterns + *cursor;
    if (*cursor > image->pattern_octets || left < BL_PATTERN_HEAD ||
        le16_read(p + 2) > left - BL_PATTERN_HEAD || p[1] >= BL_RANK_COUNT) {
        return false;
    }
    *out = (struct bl_pattern){.text = span_of(p + BL_PATTERN_HEAD, le16_read(p + 2)),
                               .line = le32_read(p + 4),
                               .list = p[0],
                               .rank = p[1]};
    *cursor += BL_PATTERN_HEAD + (uint32_t)out->text.len;
    return true;
}

void bl_image_list(const struct bl_image *image, unsigned list, struct bl_list_info *out)
{
    *out = (struct bl_list_info){.used = false};
    if (list >= image->list_count) {
        return;
    }
    const uint8_t *row = image->lists + (size_t)list * BL_LIST;
    uint32_t text = le32_read(row + BL_AT_LIST_TEXT);
    uint32_t name = le16_read(row + BL_AT_LIST_NAME_LEN), url = le16_read(row + BL_AT_LIST_URL_LEN);
    if (row[BL_AT_LIST_USED] == 0 || text > image->text_len ||
        name + url > image->text_len - text) {
        return;
    }
    out->used = true;
    out->name = span_of(image->texts + text, name);
    out->url = span_of(image->texts + text + name, url);
    out->rules = le32_read(row + BL_AT_LIST_RULES);
    out->duplicates = le32_read(row + BL_AT_LIST_DUPLICATES);
    out->rejected = le32_read(row + BL_AT_LIST_REJECTED);
    out->lines = le32_read(row + BL_AT_LIST_LINES);
}

unsigned bl_image_line_width(const struct bl_image *image, unsigned list)
{
    unsigned width =
        list >= image->list_count ? 0 : image->lists[(size_t)list * BL_LIST + BL_AT_LIST_WIDTH];
    return width <= 32 ? width : 32;
}

struct bl_sources bl_image_class(const struct bl_image *image, uint32_t class_id)
{
    if (class_id >= image->class_count) {
        return (struct bl_sources){0};
    }
    uint32_t from = le32_read(image->classes + (size_t)class_id * 4);
    uint32_t to = le32_read(image->classes + (size_t)class_id * 4 + 4);
    if (from > to || to > image->source_count) {
        return (struct bl_sources){0};
    }
    return (struct bl_sources){image->sources + (size_t)from * 2, to - from};
}

void bl_image_sizes(const struct bl_image *image, struct bl_image_sizes *out)
{
    out->total = (size_t)image->total;
    out->verdict = (size_t)image->trie_len + BL_TRIE_PAD + (size_t)image->bucket_count * 4 +
                   (size_t)image->tld_count * BL_TLD + ((size_t)image->tld_mask + 1) * 2 +
                   image->class_count;
    out->attribution = (size_t)image->line_octets + (size_t)image->mark_count * BL_MARK +
                       ((size_t)image->class_count + 1) * 4 + (size_t)image->source_count * 2;
    out->tables = out->total - out->verdict - out->attribution;
}
