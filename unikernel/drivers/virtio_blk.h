/* virtio block device (VIRTIO 1.1, 5.2): the card of a virtual machine. */
#ifndef UNIKERNEL_VIRTIO_BLK_H
#define UNIKERNEL_VIRTIO_BLK_H

#include "drivers/block.h"

struct block_device *virtio_blk_start(void);

#endif
