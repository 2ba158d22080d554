/* Hardware random generators; every word passes a repetition test before it is used. */
#include "drivers/bcm_rng.h"

#include <string.h>

#include "arch/aarch64/cpu.h"

enum { WORD_TIMEOUT_US = 100000, SAMPLE_WORDS = 32 };
enum { RNG_CTRL = 0x00, RNG_STATUS = 0x04, RNG_DATA = 0x08, RNG_WARM_UP = 0x40000 };
enum {
    RNG200_CTRL = 0x00,
    RNG200_SOFT_RESET = 0x04,
    RNG200_RBG_RESET = 0x08,
    RNG200_STATUS = 0x18,
    RNG200_FIFO = 0x20,
    RNG200_COUNT = 0x24
};
#define RNG200_FAILED (1U << 31 | 1U << 5)

bool rng_sample_healthy(const uint32_t *words, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (words[i] == words[i - 1]) {
            return false;
        }
    }
    return count > 1;
}

static bool bcm2835_word(uintptr_t base, uint32_t *out)
{
    usec_t end = clock_now() + WORD_TIMEOUT_US;
    while ((read32(base + RNG_STATUS) >> 24) == 0) {
        if (clock_now() > end) {
            return false;
        }
    }
    *out = read32(base + RNG_DATA);
    return true;
}

static void rng200_reset(uintptr_t base)
{
    write32(base + RNG200_CTRL, 0);
    write32(base + RNG200_STATUS, ~0U);
    write32(base + RNG200_RBG_RESET, 1);
    write32(base + RNG200_SOFT_RESET, 1);
    write32(base + RNG200_SOFT_RESET, 0);
    write32(base + RNG200_RBG_RESET, 0);
    write32(base + RNG200_CTRL, 1);
}

static bool rng200_word(uintptr_t base, uint32_t *out)
{
    usec_t end = clock_now() + WORD_TIMEOUT_US;
    while ((read32(base + RNG200_COUNT) & 0xff) == 0) {
        if (read32(base + RNG200_STATUS) & RNG200_FAILED) {
            rng200_reset(base);
        }
        if (clock_now() > end) {
            return false;
        }
    }
    *out = read32(base + RNG200_FIFO);
    return true;
}

static bool read_healthy(uintptr_t base, bool (*word)(uintptr_t, uint32_t *), void *out, size_t len)
{
    uint8_t *p = out;
    while (len > 0) {
        uint32_t sample[SAMPLE_WORDS];
        for (size_t i = 0; i < SAMPLE_WORDS; i++) {
            if (!word(base, &sample[i])) {
                return false;
            }
        }
        if (!rng_sample_healthy(sample, SAMPLE_WORDS)) {
            return false;
        }
        size_t n = len < sizeof sample ? len : sizeof sample;
        memcpy(p, sample, n);
        p += n;
        len -= n;
    }
    return true;
}

bool bcm2835_rng_read(uintptr_t base, void *out, size_t len)
{
    if (!(read32(base + RNG_CTRL) & 1)) {
        write32(base + RNG_STATUS, RNG_WARM_UP);
        write32(base + RNG_CTRL, 1);
    }
    return read_healthy(base, bcm2835_word, out, len);
}

bool rng200_read(uintptr_t base, void *out, size_t len)
{
    uint32_t ctrl;
    if (!probe_read32(base + RNG200_CTRL, &ctrl)) {
        return false;
    }
    if (!(ctrl & 1)) {
        rng200_reset(base);
    }
    return read_healthy(base, rng200_word, out, len);
}
