/*
 * One-time passwords of six digits that change every 30 seconds (RFC 6238 with SHA-1, which is what
 * the programs on telephones know), as a second step of logging in with the password.
 */
#ifndef SINKHOLE_API_TOTP_H
#define SINKHOLE_API_TOTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

#define TOTP_SECRET_OCTETS 20
#define TOTP_SECRET_TEXT   33 /* in base32 (RFC 4648 6), with NUL */
#define TOTP_PERIOD_S      30
#define TOTP_DIGITS        6

/* The code of one period; step = unix time / 30. */
uint32_t totp_code(const uint8_t secret[TOTP_SECRET_OCTETS], uint64_t step);

/*
 * Is the code that of now, of the period before or of the one after? *last: the newest step whose
 * code was taken; an older or the same one is refused, and on success it moves on.
 */
enum totp_verdict { TOTP_GOOD, TOTP_BAD, TOTP_USED };
enum totp_verdict totp_check(const uint8_t secret[TOTP_SECRET_OCTETS], int64_t unix_s,
                             uint32_t code, uint64_t *last);

void totp_secret_format(const uint8_t secret[TOTP_SECRET_OCTETS], char out[TOTP_SECRET_TEXT]);

/* Blanks, hyphens, '=' and case do not matter. ERR_FORMAT: not 160 bits of base32. */
MUST_CHECK enum err totp_secret_parse(struct span text, uint8_t out[TOTP_SECRET_OCTETS]);

#endif
