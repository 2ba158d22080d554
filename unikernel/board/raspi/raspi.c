/* Shared by the Pi boards; their maps give the addresses. */
#include "board/raspi/raspi.h"

#include "arch/aarch64/cpu.h"
#include "base/log.h"
#include "board/board.h"
#include "drivers/bcm_watchdog.h"
#include "drivers/dwc2.h"
#include "drivers/mailbox.h"
#include "drivers/uart_pl011.h"
#include "drivers/usb_ecm.h"
#include "drivers/usb_lan78xx.h"
#include "drivers/usb_lan95xx.h"
#include "lib/boot_args.h"

enum { SPIN_TABLE = 0xd8, CORES = 4, POWER_ON_AND_WAIT = 3 };

extern char park[];

/* Firmware and QEMU hold cores 1 to 3 in a spin table; they are told to sleep for good (a WFE loop
 * costs an emulator a whole core). */
static void park_other_cores(void)
{
    for (uintptr_t core = 1; core < CORES; core++) {
        volatile uint64_t *release = (volatile uint64_t *)(SPIN_TABLE + 8 * core);
        *release = (uintptr_t)park;
        __asm__ volatile("dc civac, %0" ::"r"(release) : "memory");
    }
    barrier();
    __asm__ volatile("sev");
}

void raspi_early(uintptr_t firmware)
{
    uint32_t clock[2] = {MAILBOX_CLOCK_UART, 0};
    (void)mailbox_property(MAILBOX_BASE, MAILBOX_CLOCK_RATE, clock, 2);
    uart_init(UART_BASE, clock[1]);
    park_other_cores();
    boot_args_read(firmware);
}

uint64_t board_ram_octets(void)
{
    uint32_t memory[2] = {0, 0};
    uint64_t octets = mailbox_property(MAILBOX_BASE, MAILBOX_ARM_MEMORY, memory, 2)
                          ? memory[1]
                          : boot_args()->ram_octets;
    return octets == 0 || octets > BOARD_RAM_MAX ? BOARD_RAM_MAX : octets;
}

bool raspi_mac(uint8_t mac[6])
{
    uint32_t words[2] = {0, 0};
    if (!mailbox_property(MAILBOX_BASE, MAILBOX_MAC, words, 2)) {
        log_error(NET, "the firmware does not tell the MAC address");
        return false;
    }
    for (unsigned i = 0; i < 6; i++) {
        mac[i] = (uint8_t)(words[i / 4] >> 8 * (i % 4));
    }
    return true;
}

static bool any_network(const struct usb_device *d)
{
    return usb_lan95xx_wanted(d) || usb_lan78xx_wanted(d) || usb_ecm_wanted(d);
}

struct nic *raspi_usb_network(void)
{
    uint32_t power[2] = {MAILBOX_POWER_USB, POWER_ON_AND_WAIT};
    (void)mailbox_property(MAILBOX_BASE, MAILBOX_SET_POWER, power, 2);
    struct usb_host *host = dwc2_start(USB_BASE);
    struct usb_device device;
    uint8_t mac[6];
    if (!host || usb_find(host, any_network, &device) != ERR_OK) {
        log_error(NET, "usb: no network device found");
        return NULL;
    }
    if (usb_ecm_wanted(&device)) {
        return usb_ecm_start(&device);
    }
    if (!raspi_mac(mac)) {
        return NULL;
    }
    return usb_lan95xx_wanted(&device) ? usb_lan95xx_start(&device, mac)
                                       : usb_lan78xx_start(&device, mac);
}

NORETURN void board_restart(enum board_restart_reason why)
{
    (void)why; /* a Pi cannot switch itself off */
    bcm_restart(POWER_BASE);
}
