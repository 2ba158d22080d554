/*
 * What a board is: a memory map (board/NAME/map.h, constants) and the few functions that differ
 * (board/NAME/board.c).
 */
#ifndef UNIKERNEL_BOARD_H
#define UNIKERNEL_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "lib/sign.h"
#include "map.h" /* the chosen board's: BOARD_NAME, BOARD_RAM_BASE, BOARD_RAM_MAX, device addresses */

struct block_device;
struct nic;

enum board_restart_reason { BOARD_RESTART_FAULT, BOARD_RESTART_ASKED, BOARD_POWER_OFF };

/* Clocks, pins and the console, before anything prints. `firmware` is what the firmware left in x0
 * (device tree, ATAGs, or 0). */
void board_early(uintptr_t firmware);

/* Lines of the timer and of the network device become pending when they have something. */
void board_irq_enable(void);

/* Octets of RAM that are ours, from BOARD_RAM_BASE. */
uint64_t board_ram_octets(void);

/* Fill with octets of a hardware generator. False: there is none, or it does not pass its health
 * test. */
bool board_entropy(void *out, size_t len);

/* The network device that is there, started; NULL with a message on the console if none is. */
struct nic *board_nic(void);

/* The card or disk that state is kept on; NULL: there is none. */
struct block_device *board_disk(void);

/* Once every loop: the hardware watchdog of a real board is fed, the lamp shown. */
enum board_lamp { BOARD_LAMP_ALIVE, BOARD_LAMP_NO_NETWORK, BOARD_LAMP_NO_UPSTREAM };
void board_tick(enum board_lamp lamp);

/* Play a sign at the 3.5 mm jack, without waiting for its end; where there is none nothing happens.
 */
void board_sign(enum sign sign);

int board_temperature(void); /* of the chip in thousandths of a degree, INT_MIN: unknown */
const char *board_model(void);

NORETURN void board_restart(enum board_restart_reason why);

#endif
