/*
 * Sound at the 3.5 mm jack: two channels of the PWM at the pins 40 and 41, fed by a DMA channel, so
 * that nobody waits for it (BCM2835 ARM Peripherals 4, 6, 9; the clock manager's registers by its
 * errata). The Pi 4 has the jack on its second PWM.
 */
#ifndef UNIKERNEL_BCM_PWM_H
#define UNIKERNEL_BCM_PWM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bcm_pwm {
    uintptr_t pwm, clocks, gpio, dma; /* registers */
    uint32_t fifo_bus;                /* the PWM's FIFO as the DMA sees it */
    uint32_t dreq;                    /* which request paces the DMA */
    uint32_t source_mhz, divisor;     /* PLLD, and what it is divided by */
};

/* Words from 0 to this are a sample at `rate` a second. */
uint32_t bcm_pwm_range(const struct bcm_pwm *p, uint32_t rate);

/* Pins, clock, PWM. False: the clock does not stop or start. */
bool bcm_pwm_start(const struct bcm_pwm *p, uint32_t rate);

/* Play the words once; they lie in DMA_MEMORY and stay until bcm_pwm_busy says false. */
void bcm_pwm_play(const struct bcm_pwm *p, const uint32_t *words, size_t count);
bool bcm_pwm_busy(const struct bcm_pwm *p);

/* Silence: the PWM is off, the clock stops. */
void bcm_pwm_stop(const struct bcm_pwm *p);

#endif
