/* Broadcom GENET v5, the Pi 4's Ethernet, with its BCM54213PE PHY: one receive and one transmit
 * ring (ring 16), polled. */
#ifndef UNIKERNEL_GENET_H
#define UNIKERNEL_GENET_H

#include "drivers/nic.h"

/* NULL, with the reason in the log: no GENET v5 at base, or its PHY does not answer. */
struct nic *genet_start(uintptr_t base, const uint8_t mac[6]);

#endif
