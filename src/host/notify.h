/*
 * Telling the service manager: sd_notify(3)'s protocol, without its library.
 */
#ifndef SINKHOLE_HOST_NOTIFY_H
#define SINKHOLE_HOST_NOTIFY_H

#include "base/time.h"

/* Send a state such as "READY=1", "STATUS=…" or "WATCHDOG=1"; does nothing when nobody listens. */
void notify_send(const char *state);

/* Half of the time within which the service manager wants to hear WATCHDOG=1; 0: it does not. */
usec_t notify_watchdog_period(void);

#endif
