/* Arm Generic Interrupt Controller v2 (IHI 0048): only what makes lines pending. */
#ifndef UNIKERNEL_GICV2_H
#define UNIKERNEL_GICV2_H

#include <stdint.h>

enum { GIC_TIMER_INTID = 30 }; /* the non-secure physical timer, a PPI */

void gic_init(uintptr_t distributor, uintptr_t cpu_interface);
void gic_enable(uint32_t intid); /* forward to core 0 */

#endif
