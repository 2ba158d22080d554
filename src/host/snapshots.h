/*
 * Making snapshots (resolver/snapshot.h) from what decides: configuration, rules document, compiled
 * lists, the machine's network. Parts that did not change are shared between snapshots; each goes
 * when the last snapshot that has it is freed.
 */
#ifndef SINKHOLE_HOST_SNAPSHOTS_H
#define SINKHOLE_HOST_SNAPSHOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "api/backend.h"
#include "api/policy_plan.h"
#include "api/rules.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/time.h"
#include "config/config.h"
#include "host/lists.h"
#include "resolver/snapshot.h"

/* What a snapshot is made of; all borrowed for the call, but the image, of which a reference is
 * taken. */
struct snapshot_source {
    const struct config *config;
    const struct rules *rules;
    struct list_image *image;      /* NULL: none yet */
    const struct ip_endpoint *own; /* addresses that we listen on: they are no upstreams */
    uint32_t own_count;
    const struct tz *tz;                  /* of its local time; NULL: Greenwich */
    const struct policy_address *address; /* of devices */
    uint32_t address_count;
    const char *version;  /* "" hides it */
    const char *api_url;  /* "" if there is none */
    unsigned regex_users; /* workers, and one more for whoever explains */
    bool machine_code;    /* regular expressions may become machine code */
    usec_t now;
    int64_t now_unix;
};

/* What changes seldom and costs to make: to be made anew. Own rules also when groups have changed:
 * they say whose rules they are. */
enum snapshot_part { SNAPSHOT_OWN_RULES = 1, SNAPSHOT_LOCAL = 2, SNAPSHOT_ALL = 3 };

struct snapshots;

/* `cookie_key` lives as long as the process. ERR_MEMORY. */
MUST_CHECK enum err snapshots_new(struct snapshots **out, const uint8_t cookie_key[16]);

/* All snapshots were freed before. NULL is allowed. */
void snapshots_free(struct snapshots *s);

/* Make the next one. `parts`: enum snapshot_part. ERR_MEMORY. What cannot be used is reported in
 * the log and left out. */
MUST_CHECK enum err snapshots_make(struct snapshots *s, const struct snapshot_source *source,
                                   unsigned parts, const struct snapshot **out);

/* When a schedule of the last one made begins or ends, in unix seconds; INT64_MAX: never. */
int64_t snapshots_next_change(const struct snapshots *s);

/* What the policy of such a source is planned from. */
void snapshots_policy_source(const struct snapshot_source *source, struct policy_source *out);

/* A publish_free (publish.h); `arg` is the struct snapshots. */
void snapshots_release(void *arg, const struct snapshot *snapshot);

#endif
