/*
 * Any octets as a response: the walk ends, names and rdata get a verdict, and what the strict check
 * lets through can be read, kept and aged.
 */
#include <string.h>

#include "dns/ttl.h"
#include "fuzz.h"

static const struct dns_ttl_limits limits = {.min_s = 1, .max_s = 86400, .negative_max_s = 10800};

static void check_names(const uint8_t *data, size_t len, bool good)
{
    struct dns_walk walk;
    struct dns_record rr;
    if (dns_walk_begin(data, len, &walk) != ERR_OK) {
        FUZZ_CHECK(!good);
        return;
    }
    size_t steps = 0;
    while (dns_walk_next(&walk, &rr)) {
        FUZZ_CHECK(++steps <= len);
        FUZZ_CHECK(rr.rdata + rr.rdlen <= len && rr.owner < rr.ttl_off);
        struct dns_name name;
        size_t pos = rr.owner;
        enum err e = dns_name_read(data, len, &pos, &name);
        if (e == ERR_OK) {
            FUZZ_CHECK(pos + 4 == rr.ttl_off);
            FUZZ_CHECK(dns_name_matches(data, len, rr.owner, &name));
        }
        bool rdata_ok = dns_record_rdata_ok(data, len, &rr);
        FUZZ_CHECK(!good || (e == ERR_OK && rdata_ok));
    }
    FUZZ_CHECK(!good || (!walk.bad && walk.pos == len));
}

static void check_ttls(const uint8_t *data, size_t len, bool good)
{
    static uint8_t copy[65535];
    uint16_t offsets[64];
    if (len > sizeof copy) {
        return;
    }
    uint32_t keep_s = dns_ttl_of_response(data, len, &limits);
    FUZZ_CHECK(keep_s <= limits.max_s);
    size_t count = dns_ttl_offsets(data, len, offsets, 64);
    count = count < 64 ? count : 64;
    memcpy(copy, data, len);
    dns_ttl_age(copy, offsets, count, 5, 3600);
    for (size_t i = 0; i < count; i++) {
        FUZZ_CHECK(be32_read(copy + offsets[i]) <= 3600);
        memcpy(copy + offsets[i], data + offsets[i], 4);
    }
    FUZZ_CHECK(memcmp(copy, data, len) == 0);
    dns_ttl_set(copy, offsets, count, 30);
    FUZZ_CHECK(!good || dns_msg_check(copy, len) == ERR_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    bool good = dns_msg_check(data, len) == ERR_OK;
    check_names(data, len, good);
    check_ttls(data, len, good);
    return 0;
}
