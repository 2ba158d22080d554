/*
 * Passwords of the page and the API: kept as yescrypt hashes (crypt(5), $y$) in one file of mode
 * 0600, a line each:
 *
 *     KIND:ID:CREATED:NAME:HASH        KIND is "password", "app", "read" or
 *     "totp"; NAME has no ':' or control characters. The secret of one-time passwords cannot be a
 *     hash, as codes are made of it: it stands there in base32 after "$totp$".
 *
 * Checking a password costs tens of milliseconds of CPU and 16 MiB of memory for that time, by
 * design. An app password is "shk-ID-SECRET", so only the line of its ID is tried. Not thread-safe:
 * called under the API's lock.
 */
#ifndef SINKHOLE_HOST_PASSWORD_H
#define SINKHOLE_HOST_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/backend.h"
#include "api/totp.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

#define PASSWORD_TEXT     32 /* octets of a made password with NUL: 20 characters */
#define PASSWORD_LEN_MAX  1024
#define PASSWORD_LEN_MIN  8
#define PASSWORD_KEYS_MAX 32 /* app passwords and read-only keys together */

struct passwords;
struct store;

/*
 * Open the file "passwords" of the state directory. If there is none, a random password is made,
 * stored, and written to `made` (else made is ""): it is shown to the person once. A damaged file
 * is set aside as "passwords.bad" and a new password made, with a line in the log. plain_file (NULL
 * or "": none): a file whose first line is the password; then the stored one is not asked. A
 * directory that cannot be written costs a warning: the made password holds until the process ends.
 * ERR_IO (plain_file cannot be read, or is empty), ERR_MEMORY.
 */
MUST_CHECK enum err passwords_open(struct passwords **out, struct store *store,
                                   const char *plain_file, char made[PASSWORD_TEXT]);
void passwords_close(struct passwords *p); /* wipes; NULL is allowed */

enum api_credential passwords_check(struct passwords *p, struct span password);

/* ERR_RANGE (length), ERR_STATE (the password comes from plain_file), ERR_IO. All app passwords
 * stay. */
MUST_CHECK enum err passwords_set(struct passwords *p, struct span password);

/* As struct api_backend asks for them. */
MUST_CHECK enum err passwords_key_new(struct passwords *p, const char *name, bool read_only,
                                      char secret[API_KEY_TEXT], uint32_t *id);
uint32_t passwords_key_list(const struct passwords *p, struct api_key_info *out, uint32_t max);
MUST_CHECK enum err passwords_key_delete(struct passwords *p, uint32_t id);

/* false: one-time passwords are off. */
bool passwords_totp_get(struct passwords *p, uint8_t secret[TOTP_SECRET_OCTETS]);
MUST_CHECK enum err passwords_totp_set(struct passwords *p, const uint8_t *secret); /* NULL: off */

#endif
