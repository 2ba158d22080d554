/*
 * Log lines. The core formats a line and hands it to the platform's sink; what the sink does
 * (standard error, journal, UART, a ring for the dashboard) is the platform's. Levels are set per
 * subsystem and may change at run time. HOT functions do not log. Foreign bytes go through
 * strbuf_escaped first.
 */
#ifndef SINKHOLE_BASE_LOG_H
#define SINKHOLE_BASE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/attr.h"

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_COUNT
};

enum log_area {
    LOG_AREA_MAIN,     /* start, stop, configuration */
    LOG_AREA_LISTS,    /* download, parse, compile */
    LOG_AREA_RESOLVER, /* upstreams, cache */
    LOG_AREA_NET,      /* sockets, links */
    LOG_AREA_HTTP,     /* API, dashboard */
    LOG_AREA_STORE,    /* files, history */
    LOG_AREA_COUNT
};

#define LOG_LINE_MAX 1024 /* octets of one formatted line with NUL; longer ones end in "..." */

/* Called for each line that passes its area's level; from any thread. `line` is borrowed for the
 * call. */
typedef void log_sink(enum log_area area, enum log_level level, const char *line);

void log_set_sink(log_sink *sink);
void log_set_level(enum log_area area, enum log_level level);
void log_set_level_all(enum log_level level);
enum log_level log_get_level(enum log_area area);
bool log_enabled(enum log_area area, enum log_level level);

const char *log_level_name(enum log_level level); /* "error", "warning", "info", "debug" */
const char *log_area_name(enum log_area area);    /* "main", "lists", … */

/* The format is strbuf_printf's. */
void log_write(enum log_area area, enum log_level level, const char *format, ...) PRINTF_LIKE(3, 4);

#define log_error(area, ...)   log_write(LOG_AREA_##area, LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(area, ...) log_write(LOG_AREA_##area, LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(area, ...)    log_write(LOG_AREA_##area, LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(area, ...)   log_write(LOG_AREA_##area, LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
