/* Inside of a struct stats_worker, shared by the files of this folder. */
#ifndef SINKHOLE_STATS_WORKER_H
#define SINKHOLE_STATS_WORKER_H

#include "stats/counters.h"
#include "stats/ring.h"

struct stats_worker {
    struct counters counters;
    struct ring ring;
};

#endif
