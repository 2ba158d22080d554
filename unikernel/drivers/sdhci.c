/* SDHCI, polled, 32-bit register accesses only (the Pi's Arasan block demands it), default speed
 * and one data line: a card is read at start and written rarely. */
#include "drivers/sdhci.h"

#include <string.h>

#include "arch/aarch64/cpu.h"
#include "base/log.h"
#include "base/time.h"

enum {
    BLOCK_SIZE_COUNT = 0x04,
    ARGUMENT = 0x08,
    COMMAND = 0x0c,
    RESPONSE = 0x10,
    DATA = 0x20,
    STATE = 0x24,
    CONTROL0 = 0x28,
    CONTROL1 = 0x2c,
    INTERRUPT = 0x30,
    INT_ENABLE = 0x34,
    INT_SIGNAL = 0x38,
    VERSION = 0xfc
};
enum {
    CLOCK_INTERNAL = 1 << 0,
    CLOCK_STABLE = 1 << 1,
    CLOCK_TO_CARD = 1 << 2,
    CLOCK_DIVIDER = 0xffc0,
    TIMEOUT_LONGEST = 0xe << 16,
    RESET_ALL = 1 << 24,
    RESET_COMMAND = 1 << 25,
    RESET_DATA = 1 << 26
};
enum {
    INT_COMMAND_DONE = 1 << 0,
    INT_TRANSFER_DONE = 1 << 1,
    INT_WRITE_READY = 1 << 4,
    INT_READ_READY = 1 << 5,
    INT_ERROR = 1 << 15
};
enum {
    RESPONSE_NONE = 0,
    RESPONSE_136 = 1 << 16,
    RESPONSE_48 = 2 << 16,
    RESPONSE_48_BUSY = 3 << 16,
    HAS_DATA = 1 << 21
};
enum { MODE_COUNT = 1 << 1, MODE_AUTO_STOP = 1 << 2, MODE_READ = 1 << 4, MODE_MULTI = 1 << 5 };
enum {
    GO_IDLE = 0,
    ALL_SEND_CID = 2,
    SEND_RELATIVE_ADDR = 3,
    SELECT_CARD = 7,
    SEND_IF_COND = 8,
    SEND_CSD = 9,
    SET_BLOCKLEN = 16,
    READ_ONE = 17,
    READ_MANY = 18,
    WRITE_ONE = 24,
    WRITE_MANY = 25,
    APP_CMD = 55,
    APP_OP_COND = 41
};
enum {
    IDENTIFY_HZ = 400000,
    RUN_HZ = 25000000,
    COMMAND_TIMEOUT_US = 200000,
    DATA_TIMEOUT_US = 1000000,
    TRANSFER_MAX = 256,
    POWER_UP_TRIES = 100
};
#define OCR_BUSY     (1U << 31)
#define OCR_CAPACITY (1U << 30)
#define OCR_VOLTAGES 0x00ff8000U

static struct sdhci {
    struct block_device block;
    uintptr_t base;
    uint32_t clock_hz;
    uint32_t address; /* relative card address, in the upper half */
    bool by_sector;   /* high capacity: addresses are sectors, else octets */
} card;

static uint32_t get(uint32_t reg)
{
    return read32(card.base + reg);
}

static void set(uint32_t reg, uint32_t value)
{
    write32(card.base + reg, value);
}

static enum err wait_interrupt(uint32_t bits, uint32_t timeout_us)
{
    usec_t end = clock_now() + timeout_us;
    for (;;) {
        uint32_t now = get(INTERRUPT);
        if (now & INT_ERROR) {
            set(INTERRUPT, now);
            return ERR_IO;
        }
        if (now & bits) {
            set(INTERRUPT, bits);
            return ERR_OK;
        }
        if (clock_now() > end) {
            return ERR_TIMEOUT;
        }
    }
}

static enum err command(uint32_t index, uint32_t flags, uint32_t argument, uint32_t *response)
{
    set(INTERRUPT, ~0U);
    set(ARGUMENT, argument);
    set(COMMAND, index << 24 | flags);
    enum err e = wait_interrupt(INT_COMMAND_DONE, COMMAND_TIMEOUT_US);
    if (e != ERR_OK) {
        set(CONTROL1, get(CONTROL1) | RESET_COMMAND | RESET_DATA);
        clock_delay(1000);
        return e;
    }
    if (response) {
        *response = get(RESPONSE);
    }
    return ERR_OK;
}

static bool set_clock(uint32_t hz)
{
    uint32_t divider =
        (card.clock_hz + 2 * hz - 1) / (2 * hz); /* 10-bit divided clock, specification 3.00 */
    divider = divider > 0x3ff ? 0x3ff : divider;
    set(CONTROL1, get(CONTROL1) & ~(uint32_t)(CLOCK_TO_CARD | CLOCK_DIVIDER));
    set(CONTROL1, get(CONTROL1) | (divider & 0xff) << 8 | (divider >> 8) << 6 | CLOCK_INTERNAL |
                      TIMEOUT_LONGEST);
    usec_t end = clock_now() + 100000;
    while (!(get(CONTROL1) & CLOCK_STABLE)) {
        if (clock_now() > end) {
            return false;
        }
    }
    set(CONTROL1, get(CONTROL1) | CLOCK_TO_CARD);
    clock_delay(2000);
    return true;
}

static enum err transfer(uint32_t index, uint64_t sector, uint32_t count, uint32_t mode)
{
    uint64_t address = card.by_sector ? sector : sector * BLOCK_SECTOR;
    if (address > UINT32_MAX) {
        return ERR_RANGE;
    }
    set(BLOCK_SIZE_COUNT, count << 16 | BLOCK_SECTOR);
    if (count > 1) {
        mode |= MODE_MULTI | MODE_COUNT | MODE_AUTO_STOP;
    }
    return command(index, RESPONSE_48 | HAS_DATA | mode, (uint32_t)address, NULL);
}

static enum err read_some(uint64_t sector, uint32_t count, uint8_t *out)
{
    enum err e = transfer(count > 1 ? READ_MANY : READ_ONE, sector, count, MODE_READ);
    for (uint32_t s = 0; s < count && e == ERR_OK; s++) {
        e = wait_interrupt(INT_READ_READY, DATA_TIMEOUT_US);
        for (uint32_t i = 0; i < BLOCK_SECTOR / 4 && e == ERR_OK; i++, out += 4) {
            uint32_t word = get(DATA);
            memcpy(out, &word, 4);
        }
    }
    return e == ERR_OK ? wait_interrupt(INT_TRANSFER_DONE, DATA_TIMEOUT_US) : e;
}

static enum err write_some(uint64_t sector, uint32_t count, const uint8_t *data)
{
    enum err e = transfer(count > 1 ? WRITE_MANY : WRITE_ONE, sector, count, 0);
    for (uint32_t s = 0; s < count && e == ERR_OK; s++) {
        e = wait_interrupt(INT_WRITE_READY, DATA_TIMEOUT_US);
        for (uint32_t i = 0; i < BLOCK_SECTOR / 4 && e == ERR_OK; i++, data += 4) {
            uint32_t word;
            memcpy(&word, data, 4);
            set(DATA, word);
        }
    }
    return e == ERR_OK ? wait_interrupt(INT_TRANSFER_DONE, DATA_TIMEOUT_US) : e;
}

static enum err card_read(struct block_device *d, uint64_t sector, uint32_t count, void *out)
{
    enum err e = ERR_OK;
    (void)d;
    for (uint8_t *p = out; count > 0 && e == ERR_OK;) {
        uint32_t n = count < TRANSFER_MAX ? count : TRANSFER_MAX;
        e = read_some(sector, n, p);
        sector += n;
        count -= n;
        p += (size_t)n * BLOCK_SECTOR;
    }
    return e;
}

static enum err card_write(struct block_device *d, uint64_t sector, uint32_t count,
                           const void *data)
{
    enum err e = ERR_OK;
    for (const uint8_t *p = data; count > 0 && e == ERR_OK;) {
        uint32_t n = count < TRANSFER_MAX ? count : TRANSFER_MAX;
        e = write_some(sector, n, p);
        d->written += n;
        sector += n;
        count -= n;
        p += (size_t)n * BLOCK_SECTOR;
    }
    return e;
}

/* SD Physical Layer 4.2.3: initialization; what fails says at which step. */
static enum err identify(const char **step)
{
    uint32_t r = 0;
    *step = "no card answers";
    (void)command(GO_IDLE, RESPONSE_NONE, 0, NULL);
    bool version2 = command(SEND_IF_COND, RESPONSE_48, 0x1aa, &r) == ERR_OK && (r & 0xfff) == 0x1aa;
    for (int i = 0;; i++) {
        if (command(APP_CMD, RESPONSE_48, 0, NULL) != ERR_OK ||
            command(APP_OP_COND, RESPONSE_48, OCR_VOLTAGES | (version2 ? OCR_CAPACITY : 0), &r) !=
                ERR_OK) {
            return ERR_NOT_FOUND;
        }
        if (r & OCR_BUSY) {
            break;
        }
        if (i == POWER_UP_TRIES) {
            *step = "the card stays busy";
            return ERR_TIMEOUT;
        }
        clock_delay(10000);
    }
    card.by_sector = (r & OCR_CAPACITY) != 0;
    *step = "the card does not take an address";
    enum err e = command(ALL_SEND_CID, RESPONSE_136, 0, NULL);
    e = e == ERR_OK ? command(SEND_RELATIVE_ADDR, RESPONSE_48, 0, &r) : e;
    card.address = r & 0xffff0000;
    *step = "the card cannot be selected";
    e = e == ERR_OK ? command(SELECT_CARD, RESPONSE_48_BUSY, card.address, NULL) : e;
    return e == ERR_OK ? command(SET_BLOCKLEN, RESPONSE_48, BLOCK_SECTOR, NULL) : e;
}

struct block_device *sdhci_start(uintptr_t base, uint32_t base_clock_hz)
{
    const char *step = "the controller does not come out of reset";
    uint32_t probe;
    memset(&card, 0, sizeof card);
    card.base = base;
    card.clock_hz = base_clock_hz ? base_clock_hz : 50000000;
    if (!probe_read32(base + VERSION, &probe)) {
        return NULL;
    }
    set(CONTROL1, RESET_ALL);
    usec_t end = clock_now() + 100000;
    bool fine = true;
    while (fine && (get(CONTROL1) & RESET_ALL)) {
        fine = clock_now() < end;
    }
    set(INT_ENABLE, ~0U);
    set(INT_SIGNAL, 0);
    if (!fine || !set_clock(IDENTIFY_HZ) || identify(&step) != ERR_OK || !set_clock(RUN_HZ)) {
        log_info(STORE, "SD card: %s", step);
        return NULL;
    }
    card.block.name = card.by_sector ? "SD card (high capacity)" : "SD card";
    card.block.read = card_read;
    card.block.write = card_write;
    return &card.block;
}
