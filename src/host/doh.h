/*
 * Upstreams over HTTPS (RFC 8484). One thread with libcurl serves all workers: they post questions,
 * it posts what came back to their mailboxes. The connection goes to the configured address, and
 * the certificate must be for the name in the URL.
 */
#ifndef SINKHOLE_HOST_DOH_H
#define SINKHOLE_HOST_DOH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "host/mailbox.h"
#include "resolver/snapshot.h"

struct doh;

/* `workers` mailboxes are kept until doh_free. ERR_MEMORY, ERR_IO. */
MUST_CHECK enum err doh_new(struct doh **out, struct mailbox *const *mailboxes, uint16_t workers);

/* Start the thread if it does not run yet; the control thread's to call, before workers send.
 * ERR_IO. */
MUST_CHECK enum err doh_start(struct doh *d);
void doh_free(struct doh *d); /* ends what is under way and joins the thread; NULL is allowed */

/* Any worker. False: the queue is full, or the thread was never started. */
MUST_CHECK bool doh_send(struct doh *d, uint16_t worker, uint32_t ticket,
                         const struct upstream_spec *upstream, const uint8_t *data, size_t len);
void doh_cancel(struct doh *d, uint16_t worker, uint32_t ticket);

/* Questions under way at once. */
unsigned doh_transfers_max(void);

#endif
