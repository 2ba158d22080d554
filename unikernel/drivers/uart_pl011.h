/* Arm PL011 UART (DDI 0183): polled output. */
#ifndef UNIKERNEL_UART_PL011_H
#define UNIKERNEL_UART_PL011_H

#include <stdint.h>

/* 115200 8N1 from a clock of clock_hz; 0 keeps what the firmware set (QEMU does not care). */
void uart_init(uintptr_t base, uint32_t clock_hz);
void uart_put(char c);

#endif
