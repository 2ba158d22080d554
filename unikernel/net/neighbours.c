/* Looked at once a second while a client is described by its hardware address, so a row of lwIP's
 * that came and went in between is missed, and seen when the device asks again. */
#include "net/neighbours.h"

#include <string.h>

#include "arch/aarch64/cpu.h"
#include "base/time.h"
#include "net/lwip.h"
#include "net/lwip_addr.h"

#include "lwip/priv/nd6_priv.h"

static struct {
    struct row {
        struct policy_address is;
        usec_t seen;
    } row[NEIGHBOURS_MAX];
    uint32_t count;
} known;

static struct row *row_of(const struct ip_addr *addr)
{
    struct row *oldest = &known.row[0];
    for (uint32_t i = 0; i < known.count; i++) {
        struct row *r = &known.row[i];
        if (ip_equal(&r->is.addr, addr)) {
            return r;
        }
        oldest = r->seen < oldest->seen ? r : oldest;
    }
    return known.count < NEIGHBOURS_MAX ? &known.row[known.count++] : oldest;
}

static void note(const ip_addr_t *addr, const uint8_t mac[6])
{
    struct policy_address is = {.addr = lwip_to_ip(addr), .has_mac = true};
    memcpy(is.mac, mac, sizeof is.mac);
    *row_of(&is.addr) = (struct row){.is = is, .seen = clock_now()};
}

static void look_at_arp(void)
{
    for (size_t i = 0; i < ARP_TABLE_SIZE; i++) {
        ip4_addr_t *addr;
        struct netif *netif;
        struct eth_addr *mac;
        if (etharp_get_entry(i, &addr, &netif, &mac)) {
            ip_addr_t any;
            ip_addr_copy_from_ip4(any, *addr);
            note(&any, mac->addr);
        }
    }
}

static void look_at_nd6(void)
{
    for (size_t i = 0; i < LWIP_ND6_NUM_NEIGHBORS; i++) {
        const struct nd6_neighbor_cache_entry *e = &neighbor_cache[i];
        if (e->state != ND6_NO_ENTRY && e->state != ND6_INCOMPLETE) {
            ip_addr_t any;
            ip_addr_copy_from_ip6(any, e->next_hop_address);
            note(&any, e->lladdr);
        }
    }
}

uint32_t net_neighbours(struct policy_address *out, uint32_t max)
{
    uint32_t count = 0;
    look_at_arp();
    look_at_nd6();
    for (; count < known.count && count < max; count++) {
        out[count] = known.row[count].is;
    }
    return count;
}
