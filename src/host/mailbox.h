/*
 * Messages to a worker from other threads: questions that it owns, answers for its TCP clients,
 * what came back over HTTPS. Many writers, one reader, no lock. Messages lie one after the other in
 * a ring of 256-octet cells:
 *
 *      seq     [ 8 ][ 8 ][ 8 ][ 4 ][ 4+1 ][ 6 ] …    one number a cell; a cell is free for position
 * p when it says p, octets  |head,data..........| |head,data|     and its message can be read when
 * the first one's says p + 1
 *
 * Full: the message is refused and counted; nobody waits.
 */
#ifndef SINKHOLE_HOST_MAILBOX_H
#define SINKHOLE_HOST_MAILBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "resolver/resolver.h"

#define MAILBOX_CELL 256 /* octets */

enum mail_kind {
    MAIL_QUERY,    /* a client's message: give it to resolver_query */
    MAIL_ANSWER,   /* an answer for one of the receiver's TCP connections */
    MAIL_RESPONSE, /* an upstream's message for `ticket` */
    MAIL_FAILED    /* `ticket` failed, `why` */
};

struct mail {
    enum mail_kind kind;
    uint32_t len; /* octets of data that follow */
    uint32_t ticket;
    enum resolver_failure why;
    struct peer peer; /* of a query or an answer */
};

struct mailbox;

/* `cells`: a power of two, at least 512 so that the longest message has room. ERR_MEMORY, ERR_IO
 * (no eventfd). */
MUST_CHECK enum err mailbox_new(struct mailbox **out, uint32_t cells);
void mailbox_free(struct mailbox *m);

/* Any thread. False: full, or data too long for a message (65535). Does not wake the reader. */
MUST_CHECK bool mailbox_post(struct mailbox *m, const struct mail *head, const void *data);

/* Any thread: wake the reader if it sleeps; no system call if it does not. */
void mailbox_wake(struct mailbox *m);

/* Wake it even if nothing was posted: something else of its changed. */
void mailbox_interrupt(struct mailbox *m);

/* The reader: the next message, its data copied to `buf`; false when there is none. A message
 * longer than cap is dropped. */
bool mailbox_take(struct mailbox *m, struct mail *head, void *buf, size_t cap);

/*
 * The reader, around its wait: mailbox_doze says that it may sleep (false: there is mail, do not);
 * mailbox_rise that it is up again. Its descriptor becomes readable at a wake or an interrupt, and
 * stays so until mailbox_clear.
 */
MUST_CHECK bool mailbox_doze(struct mailbox *m);
void mailbox_rise(struct mailbox *m);
void mailbox_clear(struct mailbox *m);
int mailbox_fd(const struct mailbox *m);

/* Messages refused because the ring was full; any thread. */
uint64_t mailbox_refused(const struct mailbox *m);

/* Octets that one of these takes at most, for `sinkhole config --limits`. */
size_t mailbox_memory(uint32_t cells);

#endif
