/*
 * A network device: a row of functions. A driver knows one device and no protocol; net/ knows no
 * device.
 */
#ifndef UNIKERNEL_NIC_H
#define UNIKERNEL_NIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NIC_FRAME_MIN = 60, NIC_FRAME_MAX = 1514 }; /* Ethernet without FCS */

struct nic_link {
    bool up;
    uint16_t mbit; /* 10, 100, 1000; 0: the device does not say */
    bool full_duplex;
};

struct nic_counters {
    uint64_t rx_frames, tx_frames;
    uint64_t rx_errors;  /* bad frames that the device or the driver dropped */
    uint64_t rx_dropped; /* good frames for which there was no buffer */
    uint64_t tx_dropped; /* frames that found the ring full */
};

struct nic {
    const char *name;
    uint8_t mac[6];
    struct nic_counters counters;

    /* The next received frame, borrowed until receive_done; NULL if there is none. */
    const uint8_t *(*receive)(struct nic *nic, size_t *len);
    void (*receive_done)(struct nic *nic);

    /* Copies the frame. False: no room now (counted). len <= NIC_FRAME_MAX. */
    bool (*send)(struct nic *nic, const void *frame, size_t len);

    /* The state of the wire; cheap enough for once a second. */
    void (*link)(struct nic *nic, struct nic_link *out);

    /* Called after the loop woke up, before it polls: clears the device's interrupt line. May be
     * NULL. */
    void (*woken)(struct nic *nic);
};

#endif
