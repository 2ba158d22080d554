/* Any octets as a USB configuration: the walk over its descriptors stays inside and ends, and what
 * it gives is whole. */
#include <stdint.h>
#include <stdlib.h>

#include "arch/aarch64/cpu.h"
#include "drivers/usb.h"

usec_t fake_now; /* of the played clock, which this does not use */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    const uint8_t *config = data + 1;
    const uint8_t *desc;
    size_t len = size - 1, pos = 0, before = 0;
    while (usb_desc_next(config, len, &pos, data[0], &desc)) {
        size_t at = (size_t)(desc - config);
        if (pos <= before || at + 2 > len || at + desc[0] > len || desc[0] < 2 ||
            (data[0] != 0 && desc[1] != data[0])) {
            abort();
        }
        before = pos;
    }
    return 0;
}
