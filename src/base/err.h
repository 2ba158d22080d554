/*
 * One error enum for the whole program. What can fail returns it; results go to out parameters,
 * which are written only on ERR_OK. DNS outcomes (NXDOMAIN, blocked) are values, not errors.
 */
#ifndef SINKHOLE_BASE_ERR_H
#define SINKHOLE_BASE_ERR_H

enum err {
    ERR_OK = 0,
    ERR_SHORT,       /* input ends before what it promises */
    ERR_FORMAT,      /* input breaks its format */
    ERR_RANGE,       /* a value outside its allowed range */
    ERR_SPACE,       /* no room in the given buffer or table */
    ERR_LIMIT,       /* a configured bound is reached */
    ERR_NOT_FOUND,   /* no such item */
    ERR_EXISTS,      /* the item is there already */
    ERR_CHECKSUM,    /* stored bytes were changed */
    ERR_VERSION,     /* made by another version of the format */
    ERR_UNSUPPORTED, /* valid, but not something we do */
    ERR_STATE,       /* not possible in the present state */
    ERR_MEMORY,      /* the allocator had none (host code only) */
    ERR_IO,          /* the platform failed to read or write; errno or the log has more */
    ERR_TIMEOUT,     /* it took too long */
    ERR_COUNT
};

/* A short lower-case English text for `e`, such as "bad format". Never NULL. */
const char *err_text(enum err e);

#endif
