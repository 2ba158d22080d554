/* QEMU's virt machine: PL011, GICv2, virtio. Everything that may vary is told by the device tree.
 */
#include "board/board.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "arch/aarch64/cpu.h"
#include "drivers/gicv2.h"
#include "drivers/uart_pl011.h"
#include "drivers/virtio_blk.h"
#include "drivers/virtio_net.h"
#include "drivers/virtio_rng.h"
#include "lib/boot_args.h"
#include "lib/psci.h"

void board_early(uintptr_t firmware)
{
    uart_init(UART_BASE, 0);
    /* Started as an ELF, nothing is in x0; QEMU leaves the tree at the start of RAM. */
    boot_args_read(firmware ? firmware : BOARD_RAM_BASE);
}

static unsigned nic_slot;

void board_irq_enable(void)
{
    gic_init(GIC_DIST_BASE, GIC_CPU_BASE);
    gic_enable(GIC_TIMER_INTID);
    gic_enable(VIRTIO_INTID + nic_slot);
}

uint64_t board_ram_octets(void)
{
    uint64_t told = boot_args()->ram_octets;
    uint64_t fallback = UINT64_C(128) << 20; /* QEMU's default */
    return told == 0 ? fallback : told < BOARD_RAM_MAX ? told : BOARD_RAM_MAX;
}

bool board_entropy(void *out, size_t len)
{
    static bool tried, there;
    if (!tried) {
        tried = true;
        there = virtio_rng_start();
    }
    if (there) {
        return virtio_rng_read(out, len);
    }
    /* The seed of the device tree is good for one use. */
    struct boot_args *args = boot_args();
    if (args->seed_len < len) {
        return false;
    }
    memcpy(out, args->seed + args->seed_len - len, len);
    memset(args->seed + args->seed_len - len, 0, len);
    args->seed_len -= len;
    return true;
}

struct nic *board_nic(void)
{
    struct nic *nic = virtio_net_start(&nic_slot);
    if (!nic) {
        printf("board: no virtio network device; expected one at %lx\n", VIRTIO_BASE);
    }
    return nic;
}

struct block_device *board_disk(void)
{
    return virtio_blk_start();
}

void board_tick(enum board_lamp lamp)
{
    (void)lamp; /* no lamp, no watchdog */
}

void board_sign(enum sign sign)
{
    (void)sign; /* no jack */
}

int board_temperature(void)
{
    return INT_MIN;
}

const char *board_model(void)
{
    return "virtual machine (QEMU virt)";
}

NORETURN void board_restart(enum board_restart_reason why)
{
    psci_end(why == BOARD_POWER_OFF);
}
