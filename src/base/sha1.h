/*
 * SHA-1 (FIPS 180-4) and HMAC (RFC 2104) with it, for one-time passwords (RFC 6238), whose
 * programs know little else. As a keyed code it is sound; for anything without a key it is not.
 */
#ifndef SINKHOLE_BASE_SHA1_H
#define SINKHOLE_BASE_SHA1_H

#include <stdint.h>

#include "base/span.h"

#define SHA1_OCTETS 20

/* At most 256 octets of data; more are not needed here (REQUIRE). */
void sha1(struct span data, uint8_t out[SHA1_OCTETS]);

/* At most 64 octets of key and 128 of data (REQUIRE). */
void sha1_hmac(struct span key, struct span data, uint8_t out[SHA1_OCTETS]);

#endif
