/*
 * A library to load before others (LD_PRELOAD): counts the allocations of all threads, the C
 * library's and other libraries' too, and gives NULL for chosen ones.
 *
 *   FAULT_ALLOC   5: the fifth; 5+: the fifth and all that follow; 0: none, they are only counted
 *   FAULT_REPORT  file: a line for each that failed, at the end "count malloc N"
 *
 * What libseccomp allocates while it makes the filter is left alone: version 2.5.4 runs in a circle
 * or into a bad address when it gets none.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* The allocator itself, below the names that are taken over here. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

#define REPORTED_MAX 20

static atomic_ulong allocations, reported;
static unsigned long when;
static bool onwards;
static int report = -1;
static uintptr_t spared_from, spared_to; /* libseccomp's text */

static int spare(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size, (void)arg;
    for (int i = 0; strstr(info->dlpi_name, "libseccomp") && i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type == PT_LOAD && (p->p_flags & PF_X)) {
            spared_from = info->dlpi_addr + p->p_vaddr;
            spared_to = spared_from + p->p_memsz;
        }
    }
    return 0;
}

__attribute__((constructor)) static void begin(void)
{
    const char *text = getenv("FAULT_ALLOC"), *path = getenv("FAULT_REPORT");
    char *end = NULL;
    report = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    unsigned long first = text ? strtoul(text, &end, 10) : 0;
    onwards = end && *end == '+';
    dl_iterate_phdr(spare, NULL);
    atomic_store(&allocations, 0);
    when = first;
}

__attribute__((destructor)) static void finish(void)
{
    char line[64];
    int n = snprintf(line, sizeof line, "count malloc %lu\n", atomic_load(&allocations));
    when = 0;
    (void)!write(report, line, (size_t)n);
}

static void tell(unsigned long number, const void *caller)
{
    char line[256], thread[17] = "?";
    Dl_info where = {0};
    int error = errno;
    if (atomic_fetch_add(&reported, 1) >= REPORTED_MAX) {
        return;
    }
    prctl(PR_GET_NAME, thread); /* refused once the sandbox is up */
    (void)dladdr(caller, &where);
    int n = snprintf(line, sizeof line, "failed malloc %lu ENOMEM %s %s+%lx\n", number, thread,
                     where.dli_sname   ? where.dli_sname
                     : where.dli_fname ? where.dli_fname
                                       : "?",
                     (unsigned long)((const char *)caller - (const char *)where.dli_fbase));
    (void)!write(report, line, n > 0 && (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
    errno = error;
}

static bool fails(const void *caller)
{
    if ((uintptr_t)caller >= spared_from && (uintptr_t)caller < spared_to) {
        return false;
    }
    unsigned long number = atomic_fetch_add(&allocations, 1) + 1;
    if (when == 0 || number < when || (number > when && !onwards)) {
        return false;
    }
    tell(number, caller);
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    if (fails(__builtin_return_address(0))) {
        return ENOMEM;
    }
    *out = __libc_memalign(alignment, size);
    return *out ? 0 : ENOMEM;
}
