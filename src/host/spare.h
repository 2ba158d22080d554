/*
 * Descriptors that are held for nothing but to be had when there are no others: whatever the rest
 * of the program has open, questions to upstreams have these. They belong to one thread.
 */
#ifndef SINKHOLE_HOST_SPARE_H
#define SINKHOLE_HOST_SPARE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

#define SPARE_MAX 17

struct spare {
    int source; /* what the spare ones are duplicates of */
    uint32_t wanted;
    uint32_t count;
    int fd[SPARE_MAX];
};

/* Holds `wanted` <= SPARE_MAX duplicates of `source`, which stays open as long. ERR_IO (errno says
 * why): none is held then. */
MUST_CHECK enum err spare_open(struct spare *s, int source, uint32_t wanted);
void spare_close(struct spare *s);

/* A call failed with `error`: true if that was for want of a descriptor and one has been let go, so
 * that it can be made again. `s` may be NULL: there are none. */
bool spare_lend(struct spare *s, int error);

/* In place of close(fd). While some are lent out it becomes a spare one, with no moment in which
 * another thread could have its number. */
void spare_return(struct spare *s, int fd);

#endif
