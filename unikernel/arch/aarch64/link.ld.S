/* Layout of the image in memory; run through the preprocessor with the board's LOAD_ADDRESS. */
ENTRY(_start)
SECTIONS
{
    . = LOAD_ADDRESS;
    _image_start = .;
    .text : { KEEP(*(.text.boot)) *(.text .text.*) }
    .rodata : ALIGN(64) { *(.rodata .rodata.*) }
    .init_array : { __init_array_start = .; KEEP(*(SORT(.init_array.*))) KEEP(*(.init_array)) __init_array_end = .; }
    .data : ALIGN(64) { *(.data .data.*) . = ALIGN(64); }
    /* errno and the like: one thread, so the initial image is the live one. */
    .tdata : ALIGN(64) { _tls_start = .; *(.tdata .tdata.*) }
    .tbss : { *(.tbss .tbss.*) . = ALIGN(64); }
    . = ALIGN(64);
    . = . + SIZEOF(.tbss);
    . = ALIGN(64);
    _image_end = .;
    .bss (NOLOAD) : ALIGN(64) { _bss_start = .; *(.bss .bss.*) *(COMMON) . = ALIGN(64); _bss_end = .; }
    .stack (NOLOAD) : ALIGN(4096) { _stack_bottom = .; . += 0x40000; _stack_top = .; }
    .dma (NOLOAD) : ALIGN(0x200000) { _dma_start = .; *(.dma) . = ALIGN(0x200000); _dma_end = .; }
    _heap_start = .;
    _image_size = _image_end - _image_start;
    /DISCARD/ : { *(.note*) *(.comment*) *(.eh_frame*) }
}
