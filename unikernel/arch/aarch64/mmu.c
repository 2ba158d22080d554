/*
 * Identity map of the first 4 GiB in blocks of 2 MiB: RAM cached, the section .dma not cached (what
 * devices read and write lives there, so no cache maintenance is needed anywhere), everything else
 * device memory that cannot be executed. Arm ARM D8.
 */
#include "arch/aarch64/cpu.h"
#include "board/board.h"

enum { BLOCK_SHIFT = 21, TABLE_ENTRIES = 512, GIGABYTES = 4 };

#define DESC_TABLE       UINT64_C(3)
#define DESC_BLOCK       UINT64_C(1)
#define DESC_ATTR(i)     ((uint64_t)(i) << 2)
#define DESC_OUTER_SHARE (UINT64_C(2) << 8)
#define DESC_INNER_SHARE (UINT64_C(3) << 8)
#define DESC_ACCESSED    (UINT64_C(1) << 10)
#define DESC_NO_EXEC     (UINT64_C(3) << 53)

enum { ATTR_CACHED = 0, ATTR_UNCACHED = 1, ATTR_DEVICE = 2 };

extern char _dma_start[], _dma_end[];
void mmu_enable(uint64_t table, uint64_t tcr);

static uint64_t level1[TABLE_ENTRIES] __attribute__((aligned(4096)));
static uint64_t level2[GIGABYTES][TABLE_ENTRIES] __attribute__((aligned(4096)));

static uint64_t block(uint64_t address)
{
    uint64_t d = address | DESC_BLOCK | DESC_ACCESSED;
    bool ram = address - BOARD_RAM_BASE < BOARD_RAM_MAX;
    if (!ram) {
        return d | DESC_ATTR(ATTR_DEVICE) | DESC_NO_EXEC;
    }
    if (address >= (uintptr_t)_dma_start && address < (uintptr_t)_dma_end) {
        return d | DESC_ATTR(ATTR_UNCACHED) | DESC_OUTER_SHARE | DESC_NO_EXEC;
    }
    return d | DESC_ATTR(ATTR_CACHED) | DESC_INNER_SHARE;
}

void mmu_start(void)
{
    for (uint64_t g = 0; g < GIGABYTES; g++) {
        level1[g] = (uintptr_t)level2[g] | DESC_TABLE;
        for (uint64_t i = 0; i < TABLE_ENTRIES; i++) {
            level2[g][i] = block(g << 30 | i << BLOCK_SHIFT);
        }
    }
    /* T0SZ 25 (39 bits), walks write-back inner shareable, TTBR1 off, 36-bit physical addresses. */
    uint64_t tcr = UINT64_C(25) | UINT64_C(1) << 8 | UINT64_C(1) << 10 | UINT64_C(3) << 12 |
                   UINT64_C(1) << 23 | UINT64_C(1) << 32;
    barrier();
    mmu_enable((uintptr_t)level1, tcr);
}
