/*
 * Contracts. REQUIRE states a caller's duty at a module's edge and stays on in release; ASSERT
 * states what must be true inside and is on in debug, asan, tsan and fuzz builds. Neither is used
 * on bytes from the network or from files.
 */
#ifndef SINKHOLE_BASE_REQUIRE_H
#define SINKHOLE_BASE_REQUIRE_H

#include "base/attr.h"

/*
 * Called when a contract is broken. The platform sets it once at start (it logs and aborts); it
 * must not return. Before it is set a trap instruction ends the program.
 */
typedef void require_handler(const char *file, int line, const char *expr);
void require_set_handler(require_handler *handler);
NORETURN void require_failed(const char *file, int line, const char *expr);

#define REQUIRE(x) (LIKELY(x) ? (void)0 : require_failed(__FILE__, __LINE__, #x))

#ifdef DEBUG_ASSERT
#define ASSERT(x) REQUIRE(x)
#else
#define ASSERT(x) ((void)sizeof(!(x)))
#endif

#endif
