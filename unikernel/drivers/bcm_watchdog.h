/* The Pi's watchdog and restart register (power management block). */
#ifndef UNIKERNEL_BCM_WATCHDOG_H
#define UNIKERNEL_BCM_WATCHDOG_H

#include <stdint.h>

#include "base/attr.h"

/* Restart in `us` (at most 15 s) unless called again. QEMU restarts at once, so the loop arms it on
 * hardware only. */
void bcm_watchdog_arm(uintptr_t base, uint32_t us);
NORETURN void bcm_restart(uintptr_t base);

#endif
