/*
 * What may come to somebody who asks for a name: the answer, and everything else.
 */
#include "unit.h"

#include <stdlib.h>

#include "host/name_ask.h"
#include "octets.h"

/* 20.1.168.192.in-addr.arpa PTR */
#define QUESTION "0232300131033136380331393207696e2d61646472046172706100 000c 0001"
#define TV       "c00c 000c 0001 00000078 0008 027476036c616e00" /* tv.lan */

static struct dns_name asked(void)
{
    struct dns_name n;
    assert_int_equal(dns_name_parse(span_str("20.1.168.192.in-addr.arpa"), &n), ERR_OK);
    return n;
}

static void only_the_answer_to_the_question_is_taken(void **state)
{
    (void)state;
    static const struct {
        const char *why, *msg, *name; /* NULL: passed over */
    } rows[] = {
        {"an answer", "1234 8180 0001 0001 0000 0000" QUESTION TV, "tv.lan"},
        {"no such name", "1234 8183 0001 0000 0000 0000" QUESTION, ""},
        {"another ID", "1235 8180 0001 0001 0000 0000" QUESTION TV, NULL},
        {"a question", "1234 0100 0001 0001 0000 0000" QUESTION TV, NULL},
        {"no question", "1234 8180 0000 0000 0000 0000", NULL},
        {"another question",
         "1234 8180 0001 0001 0000 0000 0232310131033136380331393207696e2d61646472046172706100 "
         "000c 0001" TV,
         NULL},
        {"another type",
         "1234 8180 0001 0000 0000 0000 0232300131033136380331393207696e2d6164647"
         "2046172706100 0001 0001",
         NULL},
        {"an owner that is not asked for",
         "1234 8180 0001 0001 0000 0000" QUESTION "00 000c 0001 00000078 0008 027476036c616e00",
         ""},
        {"in the wrong section", "1234 8180 0001 0000 0000 0001" QUESTION TV, ""},
        {"cut off", "1234 8180 0001 0001 0000 0000" QUESTION "c00c 000c 0001 00000078 0008 0274",
         NULL},
        {"nothing", "", NULL},
    };
    struct dns_name name = asked();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t msg[512];
        char out[DNS_NAME_TEXT] = "before";
        size_t len = octets_of_hex(rows[i].msg, msg, sizeof msg);
        bool good = name_ask_read(msg, len, 0x1234, &name, out);
        if (good != (rows[i].name != NULL) || (good && strcmp(out, rows[i].name) != 0)) {
            fail_msg("%s: %d %s", rows[i].why, good, out);
        }
    }
}

static void any_octets_are_read_to_an_end(void **state)
{
    (void)state;
    struct dns_name name = asked();
    uint8_t good[512], msg[512];
    char out[DNS_NAME_TEXT];
    size_t len = octets_of_hex("1234 8180 0001 0001 0000 0000" QUESTION TV, good, sizeof good);
    srand(7);
    for (unsigned round = 0; round < 20000; round++) {
        memcpy(msg, good, len);
        for (unsigned k = 0; k < 1 + round % 4; k++) {
            msg[(size_t)rand() % len] = (uint8_t)rand();
        }
        if (name_ask_read(msg, round % 3 ? len : (size_t)rand() % len, 0x1234, &name, out)) {
            assert_true(strlen(out) < sizeof out);
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_answer_to_the_question_is_taken),
        cmocka_unit_test(any_octets_are_read_to_an_end),
    };
    return UNIT_RUN(tests);
}
