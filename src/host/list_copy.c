/*
 * Last good copies. Compression spares the card (a list shrinks to a quarter) and gives a checksum
 * over the text; the facts stand in the gzip header with a checksum of their own. A text is held in
 * memory while it is short, since most downloads turn out to be unchanged and should not be written
 * at all.
 */
#include "host/list_copy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/siphash.h"
#include "base/strbuf.h"
#include "shared/decode.h"

#define HEADER_OCTETS 4096
#define FACTS_OFFSET  20
#define EXTRA_OCTETS  (HEADER_OCTETS - 12)
#define HELD_MAX                                                                     \
    ((size_t)2 << 20) /* compressed octets in memory before a temporary file is used \
                       */
#define TEXT_MAX (UINT64_C(4) << 30) /* octets of one text that are read back at all */
#define CHUNK    65536

struct copy_writer {
    struct store *store; /* NULL: all in memory */
    char name[COPY_NAME_MAX];
    enum err error;
    z_stream z;
    uLong crc, adler;
    uint64_t octets;
    uint8_t *held; /* the file's first octets, header included, while there is no temporary file */
    size_t held_len, held_cap;
    struct store_file *file;
    uint8_t out[CHUNK];
};

void copy_name(const char *url, const char *format, char out[COPY_NAME_MAX])
{
    /* A fixed key: names must be the same after each start, and nobody gains from two lists with
     * one name. */
    static const struct siphash_key key = {0x736b2d6c69737473, 0x636f70792d6e616d};
    char text[FETCH_URL_MAX + 32];
    int len = snprintf(text, sizeof text, "%s\n%s", format, url);
    uint64_t hash = siphash24(key, text, (size_t)len < sizeof text ? (size_t)len : sizeof text - 1);
    (void)snprintf(out, COPY_NAME_MAX, "lists/%016llx.gz", (unsigned long long)hash);
}

void copy_held_name(const char copy[COPY_NAME_MAX], char out[COPY_NAME_MAX])
{
    (void)snprintf(out, COPY_NAME_MAX, "%.*s-held.gz", (int)strcspn(copy, "."), copy);
}

void copy_blob_free(struct copy_blob *b)
{
    free(b->data);
    *b = (struct copy_blob){NULL, 0};
}

/* Facts as text */

static void facts_format(const struct copy_meta *m, struct strbuf *s)
{
    strbuf_printf(s, "sinkhole-list 1\nurl %s\n", m->url);
    if (m->etag[0]) {
        strbuf_printf(s, "etag %s\n", m->etag);
    }
    if (m->last_modified[0]) {
        strbuf_printf(s, "last-modified %s\n", m->last_modified);
    }
    strbuf_printf(
        s, "changed %llu\nrules %u\nrejected %u\nignored %u\ntext %llu\ndigest %llu\nfile %llu\n",
        (unsigned long long)m->changed_unix, m->rules, m->rejected, m->ignored,
        (unsigned long long)m->octets_text, (unsigned long long)m->digest,
        (unsigned long long)m->octets_file);
    if (m->held[0]) {
        strbuf_printf(s, "held %s\n", m->held);
    }
    for (uint32_t i = 0; i < m->examples_count; i++) {
        strbuf_printf(s, "example %s\n", m->examples[i]);
    }
}

static void take_text(char *out, size_t cap, const char *value)
{
    (void)snprintf(out, cap, "%s", value);
}

static void facts_line(struct copy_meta *m, const char *key, const char *value)
{
    uint64_t number = strtoull(value, NULL, 10);
    if (strcmp(key, "url") == 0) {
        take_text(m->url, sizeof m->url, value);
    } else if (strcmp(key, "etag") == 0) {
        take_text(m->etag, sizeof m->etag, value);
    } else if (strcmp(key, "last-modified") == 0) {
        take_text(m->last_modified, sizeof m->last_modified, value);
    } else if (strcmp(key, "changed") == 0) {
        m->changed_unix = (int64_t)number;
    } else if (strcmp(key, "rules") == 0) {
        m->rules = (uint32_t)number;
    } else if (strcmp(key, "rejected") == 0) {
        m->rejected = (uint32_t)number;
    } else if (strcmp(key, "ignored") == 0) {
        m->ignored = (uint32_t)number;
    } else if (strcmp(key, "text") == 0) {
        m->octets_text = number;
    } else if (strcmp(key, "digest") == 0) {
        m->digest = number;
    } else if (strcmp(key, "file") == 0) {
        m->octets_file = number;
    } else if (strcmp(key, "held") == 0) {
        take_text(m->held, sizeof m->held, value);
    } else if (strcmp(key, "example") == 0 && m->examples_count < LIST_EXAMPLES_MAX) {
        take_text(m->examples[m->examples_count++], LIST_EXAMPLE_MAX, value);
    }
}

/* `text` is NUL-terminated and is cut up. */
static enum err facts_parse(char *text, struct copy_meta *out)
{
    *out = (struct copy_meta){0};
    bool first = true;
    for (char *line = text; *line;) {
        char *end = strchr(line, '\n');
        char *space = strchr(line, ' ');
        if (!end || !space || space > end) {
            return ERR_FORMAT;
        }
        *end = *space = '\0';
        if (first && (strcmp(line, "sinkhole-list") != 0 || strcmp(space + 1, "1") != 0)) {
            return ERR_FORMAT;
        }
        first = false;
        facts_line(out, line, space + 1);
        line = end + 1;
    }
    return first ? ERR_FORMAT : ERR_OK;
}

static bool header_make(const struct copy_meta *m, uint8_t h[HEADER_OCTETS])
{
    static const uint8_t gzip[12] = {
        0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 3, EXTRA_OCTETS & 0xff, EXTRA_OCTETS >> 8};
    struct strbuf s;
    memset(h, 0, HEADER_OCTETS);
    memcpy(h, gzip, sizeof gzip);
    h[12] = 'S';
    h[13] = 'K';
    h[14] = (EXTRA_OCTETS - 4) & 0xff;
    h[15] = (EXTRA_OCTETS - 4) >> 8;
    strbuf_init(&s, (char *)h + FACTS_OFFSET, HEADER_OCTETS - FACTS_OFFSET);
    facts_format(m, &s);
    le32_write(h + 16, (uint32_t)crc32_z(0, h + FACTS_OFFSET, HEADER_OCTETS - FACTS_OFFSET));
    return !s.truncated;
}

static enum err header_read(uint8_t h[HEADER_OCTETS], struct copy_meta *out)
{
    if (h[0] != 0x1f || h[1] != 0x8b || h[3] != 4 || h[12] != 'S' || h[13] != 'K') {
        return ERR_FORMAT;
    }
    if (le32_read(h + 16) != (uint32_t)crc32_z(0, h + FACTS_OFFSET, HEADER_OCTETS - FACTS_OFFSET) ||
        h[HEADER_OCTETS - 1] != 0) {
        return ERR_CHECKSUM;
    }
    return facts_parse((char *)h + FACTS_OFFSET, out);
}

/* Writing */

enum err copy_writer_open(struct store *store, const char *name, struct copy_writer **out)
{
    struct copy_writer *w = calloc(1, sizeof *w);
    if (!w) {
        return ERR_MEMORY;
    }
    w->held_cap = CHUNK;
    w->held = calloc(1, w->held_cap);
    /* Level 5: within 3 % of the best at less than half the time. Negative window bits: no header,
     * ours is written later. */
    if (!w->held || deflateInit2(&w->z, 5, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(w->held);
        free(w);
        return ERR_MEMORY;
    }
    w->store = store;
    w->held_len = HEADER_OCTETS;
    w->crc = crc32_z(0, NULL, 0);
    w->adler = adler32_z(0, NULL, 0);
    (void)snprintf(w->name, sizeof w->name, "%s", name);
    *out = w;
    return ERR_OK;
}

static void hold(struct copy_writer *w, struct span data)
{
    if (data.len > w->held_cap - w->held_len) {
        size_t cap =
            w->held_cap * 2 > w->held_len + data.len ? w->held_cap * 2 : w->held_len + data.len;
        uint8_t *more = realloc(w->held, cap);
        if (!more) {
            w->error = ERR_MEMORY;
            return;
        }
        w->held = more;
        w->held_cap = cap;
    }
    memcpy(w->held + w->held_len, data.ptr, data.len);
    w->held_len += data.len;
}

static void spill(struct copy_writer *w)
{
    if (store_begin(w->store, w->name, &w->file) != ERR_OK) {
        w->store = NULL; /* the disk does not want it: memory it is */
        return;
    }
    store_append(w->file, span_of(w->held, w->held_len));
    free(w->held);
    w->held = NULL;
    w->held_len = w->held_cap = 0;
}

static void emit(struct copy_writer *w, struct span data)
{
    if (data.len == 0 || w->error != ERR_OK) {
        return;
    }
    if (!w->file && w->store && w->held_len + data.len > HELD_MAX) {
        spill(w);
    }
    if (w->file) {
        store_append(w->file, data);
    } else {
        hold(w, data);
    }
}

static void squeeze(struct copy_writer *w, int flush)
{
    do {
        w->z.next_out = w->out;
        w->z.avail_out = CHUNK;
        (void)deflate(&w->z, flush); /* cannot fail with room for output */
        emit(w, span_of(w->out, CHUNK - w->z.avail_out));
    } while (w->z.avail_out == 0);
}

enum err copy_writer_feed(struct copy_writer *w, struct span text)
{
    w->crc = crc32_z(w->crc, text.ptr, text.len);
    w->adler = adler32_z(w->adler, text.ptr, text.len);
    w->octets += text.len;
    while (text.len > 0 && w->error == ERR_OK) {
        size_t n = text.len < CHUNK ? text.len : CHUNK;
        w->z.next_in = (Bytef *)(uintptr_t)text.ptr; /* zlib reads it only */
        w->z.avail_in = (uInt)n;
        squeeze(w, Z_NO_FLUSH);
        text = span_of(text.ptr + n, text.len - n);
    }
    return w->error;
}

void copy_writer_rename(struct copy_writer *w, const char *name)
{
    (void)snprintf(w->name, sizeof w->name, "%s", name);
    if (w->file) {
        store_retarget(w->file, name);
    }
}

uint64_t copy_writer_digest(const struct copy_writer *w)
{
    return (uint64_t)w->crc << 32 ^ (uint64_t)w->adler ^ w->octets << 16;
}

uint64_t copy_writer_octets(const struct copy_writer *w)
{
    return w->octets;
}

static void writer_free(struct copy_writer *w)
{
    (void)deflateEnd(&w->z);
    free(w->held);
    free(w);
}

void copy_writer_abort(struct copy_writer *w)
{
    if (w) {
        store_abort(w->file);
        writer_free(w);
    }
}

/* The header goes in front last, when the facts are known. */
static enum err commit_file(struct copy_writer *w, const uint8_t header[HEADER_OCTETS])
{
    struct store_file *f = w->file;
    w->file = NULL;
    if (pwrite(store_fd(f), header, HEADER_OCTETS, 0) != HEADER_OCTETS) {
        store_abort(f);
        return ERR_IO;
    }
    return store_commit(f);
}

enum err copy_writer_commit(struct copy_writer *w, struct copy_meta *meta, struct copy_blob *blob)
{
    uint8_t header[HEADER_OCTETS];
    uint8_t trailer[8];
    enum err e;
    squeeze(w, Z_FINISH);
    le32_write(trailer, (uint32_t)w->crc);
    le32_write(trailer + 4, (uint32_t)w->octets);
    emit(w, span_of(trailer, sizeof trailer));
    meta->octets_text = w->octets;
    meta->digest = copy_writer_digest(w);
    meta->octets_file = w->file ? store_size(w->file) : w->held_len;
    e = w->error;
    if (e == ERR_OK && !header_make(meta, header)) {
        e = ERR_LIMIT;
    }
    if (e == ERR_OK && w->file) {
        e = commit_file(w, header);
    } else if (e == ERR_OK) {
        memcpy(w->held, header, HEADER_OCTETS);
        e = w->store ? store_write(w->store, w->name, span_of(w->held, w->held_len)) : ERR_IO;
        if (e != ERR_OK) {
            *blob = (struct copy_blob){w->held, w->held_len};
            w->held = NULL;
            e = ERR_OK;
        }
    }
    copy_writer_abort(w);
    return e;
}

/* Reading */

static enum err read_header(int fd, uint8_t header[HEADER_OCTETS], uint64_t *size)
{
    struct stat st;
    size_t len = 0;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        return ERR_IO;
    }
    while (len < HEADER_OCTETS) {
        ssize_t n = read(fd, header + len, HEADER_OCTETS - len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n == 0 ? ERR_CHECKSUM : ERR_IO;
        }
        len += (size_t)n;
    }
    *size = (uint64_t)st.st_size;
    return ERR_OK;
}

enum err copy_read_meta(struct store *store, const char *name, struct copy_meta *out)
{
    uint8_t header[HEADER_OCTETS];
    uint64_t size = 0;
    int fd = store_open_read(store, name);
    if (fd < 0) {
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    }
    enum err e = read_header(fd, header, &size);
    close(fd);
    struct copy_meta meta;
    if (e == ERR_OK) {
        e = header_read(header, &meta);
    }
    if (e == ERR_OK && meta.octets_file != size) {
        e = ERR_CHECKSUM;
    }
    if (e == ERR_OK) {
        *out = meta;
    }
    return e;
}

static enum err read_file(int fd, struct decoder *d)
{
    static const size_t chunk = CHUNK;
    enum err e = ERR_OK;
    uint8_t *buf = malloc(chunk);
    if (!buf) {
        return ERR_MEMORY;
    }
    while (e == ERR_OK) {
        ssize_t n = read(fd, buf, chunk);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            e = ERR_IO;
        } else if (n == 0) {
            break;
        } else {
            e = decode_feed(d, span_of(buf, (size_t)n));
        }
    }
    free(buf);
    return e;
}

enum err copy_read(struct store *store, const char *name, const struct copy_blob *blob,
                   copy_sink *sink, void *arg)
{
    struct decoder *d;
    enum err e = decode_open(DECODE_GZIP, TEXT_MAX, sink, arg, &d);
    if (e != ERR_OK) {
        return e;
    }
    if (blob && blob->data) {
        e = decode_feed(d, span_of(blob->data, blob->len));
    } else {
        int fd = store_open_read(store, name);
        if (fd < 0) {
            e = errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
        } else {
            e = read_file(fd, d);
            close(fd);
        }
    }
    e = e == ERR_OK ? decode_finish(d) : e;
    decode_close(d);
    return e == ERR_FORMAT || e == ERR_SHORT ? ERR_CHECKSUM : e;
}
