/*
 * Files that other programs write and that we read: /etc/resolv.conf, hosts files. Their
 * directories are watched, since a file is usually replaced and not written over.
 */
#ifndef SINKHOLE_HOST_FILEWATCH_H
#define SINKHOLE_HOST_FILEWATCH_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

#define FILEWATCH_MAX 32

struct filewatch;

MUST_CHECK enum err filewatch_new(struct filewatch **out);
void filewatch_free(struct filewatch *w); /* NULL is allowed */

/* Forget all files. */
void filewatch_clear(struct filewatch *w);

/* Watch a file, which need not exist, but its directory must. ERR_LIMIT, ERR_IO. */
MUST_CHECK enum err filewatch_add(struct filewatch *w, const char *path);

/* Readable when something happened in one of the directories. */
int filewatch_fd(const struct filewatch *w);

/* Read what happened: was one of the files changed, made or removed? */
bool filewatch_changed(struct filewatch *w);

#endif
