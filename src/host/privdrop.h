/*
 * Root is needed to bind low ports and for nothing else.
 */
#ifndef SINKHOLE_HOST_PRIVDROP_H
#define SINKHOLE_HOST_PRIVDROP_H

#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

/* Whom to become. */
struct privdrop {
    uid_t uid;
    gid_t gid;
    int needed; /* 0: not root, or told to stay it */
};

/*
 * Find the user. As root: the named one; if it does not exist and is the default, "nobody" with a
 * warning, else ERR_NOT_FOUND with a line in the log. NULL (--user none): stay root, with a
 * warning. Not as root: nothing is needed.
 */
MUST_CHECK enum err privdrop_find(const char *user, const char *default_user, struct privdrop *out);

/*
 * For all threads from here on: no more privileges than there are now, by no program (no_new_privs,
 * an empty bounding set). Call it while there is one thread. ERR_IO.
 */
MUST_CHECK enum err privdrop_prepare(void);

/* Let the user own a directory that was made as root, and the files in it, so that it can go on
 * with them. */
void privdrop_give(const struct privdrop *p, const char *dir);

/*
 * Become the user for good, in all threads: groups, ids, all capabilities. Where nothing is needed
 * and we are not root, the calling thread gives up its capabilities, and those that it starts later
 * have none. ERR_IO: it did not work, do not go on.
 */
MUST_CHECK enum err privdrop_apply(const struct privdrop *p);

#endif
