/* Arm PL011 UART: the console. Writing waits for room in the FIFO, so a line costs at most its own
 * time on the wire. */
#include "drivers/uart_pl011.h"

#include "arch/aarch64/cpu.h"

enum {
    UART_DR = 0x00,
    UART_FR = 0x18,
    UART_IBRD = 0x24,
    UART_FBRD = 0x28,
    UART_LCRH = 0x2c,
    UART_CR = 0x30,
    UART_IMSC = 0x38,
    UART_ICR = 0x44
};
enum {
    FR_TX_FULL = 1 << 5,
    LCRH_8BIT = 3 << 5,
    LCRH_FIFO = 1 << 4,
    CR_ENABLE = 1,
    CR_TX = 1 << 8,
    CR_RX = 1 << 9
};
enum { BAUD = 115200 };

static uintptr_t uart;

void uart_init(uintptr_t base, uint32_t clock_hz)
{
    uart = base;
    if (clock_hz == 0) {
        return;
    }
    write32(uart + UART_CR, 0);
    write32(uart + UART_ICR, 0x7ff);
    /* The divisor has 6 bits of fraction: clock / (16 * baud), times 64, rounded. */
    uint32_t divisor = (uint32_t)((UINT64_C(4) * clock_hz + BAUD / 2) / BAUD);
    write32(uart + UART_IBRD, divisor >> 6);
    write32(uart + UART_FBRD, divisor & 63);
    write32(uart + UART_LCRH, LCRH_8BIT | LCRH_FIFO);
    write32(uart + UART_IMSC, 0);
    write32(uart + UART_CR, CR_ENABLE | CR_TX | CR_RX);
}

void uart_put(char c)
{
    if (uart == 0) {
        return;
    }
    while (read32(uart + UART_FR) & FR_TX_FULL) {
    }
    write32(uart + UART_DR, (uint8_t)c);
}
