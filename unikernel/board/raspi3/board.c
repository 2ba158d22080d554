/* Raspberry Pi 3B and 3B+: everything but the UART hangs on the VideoCore's bus; the network hangs on USB. */
#include "board/board.h"

#include "arch/aarch64/cpu.h"
#include "base/log.h"
#include "drivers/bcm_rng.h"
#include "drivers/bcm_watchdog.h"
#include "drivers/dwc2.h"
#include "drivers/mailbox.h"
#include "drivers/nic.h"
#include "drivers/uart_pl011.h"
#include "drivers/usb_ecm.h"
#include "lib/boot_args.h"

enum { LOCAL_TIMER0_CONTROL = 0x40, LOCAL_TIMER_PHYSICAL = 1 << 1 };       /* QA7 4.6: core 0, non-secure physical timer */
enum { INTC_ENABLE_1 = 0x10, INTC_GPU_USB = 1 << 9 };                      /* BCM2835 ARM Peripherals 7.5 */
enum { POWER_ON_AND_WAIT = 3 };

extern char park[];

/* Firmware and QEMU hold cores 1 to 3 in a spin table; they are told to sleep for good (a WFE loop costs an emulator a whole core). */
static void park_other_cores(void)
{
    for (uintptr_t core = 1; core < 4; core++) {
        volatile uint64_t *release = (volatile uint64_t *)(0xd8 + 8 * core);
        *release = (uintptr_t)park;
        __asm__ volatile("dc civac, %0" ::"r"(release) : "memory");
    }
    barrier();
    __asm__ volatile("sev");
}

void board_early(uintptr_t firmware)
{
    uint32_t clock[2] = {MAILBOX_CLOCK_UART, 0};
    (void)mailbox_property(MAILBOX_BASE, MAILBOX_CLOCK_RATE, clock, 2);
    uart_init(UART_BASE, clock[1]);
    park_other_cores();
    boot_args_read(firmware);
}

void board_irq_enable(void)
{
    write32(LOCAL_BASE + LOCAL_TIMER0_CONTROL, LOCAL_TIMER_PHYSICAL);
    write32(INTC_BASE + INTC_ENABLE_1, INTC_GPU_USB);
}

uint64_t board_ram_octets(void)
{
    uint32_t memory[2] = {0, 0};
    uint64_t octets = mailbox_property(MAILBOX_BASE, MAILBOX_ARM_MEMORY, memory, 2) ? memory[1] : boot_args()->ram_octets;
    return octets == 0 || octets > BOARD_RAM_MAX ? BOARD_RAM_MAX : octets;
}

bool board_entropy(void *out, size_t len)
{
    return bcm2835_rng_read(RNG_BASE, out, len);
}

static bool any_network(const struct usb_device *d)
{
    return usb_ecm_wanted(d);
}

struct nic *board_nic(void)
{
    uint32_t power[2] = {MAILBOX_POWER_USB, POWER_ON_AND_WAIT};
    (void)mailbox_property(MAILBOX_BASE, MAILBOX_SET_POWER, power, 2);
    struct usb_host *host = dwc2_start(USB_BASE);
    struct usb_device device;
    if (!host || usb_find(host, any_network, &device) != ERR_OK) {
        log_error(NET, "usb: no network device found");
        return NULL;
    }
    return usb_ecm_start(&device);
}

NORETURN void board_restart(enum board_restart_reason why)
{
    (void)why; /* a Pi cannot switch itself off */
    bcm_restart(POWER_BASE);
}
