/*
 * Copies of lists to an image file, and images as things that are shared and closed.
 */
#ifndef SINKHOLE_HOST_LIST_BUILD_H
#define SINKHOLE_HOST_LIST_BUILD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "blocklist/parse.h"
#include "host/list_copy.h"
#include "host/lists.h"
#include "host/store.h"

#define LIST_IMAGE_NAME "blocklist.img"
#define LIST_INDEX_NAME                                                                           \
    "lists/index" /* which lists in which state the image was made of; lost, it costs one rebuild \
                   */

/* One list that goes into an image. All is borrowed for the build. */
struct build_source {
    uint32_t id;
    const char *url, *name;
    enum bl_format format;
    bool as_allow;
    bool builtin;                 /* the list inside the program; the rest is not looked at then */
    const char *copy;             /* name of its copy in the store */
    const struct copy_blob *blob; /* its copy in memory if blob->data is set */
    uint32_t rules;               /* about how many */
};

struct build_config {
    struct store *store;     /* NULL: the image stays in memory */
    uint64_t scratch_octets; /* memory for the work */
    unsigned threads;        /* at most; 0: as there are processors, but no more than four */
    uint64_t fingerprint;    /* kept in the index: whoever finds it again need not build again */
    const atomic_bool *stop; /* set: end soon with ERR_STATE; NULL: never */
};

/*
 * Build, verify, save. A disk that does not take the image does not stop it: it then lives in
 * memory. ERR_CHECKSUM or ERR_NOT_FOUND: the copy of source *bad cannot be read; ERR_STATE: told to
 * stop; ERR_MEMORY, ERR_LIMIT, ERR_IO.
 */
MUST_CHECK enum err list_build(const struct build_config *config,
                               const struct build_source *sources, uint32_t count,
                               struct list_image **out, uint32_t *bad);

/*
 * The saved image, verified. *fingerprint is that of its build, or 0 if the index does not belong
 * to it. Errors as list_image_open.
 */
MUST_CHECK enum err list_image_open_saved(struct store *store, struct list_image **out,
                                          uint64_t *fingerprint);

/* Make an image out of a descriptor of a whole file (which stays the caller's), with these ids for
 * its slots. */
MUST_CHECK enum err list_image_from_fd(int fd, const uint32_t *ids, uint32_t count,
                                       struct list_image **out);

/*
 * The same out of the first `size` octets of a mapping of `len` octets; on ERR_OK it is the image's
 * from now on, and the rest of its pages is given back.
 */
MUST_CHECK enum err list_image_from_memory(void *map, size_t len, size_t size, const uint32_t *ids,
                                           uint32_t count, struct list_image **out);

/* A text into a parser, for lists inside the program. */
struct span list_starter_text(void);

/* Octets that a build takes for its work at most, beside the image. */
uint64_t build_scratch_max(uint32_t rules);

#endif
