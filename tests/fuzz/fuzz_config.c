/*
 * The configuration file: any octets are taken or refused with a message; what is taken and printed
 * is taken again and is the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

static struct config *fresh(void)
{
    struct config *c;
    void *mem = malloc(cfg_memory());
    if (mem == NULL || cfg_init(&c, mem, cfg_memory()) != ERR_OK) {
        abort();
    }
    return c;
}

static void expect(bool holds)
{
    if (!holds) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct config *a = fresh();
    struct cfg_error error = {""};
    enum err e = cfg_apply_text(a, "file", span_of(data, len), &error);
    e = e == ERR_OK ? cfg_finish(a, &error) : e;
    expect((e == ERR_OK) == (error.text[0] == '\0'));
    for (const char *p = error.text; *p != '\0'; p++) {
        expect(*p >= 0x20 && *p < 0x7f);
    }
    if (e == ERR_OK) {
        struct config *b = fresh();
        struct strbuf s;
        char *text = malloc(CFG_PRINT_MAX);
        expect(text != NULL);
        strbuf_init(&s, text, CFG_PRINT_MAX);
        cfg_print(a, &s);
        expect(!s.truncated);
        expect(cfg_apply_text(b, "printed", span_of(s.text, s.len), &error) == ERR_OK &&
               cfg_finish(b, &error) == ERR_OK);
        for (unsigned i = 0; i < CFG_OPT_COUNT; i++) {
            expect(cfg_equal(a, b, (enum cfg_option)i));
        }
        free(text);
        free(b);
    }
    free(a);
    return 0;
}
