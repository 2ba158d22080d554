/*
 * The upstreams of the snapshot as this worker knows them: how fast, how healthy, what they bear.
 * Which one is asked next is decided here; when to ask again is forward.c's.
 */
#ifndef SINKHOLE_RESOLVER_UPSTREAM_H
#define SINKHOLE_RESOLVER_UPSTREAM_H

#include <stdatomic.h>

#include "resolver/pending.h"
#include "resolver/snapshot.h"

#define UPSTREAM_NONE UINT16_MAX

/* One writer, this worker; the first four fields are read by other threads. */
struct upstream {
    _Atomic uint32_t srtt_us; /* RFC 6298; 0: never measured */
    _Atomic uint32_t rttvar_us;
    _Atomic uint32_t fails; /* attempts in a row without an answer */
    _Atomic bool up;
    uint64_t id;
    uint32_t errors;       /* answers in a row that were SERVFAIL, REFUSED … */
    usec_t sampled;        /* last time an answer was measured, or a probe was sent */
    usec_t edns_off_until; /* it does not bear EDNS; 0: it does */
    uint64_t edns_name;    /* hash of the name that cost the last strike */
    uint8_t edns_strikes;
    usec_t case_off_until; /* it does not keep the question's case */
    uint8_t case_strikes;
    bool probing;
};

struct resolver;

void upstreams_init(struct resolver *r);

/* A new snapshot: move what is known to the new places. Writes to to[old] the new place, or
 * UPSTREAM_NONE. */
void upstreams_swap(struct resolver *r, const struct snapshot *old, const struct snapshot *new,
                    uint16_t to[UPSTREAM_MAX]);

/* The best upstream of the question's route that has not failed it yet: fewest tries, up, fastest.
 * UPSTREAM_NONE if none is left. */
uint16_t upstream_choose(const struct resolver *r, const struct pending *p);

/* Is there an upstream of this route that is up? */
bool upstream_any_up(const struct resolver *r, uint16_t route);

/* How long to wait for an answer before the next try; `tries` were made at this upstream. */
usec_t upstream_patience(const struct resolver *r, uint16_t upstream, unsigned tries);

bool upstream_takes_edns(const struct resolver *r, uint16_t upstream);
bool upstream_keeps_case(const struct resolver *r, uint16_t upstream);

/* What became of an attempt. */
void upstream_answered(struct resolver *r, uint16_t upstream,
                       usec_t rtt_us);                      /* rtt_us 0: not measured */
void upstream_alive(struct resolver *r, uint16_t upstream); /* an error was its answer to a probe */
void upstream_lost(struct resolver *r,
                   uint16_t upstream); /* no answer in time, or the network says no */
void upstream_error(struct resolver *r,
                    uint16_t upstream); /* it answered, but with nothing of use */
void upstream_case_changed(struct resolver *r, uint16_t upstream, bool certain);
void upstream_case_kept(struct resolver *r, uint16_t upstream);
void upstream_edns_refused(struct resolver *r, uint16_t upstream,
                           uint64_t name_hash); /* and a plain question was answered */

/* Background questions: to upstreams that are down each second, to idle ones now and then. */
void upstream_probe_idle(struct resolver *r);
void upstream_probe_timer(struct resolver *r, uint16_t upstream);
void upstream_probe_done(struct resolver *r, uint16_t upstream);

#endif
