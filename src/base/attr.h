/*
 * Compiler attributes under plain names; the only file of the core with conditionals on the
 * compiler.
 */
#ifndef SINKHOLE_BASE_ATTR_H
#define SINKHOLE_BASE_ATTR_H

#if defined(__GNUC__) || defined(__clang__)
#define MUST_CHECK        __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define NORETURN          __attribute__((noreturn))
#define LIKELY(x)         __builtin_expect(!!(x), 1)
#define UNLIKELY(x)       __builtin_expect(!!(x), 0)
#define UNUSED            __attribute__((unused))
#define ALWAYS_INLINE     inline __attribute__((always_inline))
#define NOINLINE          __attribute__((noinline))
#define PREFETCH(p)       __builtin_prefetch(p)
#define PREFETCH_WRITE(p) __builtin_prefetch((p), 1)
#define LEADING_ZEROS(x)  ((unsigned)__builtin_clzll(x)) /* of 64 bits; x != 0 */
#define FALLTHROUGH       __attribute__((fallthrough))
#else
#error "sinkhole is built with gcc or clang"
#endif

#define CACHE_LINE 64 /* octets; the unit that two threads must not both write */

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
