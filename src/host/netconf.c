/*
 * Name servers from resolv.conf, networks from the interfaces, changes from netlink.
 */
#include "host/netconf.h"

#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/sockaddr.h"

#define RESOLV_MAX 8192 /* octets of a file that are looked at */
#define DNS_PORT   53

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The next word of a line; empty at its end. */
static struct span next_word(struct span *line)
{
    size_t start = 0;
    while (start < line->len && is_blank(line->ptr[start])) {
        start++;
    }
    size_t end = start;
    while (end < line->len && !is_blank(line->ptr[end])) {
        end++;
    }
    struct span word = span_of(line->ptr + start, end - start);
    *line = span_of(line->ptr + end, line->len - end);
    return word;
}

/* ADDR or ADDR%INTERFACE. */
static bool parse_server(struct span word, struct ip_endpoint *out)
{
    const uint8_t *percent = word.len > 0 ? memchr(word.ptr, '%', word.len) : NULL;
    *out = (struct ip_endpoint){.port = DNS_PORT};
    if (percent) {
        char name[IF_NAMESIZE] = {0};
        size_t len = word.len - (size_t)(percent + 1 - word.ptr);
        if (len == 0 || len >= sizeof name) {
            return false;
        }
        memcpy(name, percent + 1, len);
        out->scope = if_nametoindex(name);
        word.len = (size_t)(percent - word.ptr);
    }
    return ip_parse(word, &out->addr) == ERR_OK;
}

uint32_t netconf_parse_resolv(struct span text, struct ip_endpoint *out, uint32_t max)
{
    uint32_t count = 0;
    while (text.len > 0 && count < max) {
        const uint8_t *end = memchr(text.ptr, '\n', text.len);
        size_t len = end ? (size_t)(end - text.ptr) : text.len;
        struct span line = span_of(text.ptr, len);
        struct span keyword = next_word(&line);
        if (span_equal(keyword, span_str("nameserver")) &&
            parse_server(next_word(&line), &out[count])) {
            count++;
        }
        text = span_of(text.ptr + len, text.len - len);
        if (end) {
            text = span_of(text.ptr + 1, text.len - 1);
        }
    }
    return count;
}

/* An AF_INET or AF_INET6 address of the interface list. */
static bool address_of(const struct sockaddr *sa, struct ip_addr *out)
{
    union sockaddr_any any;
    struct ip_endpoint endpoint;
    if (!sa || (sa->sa_family != AF_INET && sa->sa_family != AF_INET6)) {
        return false;
    }
    memcpy(&any, sa, sa->sa_family == AF_INET ? sizeof any.v4 : sizeof any.v6);
    sockaddr_to_endpoint(&any, &endpoint);
    *out = endpoint.addr;
    return true;
}

/* Bits of a net mask; IPv4 counted as 96 + n. */
static uint8_t mask_bits(const struct ip_addr *mask)
{
    uint8_t bits = ip_is_v4(mask) ? 96 : 0;
    for (unsigned i = bits / 8; i < 16; i++) {
        for (uint8_t b = mask->b[i]; b & 0x80; b = (uint8_t)(b << 1)) {
            bits++;
        }
    }
    return bits;
}

static void mask_host_bits(struct ip_prefix *p)
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned left = p->bits > i * 8 ? p->bits - i * 8u : 0;
        p->addr.b[i] &= (uint8_t)(0xff00u >> (left < 8 ? left : 8));
    }
}

uint32_t netconf_networks(struct ip_prefix *out, uint32_t max)
{
    struct ifaddrs *list;
    uint32_t count = 0;
    if (getifaddrs(&list) != 0) {
        return 0;
    }
    for (const struct ifaddrs *i = list; i && count < max; i = i->ifa_next) {
        struct ip_prefix p;
        struct ip_addr mask;
        if (!(i->ifa_flags & IFF_UP) || (i->ifa_flags & (IFF_LOOPBACK | IFF_POINTOPOINT)) ||
            !address_of(i->ifa_addr, &p.addr) || !address_of(i->ifa_netmask, &mask)) {
            continue;
        }
        p.bits = mask_bits(&mask);
        mask_host_bits(&p);
        out[count++] = p;
    }
    freeifaddrs(list);
    return count;
}

bool netconf_is_own(const struct ip_addr *addr)
{
    struct ifaddrs *list;
    bool found = false;
    static const struct ip_prefix loopback = {.addr.b = {[10] = 0xff, [11] = 0xff, [12] = 127},
                                              .bits = 104};
    if (ip_in_prefix(addr, &loopback)) {
        return true;
    }
    if (getifaddrs(&list) != 0) {
        return false;
    }
    for (const struct ifaddrs *i = list; i && !found; i = i->ifa_next) {
        struct ip_addr own;
        found = address_of(i->ifa_addr, &own) && ip_equal(&own, addr);
    }
    freeifaddrs(list);
    return found;
}

static bool is_us(const struct ip_endpoint *server, const struct ip_endpoint *own, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        bool same_family = ip_is_v4(&own[i].addr) == ip_is_v4(&server->addr);
        if (own[i].port != server->port) {
            continue;
        }
        if (ip_equal(&own[i].addr, &server->addr) ||
            (same_family && ip_is_unspecified(&own[i].addr) && netconf_is_own(&server->addr))) {
            return true;
        }
    }
    return ip_is_unspecified(&server->addr);
}

static uint32_t servers_in(const char *path, const struct ip_endpoint *own, uint32_t own_count,
                           struct ip_endpoint *out, uint32_t max)
{
    char text[RESOLV_MAX];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    ssize_t n = read(fd, text, sizeof text);
    close(fd);
    uint32_t found = n > 0 ? netconf_parse_resolv(span_of(text, (size_t)n), out, max) : 0;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < found; i++) {
        if (!is_us(&out[i], own, own_count)) {
            out[kept++] = out[i];
        }
    }
    return kept;
}

static bool all_loopback(const struct ip_endpoint *server, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!ip_is_loopback(&server[i].addr)) {
            return false;
        }
    }
    return true;
}

uint32_t netconf_servers(const struct ip_endpoint *own, uint32_t own_count, struct ip_endpoint *out,
                         uint32_t max)
{
    uint32_t count = servers_in(NETCONF_RESOLV, own, own_count, out, max);
    if (all_loopback(out, count)) {
        struct ip_endpoint behind[NETCONF_SERVERS_MAX];
        uint32_t n = servers_in(NETCONF_RESOLV_SYSTEMD, own, own_count, behind,
                                max < NETCONF_SERVERS_MAX ? max : NETCONF_SERVERS_MAX);
        if (n > 0) {
            memcpy(out, behind, n * sizeof *out);
            return n;
        }
    }
    return count;
}

int netconf_monitor(void)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
    struct sockaddr_nl addr = {.nl_family = AF_NETLINK,
                               .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR};
    if (fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof addr) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

void netconf_drain(int fd)
{
    char buf[4096];
    while (recv(fd, buf, sizeof buf, MSG_DONTWAIT) > 0) {
    }
}
