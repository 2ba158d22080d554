/* USB Ethernet of the class CDC-ECM (USB CDC 1.2, ECM 1.2): QEMU's usb-net, and adapters that speak
 * it. */
#ifndef UNIKERNEL_USB_ECM_H
#define UNIKERNEL_USB_ECM_H

#include "drivers/nic.h"
#include "drivers/usb.h"

bool usb_ecm_wanted(const struct usb_device *d);
struct nic *usb_ecm_start(struct usb_device *d);

/* What of a configuration's descriptors matters; exposed for tests. False: not CDC-ECM, or
 * malformed. */
struct usb_ecm_layout {
    uint8_t config_value, data_interface, data_alternate, control_interface;
    uint8_t endpoint_in, endpoint_out, mac_string;
    uint16_t max_packet_in, max_packet_out;
};
bool usb_ecm_parse(const uint8_t *config, size_t len, struct usb_ecm_layout *out);

#endif
