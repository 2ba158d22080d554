/*
 * Registers of the Pi's USB network chips, LAN9514 and LAN7515, as a driver meets them: what it
 * writes decides whether frames pass. Played behind a simulated bus (tests/unit) and on QEMU's
 * (tests/unikernel/usb_nic.c). Sources: the chips' register maps as the Pi's U-Boot drivers use
 * them.
 */
#ifndef TESTS_LAN_MODEL_H
#define TESTS_LAN_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lan_chip { LAN_9514, LAN_7515 };
enum { LAN_REGISTERS = 0x500 / 4, LAN_TRANSFER_MAX = 2048, LAN_DESCRIPTOR_MAX = 64 };

struct lan_model {
    enum lan_chip chip;
    uint32_t registers[LAN_REGISTERS];
    uint16_t phy[32];
    const char *violation; /* the last thing that the chip would not take; NULL: none */
};

void lan_model_init(struct lan_model *m, enum lan_chip chip);

/* Device (1) or configuration (2) descriptor. 0: there is no such one. */
size_t lan_model_descriptor(const struct lan_model *m, uint8_t type,
                            uint8_t out[LAN_DESCRIPTOR_MAX]);

uint32_t lan_model_read(const struct lan_model *m, uint16_t reg);
void lan_model_write(struct lan_model *m, uint16_t reg, uint32_t value);

/* A bulk transfer out: the frame in it. 0: the chip sends nothing, and violation says why. */
size_t lan_model_send(struct lan_model *m, const uint8_t *transfer, size_t len,
                      const uint8_t **frame);

/* A frame on the wire: the bulk transfer in. 0: the filter drops it, or the receiver is off. */
size_t lan_model_receive(const struct lan_model *m, const uint8_t *frame, size_t len,
                         uint8_t out[LAN_TRANSFER_MAX]);

#endif
