/* Raspberry Pi 4: GIC-400, GENET on its own bus. Under QEMU, which has no GENET, the USB-C port's controller carries a network instead. */
#include "board/board.h"

#include "arch/aarch64/cpu.h"
#include "base/log.h"
#include "drivers/bcm_rng.h"
#include "drivers/bcm_watchdog.h"
#include "drivers/dwc2.h"
#include "drivers/genet.h"
#include "drivers/gicv2.h"
#include "drivers/mailbox.h"
#include "drivers/nic.h"
#include "drivers/uart_pl011.h"
#include "drivers/usb_ecm.h"
#include "lib/boot_args.h"

enum { INTID_USB = 32 + 73, INTID_GENET = 32 + 157 };

extern char park[];

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
    gic_init(GIC_DIST_BASE, GIC_CPU_BASE);
    gic_enable(GIC_TIMER_INTID);
    gic_enable(INTID_USB);
    gic_enable(INTID_GENET);
}

uint64_t board_ram_octets(void)
{
    uint32_t memory[2] = {0, 0};
    uint64_t octets = mailbox_property(MAILBOX_BASE, MAILBOX_ARM_MEMORY, memory, 2) ? memory[1] : boot_args()->ram_octets;
    return octets == 0 || octets > BOARD_RAM_MAX ? BOARD_RAM_MAX : octets;
}

bool board_entropy(void *out, size_t len)
{
    return rng200_read(RNG_BASE, out, len);
}

static struct nic *usb_network(void)
{
    uint32_t power[2] = {MAILBOX_POWER_USB, 3};
    (void)mailbox_property(MAILBOX_BASE, MAILBOX_SET_POWER, power, 2);
    struct usb_host *host = dwc2_start(USB_BASE);
    struct usb_device device;
    if (!host || usb_find(host, usb_ecm_wanted, &device) != ERR_OK) {
        log_error(NET, "neither GENET nor a USB network device answers");
        return NULL;
    }
    return usb_ecm_start(&device);
}

struct nic *board_nic(void)
{
    uint32_t revision, mac[2] = {0, 0};
    if (!probe_read32(GENET_BASE, &revision)) {
        return usb_network();
    }
    if (!mailbox_property(MAILBOX_BASE, MAILBOX_MAC, mac, 2)) {
        log_error(NET, "the firmware does not tell the MAC address");
        return NULL;
    }
    const uint8_t octets[6] = {(uint8_t)mac[0], (uint8_t)(mac[0] >> 8), (uint8_t)(mac[0] >> 16), (uint8_t)(mac[0] >> 24), (uint8_t)mac[1], (uint8_t)(mac[1] >> 8)};
    return genet_start(GENET_BASE, octets);
}

NORETURN void board_restart(enum board_restart_reason why)
{
    (void)why;
    bcm_restart(POWER_BASE);
}
