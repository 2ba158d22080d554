/*
 * Any octets as a compressed list: output stays within the limit, the verdict and the text do not
 * depend on how the octets are cut into pieces, and what calls itself complete is complete.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shared/decode.h"

#define LIMIT 100000

struct text {
    uint64_t octets;
    uint64_t sum; /* of all octets in order */
};

static bool take(void *arg, struct span data)
{
    struct text *t = arg;
    for (size_t i = 0; i < data.len; i++) {
        t->sum = t->sum * 31 + data.ptr[i];
    }
    t->octets += data.len;
    return true;
}

static enum err decode(enum decode_kind kind, const uint8_t *data, size_t len, size_t step,
                       struct text *out)
{
    struct decoder *d;
    *out = (struct text){0, 0};
    enum err e = decode_open(kind, LIMIT, take, out, &d);
    for (size_t at = 0; e == ERR_OK && at < len; at += step) {
        e = decode_feed(d, span_of(data + at, len - at < step ? len - at : step));
    }
    e = e == ERR_OK ? decode_finish(d) : e;
    if (out->octets > LIMIT || decode_octets(d) != out->octets) {
        abort();
    }
    decode_close(d);
    return e;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* The first octet chooses the compression and the size of pieces. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct text whole, pieces;
    if (len < 1) {
        return 0;
    }
    enum decode_kind kind = (enum decode_kind)(data[0] & 3);
    size_t step = 1 + (data[0] >> 2);
    enum err a = decode(kind, data + 1, len - 1, len, &whole);
    enum err b = decode(kind, data + 1, len - 1, step, &pieces);
    /* Of two faults in a stream, which is seen first may depend on the pieces. */
    if ((a == ERR_OK) != (b == ERR_OK) ||
        (a == ERR_OK && (whole.octets != pieces.octets || whole.sum != pieces.sum))) {
        abort();
    }
    return 0;
}
