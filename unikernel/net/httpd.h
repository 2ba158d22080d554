/*
 * The HTTP/1.1 server of the image: http_parser for requests, lwIP's raw API below, the core's API
 * above. Bounded: HTTPD_MAX connections (when all are taken the one idle for longest goes), heads
 * of 16 KiB and 64 fields, bodies of API_BODY_MAX; deadlines for heads, idle connections and slow
 * readers.
 */
#ifndef UNIKERNEL_HTTPD_H
#define UNIKERNEL_HTTPD_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct api;

enum {
    HTTPD_MAX = 32,
    HTTPD_HEAD_MAX = 16384,
    HTTPD_FIELDS_MAX = 64,
    HTTPD_HEAD_US = 10000000,
    HTTPD_IDLE_US = 30000000,
    HTTPD_WRITE_US = 10000000
};

MUST_CHECK enum err httpd_start(uint16_t port, struct api *api);

/* Statistics were collected: let event streams look for news. */
void httpd_news(void);

struct httpd_gauges {
    uint32_t open, peak;
    uint64_t requests, refused, timed_out, evicted;
};
void httpd_get_gauges(struct httpd_gauges *out);

#endif
