/* LAN7515 (LAN7800 core): two words before a frame out, ten octets before a frame in; gigabit PHY
 * inside; the MAC follows it by itself. */
#include "drivers/usb_lan78xx.h"

#include "base/log.h"
#include "base/span.h"
#include "drivers/usb_lan.h"

enum { VENDOR = 0x0424, PRODUCT = 0x7800, CHIP_ID = 0x7800 };
enum {
    ID_REV = 0x000,
    HW_CFG = 0x010,
    PMT_CTL = 0x014,
    USB_CFG0 = 0x080,
    BURST_CAP = 0x090,
    BULK_IN_DELAY = 0x094,
    RFE_CTL = 0x0b0,
    FCT_RX_CTL = 0x0c0,
    FCT_TX_CTL = 0x0c4,
    FCT_RX_END = 0x0c8,
    FCT_TX_END = 0x0cc,
    FCT_FLOW = 0x0d0,
    MAC_CR = 0x100,
    MAC_RX = 0x104,
    MAC_TX = 0x108,
    FLOW = 0x10c,
    RX_ADDRH = 0x118,
    RX_ADDRL = 0x11c,
    MII_ACC = 0x120,
    MII_DATA = 0x124,
    MAF_HI0 = 0x400,
    MAF_LO0 = 0x404
};
enum {
    HW_LITE_RESET = 1 << 1,
    HW_MULTIPLE = 1 << 4,
    HW_LED0 = 1 << 20,
    HW_LED1 = 1 << 21,
    PMT_PHY_RESET = 1 << 4,
    USB_BURST = 1 << 5,
    USB_EMPTY_ANSWER = 1 << 6
};
enum {
    RFE_BROADCAST = 1 << 10,
    RFE_ALL_MULTICAST = 1 << 9,
    RFE_PERFECT = 1 << 1,
    CR_AUTO_DUPLEX = 1 << 12,
    CR_AUTO_SPEED = 1 << 11,
    MAC_ON = 1
};
enum { MAX_FRAME = 1518, TX_FCS = 0x400000, RX_LENGTH = 0x3fff, RX_ERROR = 1 << 22 };
#define FIFO_ON      (1U << 31)
#define FILTER_VALID (1U << 31)

bool usb_lan78xx_wanted(const struct usb_device *d)
{
    return d->vendor == VENDOR && d->product == PRODUCT;
}

static void make_tx_header(uint8_t *header, uint32_t len)
{
    le32_write(header, len | TX_FCS);
    le32_write(header + 4, 0);
}

static uint32_t read_rx_header(const uint8_t *header)
{
    uint32_t a = le32_read(header);
    return a & RX_ERROR ? 0 : a & RX_LENGTH;
}

static void set_address(struct usb_lan *lan)
{
    uint32_t low = le32_read(lan->nic.mac);
    uint32_t high = (uint32_t)lan->nic.mac[4] | (uint32_t)lan->nic.mac[5] << 8;
    usb_lan_put(lan, RX_ADDRL, low);
    usb_lan_put(lan, RX_ADDRH, high);
    usb_lan_put(lan, MAF_LO0, low);
    usb_lan_put(lan, MAF_HI0, high | FILTER_VALID);
}

static bool start_chip(struct usb_lan *lan)
{
    usb_lan_put(lan, HW_CFG, usb_lan_get(lan, HW_CFG) | HW_LITE_RESET);
    if (!usb_lan_wait_clear(lan, HW_CFG, HW_LITE_RESET)) {
        return false;
    }
    uint32_t id = usb_lan_get(lan, ID_REV);
    if (id >> 16 != CHIP_ID) {
        log_error(NET, "lan78xx: ID %08x, expected 7800xxxx", id);
        return false;
    }
    set_address(lan);
    usb_lan_put(lan, BURST_CAP, 24); /* 12 KiB in packets of 512 */
    usb_lan_put(lan, BULK_IN_DELAY, 0x800);
    /* Not several frames a transfer; answers NAK when there is none. */
    usb_lan_put(lan, HW_CFG,
                (usb_lan_get(lan, HW_CFG) & ~(uint32_t)HW_MULTIPLE) | HW_LED0 | HW_LED1);
    usb_lan_put(lan, USB_CFG0,
                (usb_lan_get(lan, USB_CFG0) & ~(uint32_t)USB_EMPTY_ANSWER) | USB_BURST);
    usb_lan_put(lan, FCT_RX_END, 23);
    usb_lan_put(lan, FCT_TX_END, 23);
    usb_lan_put(lan, FLOW, 0);
    usb_lan_put(lan, FCT_FLOW, 0);
    usb_lan_put(lan, RFE_CTL,
                usb_lan_get(lan, RFE_CTL) | RFE_BROADCAST | RFE_PERFECT | RFE_ALL_MULTICAST);
    usb_lan_put(lan, PMT_CTL, usb_lan_get(lan, PMT_CTL) | PMT_PHY_RESET);
    if (!usb_lan_wait_clear(lan, PMT_CTL, PMT_PHY_RESET)) {
        return false;
    }
    usb_lan_put(lan, MAC_CR, usb_lan_get(lan, MAC_CR) | CR_AUTO_DUPLEX | CR_AUTO_SPEED);
    usb_lan_phy_write(lan, 4, 0x01e1); /* advertise 10 and 100 */
    usb_lan_phy_write(lan, 9, 0x0200); /* … and 1000 full duplex */
    usb_lan_phy_write(lan, 0, 0x1200); /* negotiate */
    usb_lan_put(lan, MAC_TX, usb_lan_get(lan, MAC_TX) | MAC_ON);
    usb_lan_put(lan, FCT_TX_CTL, usb_lan_get(lan, FCT_TX_CTL) | FIFO_ON);
    usb_lan_put(lan, MAC_RX, (uint32_t)MAX_FRAME << 16 | MAC_ON);
    usb_lan_put(lan, FCT_RX_CTL, usb_lan_get(lan, FCT_RX_CTL) | FIFO_ON);
    return !lan->failed;
}

struct nic *usb_lan78xx_start(struct usb_device *device, const uint8_t mac[6])
{
    struct usb_lan *lan = usb_lan_open(device, mac, MII_ACC, MII_DATA);
    lan->nic.name = "LAN7515";
    lan->tx_header = 8;
    lan->rx_header = 10;
    lan->make_tx_header = make_tx_header;
    lan->read_rx_header = read_rx_header;
    if (usb_configure(&lan->device, 1) != ERR_OK || !start_chip(lan)) {
        log_error(NET, "lan78xx: the chip does not start");
        return NULL;
    }
    usb_lan_run(lan);
    return &lan->nic;
}
