/* Growing text: its room doubles. */
#include "shared/text.h"

#include <stdlib.h>
#include <string.h>

int text_put(const char *data, size_t len, void *text)
{
    struct text *t = text;
    if (t->cap - t->len < len) {
        size_t cap = (t->cap + len) * 2;
        char *more = realloc(t->data, cap);
        if (!more) {
            return -1;
        }
        t->data = more;
        t->cap = cap;
    }
    memcpy(t->data + t->len, data, len);
    t->len += len;
    return 0;
}

void text_free(struct text *t)
{
    free(t->data);
    *t = (struct text){0};
}
