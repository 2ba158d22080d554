/*
 * Where a compiler's octets go: a file, in large writes, or pages of memory when there is no disk
 * to take them.
 */
#ifndef SINKHOLE_HOST_LIST_SINK_H
#define SINKHOLE_HOST_LIST_SINK_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

#define LIST_SINK_OCTETS 65536

/* Fields are private but for mem and size after list_sink_finish. */
struct list_sink {
    int fd;       /* -1: memory */
    uint8_t *mem; /* a mapping of cap octets, of the caller's after list_sink_finish; NULL: file */
    size_t cap;
    size_t size;    /* end of what was written */
    uint64_t start; /* file: offset of buf[0] */
    size_t len;
    uint8_t buf[LIST_SINK_OCTETS];
};

void list_sink_file(struct list_sink *s, int fd);
MUST_CHECK enum err
list_sink_memory(struct list_sink *s,
                 size_t cap); /* pages cost nothing until they are written; ERR_MEMORY */
void list_sink_drop(struct list_sink *s); /* frees the memory if there is any */

/* For bl_sink.write. ERR_IO, ERR_SPACE. */
enum err list_sink_write(void *ctx, uint64_t offset, const void *data, size_t len);

/* Start over. ERR_IO. */
MUST_CHECK enum err list_sink_reset(struct list_sink *s);

/* Everything was written and the whole has `size` octets. ERR_IO. */
MUST_CHECK enum err list_sink_finish(struct list_sink *s, size_t size);

#endif
