/* LAN9514: two words before a frame out, one word before a frame in; PHY inside at address 1. */
#include "drivers/usb_lan95xx.h"

#include <string.h>

#include "arch/aarch64/cpu.h"
#include "base/log.h"
#include "base/span.h"

enum { VENDOR = 0x0424, PRODUCT = 0xec00, WRITE_REGISTER = 0xa0, READ_REGISTER = 0xa1 };
enum {
    ID_REV = 0x00,
    INT_STS = 0x08,
    TX_CFG = 0x10,
    HW_CFG = 0x14,
    PM_CTRL = 0x20,
    LED_GPIO = 0x24,
    AFC_CFG = 0x2c,
    BURST_CAP = 0x38,
    BULK_IN_DELAY = 0x6c,
    MAC_CR = 0x100,
    ADDRH = 0x104,
    ADDRL = 0x108,
    MII_ADDR = 0x114,
    MII_DATA = 0x118,
    FLOW = 0x11c,
    COE_CR = 0x130
};
enum { HW_LITE_RESET = 1 << 3, HW_RX_OFFSET = 3 << 9, HW_MULTIPLE = 1 << 5, HW_BURST = 1 << 1, HW_BULK_NAK = 1 << 12, PM_PHY_RESET = 1 << 4, TX_ON = 4 };
enum { CR_RX = 1 << 2, CR_TX = 1 << 3, CR_ALL_MULTICAST = 1 << 19, CR_FULL_DUPLEX = 1 << 20, CR_NO_OWN_FRAMES = 1 << 23 };
enum { MII_BUSY = 1, MII_WRITE = 2, PHY = 1 << 11, PHY_CONTROL = 0, PHY_STATUS = 1, PHY_ADVERTISE = 4, PHY_PARTNER = 5, PHY_LINKED = 4 };
enum { TX_FIRST = 0x2000, TX_LAST = 0x1000, TX_HEADER = 8, RX_HEADER = 4, FCS = 4, RX_ERROR = 1 << 15, FRAME_MIN = 60, BULK_PACKET = 512, POLLS = 100 };

static struct lan95xx {
    struct nic nic;
    struct usb_device device;
    struct usb_pipe in, out;
    bool full_duplex;
    bool failed; /* a register access failed: the device is gone or sick */
} lan;

bool usb_lan95xx_wanted(const struct usb_device *d)
{
    return d->vendor == VENDOR && d->product == PRODUCT;
}

static void put(uint16_t reg, uint32_t value)
{
    uint8_t octets[4];
    uint16_t moved = 0;
    le32_write(octets, value);
    if (usb_control(&lan.device, USB_VENDOR, WRITE_REGISTER, 0, reg, octets, sizeof octets, &moved) != ERR_OK) {
        lan.failed = true;
    }
}

static uint32_t get(uint16_t reg)
{
    uint8_t octets[4] = {0};
    uint16_t moved = 0;
    if (usb_control(&lan.device, USB_IN | USB_VENDOR, READ_REGISTER, 0, reg, octets, sizeof octets, &moved) != ERR_OK || moved != sizeof octets) {
        lan.failed = true;
    }
    return le32_read(octets);
}

static bool wait_clear(uint16_t reg, uint32_t bit)
{
    for (int i = 0; i < POLLS; i++) {
        if (!(get(reg) & bit)) {
            return !lan.failed;
        }
        clock_delay(1000);
    }
    return false;
}

static void phy_write(uint32_t reg, uint16_t value)
{
    (void)wait_clear(MII_ADDR, MII_BUSY);
    put(MII_DATA, value);
    put(MII_ADDR, PHY | reg << 6 | MII_WRITE | MII_BUSY);
    (void)wait_clear(MII_ADDR, MII_BUSY);
}

static uint16_t phy_read(uint32_t reg)
{
    (void)wait_clear(MII_ADDR, MII_BUSY);
    put(MII_ADDR, PHY | reg << 6 | MII_BUSY);
    (void)wait_clear(MII_ADDR, MII_BUSY);
    return (uint16_t)get(MII_DATA);
}

static const uint8_t *lan_receive(struct nic *nic, size_t *len)
{
    struct usb_host *h = lan.device.host;
    const uint8_t *data;
    size_t count;
    (void)h->bulk_out_buffer(h, &lan.out);
    enum err e = h->bulk_in_poll(h, &lan.in, &data, &count);
    if (e != ERR_OK) {
        nic->counters.rx_errors += e != ERR_STATE;
        return NULL;
    }
    if (count < RX_HEADER) {
        return NULL;
    }
    uint32_t status = le32_read(data);
    uint32_t octets = status >> 16 & 0x3fff;
    if ((status & RX_ERROR) || octets > count - RX_HEADER || octets <= FCS + 14) {
        nic->counters.rx_errors++;
        return NULL;
    }
    nic->counters.rx_frames++;
    *len = octets - FCS;
    return data + RX_HEADER;
}

static void lan_receive_done(struct nic *nic)
{
    (void)nic;
}

static bool lan_send(struct nic *nic, const void *frame, size_t len)
{
    struct usb_host *h = lan.device.host;
    uint8_t *buffer = len <= NIC_FRAME_MAX ? h->bulk_out_buffer(h, &lan.out) : NULL;
    if (!buffer) {
        nic->counters.tx_dropped++;
        return false;
    }
    memcpy(buffer + TX_HEADER, frame, len);
    if (len < FRAME_MIN) {
        memset(buffer + TX_HEADER + len, 0, FRAME_MIN - len);
        len = FRAME_MIN;
    }
    le32_write(buffer, (uint32_t)len | TX_FIRST | TX_LAST);
    le32_write(buffer + 4, (uint32_t)len);
    h->bulk_out_send(h, &lan.out, TX_HEADER + len);
    nic->counters.tx_frames++;
    return true;
}

static void lan_link(struct nic *nic, struct nic_link *out)
{
    (void)nic;
    *out = (struct nic_link){0};
    (void)phy_read(PHY_STATUS); /* latches low */
    out->up = (phy_read(PHY_STATUS) & PHY_LINKED) != 0;
    if (!out->up) {
        return;
    }
    uint16_t both = phy_read(PHY_PARTNER) & phy_read(PHY_ADVERTISE);
    out->mbit = both & 0x180 ? 100 : 10;
    out->full_duplex = both & 0x180 ? (both & 0x100) != 0 : (both & 0x40) != 0;
    if (out->full_duplex != lan.full_duplex) {
        uint32_t control = get(MAC_CR) & ~(uint32_t)(CR_FULL_DUPLEX | CR_NO_OWN_FRAMES);
        put(MAC_CR, control | (out->full_duplex ? CR_FULL_DUPLEX : CR_NO_OWN_FRAMES));
        lan.full_duplex = out->full_duplex;
    }
}

static bool start_chip(const uint8_t mac[6])
{
    put(HW_CFG, HW_LITE_RESET);
    if (!wait_clear(HW_CFG, HW_LITE_RESET)) {
        return false;
    }
    put(PM_CTRL, PM_PHY_RESET);
    if (!wait_clear(PM_CTRL, PM_PHY_RESET)) {
        return false;
    }
    log_debug(NET, "lan95xx: ID %08x", get(ID_REV));
    put(ADDRL, le32_read(mac));
    put(ADDRH, (uint32_t)mac[4] | (uint32_t)mac[5] << 8);
    put(BURST_CAP, 0);
    put(BULK_IN_DELAY, 0x2000);
    put(HW_CFG, (get(HW_CFG) & ~(uint32_t)(HW_RX_OFFSET | HW_MULTIPLE | HW_BURST)) | HW_BULK_NAK); /* one frame a transfer, NAK when there is none */
    put(INT_STS, ~0U);
    put(LED_GPIO, 0x01110000); /* link, activity, speed */
    put(FLOW, 0);
    put(AFC_CFG, 0x00f830a1);
    put(COE_CR, 0);
    phy_write(PHY_CONTROL, 0x8000);  /* reset */
    phy_write(PHY_ADVERTISE, 0x01e1); /* 10 and 100, half and full */
    phy_write(PHY_CONTROL, 0x1200);  /* negotiate */
    lan.full_duplex = true;
    put(MAC_CR, (get(MAC_CR) & ~(uint32_t)CR_NO_OWN_FRAMES) | CR_FULL_DUPLEX | CR_ALL_MULTICAST | CR_TX | CR_RX);
    put(TX_CFG, TX_ON);
    return !lan.failed;
}

struct nic *usb_lan95xx_start(struct usb_device *device, const uint8_t mac[6])
{
    memset(&lan, 0, sizeof lan);
    lan.device = *device;
    if (usb_configure(&lan.device, 1) != ERR_OK || !start_chip(mac)) {
        log_error(NET, "lan95xx: the chip does not start");
        return NULL;
    }
    lan.in = (struct usb_pipe){.device = &lan.device, .endpoint = 1, .max_packet = BULK_PACKET};
    lan.out = (struct usb_pipe){.device = &lan.device, .endpoint = 2, .max_packet = BULK_PACKET};
    memcpy(lan.nic.mac, mac, 6);
    lan.nic.name = "LAN9514";
    lan.nic.receive = lan_receive;
    lan.nic.receive_done = lan_receive_done;
    lan.nic.send = lan_send;
    lan.nic.link = lan_link;
    lan.device.host->bulk_in_arm(lan.device.host, &lan.in);
    return &lan.nic;
}
