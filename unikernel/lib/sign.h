/* What the jack plays: short signs of two notes, as samples for a PWM. */
#ifndef UNIKERNEL_SIGN_H
#define UNIKERNEL_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sign {
    SIGN_READY,      /* two notes up: questions are answered */
    SIGN_NO_UPSTREAM /* two notes down: no upstream answers any more */
};

#define SIGN_FRAMES_MAX 16384 /* a frame is a word for each of the two sides */

/*
 * Frames at `rate` a second (8000 to 32000), each word from 0 to `range`: from silence at 0 up to
 * the middle, the notes about it at a quarter of full loudness, and back down to 0, so that nothing
 * clicks. out has room for 2 * SIGN_FRAMES_MAX words. Returns how many frames.
 */
size_t sign_make(enum sign sign, uint32_t rate, uint32_t range, uint32_t *out);

#endif
