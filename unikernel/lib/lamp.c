/* Each pattern is sixteen steps of a sixteenth of its period, as bits. */
#include "lib/lamp.h"

enum { STEPS = 16 };

bool lamp_is_lit(enum board_lamp lamp, usec_t now)
{
    static const struct {
        usec_t period;
        uint16_t steps; /* bit i: lit in step i */
    } patterns[] = {
        [BOARD_LAMP_ALIVE] = {2 * USEC_PER_SEC, 0x0001},
        [BOARD_LAMP_NO_NETWORK] = {USEC_PER_SEC, 0x3333},
        [BOARD_LAMP_NO_UPSTREAM] = {USEC_PER_SEC, 0x0033},
    };
    usec_t period = patterns[lamp].period;
    unsigned step = (unsigned)(now % period * STEPS / period);
    return patterns[lamp].steps >> step & 1;
}
