/*
 * Any text as own rules: what is taken is exported as text that is taken again, and that comes to
 * the same text.
 */
#include <string.h>

#include "api/rules_text.h"
#include "fuzz.h"

enum { CAP = 1 << 20 };

static size_t export_all(const struct rules *r, char *out)
{
    struct rule_view v;
    struct strbuf s;
    strbuf_init(&s, out, CAP);
    for (uint32_t i = 0; rules_own_at(r, i, &v); i++) {
        rules_export_line(&v, &s);
        strbuf_char(&s, '\n');
    }
    FUZZ_CHECK(!s.truncated);
    return s.len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static char first[CAP], second[CAP];
    struct rules r = {0}, again = {0};
    struct rules_import io = {.now_unix = 1}, back = {.now_unix = 1};
    if (len > 4096 || rules_clear(&r) != ERR_OK || rules_clear(&again) != ERR_OK) {
        rules_free(&r);
        rules_free(&again);
        return 0;
    }
    enum err e = rules_import_text(&r, span_of(data, len), &io);
    FUZZ_CHECK((e == ERR_FORMAT) == (io.bad > 0));
    size_t n = export_all(&r, first);
    FUZZ_CHECK(rules_import_text(&again, span_of(first, n), &back) == ERR_OK);
    FUZZ_CHECK(back.added + back.present == rules_own_count(&r));
    FUZZ_CHECK(export_all(&again, second) == n && memcmp(first, second, n) == 0);
    json_decref(io.errors);
    json_decref(back.errors);
    rules_free(&r);
    rules_free(&again);
    return 0;
}
