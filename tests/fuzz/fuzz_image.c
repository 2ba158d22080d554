/*
 * A compiled image with octets changed and its checksums put right, so that the checks behind them
 * are reached: it is refused, or every look-up in it stays inside. The input is a row of changes:
 * where (3 octets) and what.
 */
#include <stdlib.h>
#include <string.h>

#include "blocklist/checksum.h"
#include "blocklist/format.h"
#include "fuzz.h"
#include "lists_fixture.h"

enum { CHANGE = 4, HITS = 64 };

static const char text[] =
    "ads.example\n||tracker.example^\n@@||ok.tracker.example^\n*.below.test\n"
    "a.b.c.d.e.f.deep.example\n||com.test^$important\n0.0.0.0 host.example\n"
    "x--1.very-long-label-with-many-letters.example\n||one^\n";

static const char *const asked[] = {"ads.example",
                                    "x.tracker.example",
                                    "ok.tracker.example",
                                    "q.below.test",
                                    "a.b.c.d.e.f.deep.example",
                                    "com.test",
                                    "nothing.invalid",
                                    "one",
                                    "a.one",
                                    "host.example",
                                    "example"};

static void base_image(struct built *out)
{
    struct parsed p;
    parsed_make(&p, BL_FORMAT_AUTO, span_of(text, sizeof text - 1), 0, NULL);
    FUZZ_CHECK(p.err == ERR_OK && built_try(out, &p.rules, 1, 0) == ERR_OK);
    parsed_free(&p);
}

static void mend(uint8_t *image, size_t len)
{
    for (unsigned i = 0; i < BL_SECTION_COUNT; i++) {
        uint8_t *row = image + BL_AT_SECTIONS + 24 * i;
        uint64_t off = le64_read(row);
        uint64_t octets = le64_read(row + 8);
        if (off <= len && octets <= len - off) {
            uint64_t sum = bl_checksum_of(image + off, (size_t)octets);
            for (unsigned k = 0; k < 8; k++) {
                row[16 + k] = (uint8_t)(sum >> 8 * k);
            }
        }
    }
    uint64_t sum = bl_checksum_of(image, BL_AT_CHECKSUM);
    for (unsigned k = 0; k < 8; k++) {
        image[BL_AT_CHECKSUM + k] = (uint8_t)(sum >> 8 * k);
    }
}

static void look_up(const struct bl_image *image)
{
    for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
        struct dns_name name;
        struct dns_suffixes suffixes;
        struct bl_verdict verdict;
        struct bl_hit hits[HITS];
        FUZZ_CHECK(dns_name_parse(span_str(asked[i]), &name) == ERR_OK);
        dns_suffixes_make(&name, &suffixes);
        if (bl_match(image, &name, &suffixes, NULL, &verdict) != BL_NONE) {
            (void)bl_verdict_list(image, NULL, &verdict);
        }
        (void)bl_explain(image, &name, NULL, hits, HITS, &verdict);
    }
    for (unsigned i = 0; i < BL_LISTS_MAX; i++) {
        struct bl_list_info info;
        bl_image_list(image, i, &info);
        FUZZ_CHECK(!info.used || info.name.len <= BL_LIST_TEXT_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct built base;
    if (base.mem == NULL) {
        base_image(&base);
    }
    /* Exactly as long as it is, so that a step outside is seen. */
    uint8_t *copy = malloc(base.len);
    FUZZ_CHECK(copy != NULL);
    memcpy(copy, base.mem, base.len);
    for (size_t i = 0; i + CHANGE <= len && i < 64 * CHANGE; i += CHANGE) {
        size_t at = (size_t)data[i] << 16 | (size_t)data[i + 1] << 8 | data[i + 2];
        copy[at % base.len] = data[i + 3];
    }
    mend(copy, base.len);
    struct bl_image image;
    if (bl_image_open(copy, base.len, &image) == ERR_OK) {
        look_up(&image);
    }
    free(copy);
    return 0;
}
