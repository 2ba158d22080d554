/*
 * Any text as the place of a list: what is taken has one of the known forms, and through the page
 * only other machines are reached.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "host/fetch_curl.h"
#include "host/lists.h"

static void expect(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_url(const struct list_spec *spec)
{
    char problem[FETCH_ERROR_MAX];
    size_t len = strlen(spec->url);
    expect(len > 0 && len < FETCH_URL_MAX);
    for (size_t i = 0; i < len; i++) {
        expect((unsigned char)spec->url[i] >= ' ' && spec->url[i] != 0x7f);
    }
    expect(spec->enabled && spec->format < BL_FORMAT_COUNT && memchr(spec->name, 0, LIST_NAME_MAX));
    if (spec->url[0] != '/' && strcmp(spec->url, "builtin") != 0) {
        expect(fetch_url_problem(spec->url, problem) == NULL);
        expect(strchr(spec->url, ' ') == NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char text[4096], problem[FETCH_ERROR_MAX] = "";
    struct list_spec spec;
    if (len >= sizeof text) {
        return 0;
    }
    memcpy(text, data, len);
    text[len] = '\0';
    if (list_spec_parse(text, true, &spec, problem) == ERR_OK) {
        check_url(&spec);
    } else {
        expect(problem[0] != '\0' && strlen(problem) < sizeof problem);
    }
    if (list_spec_parse(text, false, &spec, problem) == ERR_OK) {
        check_url(&spec);
        expect(spec.url[0] != '/' && !fetch_url_is_local(spec.url));
    }
    return 0;
}
