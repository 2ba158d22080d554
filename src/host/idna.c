/*
 * Internationalised names. Non-transitional processing, as browsers do it today: what a person
 * types into one is what is looked up.
 */
#include "host/idna.h"

#include <idn2.h>
#include <string.h>

#define UTF8_MAX 1023 /* octets of a name that are worth a try */

size_t idna_to_ascii(void *ctx, struct span utf8, char *out, size_t cap)
{
    char text[UTF8_MAX + 1];
    char *ascii = NULL;
    size_t len = 0;
    (void)ctx;
    if (utf8.len == 0 || utf8.len > UTF8_MAX || memchr(utf8.ptr, 0, utf8.len)) {
        return 0;
    }
    memcpy(text, utf8.ptr, utf8.len);
    text[utf8.len] = '\0';
    if (idn2_to_ascii_8z(text, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) == IDN2_OK) {
        len = strlen(ascii);
        if (len <= cap) {
            memcpy(out, ascii, len);
        } else {
            len = 0;
        }
    }
    idn2_free(ascii);
    return len;
}

bool idna_to_unicode(const char *ascii, char *out, size_t cap)
{
    char *utf8 = NULL;
    bool done = false;
    if (idn2_to_unicode_8z8z(ascii, &utf8, 0) == IDN2_OK && strlen(utf8) < cap) {
        memcpy(out, utf8, strlen(utf8) + 1);
        done = true;
    }
    idn2_free(utf8);
    return done;
}
