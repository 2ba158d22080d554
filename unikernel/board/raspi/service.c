/* What goes on beside the network on a Pi: card, activity lamp, watchdog, temperature. */
#include <limits.h>

#include "arch/aarch64/cpu.h"
#include "base/log.h"
#include "board/board.h"
#include "board/raspi/raspi.h"
#include "drivers/bcm_gpio.h"
#include "drivers/bcm_pwm.h"
#include "drivers/bcm_watchdog.h"
#include "drivers/dma.h"
#include "drivers/mailbox.h"
#include "drivers/sdhci.h"
#include "lib/lamp.h"
#include "lib/sign.h"

enum {
    LAMP_FIRMWARE = 130, /* Pi 3B: behind an expander that only the firmware reaches */
    LAMP_3BPLUS = 29,
    LAMP_4B = 42,
    WATCHDOG_US = 15000000,
    WATCHDOG_FEED_US = 2000000,
    CLOCK_EMMC = 1,
    CLOCK_EMMC2 = 12,
    CARD_SUPPLY = 128 + 4, /* Pi 4: 0 is 3.3 V */
    EMULATED_BEFORE = 1000000000
};

/* Type field of a new-style revision code. */
enum { TYPE_3B = 0x08, TYPE_3BPLUS = 0x0d, TYPE_3APLUS = 0x0e, TYPE_4B = 0x11 };

static uint32_t board_type(void)
{
    static uint32_t type = UINT32_MAX;
    uint32_t revision[1] = {0};
    if (type == UINT32_MAX) {
        type = mailbox_property(MAILBOX_BASE, MAILBOX_BOARD_REVISION, revision, 1)
                   ? revision[0] >> 4 & 0xff
                   : 0;
    }
    return type;
}

const char *board_model(void)
{
    switch (board_type()) {
    case TYPE_3B:
        return "Raspberry Pi 3 Model B";
    case TYPE_3BPLUS:
        return "Raspberry Pi 3 Model B+";
    case TYPE_3APLUS:
        return "Raspberry Pi 3 Model A+";
    case TYPE_4B:
        return "Raspberry Pi 4 Model B";
    default:
        return "Raspberry Pi";
    }
}

/* ---- the card ---- */

#ifndef EMMC2_BASE
/* Firmware may leave the card's pins with the other controller: 34-39 away, 48-53 to the SDHCI. */
static void route_card_pins(void)
{
    for (unsigned pin = 34; pin <= 39; pin++) {
        gpio_set_function(GPIO_BASE, pin, GPIO_INPUT);
    }
    for (unsigned pin = 48; pin <= 53; pin++) {
        gpio_set_function(GPIO_BASE, pin, GPIO_ALT3);
    }
}
#endif

static uint32_t clock_rate(uint32_t id)
{
    uint32_t clock[2] = {id, 0};
    return mailbox_property(MAILBOX_BASE, MAILBOX_CLOCK_RATE, clock, 2) ? clock[1] : 0;
}

struct block_device *board_disk(void)
{
#ifdef EMMC2_BASE
    uint32_t supply[2] = {CARD_SUPPLY, 0};
    (void)mailbox_property(MAILBOX_BASE, MAILBOX_SET_GPIO, supply, 2);
    struct block_device *card = sdhci_start(EMMC2_BASE, clock_rate(CLOCK_EMMC2));
    if (card) {
        return card;
    }
#else
    route_card_pins();
#endif
    return sdhci_start(EMMC_BASE, clock_rate(CLOCK_EMMC));
}

/* ---- the jack ---- */

enum { SAMPLE_RATE = 22050 };
static const struct bcm_pwm jack = {.pwm = PWM_BASE,
                                    .clocks = CLOCKS_BASE,
                                    .gpio = GPIO_BASE,
                                    .dma = DMA5_BASE,
                                    .fifo_bus = PWM_FIFO_BUS,
                                    .dreq = PWM_DREQ,
                                    .source_mhz = PLLD_MHZ,
                                    .divisor = PWM_DIVISOR};
static bool playing;

void board_sign(enum sign sign)
{
    static DMA_MEMORY uint32_t words[2 * SIGN_FRAMES_MAX];
    if (playing) {
        bcm_pwm_stop(&jack);
    }
    size_t frames = sign_make(sign, SAMPLE_RATE, bcm_pwm_range(&jack, SAMPLE_RATE), words);
    playing = bcm_pwm_start(&jack, SAMPLE_RATE);
    if (playing) {
        bcm_pwm_play(&jack, words, 2 * frames);
    } else {
        log_warning(MAIN, "the jack's clock does not run");
    }
}

static void end_sign(void)
{
    if (playing && !bcm_pwm_busy(&jack)) {
        bcm_pwm_stop(&jack);
        playing = false;
    }
}

/* ---- lamp and watchdog ---- */

static void set_lamp(bool lit)
{
    static int before = -1;
    uint32_t values[2] = {LAMP_FIRMWARE, lit};
    if (before == lit) {
        return;
    }
    unsigned pin = board_type() == TYPE_4B ? LAMP_4B : LAMP_3BPLUS;
    if (board_type() == TYPE_3B) {
        (void)mailbox_property(MAILBOX_BASE, MAILBOX_SET_GPIO, values, 2);
    } else {
        if (before < 0) {
            gpio_set_function(GPIO_BASE, pin, GPIO_OUTPUT);
        }
        gpio_write(GPIO_BASE, pin, lit);
    }
    before = lit;
}

/* An emulator's firmware has an old, fixed revision instead of the time of its making, and resets
 * at once when the watchdog is armed. */
static bool is_emulated(void)
{
    static int emulated = -1;
    uint32_t revision[1] = {0};
    if (emulated < 0) {
        emulated = !mailbox_property(MAILBOX_BASE, MAILBOX_FIRMWARE_REVISION, revision, 1) ||
                   revision[0] < EMULATED_BEFORE;
    }
    return emulated;
}

void board_tick(enum board_lamp lamp)
{
    static usec_t fed;
    usec_t now = clock_now();
    set_lamp(lamp_is_lit(lamp, now));
    end_sign();
    if (!is_emulated() && (fed == 0 || now - fed > WATCHDOG_FEED_US)) {
        if (fed == 0) {
            log_info(MAIN, "watchdog: %u s", WATCHDOG_US / 1000000);
        }
        fed = now;
        bcm_watchdog_arm(POWER_BASE, WATCHDOG_US);
    }
}

int board_temperature(void)
{
    uint32_t values[2] = {0, 0};
    return mailbox_property(MAILBOX_BASE, MAILBOX_TEMPERATURE, values, 2) ? (int)values[1]
                                                                          : INT_MIN;
}
