/* virtio-mmio transport and split queues. Devices are trusted with memory but not with numbers:
 * what they write into rings is range-checked. */
#include "drivers/virtio_mmio.h"

#include <string.h>

#include "arch/aarch64/cpu.h"
#include "map.h"

#ifdef VIRTIO_BASE

enum {
    REG_MAGIC = 0x00,
    REG_VERSION = 0x04,
    REG_DEVICE_ID = 0x08,
    REG_FEATURES = 0x10,
    REG_FEATURES_SEL = 0x14,
    REG_DRIVER_FEATURES = 0x20,
    REG_DRIVER_FEATURES_SEL = 0x24,
    REG_PAGE_SIZE = 0x28,
    REG_QUEUE_SEL = 0x30,
    REG_QUEUE_MAX = 0x34,
    REG_QUEUE_NUM = 0x38,
    REG_QUEUE_ALIGN = 0x3c,
    REG_QUEUE_PFN = 0x40,
    REG_QUEUE_READY = 0x44,
    REG_NOTIFY = 0x50,
    REG_IRQ_STATUS = 0x60,
    REG_IRQ_ACK = 0x64,
    REG_STATUS = 0x70,
    REG_DESC = 0x80,
    REG_AVAIL = 0x90,
    REG_USED = 0xa0,
    REG_CONFIG = 0x100
};
enum { MAGIC = 0x74726976, PAGE = 4096 };
enum { STATUS_ACK = 1, STATUS_DRIVER = 2, STATUS_OK = 4, STATUS_FEATURES_OK = 8 };
enum { RING_QUIET = 1 };
#define FEATURE_VERSION_1 (UINT64_C(1) << 32)

bool virtio_find(enum virtio_device_id id, unsigned nth, struct virtio_device *out)
{
    for (unsigned slot = 0; slot < VIRTIO_SLOTS; slot++) {
        uintptr_t base = VIRTIO_BASE + slot * VIRTIO_STRIDE;
        if (read32(base + REG_MAGIC) != MAGIC || read32(base + REG_DEVICE_ID) != (uint32_t)id) {
            continue;
        }
        if (nth-- == 0) {
            *out = (struct virtio_device){
                .base = base, .version = read32(base + REG_VERSION), .slot = (uint16_t)slot};
            return true;
        }
    }
    return false;
}

bool virtio_negotiate(struct virtio_device *dev, uint64_t wanted)
{
    write32(dev->base + REG_STATUS, 0);
    write32(dev->base + REG_STATUS, STATUS_ACK | STATUS_DRIVER);
    write32(dev->base + REG_FEATURES_SEL, 0);
    uint64_t offered = read32(dev->base + REG_FEATURES);
    write32(dev->base + REG_FEATURES_SEL, 1);
    offered |= (uint64_t)read32(dev->base + REG_FEATURES) << 32;
    if (dev->version >= 2) {
        wanted |= FEATURE_VERSION_1;
    }
    dev->features = offered & wanted;
    write32(dev->base + REG_DRIVER_FEATURES_SEL, 0);
    write32(dev->base + REG_DRIVER_FEATURES, (uint32_t)dev->features);
    if (dev->version < 2) {
        return true;
    }
    write32(dev->base + REG_DRIVER_FEATURES_SEL, 1);
    write32(dev->base + REG_DRIVER_FEATURES, (uint32_t)(dev->features >> 32));
    write32(dev->base + REG_STATUS, STATUS_ACK | STATUS_DRIVER | STATUS_FEATURES_OK);
    return (read32(dev->base + REG_STATUS) & STATUS_FEATURES_OK) != 0;
}

static void write_address(uintptr_t reg, const volatile void *memory)
{
    uint64_t address = (uintptr_t)memory;
    write32(reg, (uint32_t)address);
    write32(reg + 4, (uint32_t)(address >> 32));
}

bool virtio_queue_setup(struct virtio_device *dev, uint16_t index, struct virtio_queue *q)
{
    _Static_assert(offsetof(struct virtio_queue, avail) == 16 * VIRTIO_QUEUE_SIZE,
                   "legacy layout: avail follows desc");
    _Static_assert(offsetof(struct virtio_queue, used) % PAGE == 0,
                   "legacy layout: used on a page of its own");
    _Static_assert(offsetof(struct virtio_queue, used) ==
                       (16 * VIRTIO_QUEUE_SIZE + 6 + 2 * VIRTIO_QUEUE_SIZE + PAGE - 1) / PAGE *
                           PAGE,
                   "legacy layout");
    memset(q, 0, sizeof *q);
    write32(dev->base + REG_QUEUE_SEL, index);
    if (read32(dev->base + REG_QUEUE_MAX) < VIRTIO_QUEUE_SIZE) {
        return false;
    }
    q->size = VIRTIO_QUEUE_SIZE;
    write32(dev->base + REG_QUEUE_NUM, VIRTIO_QUEUE_SIZE);
    if (dev->version < 2) {
        write32(dev->base + REG_PAGE_SIZE, PAGE);
        write32(dev->base + REG_QUEUE_ALIGN, PAGE);
        write32(dev->base + REG_QUEUE_PFN, (uint32_t)((uintptr_t)q->desc / PAGE));
    } else {
        write_address(dev->base + REG_DESC, q->desc);
        write_address(dev->base + REG_AVAIL, &q->avail);
        write_address(dev->base + REG_USED, &q->used);
        write32(dev->base + REG_QUEUE_READY, 1);
    }
    return true;
}

void virtio_ready(struct virtio_device *dev)
{
    barrier();
    write32(dev->base + REG_STATUS,
            STATUS_ACK | STATUS_DRIVER | STATUS_OK | (dev->version >= 2 ? STATUS_FEATURES_OK : 0));
}

void virtio_queue_put(struct virtio_queue *q, uint16_t head)
{
    q->avail.ring[q->avail.idx % VIRTIO_QUEUE_SIZE] = head;
    barrier();
    q->avail.idx++;
    barrier();
}

void virtio_queue_notify(struct virtio_device *dev, uint16_t index, const struct virtio_queue *q)
{
    if (!(*(const volatile uint16_t *)&q->used.flags & RING_QUIET)) {
        write32(dev->base + REG_NOTIFY, index);
    }
}

bool virtio_queue_get(struct virtio_queue *q, uint16_t *head, uint32_t *len)
{
    while (q->last_used != *(const volatile uint16_t *)&q->used.idx) {
        barrier();
        uint16_t at = q->last_used++ % VIRTIO_QUEUE_SIZE;
        uint32_t id = q->used.ring[at].id;
        if (id < q->size) {
            *head = (uint16_t)id;
            *len = q->used.ring[at].len;
            return true;
        }
    }
    return false;
}

void virtio_ack(struct virtio_device *dev)
{
    write32(dev->base + REG_IRQ_ACK, read32(dev->base + REG_IRQ_STATUS));
}

uint8_t virtio_config_u8(const struct virtio_device *dev, uint32_t offset)
{
    return *(const volatile uint8_t *)(dev->base + REG_CONFIG + offset);
}

uint16_t virtio_config_u16(const struct virtio_device *dev, uint32_t offset)
{
    return *(const volatile uint16_t *)(dev->base + REG_CONFIG + offset);
}

#endif
