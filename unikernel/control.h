/*
 * What decides, and its changes: configuration, rules document, passwords, statistics; kept on the
 * card. One of each.
 */
#ifndef UNIKERNEL_CONTROL_H
#define UNIKERNEL_CONTROL_H

#include "api/rules.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/rng.h"
#include "base/time.h"
#include "base/tz.h"
#include "config/config.h"
#include "shared/devices.h"

/* Open the card, and read the settings on it and on the command line (kept for ever). */
void control_open(const char *cmdline);

/* Configuration, rules document, passwords. ERR_MEMORY. */
MUST_CHECK enum err control_start(struct rng *rng);

/* Statistics of the last run, once there is a collector. */
void control_load_stats(void);

const struct config *control_config(void);
struct rules *control_rules(void);

/* What policy is planned from now; borrowed until the next control_tick. */
void control_policy_source(const struct config *cfg, const struct rules *rules,
                           struct policy_source *out);

/* A changed rules document: kept, then in force; parts as in api/backend.h. What has to wait for
 * the card does not stop a pause. */
MUST_CHECK enum err control_apply(const struct rules *next, unsigned parts);

/* Passwords changed: keep them. */
MUST_CHECK enum err control_keep_passwords(void);

/* A new compiled image, to be kept when the last one was long enough ago. */
void control_keep_lists(struct span image);

/* From the main loop: save what is due. */
void control_tick(usec_t now);

#endif
