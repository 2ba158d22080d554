/*
 * Any octets as the text of a name, of a type, and as stored wire format: what is taken survives
 * the way out and back.
 */
#include <string.h>

#include "dns/msg.h"
#include "fuzz.h"

static void check_round_trip(const struct dns_name *name)
{
    char text[DNS_NAME_TEXT], text_again[DNS_NAME_TEXT];
    struct dns_name again;
    FUZZ_CHECK(name->len >= 1 && name->len <= DNS_NAME_MAX);
    FUZZ_CHECK(name->off[name->labels] == name->len - 1);
    size_t n = dns_name_format(name, text);
    FUZZ_CHECK(n == strlen(text) && n < sizeof text);
    FUZZ_CHECK(dns_name_parse(span_of(text, n), &again) == ERR_OK);
    FUZZ_CHECK(dns_name_equal(name, &again));
    FUZZ_CHECK(dns_name_format(&again, text_again) == n && memcmp(text, text_again, n) == 0);
    FUZZ_CHECK(dns_name_compare(name, &again) == 0);
    FUZZ_CHECK(dns_name_within(name, &again));
    for (size_t i = 0; i < n; i++) {
        FUZZ_CHECK(text[i] > ' ' && text[i] < 0x7f);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct dns_name name;
    if (dns_name_parse(span_of(data, len), &name) == ERR_OK) {
        check_round_trip(&name);
    }
    if (dns_name_from_wire(data, len, &name) == ERR_OK) {
        FUZZ_CHECK(name.len == len);
        check_round_trip(&name);
    }
    uint16_t type;
    if (dns_type_parse(span_of(data, len), &type) == ERR_OK) {
        char text[16];
        uint16_t again;
        FUZZ_CHECK(dns_type_parse(span_str(dns_type_format(type, text)), &again) == ERR_OK);
        FUZZ_CHECK(again == type);
    }
    return 0;
}
