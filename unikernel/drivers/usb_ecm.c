/* CDC-ECM: frames go as they are, one a transfer, ended by a short packet. */
#include "drivers/usb_ecm.h"

#include <string.h>

#include "base/log.h"

enum {
    CS_INTERFACE = 0x24,
    ETHERNET_FUNCTION = 0x0f,
    SUBCLASS_ECM = 6,
    SET_PACKET_FILTER = 0x43,
    FILTER_ALL_MULTICAST = 2,
    FILTER_DIRECTED = 4,
    FILTER_BROADCAST = 8
};
enum { CONFIG_MAX = 512, LANGUAGE_ENGLISH_US = 0x0409 };
enum { QEMU_VENDOR = 0x0525, QEMU_PRODUCT = 0xa4a2, QEMU_PACKET = 1600 };

static struct ecm {
    struct nic nic;
    struct usb_device device;
    struct usb_pipe in, out;
} ecm;

bool usb_ecm_wanted(const struct usb_device *d)
{
    return d->device_class == USB_CLASS_COMM;
}

static uint16_t le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

bool usb_ecm_parse(const uint8_t *config, size_t len, struct usb_ecm_layout *out)
{
    struct usb_ecm_layout l = {0};
    bool in_ecm = false, in_data = false;
    size_t pos = 0;
    const uint8_t *d;
    if (len < 9 || config[1] != USB_CONFIG_DESC) {
        return false;
    }
    l.config_value = config[5];
    while (usb_desc_next(config, len, &pos, 0, &d)) {
        if (d[1] == USB_INTERFACE_DESC && d[0] >= 9) {
            if (d[5] == USB_CLASS_COMM) {
                in_ecm = d[6] == SUBCLASS_ECM;
                l.control_interface = in_ecm ? d[2] : l.control_interface;
            }
            in_data = in_ecm && d[5] == USB_CLASS_DATA;
            if (in_data) {
                l.data_interface = d[2];
                l.data_alternate = d[3];
            }
        } else if (d[1] == CS_INTERFACE && d[0] >= 5 && d[2] == ETHERNET_FUNCTION && in_ecm) {
            l.mac_string = d[3];
        } else if (d[1] == USB_ENDPOINT_DESC && d[0] >= 7 && in_data && (d[3] & 3) == 2) {
            if (d[2] & USB_IN) {
                l.endpoint_in = d[2] & 15;
                l.max_packet_in = le16(d + 4) & 0x7ff;
            } else {
                l.endpoint_out = d[2] & 15;
                l.max_packet_out = le16(d + 4) & 0x7ff;
            }
        }
    }
    if (!l.endpoint_in || !l.endpoint_out || !l.max_packet_in || !l.max_packet_out) {
        return false;
    }
    *out = l;
    return true;
}

static const uint8_t *ecm_receive(struct nic *nic, size_t *len)
{
    struct usb_host *h = ecm.device.host;
    const uint8_t *data;
    (void)h->bulk_out_buffer(
        h, &ecm.out); /* collects a finished transmit, so that its line does not keep us awake */
    enum err e = h->bulk_in_poll(h, &ecm.in, &data, len);
    if (e == ERR_OK && *len > 0) {
        nic->counters.rx_frames++;
        return data;
    }
    nic->counters.rx_errors += e != ERR_STATE && e != ERR_OK;
    return NULL;
}

static void ecm_receive_done(struct nic *nic)
{
    (void)nic; /* two buffers take turns: the one lent out is not armed again before the next
                  receive */
}

static bool ecm_send(struct nic *nic, const void *frame, size_t len)
{
    struct usb_host *h = ecm.device.host;
    uint8_t *buffer = len <= NIC_FRAME_MAX ? h->bulk_out_buffer(h, &ecm.out) : NULL;
    if (!buffer) {
        nic->counters.tx_dropped++;
        return false;
    }
    memcpy(buffer, frame, len);
    if (len < NIC_FRAME_MIN) {
        memset(buffer + len, 0, NIC_FRAME_MIN - len);
        len = NIC_FRAME_MIN;
    }
    h->bulk_out_send(h, &ecm.out, len);
    nic->counters.tx_frames++;
    return true;
}

static void ecm_link(struct nic *nic, struct nic_link *out)
{
    (void)nic; /* told on the interrupt endpoint, which QEMU floods: an adapter that is there counts
                  as linked */
    *out = (struct nic_link){.up = true, .full_duplex = true};
}

static bool hex_digit(uint8_t c, uint8_t *out)
{
    uint8_t lower = c | 0x20;
    if (c >= '0' && c <= '9') {
        *out = (uint8_t)(c - '0');
    } else if (lower >= 'a' && lower <= 'f') {
        *out = (uint8_t)(lower - 'a' + 10);
    } else {
        return false;
    }
    return true;
}

/* The address is a string descriptor of twelve hexadecimal digits in UTF-16. */
static bool read_mac(struct usb_device *d, uint8_t index, uint8_t mac[6])
{
    uint8_t text[64] = {0};
    uint16_t got;
    if (usb_control(d, USB_IN, USB_GET_DESCRIPTOR, (uint16_t)(USB_STRING_DESC << 8 | index),
                    LANGUAGE_ENGLISH_US, text, sizeof text, &got) != ERR_OK ||
        got < 26) {
        return false;
    }
    for (int i = 0; i < 12; i++) {
        uint8_t digit;
        if (!hex_digit(text[2 + 2 * i], &digit)) {
            return false;
        }
        mac[i / 2] = (uint8_t)(mac[i / 2] << 4 | digit);
    }
    return true;
}

static bool find_layout(struct usb_device *d, struct usb_ecm_layout *layout)
{
    static uint8_t config[CONFIG_MAX];
    for (uint8_t c = 0; c < d->configs; c++) {
        uint16_t got;
        uint16_t select = (uint16_t)(USB_CONFIG_DESC << 8 | c);
        if (usb_control(d, USB_IN, USB_GET_DESCRIPTOR, select, 0, config, 9, &got) != ERR_OK ||
            got < 9) {
            continue;
        }
        uint16_t total = le16(config + 2) < CONFIG_MAX ? le16(config + 2) : CONFIG_MAX;
        if (usb_control(d, USB_IN, USB_GET_DESCRIPTOR, select, 0, config, total, &got) == ERR_OK &&
            usb_ecm_parse(config, got, layout)) {
            return true;
        }
    }
    return false;
}

struct nic *usb_ecm_start(struct usb_device *device)
{
    struct usb_ecm_layout l;
    struct usb_device *d = &ecm.device;
    ecm.device = *device;
    if (!find_layout(d, &l) || !read_mac(d, l.mac_string, ecm.nic.mac)) {
        log_error(NET, "usb: %04x:%04x is no usable CDC-ECM device", d->vendor, d->product);
        return NULL;
    }
    uint16_t filter = FILTER_ALL_MULTICAST | FILTER_DIRECTED | FILTER_BROADCAST;
    if (usb_configure(d, l.config_value) != ERR_OK ||
        usb_control(d, USB_TO_INTERFACE, USB_SET_INTERFACE, l.data_alternate, l.data_interface,
                    NULL, 0, NULL) != ERR_OK ||
        usb_control(d, USB_CLASS_REQUEST | USB_TO_INTERFACE, SET_PACKET_FILTER, filter,
                    l.control_interface, NULL, 0, NULL) != ERR_OK) {
        log_error(NET, "usb: %04x:%04x refuses its configuration", d->vendor, d->product);
        return NULL;
    }
    ecm.in =
        (struct usb_pipe){.device = d, .endpoint = l.endpoint_in, .max_packet = l.max_packet_in};
    ecm.out =
        (struct usb_pipe){.device = d, .endpoint = l.endpoint_out, .max_packet = l.max_packet_out};
    if (d->vendor == QEMU_VENDOR && d->product == QEMU_PRODUCT) {
        ecm.out.quirk_packet = QEMU_PACKET; /* QEMU moves one packet each 250 us otherwise; its
                                               device joins packets to frames anyway */
    }
    ecm.nic.name = "usb CDC-ECM";
    ecm.nic.receive = ecm_receive;
    ecm.nic.receive_done = ecm_receive_done;
    ecm.nic.send = ecm_send;
    ecm.nic.link = ecm_link;
    d->host->bulk_in_arm(d->host, &ecm.in);
    return &ecm.nic;
}
