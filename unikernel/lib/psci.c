/* PSCI by hypervisor call, the conduit of machines that start us at EL1. */
#include "lib/psci.h"

#include <stdint.h>

#define PSCI_SYSTEM_OFF   UINT64_C(0x84000008)
#define PSCI_SYSTEM_RESET UINT64_C(0x84000009)

NORETURN void psci_end(bool power_off)
{
    register uint64_t x0 __asm__("x0") = power_off ? PSCI_SYSTEM_OFF : PSCI_SYSTEM_RESET;
    __asm__ volatile("hvc #0" : "+r"(x0)::"memory");
    for (;;) {
        __asm__ volatile("wfi");
    }
}
