/*
 * Any octets as an image: opened or refused, and nothing that can be done with an opened one leaves
 * its octets or goes on for ever. Each input is tried as it is and with right checksums put over
 * it.
 */
#include <stdlib.h>
#include <string.h>

#include "blocklist/checksum.h"
#include "blocklist/format.h"
#include "fuzz.h"
#include "lists_fixture.h"

static bool visit(void *ctx, const struct bl_image_rule *rule)
{
    struct dns_name again;
    FUZZ_CHECK(dns_name_from_wire(rule->name.wire, rule->name.len, &again) == ERR_OK);
    return ++*(unsigned *)ctx < 5000;
}

static void use(const struct bl_image *image)
{
    static const char *const names[] = {"ads.example",
                                        "n7.fan.example",
                                        "b.a.long.run3.org",
                                        "x.zip",
                                        "zip",
                                        "a.long.run11.org",
                                        "q.n3.fan.example",
                                        "example",
                                        ".",
                                        "a-very-long-label-of-more-than-twelve-octets.fan.example"};
    struct bl_list_set set = {{UINT64_C(0x5555555555555555), 1, 2, 3}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct dns_name name = fixture_name(names[i]);
        struct bl_hit hits[16];
        struct bl_source sources[16];
        struct bl_verdict all = image_match(image, &name, NULL),
                          some = image_match(image, &name, &set), explained;
        (void)bl_explain(image, &name, NULL, hits, 16, &explained);
        FUZZ_CHECK(all.action <= BL_ALLOW && some.action <= BL_ALLOW);
        if (all.action != BL_NONE) {
            FUZZ_CHECK(all.label < name.labels);
            (void)bl_image_sources(image, all.rule, sources, 16);
            (void)bl_verdict_list(image, NULL, &all);
        }
    }
    unsigned seen = 0;
    enum err e = bl_image_walk(image, visit, &seen);
    FUZZ_CHECK(e == ERR_OK || e == ERR_FORMAT);
    for (unsigned i = 0; i < BL_LISTS_MAX; i += 17) {
        struct bl_list_info info;
        bl_image_list(image, i, &info);
    }
}

static void forge(uint8_t *mem, size_t len)
{
    if (len < BL_HEADER) {
        return;
    }
    memcpy(mem, BL_MAGIC, 8);
    le32_write(mem + BL_AT_VERSION, BL_IMAGE_VERSION);
    le32_write(mem + BL_AT_SECTIONS_COUNT, BL_SECTION_COUNT);
    le64_write(mem + BL_AT_HASH, bl_format_hash_check());
    le64_write(mem + BL_AT_CODES, bl_format_codes_check());
    for (unsigned i = 0; i < BL_SECTION_COUNT; i++) {
        uint8_t *row = mem + BL_AT_SECTIONS + (size_t)i * 24;
        uint64_t off = le64_read(row), size = le64_read(row + 8);
        if (off <= len && size <= len - off) {
            le64_write(row + 16, bl_checksum_of(mem + off, (size_t)size));
        }
    }
    le64_write(mem + BL_AT_CHECKSUM, bl_checksum_of(mem, BL_AT_CHECKSUM));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct bl_image image;
    uint8_t *copy = malloc(len ? len : 1);
    if (!copy) {
        abort();
    }
    memcpy(copy, data, len);
    if (bl_image_open(copy, len, &image) == ERR_OK) {
        use(&image);
    }
    forge(copy, len);
    if (bl_image_open(copy, len, &image) == ERR_OK) {
        use(&image);
    }
    free(copy);
    return 0;
}
