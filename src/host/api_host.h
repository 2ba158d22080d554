/*
 * What the daemon tells and does for the API: the functions of api/backend.h. All of them run under
 * the daemon's lock.
 */
#ifndef SINKHOLE_HOST_API_HOST_H
#define SINKHOLE_HOST_API_HOST_H

#include "api/api.h"
#include "base/attr.h"
#include "base/err.h"

struct daemon;
struct api_host;

/*
 * Passwords, API and HTTP server, listening when this returns; no thread yet. A password that was
 * made is printed once. ERR_IO, ERR_MEMORY, ERR_RANGE.
 */
MUST_CHECK enum err api_host_open(struct api_host **out, struct daemon *d);

/* Start its thread, which answers when the lock is let go of. NULL is allowed: there is no page.
 * ERR_MEMORY. */
MUST_CHECK enum err api_host_serve(struct api_host *h);

/* Without the lock. NULL is allowed. */
void api_host_stop(struct api_host *h);

/* With the lock: something that pages show has changed (enum rules_part). */
void api_host_changed(struct api_host *h, unsigned parts);

/* With the lock, now and then: rules and sessions that end. */
void api_host_tick(struct api_host *h);

/* Is anybody connected? Any thread. */
bool api_host_is_watched(const struct api_host *h);

/* Without the lock: there are new statistics. */
void api_host_wake(struct api_host *h);

#endif
