/*
 * The local credential: a random text in the state directory (cli.token, mode 0600) that the API
 * takes in the place of the password. Who can read the file may as well read and write everything
 * else there, so `sinkhole stats` on the machine itself needs no password. Made anew at each start.
 */
#ifndef SINKHOLE_HOST_TOKEN_H
#define SINKHOLE_HOST_TOKEN_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "host/store.h"

#define TOKEN_FILE "cli.token"
#define TOKEN_TEXT 65 /* octets with NUL: 256 bits in hexadecimal */

struct token {
    char text[TOKEN_TEXT]; /* "" matches nothing */
};

/* Make a token and write it. On errors *out matches nothing: ERR_IO (no entropy, or the directory
 * cannot be written), ERR_MEMORY. */
MUST_CHECK enum err token_make(struct store *s, struct token *out);

/* Is `password` the token? In constant time for passwords of its length. */
bool token_matches(const struct token *t, struct span password);

/* For the command line: the token in a state directory. ERR_NOT_FOUND, ERR_FORMAT, ERR_IO (it may
 * not be read). */
MUST_CHECK enum err token_read(const char *state_dir, struct token *out);

#endif
