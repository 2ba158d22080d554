/*
 * Compiled images as files and in memory. The memory is shared by everybody who answers from it and
 * goes when the last one closes it, so a new image never waits for readers of the old one. The
 * whole file is read when it is opened (opening checks every octet anyway), so that no query waits
 * for the card later, not even when memory is short; and into huge pages, which a mapped file does
 * not get.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/require.h"
#include "host/lists_int.h"
#include "host/sys.h"

#define INDEX_KIND    "LIDX"
#define INDEX_VERSION 1
#define INDEX_FIXED   24

struct list_image {
    atomic_uint refs;
    struct bl_image image;
    void *map;
    size_t len;
    uint32_t ids[LISTS_MAX];
};

const struct bl_image *list_image_get(const struct list_image *image)
{
    return &image->image;
}

uint32_t list_image_id(const struct list_image *image, unsigned slot)
{
    return slot < LISTS_MAX ? image->ids[slot] : 0;
}

int list_image_slot(const struct list_image *image, uint32_t id)
{
    for (int slot = 0; id != 0 && slot < LISTS_MAX; slot++) {
        if (image->ids[slot] == id) {
            return slot;
        }
    }
    return -1;
}

void list_image_adopt(struct list_image *image, const struct list_spec *specs, uint32_t count)
{
    for (unsigned slot = 0; slot < LISTS_MAX; slot++) {
        struct bl_list_info info;
        bl_image_list(&image->image, slot, &info);
        for (uint32_t i = 0; info.used && image->ids[slot] == 0 && i < count; i++) {
            if (span_equal(info.url, span_str(specs[i].url)) &&
                list_image_slot(image, specs[i].id) < 0) {
                image->ids[slot] = specs[i].id;
            }
        }
    }
}

struct list_image *list_image_ref(struct list_image *image)
{
    atomic_fetch_add_explicit(&image->refs, 1, memory_order_relaxed);
    return image;
}

void list_image_close(struct list_image *image)
{
    if (image && atomic_fetch_sub_explicit(&image->refs, 1, memory_order_acq_rel) == 1) {
        munmap(image->map, image->len);
        free(image);
    }
}

/* Verifies what is in image->map and takes it over; the mapping is the caller's again after an
 * error. */
static enum err take_map(struct list_image *image, const uint32_t *ids, uint32_t count,
                         struct list_image **out)
{
    REQUIRE(count <= LISTS_MAX);
    enum err e = bl_image_open(image->map, image->len, &image->image);
    if (e != ERR_OK) {
        free(image);
        return e == ERR_SHORT || e == ERR_RANGE ? ERR_CHECKSUM : e;
    }
    atomic_init(&image->refs, 1);
    for (uint32_t i = 0; i < count; i++) {
        image->ids[i] = ids[i];
    }
    *out = image;
    return ERR_OK;
}

static enum err read_all(int fd, uint8_t *to, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = pread(fd, to + at, len - at, (off_t)at);
        if (n == 0 || (n < 0 && errno != EINTR)) {
            return ERR_IO;
        }
        at += n > 0 ? (size_t)n : 0;
    }
    return ERR_OK;
}

enum err list_image_from_fd(int fd, const uint32_t *ids, uint32_t count, struct list_image **out)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return ERR_IO;
    }
    if (st.st_size <= 0) {
        return ERR_FORMAT;
    }
    struct list_image *image = calloc(1, sizeof *image);
    if (!image) {
        return ERR_MEMORY;
    }
    size_t len = (size_t)st.st_size;
    void *map = sys_map_huge(len);
    enum err e = map ? read_all(fd, map, len) : ERR_MEMORY;
    if (e != ERR_OK) {
        sys_unmap(map, len);
        free(image);
        return e;
    }
    (void)mprotect(map, len, PROT_READ);
    image->map = map;
    image->len = len;
    e = take_map(image, ids, count, out);
    if (e != ERR_OK) {
        sys_unmap(map, len);
    }
    return e;
}

enum err list_image_from_memory(void *map, size_t len, size_t size, const uint32_t *ids,
                                uint32_t count, struct list_image **out)
{
    struct list_image *image = calloc(1, sizeof *image);
    if (!image) {
        return ERR_MEMORY;
    }
    image->map = map;
    image->len = size;
    enum err e = take_map(image, ids, count, out);
    if (e == ERR_OK) {
        size_t page = (size_t)sysconf(_SC_PAGESIZE), used = (size + page - 1) / page * page;
        if (used < len) {
            munmap((uint8_t *)map + used, len - used);
        }
        (void)mprotect(map, used, PROT_READ);
    }
    return e;
}

/* What tells one image file from another: its length and the start of it, which holds checksums of
 * the rest. */
static uint32_t image_mark(const struct list_image *image)
{
    size_t len = image->len < 4096 ? image->len : 4096;
    return (uint32_t)crc32_z(0, image->map, len);
}

/* fingerprint 8, length 8, mark 4, count 4, then an id of 4 octets for each slot. */
void list_index_save(struct store *store, const struct list_image *image, uint64_t fingerprint,
                     uint32_t count)
{
    uint8_t buf[INDEX_FIXED + 4 * LISTS_MAX];
    REQUIRE(count <= LISTS_MAX);
    le64_write(buf, fingerprint);
    le64_write(buf + 8, image->len);
    le32_write(buf + 16, image_mark(image));
    le32_write(buf + 20, count);
    for (uint32_t i = 0; i < count; i++) {
        le32_write(buf + INDEX_FIXED + (size_t)4 * i, image->ids[i]);
    }
    /* A failure costs one rebuild at the next start and nothing else. */
    enum err e = store_write_sealed(store, LIST_INDEX_NAME, INDEX_KIND, INDEX_VERSION,
                                    span_of(buf, INDEX_FIXED + (size_t)4 * count));
    (void)e;
}

static uint64_t index_load(struct store *store, struct list_image *image)
{
    struct store_blob b;
    uint64_t fingerprint = 0;
    if (store_read_sealed(store, LIST_INDEX_NAME, INDEX_KIND, INDEX_VERSION,
                          INDEX_FIXED + 4 * LISTS_MAX, &b) != ERR_OK) {
        return 0;
    }
    uint32_t count = b.len >= INDEX_FIXED ? le32_read(b.data + 20) : 0;
    if (b.len >= INDEX_FIXED && count <= LISTS_MAX && b.len == INDEX_FIXED + (size_t)4 * count &&
        le64_read(b.data + 8) == image->len && le32_read(b.data + 16) == image_mark(image)) {
        for (uint32_t i = 0; i < count; i++) {
            image->ids[i] = le32_read(b.data + INDEX_FIXED + (size_t)4 * i);
        }
        fingerprint = le64_read(b.data);
    }
    store_blob_free(&b);
    return fingerprint;
}

enum err list_image_open_saved(struct store *store, struct list_image **out, uint64_t *fingerprint)
{
    int fd = store_open_read(store, LIST_IMAGE_NAME);
    if (fd < 0) {
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    }
    struct list_image *image;
    enum err e = list_image_from_fd(fd, NULL, 0, &image);
    close(fd);
    if (e == ERR_OK) {
        *fingerprint = index_load(store, image);
        *out = image;
    }
    return e;
}

enum err list_image_open(const char *path, struct list_image **out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    }
    enum err e = list_image_from_fd(fd, NULL, 0, out);
    close(fd);
    return e;
}

enum err list_image_save(const struct list_image *image, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *dir = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    const char *leaf = slash ? slash + 1 : path;
    struct store *store = NULL;
    enum err e = ERR_MEMORY;
    if (dir) {
        e = leaf[0] && strlen(leaf) < STORE_NAME_MAX ? store_open_existing(dir, &store) : ERR_IO;
    }
    if (e == ERR_OK) {
        e = store_write(store, leaf, span_of(image->map, image->len));
    }
    store_close(store);
    free(dir);
    return e;
}
