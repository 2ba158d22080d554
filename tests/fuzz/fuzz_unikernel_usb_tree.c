/*
 * Any octets as what devices on the bus answer: hubs within hubs, an Ethernet adapter, frames. The
 * search ends, uses nothing that did not come, and never gives more than the pipe brought.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arch/aarch64/cpu.h"
#include "drivers/nic.h"
#include "drivers/usb.h"
#include "drivers/usb_ecm.h"

usec_t fake_now;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *rest;
static size_t left;
static unsigned calls;
enum { CALLS_MAX = 100000 };

/* The next octets of the input: at most len, how many the first one says. */
static size_t take(void *to, size_t len)
{
    size_t n = left > 0 ? *rest : 0;
    if (left == 0) {
        return 0;
    }
    rest++;
    left--;
    n = n < len ? n : len;
    n = n < left ? n : left;
    if (n > 0) {
        memcpy(to, rest, n);
    }
    rest += n;
    left -= n;
    return n;
}

static enum err reset(struct usb_host *h)
{
    (void)h;
    return ERR_OK;
}

static enum err control(struct usb_host *h, const struct usb_device *d,
                        const struct usb_request *rq, void *data, uint16_t *moved)
{
    (void)h;
    if (++calls > CALLS_MAX || rq->len > USB_CONTROL_MAX || d->address > 127 ||
        (rq->len > 0 && !data)) {
        abort();
    }
    if (left == 0) {
        return ERR_IO;
    }
    /* Octets that did not come are whatever was there. */
    if (rq->type & USB_IN) {
        *moved = (uint16_t)take(data, rq->len);
    }
    return ERR_OK;
}

static uint8_t pipe_in[USB_BULK_MAX], pipe_out[USB_BULK_MAX];

static void arm(struct usb_host *h, struct usb_pipe *p)
{
    (void)h;
    if (p->max_packet == 0 || p->endpoint == 0 || p->endpoint > 15) {
        abort();
    }
}

static enum err poll_in(struct usb_host *h, struct usb_pipe *p, const uint8_t **data, size_t *len)
{
    (void)h;
    (void)p;
    *data = pipe_in;
    *len = take(pipe_in, sizeof pipe_in);
    return *len > 0 ? ERR_OK : ERR_STATE;
}

static uint8_t *out_buffer(struct usb_host *h, struct usb_pipe *p)
{
    (void)h;
    (void)p;
    return pipe_out;
}

static void out_send(struct usb_host *h, struct usb_pipe *p, size_t len)
{
    (void)h;
    (void)p;
    if (len > sizeof pipe_out) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct usb_host host = {.port_reset = reset,
                            .control = control,
                            .bulk_in_arm = arm,
                            .bulk_in_poll = poll_in,
                            .bulk_out_buffer = out_buffer,
                            .bulk_out_send = out_send};
    struct usb_device device;
    static const uint8_t frame[NIC_FRAME_MAX] = {1};
    rest = data;
    left = size;
    calls = 0;
    if (usb_find(&host, usb_ecm_wanted, &device) != ERR_OK) {
        return 0;
    }
    if (device.address == 0) {
        abort();
    }
    struct nic *nic = usb_ecm_start(&device);
    if (nic) {
        size_t len;
        const uint8_t *in = nic->receive(nic, &len);
        if (in && (in != pipe_in || len > sizeof pipe_in)) {
            abort();
        }
        (void)nic->send(nic, frame, sizeof frame);
    }
    return 0;
}
