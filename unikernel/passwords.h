/*
 * Passwords of the page and the API: the person's own, as PBKDF2 with HMAC-SHA-512 and a random
 * salt, and app passwords, which are random and therefore kept as plain SHA-256 hashes
 * (docs/adr/0017-passwords-on-bare-metal.md); and the secret of one-time passwords, as it is, since
 * codes are made of it.
 */
#ifndef UNIKERNEL_PASSWORDS_H
#define UNIKERNEL_PASSWORDS_H

#include <stdint.h>

#include "api/backend.h"
#include "api/totp.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/rng.h"
#include "base/span.h"

enum { PASSWORD_CHARS = 20, PASSWORD_KEYS_MAX = 16, PASSWORD_SAVED_MAX = 4096 };

/* `saved`: what passwords_save wrote, len 0: nothing. `fixed`: the password by the kernel command
 * line, NULL: none. If neither gives one, a password is made and written to `made`, else made[0] is
 * NUL. */
void passwords_start(struct rng *rng, struct span saved, const char *fixed,
                     char made[PASSWORD_CHARS + 1]);

/* Octets to keep; *len of them. */
void passwords_save(uint8_t out[PASSWORD_SAVED_MAX], uint32_t *len);

/* As struct api_backend asks for them; what changed is kept by the caller. */
enum api_credential passwords_check(struct span password);
MUST_CHECK enum err passwords_set(struct span password);
MUST_CHECK enum err passwords_key_new(const char *name, bool read_only, int64_t now_unix,
                                      char secret[API_KEY_TEXT], uint32_t *id);
uint32_t passwords_key_list(struct api_key_info *out, uint32_t max);
MUST_CHECK enum err passwords_key_delete(uint32_t id);
bool passwords_totp_get(uint8_t secret[TOTP_SECRET_OCTETS]);
void passwords_totp_set(const uint8_t secret[TOTP_SECRET_OCTETS]); /* NULL: none any more */

#endif
