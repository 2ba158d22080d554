/* What the activity lamp shows at a time: blinking that can be told apart from across a room. */
#ifndef UNIKERNEL_LAMP_H
#define UNIKERNEL_LAMP_H

#include <stdbool.h>

#include "base/time.h"
#include "board/board.h"

/* alive: a short blink every two seconds; no network: fast, four times a second; no upstream: two
 * short blinks every second. */
bool lamp_is_lit(enum board_lamp lamp, usec_t now);

#endif
