/*
 * Synopsys DesignWare USB 2.0 host (the Pi's), internal DMA, polled. Channel 0 carries control
 * transfers, 1 bulk in, 2 bulk out.
 */
#ifndef UNIKERNEL_DWC2_H
#define UNIKERNEL_DWC2_H

#include "drivers/usb.h"

/* Reset the controller and power its port. NULL: no such controller there. */
struct usb_host *dwc2_start(uintptr_t registers);

#endif
