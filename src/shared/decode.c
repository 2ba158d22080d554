/*
 * Streaming decompression. One buffer of output a decoder; the sink sees it after each step, so
 * that nothing grows with the input, however well it was compressed.
 */
#include "shared/decode.h"

#define ZLIB_CONST /* const input in zlib.h */

#include <stdlib.h>
#include <zlib.h>

#include "shared/decode_brotli.h"

#define OUTPUT_OCTETS 32768

static const uint8_t gzip_magic[2] = {0x1f, 0x8b};

struct decoder {
    enum decode_kind kind;
    enum err error; /* sticky */
    bool started;   /* zlib is set up, or some brotli input was read */
    bool ended;     /* the stream is complete */
    bool padded;    /* zeros followed it */
    uint64_t octets, octets_max;
    decode_sink *sink;
    void *arg;
    uint8_t sniffed[2]; /* the first octets, while DECODE_SNIFF has not seen two */
    unsigned sniffed_len;
    z_stream z;
    struct brotli *brotli;
    uint8_t out[OUTPUT_OCTETS];
};

enum err decode_open(enum decode_kind kind, uint64_t octets_max, decode_sink *sink, void *arg,
                     struct decoder **out)
{
    struct decoder *d = calloc(1, sizeof *d);
    if (!d) {
        return ERR_MEMORY;
    }
    d->kind = kind;
    d->octets_max = octets_max;
    d->sink = sink;
    d->arg = arg;
    if (kind == DECODE_BROTLI) {
        enum err e = brotli_open(&d->brotli);
        if (e != ERR_OK) {
            free(d);
            return e;
        }
    }
    *out = d;
    return ERR_OK;
}

void decode_close(struct decoder *d)
{
    if (!d) {
        return;
    }
    if (d->kind == DECODE_GZIP && d->started) {
        (void)inflateEnd(&d->z);
    }
    brotli_close(d->brotli);
    free(d);
}

uint64_t decode_octets(const struct decoder *d)
{
    return d->octets;
}

static enum err give(struct decoder *d, struct span data)
{
    if (data.len == 0) {
        return ERR_OK;
    }
    if (data.len > d->octets_max - d->octets) {
        return ERR_LIMIT;
    }
    d->octets += data.len;
    return d->sink(d->arg, data) ? ERR_OK : ERR_STATE;
}

/*
 * What follows the end of a gzip member: another one, or zeros up to the end of the file, which
 * tape users know. True: go on with another member.
 */
static enum err after_member(struct decoder *d, bool *another)
{
    *another = false;
    while (d->z.avail_in > 0 && d->z.next_in[0] == 0) {
        d->padded = true;
        d->z.next_in++;
        d->z.avail_in--;
    }
    if (d->z.avail_in == 0) {
        return ERR_OK;
    }
    if (d->padded || inflateReset(&d->z) != Z_OK) {
        return ERR_FORMAT;
    }
    d->ended = false;
    *another = true;
    return ERR_OK;
}

static enum err feed_gzip(struct decoder *d, struct span data)
{
    if (!d->started) {
        if (inflateInit2(&d->z, 15 + 16) !=
            Z_OK) { /* 16: gzip header and trailer are required and checked */
            return ERR_MEMORY;
        }
        d->started = true;
    }
    d->z.next_in = data.ptr;
    d->z.avail_in = (uInt)data.len;
    while (d->z.avail_in > 0) {
        if (d->ended) {
            bool another;
            enum err e = after_member(d, &another);
            if (e != ERR_OK || !another) {
                return e;
            }
        }
        int status;
        do {
            d->z.next_out = d->out;
            d->z.avail_out = OUTPUT_OCTETS;
            status = inflate(&d->z, Z_NO_FLUSH);
            if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) {
                return status == Z_MEM_ERROR ? ERR_MEMORY : ERR_FORMAT;
            }
            enum err e = give(d, span_of(d->out, OUTPUT_OCTETS - d->z.avail_out));
            if (e != ERR_OK) {
                return e;
            }
        } while (status == Z_OK && d->z.avail_out == 0);
        d->ended = status == Z_STREAM_END;
        if (!d->ended) {
            return d->z.avail_in == 0 ? ERR_OK : ERR_FORMAT;
        }
    }
    return ERR_OK;
}

static enum err feed_brotli(struct decoder *d, struct span data)
{
    if (d->ended) {
        return data.len == 0 ? ERR_OK : ERR_FORMAT;
    }
    for (;;) {
        size_t made = 0;
        enum brotli_step step = brotli_read(d->brotli, &data, d->out, OUTPUT_OCTETS, &made);
        if (step == BROTLI_BROKEN) {
            return ERR_FORMAT;
        }
        enum err e = give(d, span_of(d->out, made));
        if (e != ERR_OK) {
            return e;
        }
        if (step == BROTLI_END) {
            d->ended = true;
            return data.len == 0 ? ERR_OK : ERR_FORMAT;
        }
        if (step == BROTLI_MORE) {
            return ERR_OK;
        }
    }
}

static enum err feed(struct decoder *d, struct span data);

/* Two octets tell; the first may have come alone. */
static enum err feed_sniff(struct decoder *d, struct span data)
{
    while (d->sniffed_len < 2 && data.len > 0) {
        d->sniffed[d->sniffed_len++] = data.ptr[0];
        data = span_of(data.ptr + 1, data.len - 1);
    }
    if (d->sniffed_len < 2) {
        return ERR_OK;
    }
    d->kind = memcmp(d->sniffed, gzip_magic, 2) == 0 ? DECODE_GZIP : DECODE_PLAIN;
    enum err e = feed(d, span_of(d->sniffed, 2));
    return e == ERR_OK ? feed(d, data) : e;
}

static enum err feed(struct decoder *d, struct span data)
{
    switch (d->kind) {
    case DECODE_GZIP:
        return feed_gzip(d, data);
    case DECODE_BROTLI:
        return feed_brotli(d, data);
    case DECODE_SNIFF:
        return feed_sniff(d, data);
    case DECODE_PLAIN:
        break;
    }
    return give(d, data);
}

enum err decode_feed(struct decoder *d, struct span data)
{
    if (d->error == ERR_OK && data.len > 0) {
        d->error = feed(d, data);
    }
    return d->error;
}

enum err decode_finish(struct decoder *d)
{
    if (d->error == ERR_OK && d->kind == DECODE_SNIFF) {
        d->kind = DECODE_PLAIN; /* one octet or none */
        d->error = feed(d, span_of(d->sniffed, d->sniffed_len));
    }
    if (d->error == ERR_OK && (d->kind == DECODE_GZIP || d->kind == DECODE_BROTLI) && !d->ended) {
        d->error = ERR_SHORT;
    }
    return d->error;
}
