/* Raspberry Pi 3B and 3B+: interrupts by the core-local block, random numbers by the BCM2835
 * generator, the network on USB. */
#include "board/board.h"

#include "arch/aarch64/cpu.h"
#include "board/raspi/raspi.h"
#include "drivers/bcm_rng.h"

enum {
    LOCAL_TIMER0_CONTROL = 0x40,
    LOCAL_TIMER_PHYSICAL = 1 << 1
}; /* QA7 4.6: core 0, non-secure physical timer */
enum { INTC_ENABLE_1 = 0x10, INTC_GPU_USB = 1 << 9 }; /* BCM2835 ARM Peripherals 7.5 */

void board_early(uintptr_t firmware)
{
    raspi_early(firmware);
}

void board_irq_enable(void)
{
    write32(LOCAL_BASE + LOCAL_TIMER0_CONTROL, LOCAL_TIMER_PHYSICAL);
    write32(INTC_BASE + INTC_ENABLE_1, INTC_GPU_USB);
}

bool board_entropy(void *out, size_t len)
{
    return bcm2835_rng_read(RNG_BASE, out, len);
}

struct nic *board_nic(void)
{
    return raspi_usb_network();
}
