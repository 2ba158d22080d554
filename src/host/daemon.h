/*
 * The daemon. One thread, the caller's, owns everything that changes: configuration, lists, the rules document, statistics,
 * signals; it builds a snapshot (resolver/snapshot.h) for each change and gives it to the workers, which answer queries and share
 * nothing else with it but the cache and their counters.
 */
#ifndef SINKHOLE_HOST_DAEMON_H
#define SINKHOLE_HOST_DAEMON_H

#include <stdbool.h>

struct config;

/*
 * Read the configuration again, as at start (file, environment, arguments), for SIGHUP. NULL after logging what is wrong: the old one
 * stays in force. The new configuration belongs to the daemon until it calls `release`.
 */
typedef const struct config *daemon_reread(void *arg);
typedef void daemon_release(void *arg, const struct config *config);

struct daemon_start {
    const struct config *config; /* checked; kept until daemon_run returns */
    daemon_reread *reread;       /* NULL: SIGHUP rereads the lists only */
    daemon_release *release;     /* NULL: nothing to free */
    void *arg;                   /* for both */
};

/*
 * Run until SIGTERM or SIGINT. Binds, drops privileges, answers from the saved image, refreshes the lists behind it. Blocks the signals that
 * it handles. Returns the exit status: 0 stopped as told, 1 failed at work (the log says why), 2 the configuration cannot be used.
 */
int daemon_run(const struct daemon_start *start);

#endif
