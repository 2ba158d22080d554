/* Only gzip is asked for in downloads, so nothing in brotli comes. */
#include "shared/decode_brotli.h"

enum err brotli_open(struct brotli **out)
{
    (void)out;
    return ERR_UNSUPPORTED;
}

void brotli_close(struct brotli *b)
{
    (void)b;
}

enum brotli_step brotli_read(struct brotli *b, struct span *in, uint8_t *out, size_t cap,
                             size_t *made)
{
    (void)b;
    (void)in;
    (void)out;
    (void)cap;
    *made = 0;
    return BROTLI_BROKEN;
}
