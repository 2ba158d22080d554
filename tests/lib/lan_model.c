/* The chips' registers; resets and PHY accesses end at once. */
#include "lan_model.h"

#include <string.h>

#include "base/span.h"

enum { PHY_NUMBER = 1, BMCR_RESET = 0x8000, BMCR_RESTART = 0x0200, BMSR_READY = 0x24 };
enum { FRAME_MAX = 1514, FRAME_MIN = 60, FCS = 4 };

/* Where the two maps differ. */
static const struct map {
    uint16_t product, mii_address, mii_data, hw_cfg, phy_reset, address_low, address_high;
    uint32_t lite_reset;
    size_t rx_header;
} maps[] = {
    [LAN_9514] = {0xec00, 0x114, 0x118, 0x14, 0x20, 0x108, 0x104, 1 << 3, 4},
    [LAN_7515] = {0x7800, 0x120, 0x124, 0x10, 0x14, 0x404, 0x400, 1 << 1, 10},
};

void lan_model_init(struct lan_model *m, enum lan_chip chip)
{
    *m = (struct lan_model){.chip = chip};
    m->registers[0] = (uint32_t)maps[chip].product << 16 | 2;
    m->phy[1] = 0x7809; /* no link before the driver has it negotiate */
    m->phy[5] = 0x41e1;
    m->phy[10] = chip == LAN_7515 ? 0x0800 : 0;
}

size_t lan_model_descriptor(const struct lan_model *m, uint8_t type,
                            uint8_t out[LAN_DESCRIPTOR_MAX])
{
    uint8_t device[] = {18, 1, 0, 2, 0xff, 0, 1, 64, 0x24, 0x04, 0, 0, 0, 2, 0, 0, 0, 1};
    static const uint8_t config[] = {9, 2,    39, 0,    1, 1, 0, 0xe0, 1,    9, 4,  0, 0,
                                     3, 0xff, 0,  0xff, 0, 7, 5, 0x81, 2,    0, 2,  0, 7,
                                     5, 2,    2,  0,    2, 0, 7, 5,    0x83, 3, 16, 0, 4};
    device[10] = (uint8_t)maps[m->chip].product;
    device[11] = (uint8_t)(maps[m->chip].product >> 8);
    if (type == 1) {
        memcpy(out, device, sizeof device);
        return sizeof device;
    }
    memcpy(out, config, sizeof config);
    return type == 2 ? sizeof config : 0;
}

uint32_t lan_model_read(const struct lan_model *m, uint16_t reg)
{
    return reg / 4 < LAN_REGISTERS ? m->registers[reg / 4] : 0;
}

static void phy_access(struct lan_model *m, uint32_t v)
{
    uint32_t r = v >> 6 & 31;
    uint32_t *data = &m->registers[maps[m->chip].mii_data / 4];
    if ((v >> 11 & 31) != PHY_NUMBER) {
        m->violation = "no PHY has that address";
    } else if (!(v & 2)) {
        *data = m->phy[r];
    } else if (r == 0) {
        m->phy[0] = (uint16_t)(*data & ~(uint32_t)(BMCR_RESET | BMCR_RESTART));
        m->phy[1] |= *data & BMCR_RESTART ? BMSR_READY : 0;
    } else {
        m->phy[r] = (uint16_t)*data;
    }
}

void lan_model_write(struct lan_model *m, uint16_t reg, uint32_t value)
{
    const struct map *map = &maps[m->chip];
    if (reg % 4 != 0 || reg / 4 >= LAN_REGISTERS || reg == 0) {
        m->violation = "no such register, or it cannot be written";
        return;
    }
    if (reg == map->mii_address) {
        phy_access(m, value);
        value &= ~1U;
    }
    value &= reg == map->hw_cfg ? ~map->lite_reset : reg == map->phy_reset ? ~0x10U : ~0U;
    m->registers[reg / 4] = value;
}

static bool on(const struct lan_model *m, uint16_t reg, uint32_t bits)
{
    return (m->registers[reg / 4] & bits) == bits;
}

static bool transmitter_on(const struct lan_model *m)
{
    return m->chip == LAN_9514 ? on(m, 0x100, 1 << 3) && on(m, 0x10, 4)
                               : on(m, 0x108, 1) && on(m, 0xc4, 1U << 31);
}

/* On, and one frame a transfer without empty ones in between: what the driver relies on. */
static bool receiver_on(const struct lan_model *m)
{
    return m->chip == LAN_9514
               ? on(m, 0x100, 1 << 2) && on(m, 0x14, 1 << 12) && !on(m, 0x14, 1 << 5)
               : on(m, 0x104, 1) && on(m, 0xc0, 1U << 31) && !on(m, 0x10, 1 << 4) &&
                     !on(m, 0x80, 1 << 6);
}

size_t lan_model_send(struct lan_model *m, const uint8_t *transfer, size_t len,
                      const uint8_t **frame)
{
    uint32_t a = len >= 8 ? le32_read(transfer) : 0, b = len >= 8 ? le32_read(transfer + 4) : 0;
    size_t octets = m->chip == LAN_9514 ? a & 0x7ff : a & 0xfffff;
    bool flags =
        m->chip == LAN_9514 ? (a & 0x3000) == 0x3000 && b == octets : (a & 0x400000) != 0 && b == 0;
    *frame = transfer + 8;
    if (!transmitter_on(m) || !(m->phy[1] & 4)) {
        m->violation = "a frame while the transmitter or the link is off";
    } else if (!flags || octets + 8 != len || octets < FRAME_MIN || octets > FRAME_MAX) {
        m->violation = "a frame whose words do not fit it";
    } else {
        return octets;
    }
    return 0;
}

static bool filter_takes(const struct lan_model *m, const uint8_t *frame)
{
    static const uint8_t broadcast[6] = {255, 255, 255, 255, 255, 255};
    const struct map *map = &maps[m->chip];
    uint32_t high = m->registers[map->address_high / 4];
    bool chip95 = m->chip == LAN_9514;
    if (memcmp(frame, broadcast, 6) == 0) {
        return chip95 || on(m, 0xb0, 1 << 10);
    }
    if (frame[0] & 1) {
        return chip95 ? on(m, 0x100, 1 << 19) : on(m, 0xb0, 1 << 9);
    }
    return le32_read(frame) == m->registers[map->address_low / 4] &&
           (frame[4] | (uint32_t)frame[5] << 8) == (high & 0xffff) &&
           (chip95 || (on(m, 0xb0, 1 << 1) && high >> 31));
}

size_t lan_model_receive(const struct lan_model *m, const uint8_t *frame, size_t len,
                         uint8_t out[LAN_TRANSFER_MAX])
{
    size_t header = maps[m->chip].rx_header, octets = len < FRAME_MIN ? FRAME_MIN : len;
    if (len < 14 || len > FRAME_MAX || !receiver_on(m) || !filter_takes(m, frame)) {
        return 0;
    }
    memset(out, 0, header + octets + FCS);
    le32_write(out, (uint32_t)(octets + FCS) << (m->chip == LAN_9514 ? 16 : 0));
    memcpy(out + header, frame, len);
    return header + octets + FCS;
}
