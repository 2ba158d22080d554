/*
 * The clients of the last day by device: the addresses of one are one row. Joined when they are
 * looked at, out of the busiest STATS_TOP_READ_MAX addresses; nothing of it is on the packet path.
 */
#ifndef SINKHOLE_API_DEVICE_ROWS_H
#define SINKHOLE_API_DEVICE_ROWS_H

#include "api/api_int.h"
#include "resolver/profile.h"

#define DEVICE_ROWS_NONE UINT32_MAX

struct device_row {
    struct ip_addr addr; /* the busiest of its addresses */
    uint64_t total, blocked;
    int64_t first_seen_unix, last_seen_unix;
    uint32_t first; /* in client; then along next */
};

struct device_rows {
    uint32_t count;
    struct device_row row[STATS_TOP_READ_MAX]; /* most first */
    struct stats_client client[STATS_TOP_READ_MAX];
    uint32_t next[STATS_TOP_READ_MAX]; /* DEVICE_ROWS_NONE: the last one */
    uint32_t last[STATS_TOP_READ_MAX];
    struct client_map places; /* of keys of devices, while joining */
    struct client_row places_rows[4 * STATS_TOP_READ_MAX];
};

/* Read the statistics and join; until the next call. */
const struct device_rows *device_rows_load(struct api *a, bool blocked);

/* Rows of addresses and counts that were put together elsewhere: of one device the first stays,
 * with the sum. Returns how many are left; the order is by count. */
struct address_count {
    struct ip_addr addr;
    uint64_t count;
};
uint32_t device_rows_join(struct api *a, struct address_count *row, uint32_t count);

#endif
