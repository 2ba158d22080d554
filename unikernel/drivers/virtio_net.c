/* virtio network device: one receive and one transmit queue of 256 buffers, no offloads. */
#include "drivers/virtio_net.h"

#include <string.h>

#include "arch/aarch64/cpu.h"
#include "drivers/virtio_mmio.h"
#include "map.h"

#ifdef VIRTIO_BASE

enum { QUEUE_RX = 0, QUEUE_TX = 1, BUFFER_OCTETS = 2048, NOTIFY_EVERY = 32 };
enum { CONFIG_MAC = 0, CONFIG_STATUS = 6, LINK_UP = 1 };
enum { HEADER_LEGACY = 10, HEADER_MODERN = 12 };
#define FEATURE_MAC    (UINT64_C(1) << 5)
#define FEATURE_STATUS (UINT64_C(1) << 16)

struct virtio_net {
    struct nic nic;
    struct virtio_device dev;
    size_t header;     /* octets before each frame */
    uint16_t current;  /* receive buffer that is lent out */
    uint16_t returned; /* since the device was told */
    uint16_t tx_next;  /* next transmit buffer, used in order */
    uint16_t tx_free;
};

static struct virtio_net net;
static struct virtio_queue rx, tx;
static uint8_t rx_buffers[VIRTIO_QUEUE_SIZE][BUFFER_OCTETS] __attribute__((aligned(64)));
static uint8_t tx_buffers[VIRTIO_QUEUE_SIZE][BUFFER_OCTETS] __attribute__((aligned(64)));

static void give_back(uint16_t buffer)
{
    virtio_queue_put(&rx, buffer);
    if (++net.returned >= NOTIFY_EVERY) {
        net.returned = 0;
        virtio_queue_notify(&net.dev, QUEUE_RX, &rx);
    }
}

static const uint8_t *net_receive(struct nic *nic, size_t *len)
{
    uint32_t octets;
    while (virtio_queue_get(&rx, &net.current, &octets)) {
        if (octets > net.header && octets <= BUFFER_OCTETS) {
            nic->counters.rx_frames++;
            *len = octets - net.header;
            return rx_buffers[net.current] + net.header;
        }
        nic->counters.rx_errors++;
        give_back(net.current);
    }
    return NULL;
}

static void net_receive_done(struct nic *nic)
{
    (void)nic;
    give_back(net.current);
}

static bool net_send(struct nic *nic, const void *frame, size_t len)
{
    uint16_t done;
    uint32_t ignored;
    while (net.tx_free < VIRTIO_QUEUE_SIZE && virtio_queue_get(&tx, &done, &ignored)) {
        net.tx_free++;
    }
    if (net.tx_free == 0 || len > NIC_FRAME_MAX) {
        nic->counters.tx_dropped++;
        return false;
    }
    uint16_t i = net.tx_next++ % VIRTIO_QUEUE_SIZE;
    memset(tx_buffers[i], 0, net.header);
    memcpy(tx_buffers[i] + net.header, frame, len);
    tx.desc[i].len = (uint32_t)(net.header + len);
    virtio_queue_put(&tx, i);
    net.tx_free--;
    nic->counters.tx_frames++;
    virtio_queue_notify(&net.dev, QUEUE_TX, &tx);
    return true;
}

static void net_link(struct nic *nic, struct nic_link *out)
{
    (void)nic;
    bool says = (net.dev.features & FEATURE_STATUS) != 0;
    out->up = !says || (virtio_config_u16(&net.dev, CONFIG_STATUS) & LINK_UP);
    out->mbit = 0;
    out->full_duplex = true;
}

static void net_woken(struct nic *nic)
{
    (void)nic;
    virtio_ack(&net.dev);
}

static bool start_queues(void)
{
    if (!virtio_queue_setup(&net.dev, QUEUE_RX, &rx) ||
        !virtio_queue_setup(&net.dev, QUEUE_TX, &tx)) {
        return false;
    }
    for (unsigned i = 0; i < VIRTIO_QUEUE_SIZE; i++) {
        rx.desc[i] = (struct virtio_desc){
            .addr = (uintptr_t)rx_buffers[i], .len = BUFFER_OCTETS, .flags = VIRTIO_DESC_WRITE};
        tx.desc[i] = (struct virtio_desc){.addr = (uintptr_t)tx_buffers[i]};
        virtio_queue_put(&rx, (uint16_t)i);
    }
    tx.avail.flags =
        1; /* sent buffers are collected when a new frame is sent: no interrupt for them */
    net.tx_free = VIRTIO_QUEUE_SIZE;
    virtio_ready(&net.dev);
    virtio_queue_notify(&net.dev, QUEUE_RX, &rx);
    return true;
}

struct nic *virtio_net_start(unsigned *slot)
{
    if (!virtio_find(VIRTIO_ID_NET, 0, &net.dev) ||
        !virtio_negotiate(&net.dev, FEATURE_MAC | FEATURE_STATUS)) {
        return NULL;
    }
    net.header = net.dev.version >= 2 ? HEADER_MODERN : HEADER_LEGACY;
    for (uint32_t i = 0; i < 6; i++) {
        net.nic.mac[i] = virtio_config_u8(&net.dev, CONFIG_MAC + i);
    }
    if (!start_queues()) {
        return NULL;
    }
    net.nic.name = net.dev.version >= 2 ? "virtio-net (modern)" : "virtio-net (legacy)";
    net.nic.receive = net_receive;
    net.nic.receive_done = net_receive_done;
    net.nic.send = net_send;
    net.nic.link = net_link;
    net.nic.woken = net_woken;
    *slot = net.dev.slot;
    return &net.nic;
}

#endif
