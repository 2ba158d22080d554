/*
 * Any text as a DHCP server's file: names are a host's, and the table of devices that is made of
 * them is in order and finds what is in it.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "shared/house.h"

static void check_lease(void *ctx, const struct lease *lease)
{
    char name[LEASE_NAME];
    uint32_t *count = ctx;
    ++*count;
    FUZZ_CHECK(memchr(lease->name, '\0', LEASE_NAME) != NULL);
    if (lease->name[0]) {
        FUZZ_CHECK(lease_name_read(span_str(lease->name), name));
        FUZZ_CHECK(strcmp(name, lease->name) == 0);
        FUZZ_CHECK(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == strlen(name));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct house *d = NULL;
    uint32_t told = 0, count;
    bool changed;
    leases_read(span_of(data, len), 1790000000, check_lease, &told);
    FUZZ_CHECK(told <= len);
    FUZZ_CHECK(house_new(&d) == ERR_OK);
    house_begin_leases(d);
    house_add_leases(d, span_of(data, len), 1790000000);
    FUZZ_CHECK(house_update(d, 1, &changed) == ERR_OK);
    const struct policy_address *table = house_table(d, &count);
    FUZZ_CHECK(count <= told && changed == (count > 0));
    for (uint32_t i = 0; i < count; i++) {
        FUZZ_CHECK(i == 0 || memcmp(&table[i - 1].addr, &table[i].addr, sizeof table->addr) < 0);
        FUZZ_CHECK(house_find(d, &table[i].addr) == &table[i]);
        FUZZ_CHECK(table[i].has_mac || table[i].name);
    }
    house_free(d);
    return 0;
}
