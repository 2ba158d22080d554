/*
 * Where the field is looked for: as it was written, behind everything else. One that stands there
 * in another form is broken too.
 */
#include "host/rules_file.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#define FIELD       "\"checksum\""
#define FORM        ",\n  " FIELD ": \"%08x\"\n}\n"
#define TAIL        (sizeof ",\n  " FIELD ": \"\"\n}\n" - 1 + 8)
#define LOOK_BEHIND 64 /* octets at the end in which the field is looked for, in whatever form */

static unsigned sum_of(const void *data, size_t len)
{
    return (unsigned)crc32_z(0, data, len);
}

enum err rules_file_seal(struct text *t)
{
    char tail[TAIL + 1];
    static const char end[] = "\n}";
    size_t end_len = sizeof end - 1;
    if (t->len < end_len || memcmp(t->data + t->len - end_len, end, end_len) != 0) {
        return ERR_FORMAT;
    }
    t->len -= end_len;
    (void)snprintf(tail, sizeof tail, FORM, sum_of(t->data, t->len));
    if (text_put(tail, TAIL, t) != 0) {
        t->len += end_len;
        return ERR_MEMORY;
    }
    return ERR_OK;
}

static bool has_field(struct span text)
{
    size_t from = text.len > LOOK_BEHIND ? text.len - LOOK_BEHIND : 0;
    for (size_t i = from; i + sizeof FIELD - 1 <= text.len; i++) {
        if (memcmp(text.ptr + i, FIELD, sizeof FIELD - 1) == 0) {
            return true;
        }
    }
    return false;
}

enum rules_seal rules_file_check(struct span text)
{
    char tail[TAIL + 1];
    if (!has_field(text)) {
        return RULES_SEAL_NONE;
    }
    if (text.len < TAIL) {
        return RULES_SEAL_BROKEN;
    }
    size_t before = text.len - TAIL;
    (void)snprintf(tail, sizeof tail, FORM, sum_of(text.ptr, before));
    return memcmp(text.ptr + before, tail, TAIL) == 0 ? RULES_SEAL_GOOD : RULES_SEAL_BROKEN;
}
