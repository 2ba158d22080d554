/*
 * The processor: registers, barriers, the generic timer, sleeping.
 *
 * Interrupts stay masked in PSTATE for ever. Sources are enabled in the interrupt controller, so
 * that a device's line becomes pending, and WFI wakes on a pending line even when it is masked. One
 * loop polls the devices; nothing runs between two instructions of it. No handler, no acknowledge
 * (all sources are level triggered), no lost wake-up.
 */
#ifndef UNIKERNEL_CPU_H
#define UNIKERNEL_CPU_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/time.h"

static inline void write32(uintptr_t address, uint32_t value)
{
    *(volatile uint32_t *)address = value;
}

static inline uint32_t read32(uintptr_t address)
{
    return *(volatile uint32_t *)address;
}

static inline void barrier(void)
{
    __asm__ volatile("dsb sy" ::: "memory");
}

/* A read of a device that may not be there: false instead of a fault. */
bool probe_read32(uintptr_t address, uint32_t *out);

usec_t clock_now(void);        /* since the counter started; CNTFRQ is read, never assumed */
void clock_delay(uint32_t us); /* spins; for devices that ask for short waits */

/* Sleep until a device's line is pending or `us` have passed, whichever is first. */
void cpu_sleep(uint32_t us);
usec_t cpu_slept_us(void); /* in all */

/* Print the return addresses from a frame on, for `addr2line -e kernel8.elf`. */
void cpu_backtrace(const uint64_t *frame);

/* Caches and MMU on; called once by start.S. */
void mmu_start(void);

#endif
