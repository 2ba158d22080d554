/*
 * USB as our network devices need it: one host controller, control transfers, one bulk pipe in and
 * one out, hubs. USB 2.0, chapters 8, 9, 11.
 *
 * The controller behind it is a row of functions, so that drivers of devices run unchanged on a
 * simulated bus in tests.
 */
#ifndef UNIKERNEL_USB_H
#define UNIKERNEL_USB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

enum {
    USB_DEVICE_DESC = 1,
    USB_CONFIG_DESC = 2,
    USB_STRING_DESC = 3,
    USB_INTERFACE_DESC = 4,
    USB_ENDPOINT_DESC = 5,
    USB_HUB_DESC = 0x29
};
enum { USB_CLASS_COMM = 0x02, USB_CLASS_HUB = 0x09, USB_CLASS_DATA = 0x0a };
enum {
    USB_GET_STATUS = 0,
    USB_CLEAR_FEATURE = 1,
    USB_SET_FEATURE = 3,
    USB_SET_ADDRESS = 5,
    USB_GET_DESCRIPTOR = 6,
    USB_SET_CONFIGURATION = 9,
    USB_SET_INTERFACE = 11
};
enum {
    USB_IN = 0x80,
    USB_VENDOR = 0x40,
    USB_CLASS_REQUEST = 0x20,
    USB_TO_INTERFACE = 1,
    USB_TO_ENDPOINT = 2,
    USB_TO_OTHER = 3
};
enum { USB_CONTROL_MAX = 1024, USB_BULK_MAX = 2048 };

/* One device on the bus. */
struct usb_device {
    struct usb_host *host;
    uint8_t address;     /* 0 until SET_ADDRESS */
    uint8_t max_packet0; /* of endpoint 0 */
    uint8_t device_class;
    uint8_t configs;
    uint16_t vendor, product;
};

struct usb_request {
    uint8_t type; /* bmRequestType */
    uint8_t request;
    uint16_t value, index, len;
};

/* A bulk pipe; the data toggle is kept in software. */
struct usb_pipe {
    struct usb_device *device;
    uint8_t endpoint; /* number without the direction bit */
    uint16_t max_packet;
    uint16_t quirk_packet; /* 0, or what to tell the controller instead (an emulator's shortcut) */
    bool odd;              /* the next packet is DATA1 */
};

struct usb_host {
    /* Reset the root port and wait for a device on it. ERR_NOT_FOUND: nothing is plugged in. */
    enum err (*port_reset)(struct usb_host *h);

    /* A whole control transfer; data is read or written by the request's direction. *moved: octets
     * of the data stage. */
    enum err (*control)(struct usb_host *h, const struct usb_device *d,
                        const struct usb_request *rq, void *data, uint16_t *moved);

    /* Bulk in: keep one transfer of up to USB_BULK_MAX octets armed. poll: ERR_OK and the data
     * (borrowed until the next arm but one), ERR_STATE when nothing has come. */
    void (*bulk_in_arm)(struct usb_host *h, struct usb_pipe *p);
    enum err (*bulk_in_poll)(struct usb_host *h, struct usb_pipe *p, const uint8_t **data,
                             size_t *len);

    /* Bulk out: a buffer of USB_BULK_MAX octets to fill, NULL while the last transfer is under way;
     * then send it. */
    uint8_t *(*bulk_out_buffer)(struct usb_host *h, struct usb_pipe *p);
    void (*bulk_out_send)(struct usb_host *h, struct usb_pipe *p, size_t len);
};

/*
 * The first device that `wanted` accepts, found on the root port or behind hubs (depth at most 5),
 * addressed but not configured. ERR_NOT_FOUND.
 */
typedef bool usb_wanted(const struct usb_device *d);
MUST_CHECK enum err usb_find(struct usb_host *h, usb_wanted *wanted, struct usb_device *out);

MUST_CHECK enum err usb_control(struct usb_device *d, uint8_t type, uint8_t request, uint16_t value,
                                uint16_t index, void *data, uint16_t len, uint16_t *moved);
MUST_CHECK enum err usb_configure(struct usb_device *d, uint8_t config_value);

/* Walks over a configuration's descriptors: sets *desc to the next one of `type` after *pos. False
 * at the end or at a malformed one. */
bool usb_desc_next(const uint8_t *config, size_t len, size_t *pos, uint8_t type,
                   const uint8_t **desc);

#endif
