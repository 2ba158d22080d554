/*
 * The generic timer (Arm ARM D11): a counter that starts with the machine, and one comparator that
 * ends a sleep.
 */
#include "arch/aarch64/cpu.h"

static uint64_t counter(void)
{
    uint64_t v;
    __asm__ volatile("isb; mrs %0, cntpct_el0" : "=r"(v));
    return v;
}

static uint64_t frequency(void)
{
    uint64_t v;
    __asm__ volatile("mrs %0, cntfrq_el0" : "=r"(v));
    return v;
}

usec_t clock_now(void)
{
    uint64_t hz = frequency();
    uint64_t t = counter();
    return t / hz * USEC_PER_SEC + t % hz * USEC_PER_SEC / hz;
}

void clock_delay(uint32_t us)
{
    usec_t end = clock_now() + us;
    while (clock_now() < end) {
    }
}

static usec_t slept;

usec_t cpu_slept_us(void)
{
    return slept;
}

void cpu_sleep(uint32_t us)
{
    usec_t began = clock_now();
    uint64_t wake = counter() + frequency() * us / USEC_PER_SEC;
    __asm__ volatile("msr cntp_cval_el0, %0; msr cntp_ctl_el0, %1" ::"r"(wake), "r"(UINT64_C(1)));
    __asm__ volatile("dsb sy; wfi" ::: "memory");
    __asm__ volatile("msr cntp_ctl_el0, %0" ::"r"(UINT64_C(0)));
    slept += clock_now() - began;
}
