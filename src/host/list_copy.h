/*
 * The last good copy of a list: its text, compressed, with what is known about it, in one gzip file
 * that zcat can read.
 *
 *      0  gzip header (RFC 1952) whose extra field holds the facts, 4096 octets in all:
 *             12  'S' 'K', length 4080
 *             16  CRC-32 of octets 20-4095
 *             20  lines "key value", then NULs
 *   4096  deflate stream, CRC-32 and length of the text
 *
 * One file, so that text and facts are always of the same download; it is written through the
 * store, so it is whole or not there.
 */
#ifndef SINKHOLE_HOST_LIST_COPY_H
#define SINKHOLE_HOST_LIST_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "host/fetch_curl.h"
#include "host/lists.h"
#include "host/store.h"

#define COPY_NAME_MAX 32 /* octets of "lists/0123456789abcdef-held.gz" with NUL */

struct copy_meta {
    char url[FETCH_URL_MAX];
    char etag[FETCH_VALIDATOR_MAX];
    char
        last_modified[FETCH_VALIDATOR_MAX]; /* of local files: their size, change time and number */
    int64_t changed_unix;
    uint32_t rules; /* names, those said twice counted twice */
    uint32_t rejected;
    uint32_t ignored;
    uint64_t octets_text;
    uint64_t digest;      /* of the text; tells a changed list from an unchanged one */
    uint64_t octets_file; /* of the whole file, so that a cut one is noticed at once */
    uint32_t examples_count;
    char examples[LIST_EXAMPLES_MAX][LIST_EXAMPLE_MAX];
    char held[FETCH_ERROR_MAX]; /* why it is held back; "": it is not */
};

/* The file name of a list's copy: a hash of what decides its text and how it is read. */
void copy_name(const char *url, const char *format, char out[COPY_NAME_MAX]);

/* The file name beside it of a text that waits for a person's yes. */
void copy_held_name(const char copy[COPY_NAME_MAX], char out[COPY_NAME_MAX]);

/* A copy that could not be put on the disk, kept in memory. */
struct copy_blob {
    uint8_t *data; /* NULL: none */
    size_t len;
};
void copy_blob_free(struct copy_blob *b);

/* Takes a text as it comes, compresses it, keeps it in memory and, when it is long, in a temporary
 * file. */
struct copy_writer;

/* store NULL: all in memory. ERR_MEMORY. */
MUST_CHECK enum err copy_writer_open(struct store *store, const char *name,
                                     struct copy_writer **out);

/* ERR_IO (disk full), ERR_MEMORY; sticky. */
MUST_CHECK enum err copy_writer_feed(struct copy_writer *w, struct span text);

/* It gets this name instead. */
void copy_writer_rename(struct copy_writer *w, const char *name);

/* Of the text fed so far. */
uint64_t copy_writer_digest(const struct copy_writer *w);
uint64_t copy_writer_octets(const struct copy_writer *w);

/*
 * The text is at its end and good: write the file. meta's octets_text, digest and octets_file are
 * filled in. If the disk does not take it and it is still in memory, it comes back in *blob with
 * ERR_OK; on other errors nothing changes on the disk. The writer is gone in any case.
 */
MUST_CHECK enum err copy_writer_commit(struct copy_writer *w, struct copy_meta *meta,
                                       struct copy_blob *blob);
void copy_writer_abort(struct copy_writer *w); /* NULL is allowed */

/* What is known about a saved copy. ERR_NOT_FOUND, ERR_CHECKSUM, ERR_FORMAT, ERR_IO. */
MUST_CHECK enum err copy_read_meta(struct store *store, const char *name, struct copy_meta *out);

/*
 * The text of a copy, in pieces: of the file, or of the blob if that has data. ERR_CHECKSUM if any
 * octet of the stream was changed or is missing (what the sink was given until then is worthless),
 * ERR_STATE if the sink said stop, ERR_NOT_FOUND, ERR_IO, ERR_MEMORY.
 */
typedef bool copy_sink(void *arg, struct span text);
MUST_CHECK enum err copy_read(struct store *store, const char *name, const struct copy_blob *blob,
                              copy_sink *sink, void *arg);

#endif
