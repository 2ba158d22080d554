/*
 * virtio over memory-mapped registers, legacy (version 1) and modern (version 2): finding a device,
 * feature negotiation, and split queues. Virtual I/O Device (VIRTIO) 1.1, sections 2.6 and 4.2.
 */
#ifndef UNIKERNEL_VIRTIO_MMIO_H
#define UNIKERNEL_VIRTIO_MMIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { VIRTIO_QUEUE_SIZE = 256 };
enum virtio_device_id { VIRTIO_ID_NET = 1, VIRTIO_ID_BLOCK = 2, VIRTIO_ID_RNG = 4 };

struct virtio_desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags; /* VIRTIO_DESC_NEXT, VIRTIO_DESC_WRITE */
    uint16_t next;
};
enum { VIRTIO_DESC_NEXT = 1, VIRTIO_DESC_WRITE = 2 };

struct virtio_avail {
    uint16_t flags, idx, ring[VIRTIO_QUEUE_SIZE], used_event;
};

struct virtio_used {
    uint16_t flags, idx;
    struct {
        uint32_t id, len;
    } ring[VIRTIO_QUEUE_SIZE];
    uint16_t avail_event;
};

/* One queue's memory, in the layout that the legacy interface asks for (used ring on a page of its
 * own). */
struct virtio_queue {
    struct virtio_desc desc[VIRTIO_QUEUE_SIZE];
    struct virtio_avail avail;
    struct virtio_used used __attribute__((aligned(4096)));
    uint16_t size;      /* slots in use, <= VIRTIO_QUEUE_SIZE */
    uint16_t last_used; /* next entry of used.ring to look at */
} __attribute__((aligned(4096)));

struct virtio_device {
    uintptr_t base;
    uint32_t version; /* 1 or 2 */
    uint16_t slot;
    uint64_t features; /* negotiated */
};

/* The n-th (from 0) device of this kind; false if there are fewer. */
bool virtio_find(enum virtio_device_id id, unsigned nth, struct virtio_device *out);

/* Reset, acknowledge, negotiate `wanted` out of what is offered. False: the device refuses. */
bool virtio_negotiate(struct virtio_device *dev, uint64_t wanted);
bool virtio_queue_setup(struct virtio_device *dev, uint16_t index, struct virtio_queue *q);
void virtio_ready(struct virtio_device *dev);

/* Put a descriptor chain that starts at `head` into the available ring, and tell the device if it
 * wants to hear. */
void virtio_queue_put(struct virtio_queue *q, uint16_t head);
void virtio_queue_notify(struct virtio_device *dev, uint16_t index, const struct virtio_queue *q);

/* The next chain that the device is done with; false if there is none. id is checked to be < size.
 */
bool virtio_queue_get(struct virtio_queue *q, uint16_t *head, uint32_t *len);

void virtio_ack(struct virtio_device *dev); /* clear the interrupt line */
uint8_t virtio_config_u8(const struct virtio_device *dev, uint32_t offset);
uint16_t virtio_config_u16(const struct virtio_device *dev, uint32_t offset);

#endif
