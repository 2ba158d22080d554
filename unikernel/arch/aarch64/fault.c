/*
 * What happens when the processor faults: say where and why on the console, then restart the board.
 * A probe of a device that may be absent is the only fault that is survived.
 */
#include <stdio.h>

#include "arch/aarch64/cpu.h"
#include "board/board.h"

extern char probe_read32_access[], probe_read32_failed[];
uint64_t fault_report(uint64_t vector, const uint64_t *regs);

static const char *class_name(uint64_t esr)
{
    switch (esr >> 26 & 0x3f) {
    case 0x00:
        return "unknown instruction";
    case 0x15:
        return "supervisor call";
    case 0x20:
    case 0x21:
        return "instruction abort";
    case 0x22:
        return "misaligned program counter";
    case 0x24:
    case 0x25:
        return "data abort";
    case 0x26:
        return "misaligned stack";
    case 0x2f:
        return "system error";
    case 0x3c:
        return "trap";
    default:
        return "exception";
    }
}

/* A frame pointer worth following. Unsigned difference, so that a RAM base of 0 needs no special
 * case. */
static bool in_ram(const uint64_t *frame)
{
    return (uintptr_t)frame - BOARD_RAM_BASE < BOARD_RAM_MAX && frame != NULL &&
           ((uintptr_t)frame & 15) == 0;
}

void cpu_backtrace(const uint64_t *frame)
{
    /* Frame pointers lead to the callers: each points at {caller's frame, return address}. */
    printf("\ncalled from");
    for (int depth = 0; depth < 16 && in_ram(frame); depth++) {
        printf(" %lx", frame[1]);
        frame = (const uint64_t *)frame[0];
    }
    printf("\n");
}

uint64_t fault_report(uint64_t vector, const uint64_t *regs)
{
    uint64_t esr, elr, far;
    __asm__ volatile("mrs %0, esr_el1; mrs %1, elr_el1; mrs %2, far_el1"
                     : "=r"(esr), "=r"(elr), "=r"(far));
    if (elr == (uintptr_t)probe_read32_access) {
        return (uintptr_t)probe_read32_failed;
    }
    printf("\nFAULT: %s at %lx, address %lx, esr %lx, vector %lu\n", class_name(esr), elr, far, esr,
           vector);
    for (int i = 0; i < 31; i++) {
        printf("x%-2d %016lx%s", i, regs[i], i % 4 == 3 ? "\n" : "  ");
    }
    cpu_backtrace((const uint64_t *)regs[29]);
    board_restart(BOARD_RESTART_FAULT);
}
