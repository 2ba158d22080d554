/* The Pi firmware's property mailbox (channel 8): clocks, power, addresses, the LED. */
#ifndef UNIKERNEL_MAILBOX_H
#define UNIKERNEL_MAILBOX_H

#include <stdbool.h>
#include <stdint.h>

enum mailbox_tag {
    MAILBOX_FIRMWARE_REVISION = 0x00000001,
    MAILBOX_BOARD_REVISION = 0x00010002,
    MAILBOX_MAC = 0x00010003,
    MAILBOX_SERIAL = 0x00010004,
    MAILBOX_ARM_MEMORY = 0x00010005,
    MAILBOX_CLOCK_RATE = 0x00030002,
    MAILBOX_TEMPERATURE = 0x00030006,
    MAILBOX_SET_POWER = 0x00028001,
    MAILBOX_SET_GPIO = 0x00038041
};

enum { MAILBOX_VALUES_MAX = 8, MAILBOX_CLOCK_UART = 2, MAILBOX_POWER_USB = 3 };

/* One tag; `values` go in and come back. False: the firmware does not answer (a tenth of a second)
 * or does not know the tag. */
bool mailbox_property(uintptr_t base, enum mailbox_tag tag, uint32_t *values, uint32_t count);

#endif
