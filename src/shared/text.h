/* Text that grows, for what is printed piece by piece (jansson's dump callback). */
#ifndef SINKHOLE_SHARED_TEXT_H
#define SINKHOLE_SHARED_TEXT_H

#include <stddef.h>

/* Begin with {0}; not NUL-terminated; free with text_free. */
struct text {
    char *data;
    size_t len, cap;
};

/* Append; `text` is a struct text. 0, or -1 without memory: then nothing was appended. */
int text_put(const char *data, size_t len, void *text);
void text_free(struct text *t);

#endif
