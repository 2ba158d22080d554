/*
 * QEMU's `virt` machine (hw/arm/virt.c memory map); also the map of hypervisors that imitate it.
 */
#ifndef UNIKERNEL_MAP_H
#define UNIKERNEL_MAP_H

#define BOARD_NAME     "virt"
#define BOARD_RAM_BASE 0x40000000UL
#define BOARD_RAM_MAX  0xC0000000UL /* the device tree tells how much there is */

#define UART_BASE     0x09000000UL
#define GIC_DIST_BASE 0x08000000UL
#define GIC_CPU_BASE  0x08010000UL
#define VIRTIO_BASE   0x0a000000UL
#define VIRTIO_STRIDE 0x200UL
#define VIRTIO_SLOTS  32
#define VIRTIO_INTID  48

#endif
