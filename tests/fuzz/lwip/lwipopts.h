/*
 * lwIP's settings of the image, with pools so small that running out of them is part of what is
 * tried, and without checksums, which a fuzzer would only have to guess.
 */
#ifndef SINKHOLE_FUZZ_LWIPOPTS_H
#define SINKHOLE_FUZZ_LWIPOPTS_H

#include "../../../unikernel/net/lwipopts.h"

#undef MEM_SIZE
#undef MEMP_NUM_PBUF
#undef PBUF_POOL_SIZE
#undef MEMP_NUM_UDP_PCB
#undef MEMP_NUM_TCP_PCB
#undef MEMP_NUM_TCP_SEG
#define MEM_SIZE         (96 * 1024)
#define MEMP_NUM_PBUF    24
#define PBUF_POOL_SIZE   32
#define MEMP_NUM_UDP_PCB 24
#define MEMP_NUM_TCP_PCB 12
#define MEMP_NUM_TCP_SEG 128

#define CHECKSUM_CHECK_IP    0
#define CHECKSUM_CHECK_UDP   0
#define CHECKSUM_CHECK_TCP   0
#define CHECKSUM_CHECK_ICMP  0
#define CHECKSUM_CHECK_ICMP6 0
#define CHECKSUM_GEN_IP      0
#define CHECKSUM_GEN_UDP     0
#define CHECKSUM_GEN_TCP     0
#define CHECKSUM_GEN_ICMP    0
#define CHECKSUM_GEN_ICMP6   0

#undef LWIP_CHECKSUM_ON_COPY
#define LWIP_CHECKSUM_ON_COPY 0

#endif
