/*
 * Raspberry Pi 3B and 3B+ (BCM2837). BCM2835 ARM Peripherals with the base moved; QA7 for the
 * core-local block.
 */
#ifndef UNIKERNEL_MAP_H
#define UNIKERNEL_MAP_H

#define BOARD_NAME     "raspi3"
#define BOARD_RAM_BASE 0x0UL
#define BOARD_RAM_MAX  0x3C000000UL

#define PERIPHERAL_BASE 0x3F000000UL
#define LOCAL_BASE      0x40000000UL /* per-core timers and mailboxes */
#define UART_BASE       (PERIPHERAL_BASE + 0x201000)
#define USB_BASE        (PERIPHERAL_BASE + 0x980000)
#define INTC_BASE       (PERIPHERAL_BASE + 0xB200)
#define MAILBOX_BASE    (PERIPHERAL_BASE + 0xB880)
#define POWER_BASE      (PERIPHERAL_BASE + 0x100000)
#define CLOCKS_BASE     (PERIPHERAL_BASE + 0x101000)
#define RNG_BASE        (PERIPHERAL_BASE + 0x104000)
#define GPIO_BASE       (PERIPHERAL_BASE + 0x200000)
#define PWM_BASE        (PERIPHERAL_BASE + 0x20C000)
#define PWM_FIFO_BUS    0x7E20C018U /* as the DMA sees it */
#define PWM_DREQ        5
#define PLLD_MHZ        500
#define PWM_DIVISOR     2
#define DMA5_BASE       (PERIPHERAL_BASE + 0x7500)
#define EMMC_BASE       (PERIPHERAL_BASE + 0x300000)

#endif
