/*
 * A directory for one test, under TMPDIR or /tmp.
 */
#ifndef SINKHOLE_TESTS_TEMPDIR_H
#define SINKHOLE_TESTS_TEMPDIR_H

#include <stddef.h>

#define TEMPDIR_MAX 256

void tempdir_make(char out[TEMPDIR_MAX]); /* aborts the test program if that is not possible */
void tempdir_remove(const char *dir);     /* with everything in it */

/* Replace a file's content. */
void tempdir_put(const char *path, const void *data, size_t len);

#endif
