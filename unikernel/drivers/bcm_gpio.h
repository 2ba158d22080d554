/* GPIO of the Pi (BCM2835 ARM Peripherals 6; BCM2711 5): what a pin is for, and its level. */
#ifndef UNIKERNEL_BCM_GPIO_H
#define UNIKERNEL_BCM_GPIO_H

#include <stdbool.h>
#include <stdint.h>

enum gpio_function {
    GPIO_INPUT = 0,
    GPIO_OUTPUT = 1,
    GPIO_ALT0 = 4,
    GPIO_ALT1 = 5,
    GPIO_ALT2 = 6,
    GPIO_ALT3 = 7
};

void gpio_set_function(uintptr_t base, unsigned pin, enum gpio_function f);
void gpio_write(uintptr_t base, unsigned pin, bool high);

#endif
