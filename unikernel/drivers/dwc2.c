/*
 * DWC2 host. What is particular:
 * - The toggle is kept in software: real controllers update HCTSIZ.PID, QEMU's does not.
 * - NAK on bulk stays masked: the channel retries by itself (real ones in DMA mode, QEMU each 250
 * us).
 * - Buffers lie in non-cached memory and are given as bus addresses (RAM at 0xC0000000 as the
 * VideoCore sees it).
 */
#include "drivers/dwc2.h"

#include <string.h>

#include "arch/aarch64/cpu.h"
#include "base/log.h"
#include "drivers/dma.h"

enum {
    GAHBCFG = 0x008,
    GUSBCFG = 0x00c,
    GRSTCTL = 0x010,
    GINTMSK = 0x018,
    GRXFSIZ = 0x024,
    GNPTXFSIZ = 0x028,
    GSNPSID = 0x040,
    HPTXFSIZ = 0x100,
    HCFG = 0x400,
    HAINTMSK = 0x418,
    HPRT = 0x440,
    PCGCTL = 0xe00
};
enum {
    HC_CHAR = 0x00,
    HC_SPLT = 0x04,
    HC_INT = 0x08,
    HC_INTMSK = 0x0c,
    HC_TSIZ = 0x10,
    HC_DMA = 0x14
};
enum {
    INT_COMPLETE = 1 << 0,
    INT_HALTED = 1 << 1,
    INT_STALL = 1 << 3,
    INT_XACT_ERROR = 1 << 7,
    INT_ERRORS = 0x784,
    INT_ALL = 0x3fff
};
enum {
    PORT_CONNECTED = 1 << 0,
    PORT_ENABLED = 1 << 2,
    PORT_RESET = 1 << 8,
    PORT_POWER = 1 << 12,
    PORT_WRITE_CLEARS = 0x2e
};
enum {
    AHB_DMA = 1 << 5,
    AHB_INTERRUPT = 1 << 0,
    RESET_CORE = 1 << 0,
    RESET_IDLE = 1U << 31,
    INT_HOST_CHANNEL = 1 << 25,
    USBCFG_FORCE_DEVICE = 1 << 30
};
enum { TYPE_CONTROL = 0, TYPE_BULK = 2, PID_DATA0 = 0, PID_DATA1 = 2, PID_SETUP = 3 };
enum { CHANNEL_CONTROL = 0, CHANNEL_IN = 1, CHANNEL_OUT = 2, FIFO_WORDS = 1024 };
enum { CONTROL_TIMEOUT_US = 500000, CONNECT_TIMEOUT_US = 3000000, TRIES = 3 };
#define ID_MASK      0xfffff000U
#define ID_DWC2      0x4f542000U
#define CHANNEL_ON   (1U << 31)
#define CHANNEL_STOP (1U << 30)

static uintptr_t base;
static uint8_t setup_buffer[64] DMA_MEMORY;
static uint8_t control_buffer[USB_CONTROL_MAX] DMA_MEMORY;
static uint8_t in_buffer[2][USB_BULK_MAX + 64] DMA_MEMORY;
static uint8_t out_buffer[USB_BULK_MAX] DMA_MEMORY;
static unsigned in_current; /* the buffer that the armed transfer fills */
static bool out_busy;
static size_t out_len;

static uint32_t get(uint32_t reg)
{
    return read32(base + reg);
}

static void set(uint32_t reg, uint32_t value)
{
    write32(base + reg, value);
}

static uint32_t channel(unsigned c, uint32_t reg)
{
    return 0x500 + 0x20 * c + reg;
}

struct transfer {
    unsigned channel;
    const struct usb_device *device;
    uint8_t endpoint, type, pid;
    uint16_t max_packet;
    bool in;
    void *data;
    uint32_t len;
};

static void transfer_start(const struct transfer *t)
{
    uint32_t packets = t->len ? (t->len + t->max_packet - 1) / t->max_packet : 1;
    set(channel(t->channel, HC_SPLT), 0);
    set(channel(t->channel, HC_INT), INT_ALL);
    set(channel(t->channel, HC_TSIZ), t->len | packets << 19 | (uint32_t)t->pid << 29);
    set(channel(t->channel, HC_DMA), dma_bus_address(t->data));
    barrier();
    set(channel(t->channel, HC_CHAR),
        (uint32_t)t->max_packet | (uint32_t)t->endpoint << 11 | (uint32_t)t->in << 15 |
            (uint32_t)t->type << 18 | 1U << 20 | (uint32_t)t->device->address << 22 | CHANNEL_ON);
}

static enum err transfer_result(uint32_t interrupts)
{
    if (interrupts & INT_STALL) {
        return ERR_UNSUPPORTED;
    }
    if ((interrupts & INT_ERRORS) || !(interrupts & INT_COMPLETE)) {
        return ERR_IO;
    }
    return ERR_OK;
}

static void channel_stop(unsigned c)
{
    set(channel(c, HC_CHAR), get(channel(c, HC_CHAR)) | CHANNEL_STOP | CHANNEL_ON);
    usec_t end = clock_now() + 10000;
    while (!(get(channel(c, HC_INT)) & INT_HALTED) && clock_now() < end) {
    }
    set(channel(c, HC_INT), INT_ALL);
}

static enum err transfer_wait(unsigned c)
{
    usec_t end = clock_now() + CONTROL_TIMEOUT_US;
    uint32_t interrupts;
    while (!((interrupts = get(channel(c, HC_INT))) & INT_HALTED)) {
        if (clock_now() > end) {
            channel_stop(c);
            return ERR_TIMEOUT;
        }
    }
    set(channel(c, HC_INT), INT_ALL);
    return transfer_result(interrupts);
}

/* One stage of a control transfer; transaction errors on the wire are tried again, as
 * USB 2.0 10.2.6 asks. */
static enum err stage(struct transfer *t)
{
    enum err e = ERR_IO;
    for (int i = 0; i < TRIES && e == ERR_IO; i++) {
        transfer_start(t);
        e = transfer_wait(t->channel);
    }
    return e;
}

static enum err dwc2_control(struct usb_host *h, const struct usb_device *d,
                             const struct usb_request *rq, void *data, uint16_t *moved)
{
    (void)h;
    const uint8_t setup[8] = {rq->type,           rq->request,
                              (uint8_t)rq->value, (uint8_t)(rq->value >> 8),
                              (uint8_t)rq->index, (uint8_t)(rq->index >> 8),
                              (uint8_t)rq->len,   (uint8_t)(rq->len >> 8)};
    bool in = (rq->type & USB_IN) != 0;
    memcpy(setup_buffer, setup, sizeof setup);
    struct transfer t = {.channel = CHANNEL_CONTROL,
                         .device = d,
                         .type = TYPE_CONTROL,
                         .pid = PID_SETUP,
                         .max_packet = d->max_packet0,
                         .data = setup_buffer,
                         .len = sizeof setup};
    enum err e = stage(&t);
    *moved = 0;
    if (e == ERR_OK && rq->len > 0) {
        uint32_t whole = (uint32_t)(rq->len + d->max_packet0 - 1) / d->max_packet0 * d->max_packet0;
        t.pid = PID_DATA1;
        t.in = in;
        t.data = control_buffer;
        t.len = in ? whole : rq->len; /* a receive buffer is whole packets */
        if (!in) {
            memcpy(control_buffer, data, rq->len);
        }
        e = stage(&t);
        if (e == ERR_OK) {
            uint32_t left = get(channel(CHANNEL_CONTROL, HC_TSIZ)) & 0x7ffff;
            uint32_t count = left < t.len ? t.len - left : 0;
            *moved = (uint16_t)(count < rq->len ? count : rq->len);
            if (in) {
                memcpy(data, control_buffer, *moved);
            }
        }
    }
    if (e == ERR_OK) {
        t.pid = PID_DATA1;
        t.in = !(rq->len > 0 && in);
        t.data = control_buffer;
        t.len = 0;
        e = stage(&t);
    }
    return e;
}

static void dwc2_bulk_in_arm(struct usb_host *h, struct usb_pipe *p)
{
    (void)h;
    struct transfer t = {.channel = CHANNEL_IN,
                         .device = p->device,
                         .endpoint = p->endpoint,
                         .type = TYPE_BULK,
                         .pid = p->odd ? PID_DATA1 : PID_DATA0,
                         .max_packet = p->max_packet,
                         .in = true,
                         .data = in_buffer[in_current],
                         .len = USB_BULK_MAX};
    transfer_start(&t);
}

static enum err dwc2_bulk_in_poll(struct usb_host *h, struct usb_pipe *p, const uint8_t **data,
                                  size_t *len)
{
    uint32_t interrupts = get(channel(CHANNEL_IN, HC_INT));
    if (!(interrupts & INT_HALTED)) {
        return ERR_STATE;
    }
    set(channel(CHANNEL_IN, HC_INT), INT_ALL);
    enum err e = transfer_result(interrupts);
    if (e ==
        ERR_UNSUPPORTED) { /* a stalled endpoint is opened again, which also resets its toggle */
        struct usb_request rq = {.type = USB_TO_ENDPOINT,
                                 .request = USB_CLEAR_FEATURE,
                                 .index = (uint16_t)(p->endpoint | USB_IN)};
        uint16_t moved;
        (void)dwc2_control(h, p->device, &rq, NULL, &moved);
        p->odd = false;
    }
    if (e != ERR_OK) {
        dwc2_bulk_in_arm(h, p);
        return e;
    }
    uint32_t left = get(channel(CHANNEL_IN, HC_TSIZ)) & 0x7ffff;
    size_t count = left < USB_BULK_MAX ? USB_BULK_MAX - left : 0;
    *data = in_buffer[in_current];
    *len = count;
    p->odd ^= (count / p->max_packet + 1) & 1; /* a transfer ends with a short packet */
    in_current ^= 1;
    dwc2_bulk_in_arm(h, p);
    return ERR_OK;
}

static void out_start(struct usb_pipe *p, size_t len)
{
    struct transfer t = {.channel = CHANNEL_OUT,
                         .device = p->device,
                         .endpoint = p->endpoint,
                         .type = TYPE_BULK,
                         .pid = p->odd ? PID_DATA1 : PID_DATA0,
                         .max_packet = p->quirk_packet ? p->quirk_packet : p->max_packet,
                         .data = out_buffer,
                         .len = (uint32_t)len};
    out_len = len;
    out_busy = true;
    transfer_start(&t);
}

static uint8_t *dwc2_bulk_out_buffer(struct usb_host *h, struct usb_pipe *p)
{
    (void)h;
    if (!out_busy) {
        return out_buffer;
    }
    uint32_t interrupts = get(channel(CHANNEL_OUT, HC_INT));
    if (!(interrupts & INT_HALTED)) {
        return NULL;
    }
    set(channel(CHANNEL_OUT, HC_INT),
        INT_ALL); /* or its line would stay pending and keep the core awake */
    out_busy = false;
    size_t packets = out_len ? (out_len + p->max_packet - 1) / p->max_packet : 1;
    p->odd ^= packets & 1;
    if (transfer_result(interrupts) == ERR_OK && out_len > 0 && out_len % p->max_packet == 0) {
        out_start(p, 0); /* an empty packet tells the device that the frame is over */
        return NULL;
    }
    return out_buffer;
}

static void dwc2_bulk_out_send(struct usb_host *h, struct usb_pipe *p, size_t len)
{
    (void)h;
    out_start(p, len);
}

static void port_set(uint32_t bits, uint32_t clear)
{
    set(HPRT, (get(HPRT) & ~(PORT_WRITE_CLEARS | clear)) | bits);
}

static enum err dwc2_port_reset(struct usb_host *h)
{
    (void)h;
    usec_t end = clock_now() + CONNECT_TIMEOUT_US;
    while (!(get(HPRT) & PORT_CONNECTED)) {
        if (clock_now() > end) {
            return ERR_NOT_FOUND;
        }
    }
    port_set(PORT_RESET, 0);
    clock_delay(50000);
    port_set(0, PORT_RESET);
    clock_delay(20000);
    set(HPRT, (get(HPRT) & ~(uint32_t)PORT_WRITE_CLEARS) | 0x0a); /* acknowledge the changes */
    return get(HPRT) & PORT_ENABLED ? ERR_OK : ERR_IO;
}

static bool core_reset(void)
{
    usec_t end = clock_now() + 100000;
    while (!(get(GRSTCTL) & RESET_IDLE)) {
        if (clock_now() > end) {
            return false;
        }
    }
    set(GRSTCTL, get(GRSTCTL) | RESET_CORE);
    while (get(GRSTCTL) & RESET_CORE) {
        if (clock_now() > end) {
            return false;
        }
    }
    clock_delay(100000);
    return true;
}

struct usb_host *dwc2_start(uintptr_t registers)
{
    static struct usb_host host = {.port_reset = dwc2_port_reset,
                                   .control = dwc2_control,
                                   .bulk_in_arm = dwc2_bulk_in_arm,
                                   .bulk_in_poll = dwc2_bulk_in_poll,
                                   .bulk_out_buffer = dwc2_bulk_out_buffer,
                                   .bulk_out_send = dwc2_bulk_out_send};
    base = registers;
    if ((get(GSNPSID) & ID_MASK) != ID_DWC2) {
        log_error(NET, "usb: controller says %08x, expected 4f542xxx", get(GSNPSID));
        return NULL;
    }
    set(GAHBCFG, 0);
    set(GUSBCFG, get(GUSBCFG) & ~(uint32_t)USBCFG_FORCE_DEVICE);
    set(GINTMSK, 0);
    set(PCGCTL, 0);
    if (!core_reset()) {
        log_error(NET, "usb: controller does not come out of reset");
        return NULL;
    }
    set(GRXFSIZ, FIFO_WORDS);
    set(GNPTXFSIZ, FIFO_WORDS << 16 | FIFO_WORDS);
    set(HPTXFSIZ, FIFO_WORDS << 16 | 2 * FIFO_WORDS);
    set(GAHBCFG, AHB_DMA | AHB_INTERRUPT);
    set(HCFG, 0);
    port_set(PORT_POWER, 0);
    /* Halted bulk channels raise the line that ends a sleep. */
    set(HAINTMSK, 1U << CHANNEL_IN | 1U << CHANNEL_OUT);
    set(channel(CHANNEL_IN, HC_INTMSK), INT_HALTED);
    set(channel(CHANNEL_OUT, HC_INTMSK), INT_HALTED);
    set(GINTMSK, INT_HOST_CHANNEL);
    return &host;
}
