/* Raspberry Pi 4: GIC-400, RNG200, GENET. QEMU has no GENET; there the USB-C port's controller
 * carries the network. */
#include "board/board.h"

#include "arch/aarch64/cpu.h"
#include "board/raspi/raspi.h"
#include "drivers/bcm_rng.h"
#include "drivers/genet.h"
#include "drivers/gicv2.h"

enum { INTID_USB = 32 + 73, INTID_GENET = 32 + 157 };

void board_early(uintptr_t firmware)
{
    raspi_early(firmware);
}

void board_irq_enable(void)
{
    gic_init(GIC_DIST_BASE, GIC_CPU_BASE);
    gic_enable(GIC_TIMER_INTID);
    gic_enable(INTID_USB);
    gic_enable(INTID_GENET);
}

bool board_entropy(void *out, size_t len)
{
    return rng200_read(RNG_BASE, out, len);
}

struct nic *board_nic(void)
{
    uint32_t revision;
    uint8_t mac[6];
    if (!probe_read32(GENET_BASE, &revision)) {
        return raspi_usb_network();
    }
    return raspi_mac(mac) ? genet_start(GENET_BASE, mac) : NULL;
}
