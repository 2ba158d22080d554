/*
 * Entry of the image. The first 64 octets are the Linux arm64 image header (Documentation/arch/arm64/booting), which firmware and QEMU
 * read; then one core goes down from EL3 or EL2 to EL1, gets a stack, zeroed memory and caches, and calls kernel_main. The other cores
 * sleep: WFI, not WFE, because an emulator spins on WFE.
 */
    .section .text.boot, "ax"
    .global _start
_start:
    b       entry
    .long   0
    .quad   IMAGE_TEXT_OFFSET           /* from a 2 MiB aligned base */
    .quad   _image_size
    .quad   0x0a                        /* little endian, 4 KiB pages, anywhere in memory */
    .quad   0, 0, 0
    .ascii  "ARM\x64"
    .long   0

entry:
    msr     daifset, #15
    mov     x20, x0                     /* device tree or ATAGs, from firmware */
    mrs     x1, mpidr_el1
    and     x1, x1, #0xff
    cbnz    x1, park

    mrs     x21, CurrentEL
    lsr     x21, x21, #2                /* the level we came in at, for the boot line */
    cmp     x21, #3
    b.eq    from_el3
    cmp     x21, #2
    b.eq    from_el2
    b       at_el1

    /* EL3 happens when an ELF is started without firmware: make EL2 non-secure AArch64 and go there. */
from_el3:
    mov     x0, #0x5b1                  /* SCR_EL3: NS, RES1, SMD, HCE, RW */
    msr     scr_el3, x0
    msr     cptr_el3, xzr
    adr     x0, from_el2
    msr     elr_el3, x0
    mov     x0, #0x3c9                  /* EL2h, all masked */
    msr     spsr_el3, x0
    eret

from_el2:
    mov     x0, #3
    msr     cnthctl_el2, x0             /* EL1 may use the physical timer and counter */
    msr     cntvoff_el2, xzr
    mov     x0, #0x33ff
    msr     cptr_el2, x0                /* no traps of floating point */
    msr     hstr_el2, xzr
    mov     x0, #(1 << 31)
    msr     hcr_el2, x0                 /* EL1 is AArch64 */
    mrs     x0, midr_el1
    msr     vpidr_el2, x0
    mrs     x0, mpidr_el1
    msr     vmpidr_el2, x0
    ldr     x0, =0x30d00800             /* SCTLR_EL1: RES1 bits, MMU and caches off */
    msr     sctlr_el1, x0
    adr     x0, at_el1
    msr     elr_el2, x0
    mov     x0, #0x3c5                  /* EL1h, all masked */
    msr     spsr_el2, x0
    eret

at_el1:
    mov     x0, #(3 << 20)
    msr     cpacr_el1, x0               /* floating point and SIMD on */
    adrp    x0, vectors
    add     x0, x0, :lo12:vectors
    msr     vbar_el1, x0
    ldr     x0, =_stack_top
    mov     sp, x0

    ldr     x0, =_bss_start
    ldr     x1, =_bss_end
1:  cmp     x0, x1
    b.hs    2f
    stp     xzr, xzr, [x0], #16
    b       1b

2:  ldr     x0, =_tls_start             /* variant I: the thread control block is 16 octets before .tdata */
    sub     x0, x0, #16
    msr     tpidr_el0, x0
    isb
    bl      mmu_start
    mov     x0, x20
    mov     x1, x21
    bl      kernel_main
    b       .

    .global park
park:
    msr     daifset, #15
3:  wfi
    b       3b

    /*
     * Interrupts stay masked for ever (cpu.h tells why), so whatever arrives at a vector is a fault. x0 the vector's number,
     * x1 where its frame of general registers is.
     */
    .macro  vector number
    .balign 128
    sub     sp, sp, #256
    stp     x0, x1, [sp, #0]
    stp     x2, x3, [sp, #16]
    mov     x0, #\number
    b       fault_entry
    .endm

    .text
    .balign 2048
vectors:
    .set    i, 0
    .rept   16
    vector  i
    .set    i, i + 1
    .endr

fault_entry:
    stp     x4, x5, [sp, #32]
    stp     x6, x7, [sp, #48]
    stp     x8, x9, [sp, #64]
    stp     x10, x11, [sp, #80]
    stp     x12, x13, [sp, #96]
    stp     x14, x15, [sp, #112]
    stp     x16, x17, [sp, #128]
    stp     x18, x19, [sp, #144]
    stp     x20, x21, [sp, #160]
    stp     x22, x23, [sp, #176]
    stp     x24, x25, [sp, #192]
    stp     x26, x27, [sp, #208]
    stp     x28, x29, [sp, #224]
    str     x30, [sp, #240]
    mov     x1, sp
    bl      fault_report
    /* fault_report returns only from a probe (fault.h): x0 is where to go on. */
    msr     elr_el1, x0
    ldp     x4, x5, [sp, #32]
    ldp     x6, x7, [sp, #48]
    ldp     x8, x9, [sp, #64]
    ldp     x10, x11, [sp, #80]
    ldp     x12, x13, [sp, #96]
    ldp     x14, x15, [sp, #112]
    ldp     x16, x17, [sp, #128]
    ldp     x18, x19, [sp, #144]
    ldp     x20, x21, [sp, #160]
    ldp     x22, x23, [sp, #176]
    ldp     x24, x25, [sp, #192]
    ldp     x26, x27, [sp, #208]
    ldp     x28, x29, [sp, #224]
    ldr     x30, [sp, #240]
    ldp     x2, x3, [sp, #16]
    ldp     x0, x1, [sp, #0]
    add     sp, sp, #256
    eret

    /* bool probe_read32(uintptr_t address, uint32_t *out): false if the bus answers with a fault. */
    .global probe_read32
    .global probe_read32_access
    .global probe_read32_failed
probe_read32:
    mov     x2, x0
    mov     w0, #1
probe_read32_access:
    ldr     w3, [x2]
    dsb     sy
    str     w3, [x1]
    ret
probe_read32_failed:
    mov     w0, #0
    ret

    /* x0 translation table, x1 TCR: caches and MMU on. */
    .global mmu_enable
mmu_enable:
    msr     ttbr0_el1, x0
    msr     tcr_el1, x1
    ldr     x0, =0x00000000000044ff     /* attribute 0 normal write-back, 1 normal non-cacheable, 2 device nGnRnE */
    msr     mair_el1, x0
    isb
    tlbi    vmalle1
    ic      iallu
    dsb     sy
    isb
    mrs     x0, sctlr_el1
    mov     x1, #0x1005                 /* instruction cache, data cache, MMU */
    orr     x0, x0, x1
    msr     sctlr_el1, x0
    isb
    ret
