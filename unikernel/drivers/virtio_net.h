/* virtio network device (VIRTIO 1.1, 5.1). */
#ifndef UNIKERNEL_VIRTIO_NET_H
#define UNIKERNEL_VIRTIO_NET_H

#include "drivers/nic.h"

/* The first network device, started; NULL if there is none or it refuses. *slot tells its
 * interrupt. */
struct nic *virtio_net_start(unsigned *slot);

#endif
