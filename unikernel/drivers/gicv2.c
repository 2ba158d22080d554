/* GICv2. Interrupts stay masked at the core (cpu.h), so nothing is ever acknowledged here: a level
 * source stops being pending when its device does. */
#include "drivers/gicv2.h"

#include "arch/aarch64/cpu.h"

enum {
    GICD_CTLR = 0x000,
    GICD_ISENABLER = 0x100,
    GICD_ITARGETSR = 0x800,
    GICC_CTLR = 0x000,
    GICC_PMR = 0x004
};

static uintptr_t dist;

void gic_init(uintptr_t distributor, uintptr_t cpu_interface)
{
    dist = distributor;
    write32(dist + GICD_CTLR, 1);
    write32(cpu_interface + GICC_PMR, 0xff);
    write32(cpu_interface + GICC_CTLR, 1);
}

void gic_enable(uint32_t intid)
{
    if (intid >= 32) {
        uintptr_t target = dist + GICD_ITARGETSR + (intid & ~3U);
        uint32_t shift = 8 * (intid & 3);
        write32(target, (read32(target) & ~(0xffU << shift)) | 1U << shift);
    }
    write32(dist + GICD_ISENABLER + 4 * (intid / 32), 1U << intid % 32);
}
