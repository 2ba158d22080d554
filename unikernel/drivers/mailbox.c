/* Property mailbox: one message at a time in non-cached memory, polled. */
#include "drivers/mailbox.h"

#include "arch/aarch64/cpu.h"
#include "drivers/dma.h"

enum {
    READ = 0x00,
    READ_STATUS = 0x18,
    WRITE = 0x20,
    WRITE_STATUS = 0x38,
    CHANNEL_PROPERTY = 8,
    TIMEOUT_US = 100000
};
#define STATUS_FULL      0x80000000U
#define STATUS_EMPTY     0x40000000U
#define RESPONSE_OK      0x80000000U
#define RESPONSE_PRESENT 0x80000000U

bool mailbox_property(uintptr_t base, enum mailbox_tag tag, uint32_t *values, uint32_t count)
{
    static volatile uint32_t message[32] DMA_MEMORY;
    if (count > MAILBOX_VALUES_MAX) {
        return false;
    }
    message[0] = (6 + count) * 4;
    message[1] = 0;
    message[2] = tag;
    message[3] = count * 4;
    message[4] = 0;
    for (uint32_t i = 0; i < count; i++) {
        message[5 + i] = values[i];
    }
    message[5 + count] = 0;
    barrier();

    usec_t end = clock_now() + TIMEOUT_US;
    while (read32(base + WRITE_STATUS) & STATUS_FULL) {
        if (clock_now() > end) {
            return false;
        }
    }
    write32(base + WRITE, dma_bus_address(message) | CHANNEL_PROPERTY);
    do {
        while (read32(base + READ_STATUS) & STATUS_EMPTY) {
            if (clock_now() > end) {
                return false;
            }
        }
    } while ((read32(base + READ) & 15) != CHANNEL_PROPERTY);
    barrier();
    if (message[1] != RESPONSE_OK || !(message[4] & RESPONSE_PRESENT)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        values[i] = message[5 + i];
    }
    return true;
}
