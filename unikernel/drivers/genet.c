/*
 * GENET v5. Descriptors live in the device's own registers, frames in non-cached memory. Two things
 * are easy to get wrong:
 * - RX PROD and TX CONS belong to the hardware and survive a warm start: the software's index
 * starts from what they say.
 * - The board wires RGMII with the delay on the receive side only ("rgmii-rxid"): ID_MODE_DIS must
 * be set or the link is flaky.
 */
#include "drivers/genet.h"

#include <string.h>

#include "arch/aarch64/cpu.h"
#include "base/log.h"
#include "drivers/dma.h"

enum { RING = 256, BUFFER = 2048, PAD = 2 };
enum {
    SYS_REV = 0x000,
    SYS_PORT = 0x004,
    SYS_RBUF_FLUSH = 0x008,
    EXT_RGMII_OOB = 0x08c,
    INTRL2_0 = 0x200,
    INTRL2_1 = 0x240,
    INT_CLEAR = 0x08,
    INT_MASK_SET = 0x10,
    INT_MASK_CLEAR = 0x14,
    RBUF_CTRL = 0x300,
    RBUF_TBUF_SIZE = 0x3b4,
    UMAC_CMD = 0x808,
    UMAC_MAC0 = 0x80c,
    UMAC_MAC1 = 0x810,
    UMAC_MAX_FRAME = 0x814,
    UMAC_TX_FLUSH = 0xb34,
    UMAC_MIB_CTRL = 0xd80,
    UMAC_MDIO = 0xe14,
    RX_DESC = 0x2000,
    RX_RING = 0x3000,
    RX_DMA = 0x3040,
    TX_DESC = 0x4000,
    TX_RING = 0x5000,
    TX_DMA = 0x5040
};
/* In a ring: what hardware calls WRITE_PTR, PROD, CONS, … differs by direction. */
enum {
    RX_WRITE_PTR = 0x00,
    RX_PROD = 0x08,
    RX_CONS = 0x0c,
    RX_READ_PTR = 0x2c,
    RX_XON_XOFF = 0x28
};
enum {
    TX_READ_PTR = 0x00,
    TX_CONS = 0x08,
    TX_PROD = 0x0c,
    TX_MBUF_DONE = 0x24,
    TX_FLOW = 0x28,
    TX_WRITE_PTR = 0x2c
};
enum { RING_BUF_SIZE = 0x10, RING_START = 0x14, RING_END = 0x1c };
enum { DMA_RING_CFG = 0x00, DMA_CTRL = 0x04, DMA_BURST = 0x0c };
enum {
    CMD_TX = 1 << 0,
    CMD_RX = 1 << 1,
    CMD_SPEED_SHIFT = 2,
    CMD_PROMISCUOUS = 1 << 4,
    CMD_IGNORE_RX_PAUSE = 1 << 8,
    CMD_HALF_DUPLEX = 1 << 10,
    CMD_RESET = 1 << 13,
    CMD_LOOPBACK = 1 << 15,
    CMD_IGNORE_TX_PAUSE = 1 << 28
};
enum {
    OOB_RGMII_LINK = 1 << 4,
    OOB_DISABLE = 1 << 5,
    OOB_RGMII_MODE = 1 << 6,
    OOB_ID_MODE_DISABLE = 1 << 16
};
enum {
    DESC_OWN = 0x8000,
    DESC_EOP = 0x4000,
    DESC_SOP = 0x2000,
    DESC_CRC = 0x0040,
    DESC_QTAG = 0x3f << 7,
    DESC_RX_ERRORS = 0x1f
};
enum {
    MDIO_READ = 2 << 26,
    MDIO_WRITE = 1 << 26,
    MDIO_FAILED = 1 << 28,
    MDIO_BUSY = 1 << 29,
    PHY_ADDRESS = 1,
    MDIO_POLLS = 1000
};
enum {
    MII_STATUS = 1,
    MII_ID1 = 2,
    MII_ID2 = 3,
    MII_ADVERTISE = 4,
    MII_PARTNER = 5,
    MII_CTRL1000 = 9,
    MII_STAT1000 = 10
};
enum {
    INT_RX_DONE = 1 << 13,
    DMA_ON = 1 | 1 << 17,
    VERSION_5 = 6,
    SPEED_10 = 0,
    SPEED_100 = 1,
    SPEED_1000 = 2
};

static struct genet {
    struct nic nic;
    uintptr_t base;
    uint16_t rx_cons, tx_prod; /* 16 bits, wrapping, as the hardware counts */
    uint16_t discards;         /* as last seen */
    struct nic_link last;
} genet;

static uint8_t rx_buffers[RING][BUFFER] DMA_MEMORY;
static uint8_t tx_buffers[RING][BUFFER] DMA_MEMORY;

static uint32_t get(uint32_t reg)
{
    return read32(genet.base + reg);
}

static void set(uint32_t reg, uint32_t value)
{
    write32(genet.base + reg, value);
}

/* A PHY register, or -1. */
static int phy_read(uint32_t reg)
{
    set(UMAC_MDIO, MDIO_READ | PHY_ADDRESS << 21 | reg << 16);
    set(UMAC_MDIO, get(UMAC_MDIO) | MDIO_BUSY);
    for (int i = 0; i < MDIO_POLLS; i++) {
        uint32_t v = get(UMAC_MDIO);
        if (!(v & MDIO_BUSY)) {
            return v & MDIO_FAILED ? -1 : (int)(v & 0xffff);
        }
        clock_delay(10);
    }
    return -1;
}

/* Of a register that cannot be read no bit is set. */
static uint32_t phy_bits(uint32_t reg)
{
    int v = phy_read(reg);
    return v < 0 ? 0 : (uint32_t)v;
}

static uint32_t link_speed(bool *full)
{
    /* IEEE 802.3 clause 28 and 40: what both sides can; the partner's gigabit bits stand two to the
     * left of ours. */
    uint32_t gigabit = phy_bits(MII_STAT1000) & phy_bits(MII_CTRL1000) << 2;
    uint32_t lower = phy_bits(MII_PARTNER) & phy_bits(MII_ADVERTISE);
    if (gigabit & 0xc00) {
        *full = (gigabit & 0x800) != 0;
        return SPEED_1000;
    }
    if (lower & 0x180) {
        *full = (lower & 0x100) != 0;
        return SPEED_100;
    }
    *full = (lower & 0x40) != 0;
    return SPEED_10;
}

static void mac_follow_link(uint32_t speed, bool full)
{
    set(EXT_RGMII_OOB, (get(EXT_RGMII_OOB) & ~(uint32_t)OOB_DISABLE) | OOB_RGMII_LINK |
                           OOB_RGMII_MODE | OOB_ID_MODE_DISABLE);
    uint32_t cmd = get(UMAC_CMD) & ~(3U << CMD_SPEED_SHIFT | CMD_HALF_DUPLEX);
    set(UMAC_CMD, cmd | speed << CMD_SPEED_SHIFT | (full ? 0 : CMD_HALF_DUPLEX) |
                      CMD_IGNORE_RX_PAUSE | CMD_IGNORE_TX_PAUSE);
}

static void genet_link(struct nic *nic, struct nic_link *out)
{
    static const uint16_t mbit[] = {10, 100, 1000};
    (void)nic;
    *out = (struct nic_link){0};
    (void)phy_read(MII_STATUS); /* the bit latches low: the second read tells the present */
    int status = phy_read(MII_STATUS);
    if (status >= 0 && (status & 4)) {
        uint32_t speed = link_speed(&out->full_duplex);
        out->up = true;
        out->mbit = mbit[speed];
        if (!genet.last.up || genet.last.mbit != out->mbit ||
            genet.last.full_duplex != out->full_duplex) {
            mac_follow_link(speed, out->full_duplex);
        }
    }
    genet.last = *out;
}

static void release_rx(void)
{
    genet.rx_cons++;
    set(RX_RING + RX_CONS, genet.rx_cons);
}

static const uint8_t *genet_receive(struct nic *nic, size_t *len)
{
    for (;;) {
        uint32_t prod = get(RX_RING + RX_PROD);
        uint16_t discards = (uint16_t)(prod >> 16);
        nic->counters.rx_dropped += (uint16_t)(discards - genet.discards);
        genet.discards = discards;
        if ((uint16_t)prod == genet.rx_cons) {
            return NULL;
        }
        uint32_t i = genet.rx_cons % RING;
        uint32_t status = get(RX_DESC + 12 * i);
        uint32_t octets = status >> 16 & 0xfff;
        bool good = (status & (DESC_SOP | DESC_EOP | DESC_RX_ERRORS)) == (DESC_SOP | DESC_EOP);
        if (good && octets > PAD + 14 && octets <= BUFFER) {
            nic->counters.rx_frames++;
            *len = octets - PAD;
            return rx_buffers[i] + PAD;
        }
        nic->counters.rx_errors++;
        release_rx();
    }
}

static void genet_receive_done(struct nic *nic)
{
    (void)nic;
    release_rx();
}

static bool genet_send(struct nic *nic, const void *frame, size_t len)
{
    uint16_t in_flight = (uint16_t)(genet.tx_prod - (uint16_t)get(TX_RING + TX_CONS));
    if (in_flight >= RING || len > NIC_FRAME_MAX || !genet.last.up) {
        nic->counters.tx_dropped++;
        return false;
    }
    uint32_t i = genet.tx_prod % RING;
    memcpy(tx_buffers[i], frame, len);
    if (len < NIC_FRAME_MIN) {
        memset(tx_buffers[i] + len, 0, NIC_FRAME_MIN - len);
        len = NIC_FRAME_MIN;
    }
    barrier();
    set(TX_DESC + 12 * i + 4, (uint32_t)(uintptr_t)tx_buffers[i]);
    set(TX_DESC + 12 * i + 8, (uint32_t)((uint64_t)(uintptr_t)tx_buffers[i] >> 32));
    set(TX_DESC + 12 * i, (uint32_t)len << 16 | DESC_QTAG | DESC_CRC | DESC_SOP | DESC_EOP);
    set(TX_RING + TX_PROD, ++genet.tx_prod);
    nic->counters.tx_frames++;
    return true;
}

static void genet_woken(struct nic *nic)
{
    (void)nic;
    set(INTRL2_0 + INT_CLEAR, INT_RX_DONE);
}

static void reset_mac(const uint8_t mac[6])
{
    set(SYS_PORT, 3); /* the PHY is outside, on RGMII */
    set(SYS_RBUF_FLUSH, 0);
    clock_delay(10);
    set(UMAC_CMD, 0);
    set(UMAC_CMD, CMD_RESET | CMD_LOOPBACK);
    clock_delay(2);
    set(UMAC_CMD, 0);
    set(SYS_RBUF_FLUSH, get(SYS_RBUF_FLUSH) | 2);
    clock_delay(10);
    set(SYS_RBUF_FLUSH, get(SYS_RBUF_FLUSH) & ~2U);
    clock_delay(10);
    set(UMAC_MIB_CTRL, 7);
    set(UMAC_MIB_CTRL, 0);
    set(UMAC_MAX_FRAME, 1536);
    set(RBUF_CTRL,
        get(RBUF_CTRL) | 2); /* two octets before each frame, so that the IP header is aligned */
    set(RBUF_TBUF_SIZE, 1);
    set(INTRL2_0 + INT_MASK_SET, ~0U);
    set(INTRL2_0 + INT_CLEAR, ~0U);
    set(INTRL2_1 + INT_MASK_SET, ~0U);
    set(INTRL2_1 + INT_CLEAR, ~0U);
    set(UMAC_MAC0,
        (uint32_t)mac[0] << 24 | (uint32_t)mac[1] << 16 | (uint32_t)mac[2] << 8 | mac[3]);
    set(UMAC_MAC1, (uint32_t)mac[4] << 8 | mac[5]);
}

static void start_rings(void)
{
    set(TX_DMA + DMA_CTRL, get(TX_DMA + DMA_CTRL) & ~(uint32_t)DMA_ON);
    set(RX_DMA + DMA_CTRL, get(RX_DMA + DMA_CTRL) & ~(uint32_t)DMA_ON);
    set(UMAC_TX_FLUSH, 1);
    clock_delay(10);
    set(UMAC_TX_FLUSH, 0);
    for (uint32_t i = 0; i < RING; i++) {
        uint64_t address = (uintptr_t)rx_buffers[i];
        set(RX_DESC + 12 * i + 4, (uint32_t)address);
        set(RX_DESC + 12 * i + 8, (uint32_t)(address >> 32));
        set(RX_DESC + 12 * i, (uint32_t)BUFFER << 16 | DESC_OWN);
    }

    set(RX_DMA + DMA_BURST, 8);
    set(RX_RING + RING_START, 0);
    set(RX_RING + RX_READ_PTR, 0);
    set(RX_RING + RX_WRITE_PTR, 0);
    set(RX_RING + RING_END, RING * 3 - 1);
    genet.rx_cons = (uint16_t)get(RX_RING + RX_PROD);
    genet.discards = (uint16_t)(get(RX_RING + RX_PROD) >> 16);
    set(RX_RING + RX_CONS, genet.rx_cons);
    set(RX_RING + RING_BUF_SIZE, RING << 16 | BUFFER);
    set(RX_RING + RX_XON_XOFF, 5 << 16 | RING >> 4);
    set(RX_DMA + DMA_RING_CFG, 1 << 16);

    set(TX_DMA + DMA_BURST, 8);
    set(TX_RING + RING_START, 0);
    set(TX_RING + TX_READ_PTR, 0);
    set(TX_RING + TX_WRITE_PTR, 0);
    set(TX_RING + RING_END, RING * 3 - 1);
    genet.tx_prod = (uint16_t)get(TX_RING + TX_CONS);
    set(TX_RING + TX_PROD, genet.tx_prod);
    set(TX_RING + TX_MBUF_DONE, 1);
    set(TX_RING + TX_FLOW, 0);
    set(TX_RING + RING_BUF_SIZE, RING << 16 | BUFFER);
    set(TX_DMA + DMA_RING_CFG, 1 << 16);

    set(TX_DMA + DMA_CTRL, DMA_ON);
    set(RX_DMA + DMA_CTRL, get(RX_DMA + DMA_CTRL) | DMA_ON);
}

struct nic *genet_start(uintptr_t base, const uint8_t mac[6])
{
    memset(&genet, 0, sizeof genet);
    genet.base = base;
    uint32_t revision = get(SYS_REV);
    if ((revision >> 24 & 15) != VERSION_5) {
        log_error(NET, "genet: revision %08x, expected version 5", revision);
        return NULL;
    }
    reset_mac(mac);
    start_rings();
    (void)phy_read(MII_STATUS); /* the first read after reset may fail */
    int id1 = phy_read(MII_ID1), id2 = phy_read(MII_ID2);
    if (id1 < 0 || id2 < 0) {
        log_error(NET, "genet: no answer from the PHY at address %u", PHY_ADDRESS);
        return NULL;
    }
    log_debug(NET, "genet: revision %08x, PHY %04x:%04x", revision, (unsigned)id1, (unsigned)id2);
    struct nic_link link;
    genet_link(&genet.nic, &link);
    set(UMAC_CMD,
        get(UMAC_CMD) | CMD_TX | CMD_RX |
            CMD_PROMISCUOUS); /* promiscuous for multicast (mDNS, IPv6); lwIP sorts out the rest */
    set(INTRL2_0 + INT_MASK_CLEAR, INT_RX_DONE);

    genet.nic.name = "GENET v5";
    memcpy(genet.nic.mac, mac, 6);
    genet.nic.receive = genet_receive;
    genet.nic.receive_done = genet_receive_done;
    genet.nic.send = genet_send;
    genet.nic.link = genet_link;
    genet.nic.woken = genet_woken;
    return &genet.nic;
}
