/*
 * Verdicts without a running resolver: the compiled lists and the rules document of a state
 * directory, with the groups of both it and the configuration. Devices that are described by their
 * hardware address are not known here.
 */
#ifndef SINKHOLE_CLI_OFFLINE_H
#define SINKHOLE_CLI_OFFLINE_H

#include <jansson.h>

#include "base/ip.h"
#include "cli/cli.h"

struct offline;

/* For who asks (NULL: somebody who is not described; kept) at a time (0: now). EXIT_FINE, or a
 * status after a message. */
int offline_open(struct cli *cli, const struct ip_addr *client, int64_t at_unix,
                 struct offline **out);
void offline_close(struct offline *o); /* NULL is allowed */

/* As GET /api/sinkhole/check answers. NULL after a message. */
json_t *offline_check(const struct offline *o, const char *text);

#endif
