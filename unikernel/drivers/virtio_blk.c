/* virtio block device: one request at a time, polled; each is a chain of header, data, status. */
#include "drivers/virtio_blk.h"

#include "arch/aarch64/cpu.h"
#include "base/log.h"
#include "drivers/virtio_mmio.h"
#include "map.h"

#ifdef VIRTIO_BASE

enum { TYPE_IN = 0, TYPE_OUT = 1, TYPE_FLUSH = 4, STATUS_OK = 0, TIMEOUT_US = 5000000 };
#define FEATURE_FLUSH (UINT64_C(1) << 9)

static struct virtio_blk {
    struct block_device block;
    struct virtio_device dev;
    struct {
        uint32_t type, reserved;
        uint64_t sector;
    } header;
    uint8_t status;
} disk;
static struct virtio_queue queue;

static enum err request(uint32_t type, uint64_t sector, void *data, uint32_t len)
{
    disk.header.type = type;
    disk.header.reserved = 0;
    disk.header.sector = sector;
    disk.status = 0xff;
    uint16_t into = type == TYPE_IN ? VIRTIO_DESC_WRITE : 0;
    uint16_t last = len > 0 ? 2 : 1;
    queue.desc[0] = (struct virtio_desc){.addr = (uintptr_t)&disk.header,
                                         .len = sizeof disk.header,
                                         .flags = VIRTIO_DESC_NEXT,
                                         .next = 1};
    if (len > 0) {
        queue.desc[1] = (struct virtio_desc){.addr = (uintptr_t)data,
                                             .len = len,
                                             .flags = (uint16_t)(into | VIRTIO_DESC_NEXT),
                                             .next = 2};
    }
    queue.desc[last] =
        (struct virtio_desc){.addr = (uintptr_t)&disk.status, .len = 1, .flags = VIRTIO_DESC_WRITE};
    virtio_queue_put(&queue, 0);
    virtio_queue_notify(&disk.dev, 0, &queue);
    usec_t end = clock_now() + TIMEOUT_US;
    uint16_t head;
    uint32_t got;
    while (!virtio_queue_get(&queue, &head, &got)) {
        if (clock_now() > end) {
            return ERR_TIMEOUT;
        }
    }
    virtio_ack(&disk.dev);
    return *(volatile uint8_t *)&disk.status == STATUS_OK ? ERR_OK : ERR_IO;
}

static enum err disk_read(struct block_device *d, uint64_t sector, uint32_t count, void *out)
{
    (void)d;
    return request(TYPE_IN, sector, out, count * BLOCK_SECTOR);
}

static enum err disk_write(struct block_device *d, uint64_t sector, uint32_t count,
                           const void *data)
{
    d->written += count;
    enum err e = request(TYPE_OUT, sector, (void *)(uintptr_t)data, count * BLOCK_SECTOR);
    if (e == ERR_OK && (disk.dev.features & FEATURE_FLUSH)) {
        e = request(TYPE_FLUSH, 0, NULL, 0);
    }
    return e;
}

struct block_device *virtio_blk_start(void)
{
    if (!virtio_find(VIRTIO_ID_BLOCK, 0, &disk.dev) ||
        !virtio_negotiate(&disk.dev, FEATURE_FLUSH) || !virtio_queue_setup(&disk.dev, 0, &queue)) {
        return NULL;
    }
    virtio_ready(&disk.dev);
    disk.block.name = "virtio disk";
    disk.block.read = disk_read;
    disk.block.write = disk_write;
    return &disk.block;
}

#endif
