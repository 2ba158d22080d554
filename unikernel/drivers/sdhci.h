/*
 * SD card on an SD Host Controller (SD Host Controller Simplified Specification 3.00) without DMA:
 * the Pi's EMMC. Cards of both addressing kinds (SD Physical Layer Simplified
 * Specification 6.00, 4.2).
 */
#ifndef UNIKERNEL_SDHCI_H
#define UNIKERNEL_SDHCI_H

#include "drivers/block.h"

/* base_clock_hz: what the controller is fed with; 0 takes 50 MHz. NULL, with the reason in the log:
 * no controller or no card. */
struct block_device *sdhci_start(uintptr_t base, uint32_t base_clock_hz);

#endif
