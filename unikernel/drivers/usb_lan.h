/*
 * What the LAN9514 and the LAN7515 share: registers behind vendor requests, a PHY behind two of
 * them, one frame a bulk transfer with a small header. The chips differ in their register maps and
 * headers (usb_lan95xx.c, usb_lan78xx.c).
 */
#ifndef UNIKERNEL_USB_LAN_H
#define UNIKERNEL_USB_LAN_H

#include "drivers/nic.h"
#include "drivers/usb.h"

struct usb_lan {
    struct nic nic; /* first: a nic pointer is a usb_lan pointer */
    struct usb_device device;
    struct usb_pipe in, out;
    uint16_t mii_address, mii_data; /* register numbers of the PHY's door */
    uint32_t tx_header, rx_header;  /* octets before each frame */
    bool failed; /* a register access failed since start: the device is gone or sick */
    bool full_duplex;

    /* Write the header of a frame of `len` octets. */
    void (*make_tx_header)(uint8_t *header, uint32_t len);
    /* Length of the frame behind a header, FCS included; 0: the chip marks it bad. */
    uint32_t (*read_rx_header)(const uint8_t *header);
    /* Tell the MAC about a new duplex setting; NULL if the chip follows the PHY by itself. */
    void (*follow_duplex)(struct usb_lan *lan);
};

/* The only one there is: a Pi has one network chip. Zeroed but for what both chips share. */
struct usb_lan *usb_lan_open(const struct usb_device *device, const uint8_t mac[6],
                             uint16_t mii_address, uint16_t mii_data);
void usb_lan_run(struct usb_lan *lan); /* arm the receiver */

void usb_lan_put(struct usb_lan *lan, uint16_t reg, uint32_t value);
uint32_t usb_lan_get(struct usb_lan *lan, uint16_t reg);
bool usb_lan_wait_clear(struct usb_lan *lan, uint16_t reg, uint32_t bit); /* a tenth of a second */
void usb_lan_phy_write(struct usb_lan *lan, uint32_t reg, uint16_t value);
uint16_t usb_lan_phy_read(struct usb_lan *lan, uint32_t reg);

#endif
