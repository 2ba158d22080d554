/*
 * A bounded ring after D. Vyukov's bounded queue, with messages of several cells: a writer claims a
 * run of cells with one compare-and-swap. Since the single reader frees cells in order, a run is
 * free when its last cell is. Only the first cell of a run is ever marked readable.
 */
#include "host/mailbox.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/require.h"

#define MESSAGE_MAX 65535u

struct mailbox {
    _Alignas(CACHE_LINE) atomic_uint tail;     /* writers: next position to claim */
    _Alignas(CACHE_LINE) atomic_uint sleeping; /* 1: the reader waits or is about to */
    _Alignas(CACHE_LINE) atomic_ullong refused;
    _Alignas(CACHE_LINE) unsigned head; /* the reader's: next position to read */
    unsigned mask;                      /* cells - 1 */
    int event;
    atomic_uint *seq;
    uint8_t *octets;
};

enum err mailbox_new(struct mailbox **out, uint32_t cells)
{
    REQUIRE(cells >= 512 && (cells & (cells - 1)) == 0);
    struct mailbox *m = aligned_alloc(CACHE_LINE, sizeof *m);
    if (!m) {
        return ERR_MEMORY;
    }
    memset(m, 0, sizeof *m);
    m->mask = cells - 1;
    m->seq = malloc(cells * sizeof *m->seq);
    m->octets = malloc((size_t)cells * MAILBOX_CELL);
    m->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (!m->seq || !m->octets || m->event < 0) {
        enum err e = m->event < 0 ? ERR_IO : ERR_MEMORY;
        mailbox_free(m);
        return e;
    }
    for (unsigned i = 0; i < cells; i++) {
        atomic_init(&m->seq[i], i);
    }
    *out = m;
    return ERR_OK;
}

size_t mailbox_memory(uint32_t cells)
{
    return sizeof(struct mailbox) + cells * (sizeof(atomic_uint) + (size_t)MAILBOX_CELL);
}

void mailbox_free(struct mailbox *m)
{
    if (!m) {
        return;
    }
    if (m->event >= 0) {
        close(m->event);
    }
    free(m->seq);
    free(m->octets);
    free(m);
}

static unsigned cells_of(size_t data)
{
    return (unsigned)((sizeof(struct mail) + data + MAILBOX_CELL - 1) / MAILBOX_CELL);
}

/* Copy into or out of the ring at octet `at` of the message at position `pos`, around its end where
 * needed. */
static void ring_write(struct mailbox *m, unsigned pos, size_t at, const void *src, size_t len)
{
    size_t size = ((size_t)m->mask + 1) * MAILBOX_CELL;
    size_t start = ((size_t)(pos & m->mask) * MAILBOX_CELL + at) % size;
    size_t first = len < size - start ? len : size - start;
    memcpy(m->octets + start, src, first);
    if (len > first) {
        memcpy(m->octets, (const uint8_t *)src + first, len - first);
    }
}

static void ring_read(const struct mailbox *m, unsigned pos, size_t at, void *dst, size_t len)
{
    size_t size = ((size_t)m->mask + 1) * MAILBOX_CELL;
    size_t start = ((size_t)(pos & m->mask) * MAILBOX_CELL + at) % size;
    size_t first = len < size - start ? len : size - start;
    memcpy(dst, m->octets + start, first);
    if (len > first) {
        memcpy((uint8_t *)dst + first, m->octets, len - first);
    }
}

/* Claim `run` cells; false when they are not free. */
static bool claim(struct mailbox *m, unsigned run, unsigned *out)
{
    unsigned pos = atomic_load_explicit(&m->tail, memory_order_relaxed);
    for (;;) {
        unsigned last = pos + run - 1;
        if (atomic_load_explicit(&m->seq[last & m->mask], memory_order_acquire) == last) {
            if (atomic_compare_exchange_weak_explicit(&m->tail, &pos, pos + run,
                                                      memory_order_relaxed, memory_order_relaxed)) {
                *out = pos;
                return true;
            }
        } else {
            unsigned now = atomic_load_explicit(&m->tail, memory_order_relaxed);
            if (now == pos) {
                return false;
            }
            pos = now;
        }
    }
}

bool mailbox_post(struct mailbox *m, const struct mail *head, const void *data)
{
    unsigned pos;
    if (head->len > MESSAGE_MAX || !claim(m, cells_of(head->len), &pos)) {
        atomic_fetch_add_explicit(&m->refused, 1, memory_order_relaxed);
        return false;
    }
    ring_write(m, pos, 0, head, sizeof *head);
    if (head->len > 0) {
        ring_write(m, pos, sizeof *head, data, head->len);
    }
    /* Sequentially consistent, as is the load of `sleeping` after it: see mailbox_doze. */
    atomic_store(&m->seq[pos & m->mask], pos + 1);
    return true;
}

void mailbox_wake(struct mailbox *m)
{
    if (atomic_load(&m->sleeping) && atomic_exchange(&m->sleeping, 0)) {
        mailbox_interrupt(m);
    }
}

void mailbox_interrupt(struct mailbox *m)
{
    uint64_t one = 1;
    ssize_t n = write(m->event, &one, sizeof one);
    (void)n; /* EAGAIN means that the counter is full, and so readable */
}

bool mailbox_take(struct mailbox *m, struct mail *head, void *buf, size_t cap)
{
    for (;;) {
        unsigned pos = m->head;
        if (atomic_load_explicit(&m->seq[pos & m->mask], memory_order_acquire) != pos + 1) {
            return false;
        }
        ring_read(m, pos, 0, head, sizeof *head);
        bool fits = head->len <= cap;
        if (fits && head->len > 0) {
            ring_read(m, pos, sizeof *head, buf, head->len);
        }
        unsigned run = cells_of(head->len);
        for (unsigned i = pos; i != pos + run; i++) {
            atomic_store_explicit(&m->seq[i & m->mask], i + m->mask + 1, memory_order_release);
        }
        m->head = pos + run;
        if (fits) {
            return true;
        }
        atomic_fetch_add_explicit(&m->refused, 1, memory_order_relaxed);
    }
}

/*
 * The reader says that it sleeps, then looks for mail; a writer publishes its mail, then looks
 * whether the reader sleeps. All four are in one total order, so at least one of the two sees the
 * other.
 */
bool mailbox_doze(struct mailbox *m)
{
    atomic_store(&m->sleeping, 1);
    if (atomic_load(&m->seq[m->head & m->mask]) == m->head + 1) {
        atomic_store(&m->sleeping, 0);
        return false;
    }
    return true;
}

void mailbox_rise(struct mailbox *m)
{
    atomic_store_explicit(&m->sleeping, 0, memory_order_relaxed);
}

void mailbox_clear(struct mailbox *m)
{
    uint64_t count;
    ssize_t n = read(m->event, &count, sizeof count);
    (void)n; /* EAGAIN: nothing to clear */
}

int mailbox_fd(const struct mailbox *m)
{
    return m->event;
}

uint64_t mailbox_refused(const struct mailbox *m)
{
    return atomic_load_explicit(&m->refused, memory_order_relaxed);
}
