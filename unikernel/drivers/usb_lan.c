/* Registers, PHY and frames of the Pi's USB Ethernet chips. */
#include "drivers/usb_lan.h"

#include <string.h>

#include "arch/aarch64/cpu.h"
#include "base/span.h"

enum { WRITE_REGISTER = 0xa0, READ_REGISTER = 0xa1 };
enum { MII_BUSY = 1, MII_WRITE = 2, PHY = 1 << 11 };
enum {
    PHY_STATUS = 1,
    PHY_ADVERTISE = 4,
    PHY_PARTNER = 5,
    PHY_CTRL1000 = 9,
    PHY_STAT1000 = 10,
    PHY_LINKED = 4
};
enum { FCS = 4, ETHERNET_HEADER = 14, BULK_PACKET = 512, POLLS = 100 };

static struct usb_lan the_lan;

void usb_lan_put(struct usb_lan *lan, uint16_t reg, uint32_t value)
{
    uint8_t octets[4];
    le32_write(octets, value);
    if (usb_control(&lan->device, USB_VENDOR, WRITE_REGISTER, 0, reg, octets, sizeof octets,
                    NULL) != ERR_OK) {
        lan->failed = true;
    }
}

uint32_t usb_lan_get(struct usb_lan *lan, uint16_t reg)
{
    uint8_t octets[4] = {0};
    uint16_t moved = 0;
    if (usb_control(&lan->device, USB_IN | USB_VENDOR, READ_REGISTER, 0, reg, octets, sizeof octets,
                    &moved) != ERR_OK ||
        moved != sizeof octets) {
        lan->failed = true;
    }
    return le32_read(octets);
}

bool usb_lan_wait_clear(struct usb_lan *lan, uint16_t reg, uint32_t bit)
{
    for (int i = 0; i < POLLS && !lan->failed; i++) {
        if (!(usb_lan_get(lan, reg) & bit)) {
            return !lan->failed;
        }
        clock_delay(1000);
    }
    return false;
}

void usb_lan_phy_write(struct usb_lan *lan, uint32_t reg, uint16_t value)
{
    (void)usb_lan_wait_clear(lan, lan->mii_address, MII_BUSY);
    usb_lan_put(lan, lan->mii_data, value);
    usb_lan_put(lan, lan->mii_address, PHY | reg << 6 | MII_WRITE | MII_BUSY);
    (void)usb_lan_wait_clear(lan, lan->mii_address, MII_BUSY);
}

uint16_t usb_lan_phy_read(struct usb_lan *lan, uint32_t reg)
{
    (void)usb_lan_wait_clear(lan, lan->mii_address, MII_BUSY);
    usb_lan_put(lan, lan->mii_address, PHY | reg << 6 | MII_BUSY);
    (void)usb_lan_wait_clear(lan, lan->mii_address, MII_BUSY);
    return (uint16_t)usb_lan_get(lan, lan->mii_data);
}

static const uint8_t *lan_receive(struct nic *nic, size_t *len)
{
    struct usb_lan *lan = (struct usb_lan *)nic;
    struct usb_host *h = lan->device.host;
    const uint8_t *data;
    size_t count;
    (void)h->bulk_out_buffer(
        h, &lan->out); /* collects a finished transmit, so that its line does not keep us awake */
    enum err e = h->bulk_in_poll(h, &lan->in, &data, &count);
    if (e != ERR_OK) {
        nic->counters.rx_errors += e != ERR_STATE;
        return NULL;
    }
    if (count < lan->rx_header) {
        return NULL; /* an empty transfer */
    }
    uint32_t octets = lan->read_rx_header(data);
    if (octets > count - lan->rx_header || octets <= FCS + ETHERNET_HEADER) {
        nic->counters.rx_errors++;
        return NULL;
    }
    nic->counters.rx_frames++;
    *len = octets - FCS;
    return data + lan->rx_header;
}

static void lan_receive_done(struct nic *nic)
{
    (void)nic; /* the controller's two buffers take turns */
}

static bool lan_send(struct nic *nic, const void *frame, size_t len)
{
    struct usb_lan *lan = (struct usb_lan *)nic;
    struct usb_host *h = lan->device.host;
    uint8_t *buffer = len <= NIC_FRAME_MAX ? h->bulk_out_buffer(h, &lan->out) : NULL;
    if (!buffer) {
        nic->counters.tx_dropped++;
        return false;
    }
    memcpy(buffer + lan->tx_header, frame, len);
    if (len < NIC_FRAME_MIN) {
        memset(buffer + lan->tx_header + len, 0, NIC_FRAME_MIN - len);
        len = NIC_FRAME_MIN;
    }
    lan->make_tx_header(buffer, (uint32_t)len);
    h->bulk_out_send(h, &lan->out, lan->tx_header + len);
    nic->counters.tx_frames++;
    return true;
}

static void lan_link(struct nic *nic, struct nic_link *out)
{
    struct usb_lan *lan = (struct usb_lan *)nic;
    *out = (struct nic_link){0};
    (void)usb_lan_phy_read(lan,
                           PHY_STATUS); /* the bit latches low: the second read tells the present */
    out->up = (usb_lan_phy_read(lan, PHY_STATUS) & PHY_LINKED) != 0 && !lan->failed;
    if (!out->up) {
        return;
    }
    uint32_t both = usb_lan_phy_read(lan, PHY_PARTNER) & usb_lan_phy_read(lan, PHY_ADVERTISE);
    uint32_t gigabit =
        usb_lan_phy_read(lan, PHY_STAT1000) & (uint32_t)usb_lan_phy_read(lan, PHY_CTRL1000) << 2;
    if (gigabit & 0xc00) {
        out->mbit = 1000;
        out->full_duplex = (gigabit & 0x800) != 0;
    } else {
        out->mbit = both & 0x180 ? 100 : 10;
        out->full_duplex = (both & (both & 0x180 ? 0x100 : 0x40)) != 0;
    }
    if (out->full_duplex != lan->full_duplex && lan->follow_duplex) {
        lan->full_duplex = out->full_duplex;
        lan->follow_duplex(lan);
    }
}

struct usb_lan *usb_lan_open(const struct usb_device *device, const uint8_t mac[6],
                             uint16_t mii_address, uint16_t mii_data)
{
    struct usb_lan *lan = &the_lan;
    memset(lan, 0, sizeof *lan);
    lan->device = *device;
    lan->mii_address = mii_address;
    lan->mii_data = mii_data;
    lan->full_duplex = true;
    lan->in = (struct usb_pipe){.device = &lan->device, .endpoint = 1, .max_packet = BULK_PACKET};
    lan->out = (struct usb_pipe){.device = &lan->device, .endpoint = 2, .max_packet = BULK_PACKET};
    memcpy(lan->nic.mac, mac, 6);
    lan->nic.receive = lan_receive;
    lan->nic.receive_done = lan_receive_done;
    lan->nic.send = lan_send;
    lan->nic.link = lan_link;
    return lan;
}

void usb_lan_run(struct usb_lan *lan)
{
    lan->device.host->bulk_in_arm(lan->device.host, &lan->in);
}
