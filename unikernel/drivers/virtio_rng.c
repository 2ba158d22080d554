/* virtio entropy device: one request at a time, polled. */
#include "drivers/virtio_rng.h"

#include <string.h>

#include "arch/aarch64/cpu.h"
#include "drivers/virtio_mmio.h"
#include "map.h"

#ifdef VIRTIO_BASE

enum { CHUNK = 64 };

static struct virtio_device dev;
static struct virtio_queue queue;
static uint8_t chunk[CHUNK] __attribute__((aligned(64)));
static bool started;

bool virtio_rng_start(void)
{
    started = virtio_find(VIRTIO_ID_RNG, 0, &dev) && virtio_negotiate(&dev, 0) &&
              virtio_queue_setup(&dev, 0, &queue);
    if (started) {
        virtio_ready(&dev);
    }
    return started;
}

static bool read_chunk(uint32_t *got)
{
    queue.desc[0] =
        (struct virtio_desc){.addr = (uintptr_t)chunk, .len = CHUNK, .flags = VIRTIO_DESC_WRITE};
    virtio_queue_put(&queue, 0);
    virtio_queue_notify(&dev, 0, &queue);
    usec_t end = clock_now() + USEC_PER_SEC;
    uint16_t head;
    while (!virtio_queue_get(&queue, &head, got)) {
        if (clock_now() > end) {
            return false;
        }
    }
    virtio_ack(&dev);
    return *got > 0 && *got <= CHUNK;
}

bool virtio_rng_read(void *out, size_t len)
{
    uint8_t *p = out;
    while (started && len > 0) {
        uint32_t got;
        if (!read_chunk(&got)) {
            return false;
        }
        size_t n = got < len ? got : len;
        memcpy(p, chunk, n);
        p += n;
        len -= n;
    }
    return started;
}

#endif
