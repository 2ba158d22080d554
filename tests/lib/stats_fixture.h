/*
 * Statistics with one worker in memory of the test, and events for it in a few words.
 */
#ifndef SINKHOLE_TESTS_STATS_FIXTURE_H
#define SINKHOLE_TESTS_STATS_FIXTURE_H

#include "stats/stats.h"

/* 2026-01-01 00:00:00 UTC: the start of an hour and of a day. */
#define FIXTURE_UNIX_S INT64_C(1767225600)

struct stats_fixture {
    struct stats *stats;
    struct stats_worker *worker;
    void *stats_mem, *worker_mem;
    usec_t now;      /* monotonic; starts at one hour */
    int64_t unix_us; /* moves with now */
};

/* Small tables: log 256, names 64, clients 16, ring 64 KiB. Ends the program if there is no memory.
 */
void stats_fixture_open(struct stats_fixture *f);
void stats_fixture_close(struct stats_fixture *f);

/* The same with statistics that know nothing yet, at the fixture's time. */
void stats_fixture_restart(struct stats_fixture *f);

void stats_fixture_wait(struct stats_fixture *f, uint64_t seconds); /* and collect */
uint32_t stats_fixture_collect(struct stats_fixture *f);

/* Record a query at the fixture's time; name in text, client in text. */
void stats_fixture_query(struct stats_fixture *f, const char *name, const char *client,
                         enum query_status status);

/* An event with sensible fields, of status FORWARDED. `name` must live until it is recorded. */
struct stats_event stats_fixture_event(const struct stats_fixture *f, const struct dns_name *name,
                                       const char *client);

struct dns_name name_of(const char *text);
struct ip_addr ip_of(const char *text);

#endif
