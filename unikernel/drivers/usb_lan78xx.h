/* Microchip LAN7515 (the Pi 3B+'s Ethernet, a LAN7800 behind hubs): 0424:7800. Registers by vendor
 * requests, as in the LAN9514, with another map. */
#ifndef UNIKERNEL_USB_LAN78XX_H
#define UNIKERNEL_USB_LAN78XX_H

#include "drivers/nic.h"
#include "drivers/usb.h"

bool usb_lan78xx_wanted(const struct usb_device *d);
struct nic *usb_lan78xx_start(struct usb_device *d, const uint8_t mac[6]);

#endif
