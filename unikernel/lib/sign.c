/* Sines by a parabola (error under 0.06 of full scale), in whole numbers: good enough for a beep.
 */
#include "lib/sign.h"

#include "base/attr.h"

enum { NOTES = 2, RAMP_MS = 5, FADE_MS = 12, ONE = 32768, LOUDNESS = 4 };

struct note {
    uint32_t hz, ms;
};

static const struct note signs[][NOTES] = {
    [SIGN_READY] = {{659, 120}, {880, 180}},
    [SIGN_NO_UPSTREAM] = {{440, 180}, {330, 260}},
};

/* phase: 0 to 2^32 - 1 is a whole turn; -ONE to ONE. */
static int32_t sine(uint32_t phase)
{
    int64_t x = (int64_t)((phase & 0x7fffffff) >> 16); /* of half a turn: 0 to ONE */
    int64_t y = 4 * x * (ONE - x) / ONE;
    return (int32_t)(phase >> 31 ? -y : y);
}

static uint32_t *put(uint32_t *out, uint32_t value)
{
    out[0] = out[1] = value;
    return out + 2;
}

static uint32_t *ramp(uint32_t *out, uint32_t frames, uint32_t middle, bool up)
{
    for (uint32_t i = 0; i < frames; i++) {
        out = put(out, middle * (up ? i : frames - 1 - i) / frames);
    }
    return out;
}

/* Loudness in ONEths of frame i of n: it swells and fades. */
static int64_t envelope(uint32_t i, uint32_t n, uint32_t fade)
{
    uint32_t edge = i < n - 1 - i ? i : n - 1 - i;
    return edge < fade ? (int64_t)edge * ONE / fade : ONE;
}

static uint32_t *note(uint32_t *out, const struct note *n, uint32_t rate, int64_t middle)
{
    uint32_t frames = n->ms * rate / 1000, fade = FADE_MS * rate / 1000, phase = 0;
    uint32_t step = (uint32_t)(((uint64_t)n->hz << 32) / rate);
    for (uint32_t i = 0; i < frames; i++, phase += step) {
        int64_t v = sine(phase) * envelope(i, frames, fade) / ONE;
        out = put(out, (uint32_t)(middle + v * middle / LOUDNESS / ONE));
    }
    return out;
}

size_t sign_make(enum sign sign, uint32_t rate, uint32_t range, uint32_t *out)
{
    uint32_t *end = ramp(out, RAMP_MS * rate / 1000, range / 2, true);
    for (unsigned i = 0; i < NOTES; i++) {
        end = note(end, &signs[sign][i], rate, range / 2);
    }
    end = ramp(end, RAMP_MS * rate / 1000, range / 2, false);
    return (size_t)(end - out) / 2;
}
