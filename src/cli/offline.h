/*
 * Verdicts without a running resolver: the compiled lists and the own rules of a state directory.
 */
#ifndef SINKHOLE_CLI_OFFLINE_H
#define SINKHOLE_CLI_OFFLINE_H

#include <jansson.h>

#include "cli/cli.h"

struct offline;

/* EXIT_FINE, or a status after a message. */
int offline_open(struct cli *cli, struct offline **out);
void offline_close(struct offline *o); /* NULL is allowed */

/* As GET /api/sinkhole/check answers. NULL after a message. */
json_t *offline_check(const struct offline *o, const char *text);

#endif
