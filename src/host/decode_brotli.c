/* Brotli by its own library. */
#include "shared/decode_brotli.h"

#include <brotli/decode.h>

enum err brotli_open(struct brotli **out)
{
    *out = (struct brotli *)BrotliDecoderCreateInstance(NULL, NULL, NULL);
    return *out ? ERR_OK : ERR_MEMORY;
}

void brotli_close(struct brotli *b)
{
    if (b) {
        BrotliDecoderDestroyInstance((BrotliDecoderState *)b);
    }
}

enum brotli_step brotli_read(struct brotli *b, struct span *in, uint8_t *out, size_t cap,
                             size_t *made)
{
    size_t in_left = in->len, out_left = cap;
    const uint8_t *from = in->ptr;
    BrotliDecoderResult r = BrotliDecoderDecompressStream((BrotliDecoderState *)b, &in_left, &from,
                                                          &out_left, &out, NULL);
    *in = span_of(from, in_left);
    *made = cap - out_left;
    switch (r) {
    case BROTLI_DECODER_RESULT_SUCCESS:
        return BROTLI_END;
    case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT:
        return BROTLI_MORE;
    case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT:
        return BROTLI_AGAIN;
    case BROTLI_DECODER_RESULT_ERROR:
        break;
    }
    return BROTLI_BROKEN;
}
