/*
 * Log lines: a level by area, one sink. Both are atomics, so they may be changed while other
 * threads write.
 */
#include "base/log.h"

#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "base/strbuf.h"

static const char *const level_names[] = {"error", "warning", "info", "debug"};
static const char *const area_names[] = {"main", "lists", "resolver", "net", "http", "store"};

_Static_assert(ARRAY_LEN(level_names) == LOG_LEVEL_COUNT, "each level has a name");
_Static_assert(ARRAY_LEN(area_names) == LOG_AREA_COUNT, "each area has a name");

static _Atomic(log_sink *) the_sink;
static _Atomic unsigned char levels[LOG_AREA_COUNT] = {
    [LOG_AREA_MAIN] = LOG_LEVEL_INFO,     [LOG_AREA_LISTS] = LOG_LEVEL_INFO,
    [LOG_AREA_RESOLVER] = LOG_LEVEL_INFO, [LOG_AREA_NET] = LOG_LEVEL_INFO,
    [LOG_AREA_HTTP] = LOG_LEVEL_INFO,     [LOG_AREA_STORE] = LOG_LEVEL_INFO,
};

void log_set_sink(log_sink *sink)
{
    atomic_store_explicit(&the_sink, sink, memory_order_release);
}

void log_set_level(enum log_area area, enum log_level level)
{
    if ((unsigned)area < LOG_AREA_COUNT && (unsigned)level < LOG_LEVEL_COUNT) {
        atomic_store_explicit(&levels[area], (unsigned char)level, memory_order_relaxed);
    }
}

void log_set_level_all(enum log_level level)
{
    for (unsigned i = 0; i < LOG_AREA_COUNT; i++) {
        log_set_level((enum log_area)i, level);
    }
}

enum log_level log_get_level(enum log_area area)
{
    if ((unsigned)area >= LOG_AREA_COUNT) {
        return LOG_LEVEL_ERROR;
    }
    return (enum log_level)atomic_load_explicit(&levels[area], memory_order_relaxed);
}

bool log_enabled(enum log_area area, enum log_level level)
{
    return (unsigned)level <= (unsigned)log_get_level(area);
}

const char *log_level_name(enum log_level level)
{
    return (unsigned)level < LOG_LEVEL_COUNT ? level_names[level] : "unknown";
}

const char *log_area_name(enum log_area area)
{
    return (unsigned)area < LOG_AREA_COUNT ? area_names[area] : "unknown";
}

void log_write(enum log_area area, enum log_level level, const char *format, ...)
{
    log_sink *sink = atomic_load_explicit(&the_sink, memory_order_acquire);
    if (sink == NULL || !log_enabled(area, level)) {
        return;
    }
    char line[LOG_LINE_MAX];
    struct strbuf s;
    strbuf_init(&s, line, sizeof line);
    va_list args;
    va_start(args, format);
    strbuf_vprintf(&s, format, args);
    va_end(args);
    if (s.truncated) {
        memcpy(line + sizeof line - sizeof "...", "...", sizeof "...");
    }
    sink(area, level, line);
}
