/* Watchdog: a count of 16 us ticks in 20 bits; every write carries a password in the top octet. */
#include "drivers/bcm_watchdog.h"

#include "arch/aarch64/cpu.h"

enum { PM_RSTC = 0x1c, PM_WDOG = 0x24, TICK_US = 16, TICKS_MAX = 0xfffff };
#define PASSWORD        0x5a000000U
#define RSTC_CLEAR      0xffffffcfU
#define RSTC_FULL_RESET 0x20U

void bcm_watchdog_arm(uintptr_t base, uint32_t us)
{
    uint32_t ticks = us / TICK_US;
    write32(base + PM_WDOG, PASSWORD | (ticks < TICKS_MAX ? ticks : TICKS_MAX));
    write32(base + PM_RSTC, PASSWORD | (read32(base + PM_RSTC) & RSTC_CLEAR) | RSTC_FULL_RESET);
}

NORETURN void bcm_restart(uintptr_t base)
{
    bcm_watchdog_arm(base, 10 * TICK_US);
    for (;;) {
        __asm__ volatile("wfi");
    }
}
