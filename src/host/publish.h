/*
 * Snapshots from the control thread to the workers. The control thread puts a new one in place;
 * each worker takes it between two batches of packets and says so; the control thread frees what no
 * worker can still see. No reader ever waits, and a worker that is late only delays the freeing.
 * (docs/adr/0002-snapshots.md)
 */
#ifndef SINKHOLE_HOST_PUBLISH_H
#define SINKHOLE_HOST_PUBLISH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct snapshot;
struct publisher;

/* Frees a snapshot and the parts that it alone has; called on the control thread. */
typedef void publish_free(void *arg, const struct snapshot *snapshot);

/* `first` is in force from the start for all `workers`. ERR_MEMORY. */
MUST_CHECK enum err publisher_new(struct publisher **out, unsigned workers,
                                  const struct snapshot *first, publish_free *free_one, void *arg);

/* No worker may run any more: everything is freed, the snapshot in force too. */
void publisher_free(struct publisher *p);

/* Control thread. The generation must be greater than the last one's. A caller wakes the workers
 * afterwards. ERR_MEMORY: nothing has changed, and the snapshot is still the caller's. */
MUST_CHECK enum err publisher_put(struct publisher *p, const struct snapshot *snapshot);

/* Control thread: free what all workers have left behind; returns how many old snapshots are still
 * held. */
unsigned publisher_reap(struct publisher *p);

/* Control thread: the one in force. */
const struct snapshot *publisher_current(const struct publisher *p);

/* Worker: is there a newer one than it has? One relaxed load. */
bool publisher_has_new(const struct publisher *p, unsigned worker);

/*
 * Worker: the newest. It must let go of the one it had before the next call, publisher_taken, which
 * says that it did.
 */
const struct snapshot *publisher_take(struct publisher *p, unsigned worker);
void publisher_taken(struct publisher *p, unsigned worker, const struct snapshot *snapshot);

#endif
