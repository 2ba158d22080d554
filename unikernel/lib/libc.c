/*
 * What picolibc asks of the machine: a console, a heap, a clock, an end. Overrides of malloc and
 * its kin lead to heap.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/types.h>

#include "arch/aarch64/cpu.h"
#include "board/board.h"
#include "drivers/uart_pl011.h"
#include "lib/heap.h"
#include "lib/wallclock.h"

/* Called by the library, declared in headers that a freestanding build leaves out. */
void _exit(int code);
int kill(pid_t pid, int signal);
pid_t getpid(void);

static int console_put(char c, FILE *f)
{
    (void)f;
    if (c == '\n') {
        uart_put('\r');
    }
    uart_put(c);
    return (unsigned char)c;
}

static FILE console = FDEV_SETUP_STREAM(console_put, NULL, NULL, _FDEV_SETUP_WRITE);
FILE *const stdin = &console;
FILE *const stdout = &console;
FILE *const stderr = &console;

void *malloc(size_t size)
{
    return heap_alloc(size);
}

void free(void *p)
{
    heap_free(p);
}

void *aligned_alloc(size_t align, size_t size)
{
    /* Blocks are 16-octet aligned; what wants more is asked for at start and never freed. */
    uint8_t *p = heap_alloc(size + align);
    return p ? (void *)(((uintptr_t)p + align - 1) & ~(uintptr_t)(align - 1)) : NULL;
}

void *realloc(void *p, size_t size)
{
    return heap_resize(p, size);
}

void *calloc(size_t count, size_t size)
{
    size_t all;
    if (__builtin_mul_overflow(count, size, &all)) {
        return NULL;
    }
    void *p = heap_alloc(all);
    if (p) {
        memset(p, 0, all);
    }
    return p;
}

NORETURN void _exit(int code)
{
    printf("exit %d\n", code);
    board_restart(BOARD_RESTART_FAULT);
}

int kill(pid_t pid, int signal)
{
    (void)pid;
    printf("signal %d\n", signal);
    board_restart(BOARD_RESTART_FAULT);
}

pid_t getpid(void)
{
    return 1;
}

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): picolibc's are its own */
int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    (void)zone;
    int64_t us = wallclock_unix_us();
    tv->tv_sec = us / 1000000;
    tv->tv_usec = us % 1000000;
    return 0;
}
