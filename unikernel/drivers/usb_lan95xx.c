/* LAN9514: two words before a frame out, one before a frame in; 10/100 PHY inside. */
#include "drivers/usb_lan95xx.h"

#include "base/log.h"
#include "base/span.h"
#include "drivers/usb_lan.h"

enum { VENDOR = 0x0424, PRODUCT = 0xec00 };
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
enum {
    HW_LITE_RESET = 1 << 3,
    HW_RX_OFFSET = 3 << 9,
    HW_MULTIPLE = 1 << 5,
    HW_BURST = 1 << 1,
    HW_BULK_NAK = 1 << 12,
    PM_PHY_RESET = 1 << 4,
    TX_ON = 4
};
enum {
    CR_RX = 1 << 2,
    CR_TX = 1 << 3,
    CR_ALL_MULTICAST = 1 << 19,
    CR_FULL_DUPLEX = 1 << 20,
    CR_NO_OWN_FRAMES = 1 << 23
};
enum { TX_FIRST = 0x2000, TX_LAST = 0x1000, RX_ERROR = 1 << 15 };

bool usb_lan95xx_wanted(const struct usb_device *d)
{
    return d->vendor == VENDOR && d->product == PRODUCT;
}

static void make_tx_header(uint8_t *header, uint32_t len)
{
    le32_write(header, len | TX_FIRST | TX_LAST);
    le32_write(header + 4, len);
}

static uint32_t read_rx_header(const uint8_t *header)
{
    uint32_t status = le32_read(header);
    return status & RX_ERROR ? 0 : status >> 16 & 0x3fff;
}

static void follow_duplex(struct usb_lan *lan)
{
    uint32_t control = usb_lan_get(lan, MAC_CR) & ~(uint32_t)(CR_FULL_DUPLEX | CR_NO_OWN_FRAMES);
    usb_lan_put(lan, MAC_CR, control | (lan->full_duplex ? CR_FULL_DUPLEX : CR_NO_OWN_FRAMES));
}

static bool start_chip(struct usb_lan *lan)
{
    usb_lan_put(lan, HW_CFG, HW_LITE_RESET);
    if (!usb_lan_wait_clear(lan, HW_CFG, HW_LITE_RESET)) {
        return false;
    }
    usb_lan_put(lan, PM_CTRL, PM_PHY_RESET);
    if (!usb_lan_wait_clear(lan, PM_CTRL, PM_PHY_RESET)) {
        return false;
    }
    log_debug(NET, "lan95xx: ID %08x", usb_lan_get(lan, ID_REV));
    usb_lan_put(lan, ADDRL, le32_read(lan->nic.mac));
    usb_lan_put(lan, ADDRH, (uint32_t)lan->nic.mac[4] | (uint32_t)lan->nic.mac[5] << 8);
    usb_lan_put(lan, BURST_CAP, 0);
    usb_lan_put(lan, BULK_IN_DELAY, 0x2000);
    /* One frame a transfer; NAK, not an empty packet, when there is none. */
    usb_lan_put(lan, HW_CFG,
                (usb_lan_get(lan, HW_CFG) & ~(uint32_t)(HW_RX_OFFSET | HW_MULTIPLE | HW_BURST)) |
                    HW_BULK_NAK);
    usb_lan_put(lan, INT_STS, ~0U);
    usb_lan_put(lan, LED_GPIO, 0x01110000); /* link, activity, speed */
    usb_lan_put(lan, FLOW, 0);
    usb_lan_put(lan, AFC_CFG, 0x00f830a1);
    usb_lan_put(lan, COE_CR, 0);
    usb_lan_phy_write(lan, 0, 0x8000); /* reset */
    usb_lan_phy_write(lan, 4, 0x01e1); /* advertise 10 and 100, half and full duplex */
    usb_lan_phy_write(lan, 0, 0x1200); /* negotiate */
    usb_lan_put(lan, MAC_CR,
                (usb_lan_get(lan, MAC_CR) & ~(uint32_t)CR_NO_OWN_FRAMES) | CR_FULL_DUPLEX |
                    CR_ALL_MULTICAST | CR_TX | CR_RX);
    usb_lan_put(lan, TX_CFG, TX_ON);
    return !lan->failed;
}

struct nic *usb_lan95xx_start(struct usb_device *device, const uint8_t mac[6])
{
    struct usb_lan *lan = usb_lan_open(device, mac, MII_ADDR, MII_DATA);
    lan->nic.name = "LAN9514";
    lan->tx_header = 8;
    lan->rx_header = 4;
    lan->make_tx_header = make_tx_header;
    lan->read_rx_header = read_rx_header;
    lan->follow_duplex = follow_duplex;
    if (usb_configure(&lan->device, 1) != ERR_OK || !start_chip(lan)) {
        log_error(NET, "lan95xx: the chip does not start");
        return NULL;
    }
    usb_lan_run(lan);
    return &lan->nic;
}
