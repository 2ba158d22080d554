/*
 * Clocks, entropy and limits of Linux.
 */
#include "host/sys.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define HUGE_PAGE ((size_t)2 << 20)

usec_t sys_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (usec_t)t.tv_sec * USEC_PER_SEC + (usec_t)t.tv_nsec / 1000;
}

int64_t sys_unix_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * (int64_t)USEC_PER_SEC + t.tv_nsec / 1000;
}

enum err sys_entropy(void *out, size_t len)
{
    uint8_t *p = out;
    while (len > 0) {
        ssize_t n = getrandom(p, len, 0);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return ERR_IO;
        }
        p += n;
        len -= (size_t)n;
    }
    return ERR_OK;
}

uint32_t sys_raise_files(uint32_t want)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 256;
    }
    if (limit.rlim_cur < want) {
        struct rlimit higher = {.rlim_cur = want, .rlim_max = limit.rlim_max};
        if (higher.rlim_cur > limit.rlim_max) {
            higher.rlim_cur = limit.rlim_max;
        }
        if (setrlimit(RLIMIT_NOFILE, &higher) == 0) {
            limit = higher;
        }
    }
    return limit.rlim_cur > UINT32_MAX ? UINT32_MAX : (uint32_t)limit.rlim_cur;
}

uint32_t sys_open_files(void)
{
    DIR *dir = opendir("/proc/self/fd");
    if (!dir) {
        return 0;
    }
    uint32_t count = 0;
    while (readdir(dir)) {
        count++;
    }
    closedir(dir);
    return count > 3 ? count - 3 : 0; /* without ".", ".." and the directory's own */
}

unsigned sys_cpus(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) {
        return 1;
    }
    int count = CPU_COUNT(&set);
    return count > 0 ? (unsigned)count : 1;
}

bool sys_cores_of(unsigned share, unsigned shares, cpu_set_t *out)
{
    cpu_set_t all;
    CPU_ZERO(out);
    if (sched_getaffinity(0, sizeof all, &all) != 0) {
        return false;
    }
    for (unsigned c = share; c < CPU_SETSIZE; c += shares) {
        if (CPU_ISSET(c, &all)) {
            CPU_SET(c, out);
        }
    }
    return CPU_COUNT(out) > 0;
}

void *sys_map(size_t len)
{
    void *mem = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return mem == MAP_FAILED ? NULL : mem;
}

/* More is mapped than asked for, and what stands over on both sides is given back. */
void *sys_map_huge(size_t len)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t size = (len + page - 1) / page * page;
    if (size < HUGE_PAGE) {
        return sys_map(len);
    }
    uint8_t *mem = sys_map(size + HUGE_PAGE);
    if (!mem) {
        return NULL;
    }
    size_t before = (HUGE_PAGE - (uintptr_t)mem % HUGE_PAGE) % HUGE_PAGE;
    if (before > 0) {
        munmap(mem, before);
    }
    if (before < HUGE_PAGE) {
        munmap(mem + before + size, HUGE_PAGE - before);
    }
    madvise(mem + before, size,
            MADV_HUGEPAGE); /* a system without them refuses, which is no harm */
    return mem + before;
}

void sys_unmap(void *mem, size_t len)
{
    if (mem) {
        munmap(mem, len);
    }
}
