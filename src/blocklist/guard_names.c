/*
 * Names inside the program that updates of lists are held against: conf/popular.txt and the public
 * suffixes as they were when it was built.
 */
#include "blocklist/guard.h"

static const uint8_t suffixes[] = {
#include "suffixes.inc"
};

static const uint8_t popular[] = {
#include "popular.inc"
};

struct bl_guard_sources bl_guard_builtin(void)
{
    return (struct bl_guard_sources){.suffixes = span_of(suffixes, sizeof suffixes),
                                     .popular = span_of(popular, sizeof popular)};
}
