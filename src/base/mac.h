/* Hardware addresses (EUI-48) as people write them: 3c:22:fb:01:02:03, also with '-'. */
#ifndef SINKHOLE_BASE_MAC_H
#define SINKHOLE_BASE_MAC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

#define MAC_OCTETS 6
#define MAC_TEXT   18 /* with NUL */

MUST_CHECK enum err mac_parse(struct span text, uint8_t out[MAC_OCTETS]);
void mac_format(const uint8_t mac[MAC_OCTETS], char out[MAC_TEXT]);

#endif
