/*
 * What the process can still ask of the kernel once it serves: a list of system calls (seccomp) and
 * of folders (Landlock). Both hold for good, for all threads, and whatever code runs in them.
 */
#ifndef SINKHOLE_HOST_CONFINE_H
#define SINKHOLE_HOST_CONFINE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

/* A folder with all below it, or a single file. What is replaced by renaming is another file to the
 * kernel: name its folder. */
struct confine_path {
    const char *path;
    bool write; /* also make, write, rename and remove plain files and folders in it; never execute
                 */
};

/* How far each half goes on this machine. */
enum confine_state {
    CONFINE_ON,
    CONFINE_MISSING, /* the kernel does not know it, or it is switched off there */
    CONFINE_UNFIT    /* this build does not bear it: its run-time needs calls of its own */
};

/*
 * No file outside `paths` can be opened, made, renamed or removed from here on, by this thread and
 * those that it starts: call it while there is one. What is open stays open. Paths that do not
 * exist are left out. Needs no_new_privs (privdrop_prepare). ERR_IO: it is there and did not work.
 */
MUST_CHECK enum err confine_files(const struct confine_path *paths, size_t count,
                                  enum confine_state *out);

/*
 * System calls of all threads, those that run already too. What the daemon never needs and an
 * intruder would (another program, another process, other memory, more rights) ends the process
 * with SIGSYS; what else is not on the list fails with ENOSYS, so that a newer C library finds its
 * way. Needs no_new_privs. ERR_IO.
 */
MUST_CHECK enum err confine_calls(enum confine_state *out);

/* "on", "not known to this kernel", "left out of this build" */
const char *confine_state_text(enum confine_state state);

#endif
