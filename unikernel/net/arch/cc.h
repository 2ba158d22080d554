/* lwIP's view of the compiler and the machine. */
#ifndef UNIKERNEL_ARCH_CC_H
#define UNIKERNEL_ARCH_CC_H

#include <sys/types.h> /* before lwIP looks for ssize_t */

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#ifndef SSIZE_MAX
#define SSIZE_MAX LONG_MAX
#endif
#define LWIP_NO_UNISTD_H 1
#ifndef LITTLE_ENDIAN
#define LITTLE_ENDIAN 1234
#endif
#ifndef BYTE_ORDER
#define BYTE_ORDER LITTLE_ENDIAN
#endif

#define LWIP_PLATFORM_DIAG(x) \
    do {                      \
        printf x;             \
    } while (0)
#define LWIP_PLATFORM_ASSERT(x)                               \
    do {                                                      \
        printf("lwip: %s at %s:%d\n", x, __FILE__, __LINE__); \
        abort();                                              \
    } while (0)

uint32_t net_random(void); /* net/net.c: from the generator seeded by hardware */
#define LWIP_RAND() net_random()

extern uint16_t net_time_port;
void net_time_known(uint32_t unix_seconds);
void net_time_get(uint32_t *unix_seconds, uint32_t *us);
#define SNTP_SET_SYSTEM_TIME(s) net_time_known(s)

#endif
