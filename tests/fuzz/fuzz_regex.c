/*
 * Any expression on any name: "EXPRESSION\nNAME". Judging it ends soon; what is refused is told
 * why; what matches, the sieve lets through.
 */
#include <string.h>

#include "fuzz.h"
#include "shared/regex_pcre2.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char why[REGEX_WHY_MAX] = "", text[254] = "";
    const uint8_t *line = len > 0 ? memchr(data, '\n', len) : NULL;
    size_t at = line ? (size_t)(line - data) : len;
    if (at > 200) {
        return 0; /* trying long ones on all names is slow, and shows nothing more */
    }
    for (size_t i = at + 1, n = 0; i < len && n < sizeof text - 1; i++) {
        text[n++] = (char)(data[i] >= 'A' && data[i] <= 'Z' ? data[i] + 32
                           : data[i]                        ? data[i]
                                                            : 'x');
    }
    struct span pattern = span_of(data, at);
    if (regex_check(pattern, why) != ERR_OK) {
        FUZZ_CHECK(why[0] != '\0' && memchr(why, '\0', sizeof why) != NULL);
        return 0;
    }
    struct regex_source source = {.pattern = pattern};
    struct regex_set *set = NULL;
    FUZZ_CHECK(regex_set_new(&source, 1, &(struct regex_set_config){.users = 1}, &set) == ERR_OK);
    const struct bl_regexes *s = regex_set_get(set);
    if (s != NULL) {
        struct bl_sieve has;
        bl_sieve_of_text(text, strlen(text), &has);
        enum bl_regex_result result = s->match(s, 0, 0, text, strlen(text));
        FUZZ_CHECK(result != BL_REGEX_YES || bl_sieve_lets(&has, &s->rules[0].needs));
    }
    regex_set_free(set);
    return 0;
}
