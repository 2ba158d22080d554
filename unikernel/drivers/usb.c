/* Enumeration, hubs, descriptors. Devices are not trusted: every length they tell is checked
 * against what came. */
#include "drivers/usb.h"

#include <string.h>

#include "arch/aarch64/cpu.h"
#include "base/log.h"

enum {
    PORT_CONNECTION = 1,
    PORT_RESET_CHANGE = 16,
    FEATURE_PORT_RESET = 4,
    FEATURE_PORT_POWER = 8,
    FEATURE_C_CONNECTION = 16,
    FEATURE_C_RESET = 20
};
enum { DEVICE_DESC_LEN = 18, HUB_DEPTH_MAX = 5, ADDRESS_MAX = 127, HUB_PORTS_MAX = 15 };
enum { SETTLE_ADDRESS_US = 10000, RESET_POLL_US = 2000, RESET_POLLS = 50 };

static uint8_t next_address;

enum err usb_control(struct usb_device *d, uint8_t type, uint8_t request, uint16_t value,
                     uint16_t index, void *data, uint16_t len, uint16_t *moved)
{
    struct usb_request rq = {
        .type = type, .request = request, .value = value, .index = index, .len = len};
    uint16_t count = 0;
    if (len > USB_CONTROL_MAX) {
        return ERR_RANGE;
    }
    enum err e = d->host->control(d->host, d, &rq, data, &count);
    if (e == ERR_OK && moved) {
        *moved = count;
    }
    return e;
}

enum err usb_configure(struct usb_device *d, uint8_t config_value)
{
    return usb_control(d, 0, USB_SET_CONFIGURATION, config_value, 0, NULL, 0, NULL);
}

bool usb_desc_next(const uint8_t *config, size_t len, size_t *pos, uint8_t type,
                   const uint8_t **desc)
{
    while (*pos + 2 <= len) {
        const uint8_t *d = config + *pos;
        if (d[0] < 2 || d[0] > len - *pos) {
            return false;
        }
        *pos += d[0];
        if (type == 0 || d[1] == type) {
            *desc = d;
            return true;
        }
    }
    return false;
}

/* A device that was just reset answers at address 0: read its descriptor, give it an address. */
static enum err address_device(struct usb_host *h, struct usb_device *out)
{
    uint8_t desc[DEVICE_DESC_LEN] = {0};
    uint16_t got = 0;
    struct usb_device d = {.host = h, .max_packet0 = 8};
    if (next_address >= ADDRESS_MAX) {
        return ERR_LIMIT;
    }
    enum err e =
        usb_control(&d, USB_IN, USB_GET_DESCRIPTOR, USB_DEVICE_DESC << 8, 0, desc, 8, &got);
    if (e != ERR_OK || got < 8) {
        return e != ERR_OK ? e : ERR_SHORT;
    }
    if (desc[7] != 8 && desc[7] != 16 && desc[7] != 32 && desc[7] != 64) {
        return ERR_FORMAT;
    }
    d.max_packet0 = desc[7];
    uint8_t address = ++next_address;
    e = usb_control(&d, 0, USB_SET_ADDRESS, address, 0, NULL, 0, NULL);
    if (e != ERR_OK) {
        return e;
    }
    clock_delay(SETTLE_ADDRESS_US);
    d.address = address;
    e = usb_control(&d, USB_IN, USB_GET_DESCRIPTOR, USB_DEVICE_DESC << 8, 0, desc, sizeof desc,
                    &got);
    if (e != ERR_OK || got < sizeof desc) {
        return e != ERR_OK ? e : ERR_SHORT;
    }
    d.device_class = desc[4];
    d.vendor = (uint16_t)(desc[8] | desc[9] << 8);
    d.product = (uint16_t)(desc[10] | desc[11] << 8);
    d.configs = desc[17];
    log_debug(NET, "usb: device %u is %04x:%04x class %02x", address, d.vendor, d.product,
              d.device_class);
    *out = d;
    return ERR_OK;
}

static enum err hub_feature(struct usb_device *hub, uint8_t request, uint16_t feature,
                            uint16_t port)
{
    return usb_control(hub, USB_CLASS_REQUEST | USB_TO_OTHER, request, feature, port, NULL, 0,
                       NULL);
}

static bool hub_port_status(struct usb_device *hub, uint16_t port, uint32_t *status)
{
    uint8_t b[4];
    uint16_t got;
    if (usb_control(hub, USB_IN | USB_CLASS_REQUEST | USB_TO_OTHER, USB_GET_STATUS, 0, port, b,
                    sizeof b, &got) != ERR_OK ||
        got < sizeof b) {
        return false;
    }
    *status = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
    return true;
}

static bool hub_reset_port(struct usb_device *hub, uint16_t port)
{
    uint32_t status;
    if (hub_feature(hub, USB_SET_FEATURE, FEATURE_PORT_RESET, port) != ERR_OK) {
        return false;
    }
    for (int i = 0; i < RESET_POLLS; i++) {
        clock_delay(RESET_POLL_US);
        if (hub_port_status(hub, port, &status) && (status & 1U << (16 + 4))) {
            return hub_feature(hub, USB_CLEAR_FEATURE, FEATURE_C_RESET, port) == ERR_OK &&
                   hub_feature(hub, USB_CLEAR_FEATURE, FEATURE_C_CONNECTION, port) == ERR_OK;
        }
    }
    return false;
}

static enum err search(struct usb_host *h, usb_wanted *wanted, unsigned depth,
                       struct usb_device *out);

static enum err search_hub(struct usb_device *hub, usb_wanted *wanted, unsigned depth,
                           struct usb_device *out)
{
    uint8_t config[9], desc[9] = {0};
    uint16_t got = 0;
    enum err e = usb_control(hub, USB_IN, USB_GET_DESCRIPTOR, USB_CONFIG_DESC << 8, 0, config,
                             sizeof config, &got);
    e = e == ERR_OK && got < sizeof config ? ERR_SHORT : e;
    if (e == ERR_OK) {
        e = usb_configure(hub, config[5]);
    }
    if (e == ERR_OK) {
        e = usb_control(hub, USB_IN | USB_CLASS_REQUEST, USB_GET_DESCRIPTOR, USB_HUB_DESC << 8, 0,
                        desc, sizeof desc, &got);
    }
    if (e != ERR_OK) {
        return e;
    }
    uint16_t ports = desc[2] < HUB_PORTS_MAX ? desc[2] : HUB_PORTS_MAX;
    for (uint16_t p = 1; p <= ports; p++) {
        if (hub_feature(hub, USB_SET_FEATURE, FEATURE_PORT_POWER, p) != ERR_OK) {
            return ERR_IO;
        }
    }
    clock_delay(2000U * desc[5] + 10000); /* bPwrOn2PwrGood is in units of 2 ms */
    for (uint16_t p = 1; p <= ports; p++) {
        uint32_t status;
        if (hub_port_status(hub, p, &status) && (status & PORT_CONNECTION) &&
            hub_reset_port(hub, p) && search(hub->host, wanted, depth + 1, out) == ERR_OK) {
            return ERR_OK;
        }
    }
    return ERR_NOT_FOUND;
}

static enum err search(struct usb_host *h, usb_wanted *wanted, unsigned depth,
                       struct usb_device *out)
{
    struct usb_device d;
    enum err e = address_device(h, &d);
    if (e != ERR_OK) {
        return e;
    }
    if (wanted(&d)) {
        *out = d;
        return ERR_OK;
    }
    if (d.device_class == USB_CLASS_HUB && depth < HUB_DEPTH_MAX) {
        return search_hub(&d, wanted, depth, out);
    }
    return ERR_NOT_FOUND;
}

enum err usb_find(struct usb_host *h, usb_wanted *wanted, struct usb_device *out)
{
    next_address = 0;
    enum err e = h->port_reset(h);
    return e == ERR_OK ? search(h, wanted, 0, out) : e;
}
