#include "host/neighbours.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/mac.h"

enum { REPLY_OCTETS = 32768, REPLIES_MAX = 4096, WAIT_S = 1 };

int neighbours_monitor(void)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
    struct sockaddr_nl addr = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_NEIGH};
    if (fd >= 0 && bind(fd, (const struct sockaddr *)&addr, sizeof addr) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Its address and hardware address, if it has both. */
static bool read_entry(const struct nlmsghdr *head, struct policy_address *out)
{
    const struct ndmsg *nd = (const struct ndmsg *)((const char *)head + NLMSG_HDRLEN);
    size_t at = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof *nd);
    bool has_addr = false;
    *out = (struct policy_address){.has_mac = false};
    if (head->nlmsg_len < at || (nd->ndm_state & (NUD_FAILED | NUD_INCOMPLETE | NUD_NOARP)) != 0) {
        return false;
    }
    while (at + sizeof(struct rtattr) <= head->nlmsg_len) {
        struct rtattr attr;
        const uint8_t *data = (const uint8_t *)head + at + RTA_LENGTH(0);
        memcpy(&attr, (const uint8_t *)head + at, sizeof attr);
        if (attr.rta_len < RTA_LENGTH(0) || at + attr.rta_len > head->nlmsg_len) {
            return false;
        }
        size_t len = attr.rta_len - RTA_LENGTH(0);
        if (attr.rta_type == NDA_DST && nd->ndm_family == AF_INET && len == 4) {
            out->addr = ip_v4(data);
            has_addr = true;
        } else if (attr.rta_type == NDA_DST && nd->ndm_family == AF_INET6 && len == 16) {
            out->addr = ip_v6(data);
            has_addr = true;
        } else if (attr.rta_type == NDA_LLADDR && len == MAC_OCTETS) {
            memcpy(out->mac, data, MAC_OCTETS);
            out->has_mac = true;
        }
        at += RTA_ALIGN(attr.rta_len);
    }
    return has_addr && out->has_mac;
}

/* One datagram of answers; false: it was the last. */
static bool read_reply(const uint8_t *reply, size_t len, struct policy_address *out, uint32_t max,
                       uint32_t *count)
{
    for (size_t at = 0; at + sizeof(struct nlmsghdr) <= len;) {
        const struct nlmsghdr *head = (const struct nlmsghdr *)(const void *)(reply + at);
        if (head->nlmsg_len < sizeof *head || at + head->nlmsg_len > len ||
            head->nlmsg_type == NLMSG_DONE || head->nlmsg_type == NLMSG_ERROR) {
            return false;
        }
        if (head->nlmsg_type == RTM_NEWNEIGH && *count < max && read_entry(head, &out[*count])) {
            ++*count;
        }
        at += NLMSG_ALIGN(head->nlmsg_len);
    }
    return true;
}

uint32_t neighbours_read(struct policy_address *out, uint32_t max)
{
    struct {
        struct nlmsghdr head;
        struct ndmsg nd;
    } ask = {.head = {.nlmsg_len = sizeof ask,
                      .nlmsg_type = RTM_GETNEIGH,
                      .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
             .nd = {.ndm_family = AF_UNSPEC}};
    const struct timeval wait = {.tv_sec = WAIT_S};
    uint32_t count = 0;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    uint8_t *reply = aligned_alloc(_Alignof(max_align_t), REPLY_OCTETS);
    if (fd >= 0 && reply && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) == 0 &&
        send(fd, &ask, sizeof ask, 0) == (ssize_t)sizeof ask) {
        bool more = true;
        for (unsigned i = 0; more && i < REPLIES_MAX; i++) {
            ssize_t n = recv(fd, reply, REPLY_OCTETS, 0);
            more = n > 0 ? read_reply(reply, (size_t)n, out, max, &count) : n < 0 && errno == EINTR;
        }
    }
    free(reply);
    if (fd >= 0) {
        close(fd);
    }
    return count;
}
