/*
 * Any text as a catalog: what is taken can be walked, and has as many names as were counted.
 */
#include <string.h>

#include "blocklist/catalog.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct catalog c;
    char what[256] = "";
    struct strbuf s;
    strbuf_init(&s, what, sizeof what);
    if (catalog_read(&c, span_of(data, len), len % 2 == 1, &s) != ERR_OK) {
        FUZZ_CHECK(what[0] != '\0' && c.count <= CATALOG_SECTIONS_MAX);
        return 0;
    }
    uint32_t names = 0;
    size_t octets = 0;
    for (uint32_t i = 0; i < c.count; i++) {
        struct dns_name name;
        uint32_t here = 0;
        FUZZ_CHECK(catalog_is_id(c.section[i].id) &&
                   catalog_find(&c, c.section[i].id) == &c.section[i]);
        for (size_t cursor = 0; catalog_name(&c.section[i], &cursor, &name); here++) {
            octets += name.len;
        }
        FUZZ_CHECK(here == c.section[i].names);
        names += here;
    }
    FUZZ_CHECK(names == c.names && octets == c.name_octets);
    return 0;
}
