/* virtio entropy device (VIRTIO 1.1, 5.4): the hypervisor's generator. */
#ifndef UNIKERNEL_VIRTIO_RNG_H
#define UNIKERNEL_VIRTIO_RNG_H

#include <stdbool.h>
#include <stddef.h>

bool virtio_rng_start(void);
/* Waits up to a second for each 64 octets; false if they do not come. */
bool virtio_rng_read(void *out, size_t len);

#endif
