/*
 * Memory that devices read and write: a section that is mapped non-cacheable, so that there is no
 * cache maintenance to get wrong.
 */
#ifndef UNIKERNEL_DMA_H
#define UNIKERNEL_DMA_H

#include <stdint.h>

#define DMA_MEMORY __attribute__((section(".dma"), aligned(64)))

/* The address of RAM as the VideoCore and its DMA masters see it, past their caches (BCM2835 ARM
 * Peripherals 1.2.3). */
static inline uint32_t dma_bus_address(const volatile void *p)
{
    return (uint32_t)(uintptr_t)p | 0xC0000000U;
}

#endif
