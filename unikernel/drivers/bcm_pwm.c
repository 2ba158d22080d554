/* One control block, one transfer a sign; the PWM asks for words as its FIFO runs low. */
#include "drivers/bcm_pwm.h"

#include "arch/aarch64/cpu.h"
#include "drivers/bcm_gpio.h"
#include "drivers/dma.h"

enum { PIN_RIGHT = 40, PIN_LEFT = 41, WAIT_US = 1000 };

/* Clock manager: the PWM's control and divisor. */
enum {
    CM_CTL = 0xa0,
    CM_DIV = 0xa4,
    CM_PLLD = 6,
    CM_ENABLE = 1 << 4,
    CM_KILL = 1 << 5,
    CM_BUSY = 1 << 7
};
#define CM_PASSWORD 0x5a000000U

/* PWM (9.6). */
enum { PWM_CTL = 0x00, PWM_STA = 0x04, PWM_DMAC = 0x08, PWM_RNG1 = 0x10, PWM_RNG2 = 0x20 };
enum {
    CTL_ENABLE1 = 1 << 0,
    CTL_FIFO1 = 1 << 5,
    CTL_CLEAR = 1 << 6,
    CTL_ENABLE2 = 1 << 8,
    CTL_FIFO2 = 1 << 13,
    STA_ERRORS = 0x13c
};
#define DMAC_ON (1U << 31 | 7U << 8 | 3U) /* ask below 3 words, urgently below 7 (9.6) */

/* A DMA channel (4.2). */
enum { DMA_CS = 0x00, DMA_CONBLK = 0x04, CS_ACTIVE = 1 << 0, CS_END = 1 << 1 };
#define CS_RESET (1U << 31)
enum { TI_WAIT = 1 << 3, TI_DEST_DREQ = 1 << 6, TI_SOURCE_INC = 1 << 8, TI_PERMAP = 16 };

struct control_block {
    uint32_t info, source, destination, octets, stride, next, unused[2];
};
static DMA_MEMORY struct control_block block;

uint32_t bcm_pwm_range(const struct bcm_pwm *p, uint32_t rate)
{
    return p->source_mhz * 1000000 / p->divisor / rate;
}

static bool wait_clock(const struct bcm_pwm *p, bool busy)
{
    usec_t until = clock_now() + WAIT_US;
    while (((read32(p->clocks + CM_CTL) & CM_BUSY) != 0) != busy) {
        if (clock_now() > until) {
            return false;
        }
    }
    return true;
}

static bool stop_clock(const struct bcm_pwm *p)
{
    write32(p->clocks + CM_CTL, CM_PASSWORD | CM_KILL);
    return wait_clock(p, false);
}

bool bcm_pwm_start(const struct bcm_pwm *p, uint32_t rate)
{
    gpio_set_function(p->gpio, PIN_RIGHT, GPIO_ALT0);
    gpio_set_function(p->gpio, PIN_LEFT, GPIO_ALT0);
    write32(p->pwm + PWM_CTL, 0);
    if (!stop_clock(p)) { /* a divisor that changes under a running clock upsets it */
        return false;
    }
    write32(p->clocks + CM_DIV, CM_PASSWORD | p->divisor << 12);
    write32(p->clocks + CM_CTL, CM_PASSWORD | CM_PLLD);
    write32(p->clocks + CM_CTL, CM_PASSWORD | CM_PLLD | CM_ENABLE);
    if (!wait_clock(p, true)) {
        return false;
    }
    write32(p->pwm + PWM_RNG1, bcm_pwm_range(p, rate));
    write32(p->pwm + PWM_RNG2, bcm_pwm_range(p, rate));
    write32(p->pwm + PWM_CTL, CTL_CLEAR);
    write32(p->pwm + PWM_STA, STA_ERRORS);
    write32(p->pwm + PWM_DMAC, DMAC_ON);
    write32(p->pwm + PWM_CTL, CTL_ENABLE1 | CTL_FIFO1 | CTL_ENABLE2 | CTL_FIFO2);
    return true;
}

void bcm_pwm_play(const struct bcm_pwm *p, const uint32_t *words, size_t count)
{
    block = (struct control_block){.info = p->dreq << TI_PERMAP | TI_SOURCE_INC | TI_DEST_DREQ |
                                           TI_WAIT,
                                   .source = dma_bus_address(words),
                                   .destination = p->fifo_bus,
                                   .octets = (uint32_t)(count * sizeof *words)};
    barrier();
    write32(p->dma + DMA_CS, CS_RESET);
    write32(p->dma + DMA_CONBLK, dma_bus_address(&block));
    write32(p->dma + DMA_CS, CS_END | CS_ACTIVE);
}

bool bcm_pwm_busy(const struct bcm_pwm *p)
{
    return read32(p->dma + DMA_CS) & CS_ACTIVE;
}

void bcm_pwm_stop(const struct bcm_pwm *p)
{
    write32(p->dma + DMA_CS, CS_RESET);
    write32(p->pwm + PWM_DMAC, 0);
    write32(p->pwm + PWM_CTL, 0);
    (void)stop_clock(p);
}
