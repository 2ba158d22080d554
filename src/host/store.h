/*
 * Files of the state directory. Every write goes aside, is synced, renamed into place, and the
 * directory is synced, so that a reader sees the old file or the new one and never a part, whenever
 * the power goes. Where the format is ours a header with a checksum tells a changed file from a
 * good one.
 *
 * Names are relative to the directory and hold at most one '/', as in "lists/0123.gz". Functions
 * may be called from any thread; two writers of one name do not mix, the later commit wins.
 */
#ifndef SINKHOLE_HOST_STORE_H
#define SINKHOLE_HOST_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

#define STORE_NAME_MAX 128 /* octets of a name with NUL */

struct store;

/*
 * Open a state directory; it is made (0700) if its parent exists. ERR_NOT_FOUND, ERR_IO.
 * A directory that cannot be written is opened too: reads work and writes fail with ERR_IO.
 */
MUST_CHECK enum err store_open(const char *dir, struct store **out);

/* The same for who only reads: no directory is made. */
MUST_CHECK enum err store_open_existing(const char *dir, struct store **out);
void store_close(struct store *s); /* NULL is allowed */

/* The directory as it was given. */
const char *store_dir(const struct store *s);

/*
 * Claim the directory for this process, for as long as the store is open, and remove temporary
 * files that an ended process left behind. ERR_STATE: another process holds it. ERR_IO: not
 * writable; the caller may go on without.
 */
MUST_CHECK enum err store_claim(struct store *s);

/* Make a sub-directory; no error if it is there already. */
MUST_CHECK enum err store_mkdir(struct store *s, const char *name);

/* Octets read from a file, with malloc; NUL follows them (not counted in len). */
struct store_blob {
    uint8_t *data;
    size_t len;
};
void store_blob_free(struct store_blob *b);

/* A whole file as it stands. ERR_NOT_FOUND, ERR_LIMIT (longer than max), ERR_MEMORY, ERR_IO. */
MUST_CHECK enum err store_read(struct store *s, const char *name, size_t max,
                               struct store_blob *out);

/* Replace a whole file. On any error the old one stays as it was. ERR_IO (a full disk too; errno
 * says why), ERR_MEMORY. */
MUST_CHECK enum err store_write(struct store *s, const char *name, struct span data);

/*
 * The same with a header of ours. `kind` tells one use from another, `version` one layout from the
 * next.
 *
 *      0  "SKSTORE1"          16  payload length, 64 bits      all integers little-endian
 *      8  kind, 4 octets      24  CRC-32 of octets 0-23 and the payload
 *     12  version, 32 bits    28  zero, 32 bits                32  payload
 *
 * Reading: ERR_CHECKSUM if any octet was changed, lost or added, ERR_FORMAT for a file of another
 * kind, ERR_VERSION.
 */
#define STORE_HEADER_OCTETS 32
MUST_CHECK enum err store_write_sealed(struct store *s, const char *name, const char kind[static 4],
                                       uint32_t version, struct span payload);
MUST_CHECK enum err store_read_sealed(struct store *s, const char *name, const char kind[static 4],
                                      uint32_t version, size_t max, struct store_blob *out);

/*
 * Rename a file that is damaged, so that a person can look at it: its name gets STORE_ASIDE at the
 * end, an older one of that name goes. Works on a full disk too. ERR_NOT_FOUND, ERR_IO with errno.
 */
#define STORE_ASIDE ".bad"
MUST_CHECK enum err store_set_aside(struct store *s, const char *name);

/* Give a file another name in the same folder; what had that name goes. ERR_NOT_FOUND, ERR_IO with
 * errno. */
MUST_CHECK enum err store_rename(struct store *s, const char *from, const char *to);

/* Remove a file; ERR_NOT_FOUND, ERR_IO. */
enum err store_remove(struct store *s, const char *name);

/* Seconds since 1970 of a file's last change, and set it to now; 0 if it is not there. */
int64_t store_mtime_unix(struct store *s, const char *name);
void store_touch(struct store *s, const char *name);

/* Calls `visit` for each plain file of a sub-directory ("." for the directory itself), temporary
 * ones left out. */
typedef void store_visit(void *arg, const char *name);
void store_each(struct store *s, const char *subdir, store_visit *visit, void *arg);

/*
 * A file that is written piece by piece. Errors are sticky: after the first one append does
 * nothing, and commit reports it and removes the temporary file.
 */
struct store_file;
MUST_CHECK enum err store_begin(struct store *s, const char *name, struct store_file **out);
void store_append(struct store_file *f, struct span data);
uint64_t store_size(const struct store_file *f); /* octets appended so far */

/* It gets another name in the same folder when it is put in place. */
void store_retarget(struct store_file *f, const char *name);

/* The file's descriptor, for whoever wants to size and map it instead of appending. Kept by the
 * store. */
int store_fd(const struct store_file *f);

/* Sync and put in place; `f` is gone afterwards, whatever the result. */
MUST_CHECK enum err store_commit(struct store_file *f);
void store_abort(struct store_file *f); /* NULL is allowed */

/* Open an existing file for reading; returns a descriptor of the caller's, or -1 with errno set. */
int store_open_read(struct store *s, const char *name);

/* Tests: called before each step with the file's name; an errno other than 0 makes the step fail
 * with it. NULL: none. */
enum store_step {
    STORE_STEP_CREATE,
    STORE_STEP_WRITE,
    STORE_STEP_SYNC,
    STORE_STEP_RENAME,
    STORE_STEP_SYNC_DIR
};
typedef int store_fault(enum store_step step, const char *name);
void store_set_fault(store_fault *fault);

#endif
