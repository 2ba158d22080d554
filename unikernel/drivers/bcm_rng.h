/* The Pi's hardware random generators: BCM2835's (Pi 3) and RNG200 (Pi 4). */
#ifndef UNIKERNEL_BCM_RNG_H
#define UNIKERNEL_BCM_RNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool bcm2835_rng_read(uintptr_t base, void *out, size_t len);

/* False too if nothing answers at base, as under emulators. */
bool rng200_read(uintptr_t base, void *out, size_t len);

/* Is this sample plausible? Repeated words mean a stuck generator (SP 800-90B 4.4.1, repetition
 * count test). */
bool rng_sample_healthy(const uint32_t *words, size_t count);

#endif
