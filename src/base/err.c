/*
 * The texts of the error enum.
 */
#include "base/err.h"

#include "base/attr.h"

static const char *const texts[] = {
    [ERR_OK] = "ok",
    [ERR_SHORT] = "input too short",
    [ERR_FORMAT] = "bad format",
    [ERR_RANGE] = "value out of range",
    [ERR_SPACE] = "no room left",
    [ERR_LIMIT] = "limit reached",
    [ERR_NOT_FOUND] = "not found",
    [ERR_EXISTS] = "exists already",
    [ERR_CHECKSUM] = "wrong checksum",
    [ERR_VERSION] = "wrong version",
    [ERR_UNSUPPORTED] = "not supported",
    [ERR_STATE] = "not possible now",
    [ERR_MEMORY] = "out of memory",
    [ERR_IO] = "input or output failed",
    [ERR_TIMEOUT] = "timed out",
};

_Static_assert(ARRAY_LEN(texts) == ERR_COUNT, "each error has a text");

const char *err_text(enum err e)
{
    unsigned i = (unsigned)e;
    return i < ERR_COUNT ? texts[i] : "unknown error";
}
