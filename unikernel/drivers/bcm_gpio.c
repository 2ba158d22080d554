/* Ten pins share a function register, three bits each; 32 pins share a set and a clear register. */
#include "drivers/bcm_gpio.h"

#include "arch/aarch64/cpu.h"

enum { GPFSEL0 = 0x00, GPSET0 = 0x1c, GPCLR0 = 0x28, PINS_A_SELECT = 10 };

void gpio_set_function(uintptr_t base, unsigned pin, enum gpio_function f)
{
    uintptr_t at = base + GPFSEL0 + 4 * (pin / PINS_A_SELECT);
    unsigned shift = 3 * (pin % PINS_A_SELECT);
    write32(at, (read32(at) & ~(7U << shift)) | (uint32_t)f << shift);
}

void gpio_write(uintptr_t base, unsigned pin, bool high)
{
    write32(base + (high ? GPSET0 : GPCLR0) + 4 * (pin / 32), 1U << pin % 32);
}
