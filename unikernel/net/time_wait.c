/* Connections that are over and those that follow them from the same port. */
#include <string.h>

#include "base/ip.h"
#include "base/span.h"
#include "net/lwip.h"
#include "net/lwip_addr.h"
#include "net/lwip_hooks.h"

enum { IP4_HEADER = 20, IP6_HEADER = 40, TCP_HEADER = 20, PROTOCOL_TCP = 6 };
enum { FLAG_FIN = 1, FLAG_SYN = 2, FLAG_RST = 4, FLAG_ACK = 16 };

/* tcp_priv.h has it, but no C without lwIP's own names. */
extern struct tcp_pcb *tcp_tw_pcbs;

/* The TCP header of an IP packet and who sent it. NULL: none that can be read in one piece. */
static const uint8_t *tcp_header(const uint8_t *ip, size_t len, struct ip_addr *from)
{
    size_t at = 0;
    if (len >= IP4_HEADER && ip[0] >> 4 == 4 && ip[9] == PROTOCOL_TCP) {
        at = (size_t)(ip[0] & 15) * 4;
        *from = ip_v4(ip + 12);
    } else if (len >= IP6_HEADER && ip[0] >> 4 == 6 && ip[6] == PROTOCOL_TCP) {
        at = IP6_HEADER;
        *from = ip_v6(ip + 8);
    }
    return at >= IP4_HEADER && at + TCP_HEADER <= len ? ip + at : NULL;
}

int net_new_connection_hook(const struct pbuf *p)
{
    struct ip_addr from;
    const uint8_t *tcp = tcp_tw_pcbs ? tcp_header(p->payload, p->len, &from) : NULL;
    if (!tcp || (tcp[13] & (FLAG_FIN | FLAG_SYN | FLAG_RST | FLAG_ACK)) != FLAG_SYN) {
        return 0;
    }
    uint32_t sequence = be32_read(tcp + 4);
    for (struct tcp_pcb *pcb = tcp_tw_pcbs; pcb; pcb = pcb->next) {
        struct ip_addr remote = lwip_to_ip(&pcb->remote_ip);
        if (pcb->remote_port == be16_read(tcp) && pcb->local_port == be16_read(tcp + 2) &&
            ip_equal(&remote, &from) && (int32_t)(sequence - pcb->rcv_nxt) > 0) {
            tcp_abort(pcb); /* says nothing on the wire in this state */
            break;
        }
    }
    return 0;
}
