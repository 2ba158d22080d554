/*
 * Where a broken contract ends. The core cannot abort by itself: the platform's handler does, and
 * without one (or when it returns against its contract) a trap instruction stops the program.
 */
#include "base/require.h"

#include <stdatomic.h>
#include <stddef.h>

static _Atomic(require_handler *) the_handler;

void require_set_handler(require_handler *handler)
{
    atomic_store_explicit(&the_handler, handler, memory_order_release);
}

void require_failed(const char *file, int line, const char *expr)
{
    require_handler *handler = atomic_load_explicit(&the_handler, memory_order_acquire);
    if (handler != NULL) {
        handler(file, line, expr);
    }
    __builtin_trap();
}
