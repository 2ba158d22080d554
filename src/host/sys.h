/*
 * What the program asks of the operating system besides sockets and files: clocks, entropy, limits.
 */
#ifndef SINKHOLE_HOST_SYS_H
#define SINKHOLE_HOST_SYS_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/time.h"

/* Monotonic time; does not stand still while the machine sleeps, so cached answers age over a
 * suspend. */
usec_t sys_now(void);

/* Wall time, for display and schedules. */
int64_t sys_unix_us(void);

/* Fill `out` from the kernel's generator; waits until that is seeded. ERR_IO: there is none, do not
 * start. */
MUST_CHECK enum err sys_entropy(void *out, size_t len);

/* Raise the limit of open files to `want` or as far as allowed; returns the limit in force. */
uint32_t sys_raise_files(uint32_t want);

/* Files open now. */
uint32_t sys_open_files(void);

/* Processors that this process may run on, at least 1. */
unsigned sys_cpus(void);

/* Those of the cores that this process may use whose number modulo `shares` is `share`. False:
 * there is none. */
bool sys_cores_of(unsigned share, unsigned shares, cpu_set_t *out);

/*
 * `len` zeroed octets of own pages, aligned to a page; pages cost nothing until they are written.
 * NULL if there are none. Freed with sys_unmap.
 */
void *sys_map(size_t len);

/*
 * The same for what is read at random on the way of a query, in huge pages where the system has
 * them: a page costs 2 MiB once it is written, and no look-up waits for a page table. Freed with
 * sys_unmap.
 */
void *sys_map_huge(size_t len);
void sys_unmap(void *mem, size_t len);

#endif
