/* Certificates of the authorities that https lists are checked against; made at build time
 * (tools/pack_roots.py). */
#ifndef UNIKERNEL_ROOTS_H
#define UNIKERNEL_ROOTS_H

#include <stdint.h>

extern const uint8_t root_certificates[];
extern const uint32_t root_certificates_len;

#endif
