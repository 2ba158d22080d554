/*
 * Stands in for unikernel/arch/aarch64/cpu.h in tests on the host: device registers are functions
 * of the test, time is a variable that waiting moves on.
 */
#ifndef UNIKERNEL_CPU_H
#define UNIKERNEL_CPU_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/time.h"

void write32(uintptr_t address, uint32_t value);
uint32_t read32(uintptr_t address);
bool probe_read32(uintptr_t address, uint32_t *out);

extern usec_t fake_now;

static inline void barrier(void)
{
}

static inline usec_t clock_now(void)
{
    return fake_now++;
}

static inline void clock_delay(uint32_t us)
{
    fake_now += us;
}

static inline void cpu_sleep(uint32_t us)
{
    fake_now += us;
}

#endif
