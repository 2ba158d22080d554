#include "host/name_ask.h"

#include <string.h>
#include <unistd.h>

#include "dns/build.h"
#include "dns/msg.h"
#include "host/sockaddr.h"
#include "resolver/local_int.h"

enum { PACKET = 1500, PACKETS_AT_ONCE = 16, MDNS_PORT = 5353 };

/* The socket's own side is the interface through which the device is reached. */
static bool choose_interface(int fd, const struct ip_addr *addr)
{
    union sockaddr_any to, from;
    socklen_t len = sockaddr_from_ip(addr, MDNS_PORT, 0, &to);
    int probe = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t room = sizeof from;
    bool good = probe >= 0 && connect(probe, &to.sa, len) == 0 &&
                getsockname(probe, &from.sa, &room) == 0 &&
                setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &from.v4.sin_addr,
                           sizeof from.v4.sin_addr) == 0;
    if (probe >= 0) {
        close(probe);
    }
    return good;
}

static bool send_to(struct name_ask *a, const struct ip_endpoint *server, const uint8_t *msg,
                    size_t n)
{
    static const uint8_t group[4] = {224, 0, 0, 251};
    union sockaddr_any to;
    struct ip_endpoint mdns = {.addr = ip_v4(group), .port = MDNS_PORT};
    socklen_t len = sockaddr_from_endpoint(server ? server : &mdns, &to);
    a->fd = socket(to.sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (a->fd < 0) {
        return false;
    }
    bool ready = server ? connect(a->fd, &to.sa, len) == 0 : choose_interface(a->fd, &a->addr);
    return ready &&
           (server ? send(a->fd, msg, n, 0) : sendto(a->fd, msg, n, 0, &to.sa, len)) == (ssize_t)n;
}

enum err name_ask_send(struct name_ask *a, const struct ip_addr *addr,
                       const struct ip_endpoint *server, uint16_t id)
{
    uint8_t msg[512];
    *a = (struct name_ask){.fd = -1, .id = id, .multicast = !server, .addr = *addr};
    local_reverse_name(addr, &a->name);
    size_t n = dns_build_query(msg, sizeof msg, id, server ? DNS_RD : 0, a->name.wire, a->name.len,
                               DNS_PTR, DNS_IN, false, false);
    if (n == 0 || !send_to(a, server, msg, n)) {
        name_ask_end(a);
        return ERR_IO;
    }
    return ERR_OK;
}

static bool is_question(const uint8_t *msg, size_t len, const struct dns_name *asked)
{
    struct dns_name name;
    size_t pos = DNS_HEADER_OCTETS;
    return be16_read(msg + 4) == 1 && dns_name_read(msg, len, &pos, &name) == ERR_OK &&
           dns_name_equal(&name, asked) && pos + 4 <= len && be16_read(msg + pos) == DNS_PTR;
}

bool name_ask_read(const uint8_t *msg, size_t len, uint16_t id, const struct dns_name *asked,
                   char out[DNS_NAME_TEXT])
{
    struct dns_walk walk;
    struct dns_record rr;
    struct dns_name owner, target;
    if (len < DNS_HEADER_OCTETS || be16_read(msg) != id || (be16_read(msg + 2) & DNS_QR) == 0 ||
        dns_msg_check(msg, len) != ERR_OK || !is_question(msg, len, asked) ||
        dns_walk_begin(msg, len, &walk) != ERR_OK) {
        return false;
    }
    out[0] = '\0';
    while (dns_walk_next(&walk, &rr) && rr.section == DNS_SECTION_ANSWER) {
        size_t at = rr.owner, to = rr.rdata;
        if (rr.type == DNS_PTR && dns_name_read(msg, len, &at, &owner) == ERR_OK &&
            dns_name_equal(&owner, asked) && dns_name_read(msg, len, &to, &target) == ERR_OK) {
            dns_name_format(&target, out);
            break;
        }
    }
    return true;
}

bool name_ask_receive(struct name_ask *a, char out[DNS_NAME_TEXT])
{
    uint8_t msg[PACKET];
    union sockaddr_any from;
    struct ip_endpoint sender;
    for (unsigned i = 0; i < PACKETS_AT_ONCE; i++) {
        socklen_t room = sizeof from;
        ssize_t n = recvfrom(a->fd, msg, sizeof msg, 0, &from.sa, &room);
        if (n < 0) {
            return false;
        }
        sockaddr_to_endpoint(&from, &sender);
        bool from_it = !a->multicast || ip_equal(&sender.addr, &a->addr);
        if (from_it && name_ask_read(msg, (size_t)n, a->id, &a->name, out)) {
            return true;
        }
    }
    return false;
}

void name_ask_end(struct name_ask *a)
{
    if (a->fd >= 0) {
        close(a->fd);
    }
    a->fd = -1;
}
