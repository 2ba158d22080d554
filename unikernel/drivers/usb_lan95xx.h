/* Microchip LAN9514 (the Pi 3B's Ethernet behind its USB hub): 0424:ec00. Data sheet DS00002306,
 * registers by vendor requests. */
#ifndef UNIKERNEL_USB_LAN95XX_H
#define UNIKERNEL_USB_LAN95XX_H

#include "drivers/nic.h"
#include "drivers/usb.h"

bool usb_lan95xx_wanted(const struct usb_device *d);
struct nic *usb_lan95xx_start(struct usb_device *d, const uint8_t mac[6]);

#endif
