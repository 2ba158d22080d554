/*
 * The daemon. One thread, the caller's, owns everything that changes: configuration, lists, the
 * rules document, statistics, signals; it builds a snapshot (resolver/snapshot.h) for each change
 * and gives it to the workers, which answer queries and share nothing else with it but the cache
 * and their counters.
 */
#ifndef SINKHOLE_HOST_DAEMON_H
#define SINKHOLE_HOST_DAEMON_H

#include "config/config.h"

/* Frees what the loader made; called once for each loaded configuration. */
typedef void daemon_unload(void *arg, struct config *config);

struct daemon_start {
    cfg_loader *load; /* called at start and at SIGHUP; the daemon adds the settings of rules.json
                         and finishes it */
    daemon_unload *unload;
    void *arg; /* for both */
};

/*
 * Run until SIGTERM or SIGINT. Binds, drops privileges, answers from the saved image, refreshes the
 * lists behind it. Call it before there is any other thread: it blocks the signals that it handles.
 * Errors go to the log and to standard error. Returns the exit status: 0 stopped as told, 1 failed
 * at work, 2 the configuration cannot be used.
 */
int daemon_run(const struct daemon_start *start);

#endif
