/*
 * A LAN9514 or LAN7515 for QEMU's USB bus, over the usbredir protocol: the register model decides,
 * frames go to and from a `-netdev socket,udp=`. So the image's own USB host driver, enumeration
 * and network driver run against it, at high speed.
 *
 *     usb_nic lan9514|lan7515 SOCKET QEMU_PORT      prints its own UDP port, then waits for QEMU
 *
 * When QEMU goes it prints what it carried, and ends with 1 if the driver did what the chip would
 * not take.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <usbredirparser.h>

#include "base/span.h"
#include "lan_model.h"

enum {
    WAITING_MAX = 256,
    ASKED_MAX = 8,
    BULK_PACKET = 512,
    SLOT_OUT = 2,
    SLOT_IN = 17,
    SLOT_EVENTS = 19
};
enum { GET_DESCRIPTOR = 6, VENDOR_WRITE = 0x40, VENDOR_READ = 0xc0, READ_STANDARD = 0x80 };

static struct {
    struct lan_model lan;
    struct usbredirparser *parser;
    int usb, net;
    bool gone;
    uint8_t out[LAN_TRANSFER_MAX]; /* a transfer out, until its short packet */
    size_t out_len;
    struct transfer {
        uint8_t data[LAN_TRANSFER_MAX];
        size_t len;
    } waiting[WAITING_MAX]; /* frames that the guest has not asked for yet, oldest first */
    unsigned first, count;
    uint64_t asked[ASKED_MAX]; /* transfers in that wait for a frame */
    unsigned asked_count;
    bool end_due; /* the last one was whole packets: an empty one ends it */
    unsigned long sent, received, dropped;
} bus;

static int on_read(void *priv, uint8_t *data, int count)
{
    (void)priv;
    ssize_t n = read(bus.usb, data, (size_t)count);
    bus.gone |= n == 0 || (n < 0 && errno != EAGAIN);
    return n > 0 ? (int)n : bus.gone ? -1 : 0;
}

static int on_write(void *priv, uint8_t *data, int count)
{
    (void)priv;
    ssize_t n = write(bus.usb, data, (size_t)count);
    return n >= 0 ? (int)n : errno == EAGAIN ? 0 : -1;
}

static void on_log(void *priv, int level, const char *text)
{
    (void)priv;
    if (level <= usbredirparser_warning) {
        fprintf(stderr, "usbredir: %s\n", text);
    }
}

/* ---- what the device is ---- */

static void on_hello(void *priv, struct usb_redir_hello_header *hello)
{
    (void)priv;
    (void)hello;
    struct usb_redir_interface_info_header interfaces = {.interface_count = 1,
                                                         .interface_class = {0xff}};
    struct usb_redir_ep_info_header endpoints = {0};
    memset(endpoints.type, usb_redir_type_invalid, sizeof endpoints.type);
    endpoints.type[0] = endpoints.type[16] = usb_redir_type_control;
    endpoints.max_packet_size[0] = endpoints.max_packet_size[16] = 64;
    endpoints.type[SLOT_OUT] = endpoints.type[SLOT_IN] = usb_redir_type_bulk;
    endpoints.max_packet_size[SLOT_OUT] = endpoints.max_packet_size[SLOT_IN] = BULK_PACKET;
    endpoints.type[SLOT_EVENTS] = usb_redir_type_interrupt;
    endpoints.max_packet_size[SLOT_EVENTS] = 16;
    endpoints.interval[SLOT_EVENTS] = 4;
    uint8_t desc[LAN_DESCRIPTOR_MAX];
    (void)lan_model_descriptor(&bus.lan, 1, desc);
    struct usb_redir_device_connect_header device = {
        .speed = usb_redir_speed_high,
        .device_class = 0xff,
        .device_protocol = 1,
        .vendor_id = (uint16_t)(desc[8] | desc[9] << 8),
        .product_id = (uint16_t)(desc[10] | desc[11] << 8)};
    usbredirparser_send_interface_info(bus.parser, &interfaces);
    usbredirparser_send_ep_info(bus.parser, &endpoints);
    usbredirparser_send_device_connect(bus.parser, &device);
}

static void on_configuration(void *priv, uint64_t id,
                             struct usb_redir_set_configuration_header *wanted)
{
    (void)priv;
    struct usb_redir_configuration_status_header done = {.status = usb_redir_success,
                                                         .configuration = wanted->configuration};
    usbredirparser_send_configuration_status(bus.parser, id, &done);
}

static void on_nothing(void *priv)
{
    (void)priv;
}

static void on_control(void *priv, uint64_t id, struct usb_redir_control_packet_header *rq,
                       uint8_t *data, int len)
{
    (void)priv;
    uint8_t answer[LAN_DESCRIPTOR_MAX];
    size_t have = 0;
    rq->status = usb_redir_success;
    if (rq->requesttype == READ_STANDARD && rq->request == GET_DESCRIPTOR) {
        have = lan_model_descriptor(&bus.lan, (uint8_t)(rq->value >> 8), answer);
        rq->status = have > 0 ? usb_redir_success : usb_redir_stall;
    } else if (rq->requesttype == VENDOR_READ) {
        le32_write(answer, lan_model_read(&bus.lan, rq->index));
        have = 4;
    } else if (rq->requesttype == VENDOR_WRITE && len == 4) {
        lan_model_write(&bus.lan, rq->index, le32_read(data));
    }
    bool in = (rq->requesttype & 0x80) != 0;
    if (in) {
        rq->length = (uint16_t)(have < rq->length ? have : rq->length);
    }
    usbredirparser_send_control_packet(bus.parser, id, rq, in ? answer : NULL, in ? rq->length : 0);
    usbredirparser_free_packet_data(bus.parser, data);
}

/* ---- frames ---- */

static void answer_bulk(uint64_t id, uint8_t endpoint, uint8_t status, uint8_t *data, size_t len)
{
    struct usb_redir_bulk_packet_header h = {
        .endpoint = endpoint, .status = status, .length = (uint16_t)len};
    usbredirparser_send_bulk_packet(bus.parser, id, &h, data, endpoint & 0x80 ? (int)len : 0);
}

static void deliver(void)
{
    while (bus.asked_count > 0 && (bus.count > 0 || bus.end_due)) {
        static struct transfer none;
        struct transfer *t = bus.end_due ? &none : &bus.waiting[bus.first];
        answer_bulk(bus.asked[0], 0x81, usb_redir_success, t->data, t->len);
        memmove(bus.asked, bus.asked + 1, --bus.asked_count * sizeof *bus.asked);
        bus.end_due = !bus.end_due && t->len % BULK_PACKET == 0;
        if (t != &none) {
            bus.first = (bus.first + 1) % WAITING_MAX;
            bus.count--;
        }
    }
}

static void send_frame(void)
{
    const uint8_t *frame;
    size_t len = lan_model_send(&bus.lan, bus.out, bus.out_len, &frame);
    if (len > 0) {
        bus.sent += send(bus.net, frame, len, 0) == (ssize_t)len;
    }
    bus.out_len = 0;
}

static void on_bulk(void *priv, uint64_t id, struct usb_redir_bulk_packet_header *h, uint8_t *data,
                    int len)
{
    (void)priv;
    if (h->endpoint & 0x80) {
        if (bus.asked_count < ASKED_MAX) {
            bus.asked[bus.asked_count++] = id;
        }
        deliver();
        return;
    }
    size_t n =
        (size_t)len < sizeof bus.out - bus.out_len ? (size_t)len : sizeof bus.out - bus.out_len;
    memcpy(bus.out + bus.out_len, data, n);
    bus.out_len += n;
    answer_bulk(id, h->endpoint, usb_redir_success, NULL, (size_t)len);
    if (len % BULK_PACKET != 0 || len == 0) {
        send_frame();
    }
    usbredirparser_free_packet_data(bus.parser, data);
}

static void on_cancel(void *priv, uint64_t id)
{
    (void)priv;
    for (unsigned i = 0; i < bus.asked_count; i++) {
        if (bus.asked[i] == id) {
            memmove(bus.asked + i, bus.asked + i + 1, (--bus.asked_count - i) * sizeof *bus.asked);
            answer_bulk(id, 0x81, usb_redir_cancelled, NULL, 0);
            return;
        }
    }
}

static void receive_frames(void)
{
    uint8_t frame[LAN_TRANSFER_MAX];
    ssize_t n;
    while ((n = recv(bus.net, frame, sizeof frame, MSG_DONTWAIT)) > 0) {
        struct transfer *t = &bus.waiting[(bus.first + bus.count) % WAITING_MAX];
        t->len =
            bus.count < WAITING_MAX ? lan_model_receive(&bus.lan, frame, (size_t)n, t->data) : 0;
        bus.count += t->len > 0;
        bus.received += t->len > 0;
        bus.dropped += t->len == 0;
    }
    deliver();
}

/* ---- both ends ---- */

static bool open_ends(const char *path, uint16_t qemu_port)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof in;
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    bus.net = socket(AF_INET, SOCK_DGRAM, 0);
    if (strlen(path) >= sizeof un.sun_path || listener < 0 || bus.net < 0) {
        return false;
    }
    memcpy(un.sun_path, path, strlen(path) + 1);
    if (bind(bus.net, (struct sockaddr *)&in, sizeof in) != 0 ||
        getsockname(bus.net, (struct sockaddr *)&in, &len) != 0 ||
        bind(listener, (struct sockaddr *)&un, sizeof un) != 0 || listen(listener, 1) != 0) {
        return false;
    }
    printf("%u\n", ntohs(in.sin_port));
    fflush(stdout);
    in.sin_port = htons(qemu_port);
    bus.usb = accept(listener, NULL, NULL);
    return connect(bus.net, (struct sockaddr *)&in, sizeof in) == 0 && bus.usb >= 0 &&
           fcntl(bus.usb, F_SETFL, O_NONBLOCK) == 0;
}

static void serve(void)
{
    struct usbredirparser *p = bus.parser = usbredirparser_create();
    uint32_t caps[USB_REDIR_CAPS_SIZE] = {0};
    p->log_func = on_log;
    p->read_func = on_read;
    p->write_func = on_write;
    p->hello_func = on_hello;
    p->reset_func = on_nothing;
    p->device_disconnect_ack_func = on_nothing;
    p->set_configuration_func = on_configuration;
    p->control_packet_func = on_control;
    p->bulk_packet_func = on_bulk;
    p->cancel_data_packet_func = on_cancel;
    usbredirparser_caps_set_cap(caps, usb_redir_cap_ep_info_max_packet_size);
    usbredirparser_caps_set_cap(caps, usb_redir_cap_64bits_ids);
    usbredirparser_init(p, "sinkhole test", caps, USB_REDIR_CAPS_SIZE, usbredirparser_fl_usb_host);
    while (!bus.gone) {
        bool more = usbredirparser_has_data_to_write(p) > 0;
        struct pollfd fd[2] = {{.fd = bus.usb, .events = (short)(POLLIN | (more ? POLLOUT : 0))},
                               {.fd = bus.net, .events = POLLIN}};
        if ((more && usbredirparser_do_write(p) != 0) || poll(fd, 2, more ? 0 : -1) < 0) {
            break;
        }
        if (fd[0].revents & (POLLIN | POLLHUP) &&
            usbredirparser_do_read(p) == usbredirparser_read_io_error) {
            break;
        }
        receive_frames();
    }
    usbredirparser_destroy(p);
}

int main(int argc, char **argv)
{
    bool lan78 = argc == 4 && strcmp(argv[1], "lan7515") == 0;
    if (argc != 4 || (!lan78 && strcmp(argv[1], "lan9514") != 0)) {
        fprintf(stderr, "usage: %s lan9514|lan7515 SOCKET QEMU_PORT\n", argv[0]);
        return 2;
    }
    lan_model_init(&bus.lan, lan78 ? LAN_7515 : LAN_9514);
    if (!open_ends(argv[2], (uint16_t)strtoul(argv[3], NULL, 10))) {
        perror("usb_nic");
        return 2;
    }
    serve();
    printf("%lu frames out, %lu in, %lu not for it\n", bus.sent, bus.received, bus.dropped);
    printf("%s\n", bus.lan.violation ? bus.lan.violation : "nothing wrong");
    return bus.lan.violation != NULL;
}
