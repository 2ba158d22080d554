/*
 * Names of devices that nothing else names: private addresses that asked here within the day, the
 * busiest first. Where a route says who knows the reverse names of their network, that server is
 * asked; with mdns-names also the device itself. At most a few a second, each once an hour.
 */
#include "host/daemon_int.h"
#include "host/sys.h"
#include "resolver/local.h"
#include "resolver/local_int.h"

#define ANSWER_US (2 * USEC_PER_SEC)    /* for an answer */
#define APART_US  (250 * USEC_PER_MSEC) /* between two questions */
#define KEEP_US   (3600 * USEC_PER_SEC) /* an answer, also that there is none */

enum { LOOKED_AT = 250 };

/* The upstream of the narrowest route that has the reverse name; false: none that is asked so. */
static bool find_server(const struct daemon *d, const struct dns_name *name,
                        struct ip_endpoint *out)
{
    const struct snapshot *s = publisher_current(d->publisher);
    const struct route *best = NULL;
    for (uint32_t i = 0; i < s->route_count; i++) {
        if (dns_name_within(name, &s->routes[i].domain) &&
            (!best || s->routes[i].domain.labels > best->domain.labels)) {
            best = &s->routes[i];
        }
    }
    for (uint16_t i = 0; best && i < s->upstream_count; i++) {
        const struct upstream_spec *u = &s->upstreams[i];
        if (u->route == best->route &&
            (u->transport == UPSTREAM_UDP || u->transport == UPSTREAM_TCP)) {
            *out = u->endpoint;
            return true;
        }
    }
    return false;
}

static bool is_named(const struct daemon *d, const struct ip_addr *addr)
{
    struct dns_name name;
    const struct snapshot *s = publisher_current(d->publisher);
    const struct policy_address *a = house_find(d->house, addr);
    return (s->local && local_name_of(s->local, addr, &name)) ||
           (a && a->name && a->source < API_NAME_ROUTER);
}

/* Begins a question for the address if one is due. */
static bool ask(struct daemon *d, const struct ip_addr *addr, usec_t now)
{
    struct ip_endpoint server;
    struct dns_name name;
    const struct policy_address *a = house_find(d->house, addr);
    local_reverse_name(addr, &name);
    uint16_t id = (uint16_t)rng_u64(&d->names_rng);
    if (!house_was_asked(d->house, addr, API_NAME_ROUTER, now) && find_server(d, &name, &server)) {
        d->ask_source = API_NAME_ROUTER;
        if (name_ask_send(&d->ask, addr, &server, id) == ERR_OK) {
            return true;
        }
        house_put_found(d->house, addr, API_NAME_ROUTER, NULL, now + KEEP_US);
    }
    if (d->config->mdns_names && ip_is_v4(addr) && a && a->has_mac && !a->past &&
        !house_was_asked(d->house, addr, API_NAME_MDNS, now)) {
        d->ask_source = API_NAME_MDNS;
        if (name_ask_send(&d->ask, addr, NULL, id) == ERR_OK) {
            return true;
        }
        house_put_found(d->house, addr, API_NAME_MDNS, NULL, now + KEEP_US);
    }
    return false;
}

static void end(struct daemon *d, const char *name)
{
    usec_t now = sys_now();
    house_put_found(d->house, &d->ask.addr, d->ask_source, name, now + KEEP_US);
    loop_unwatch(d->loop, d->ask.fd);
    name_ask_end(&d->ask);
    if (name && name[0]) {
        daemon_update_house(d);
    }
    loop_timer_set(&d->names_timer, now + APART_US);
}

static void on_answer(void *arg)
{
    struct daemon *d = arg;
    char name[DNS_NAME_TEXT];
    pthread_mutex_lock(&d->lock);
    if (name_ask_receive(&d->ask, name)) {
        end(d, name);
    }
    pthread_mutex_unlock(&d->lock);
}

void daemon_ask_names(struct daemon *d)
{
    struct stats_client seen[LOOKED_AT];
    usec_t now = sys_now();
    bool possible = d->config->mdns_names || d->config->route.count > 0;
    if (d->ask.fd >= 0 || !possible || d->first->http.count == 0) {
        return;
    }
    uint32_t n = stats_top_clients(d->stats, false, seen, LOOKED_AT);
    for (uint32_t i = 0; i < n; i++) {
        if (ip_is_private(&seen[i].addr) && !is_named(d, &seen[i].addr) &&
            ask(d, &seen[i].addr, now)) {
            if (loop_watch(d->loop, d->ask.fd, on_answer, d) != ERR_OK) {
                name_ask_end(&d->ask);
            }
            loop_timer_set(&d->names_timer, now + ANSWER_US);
            return;
        }
    }
}

void daemon_on_names(void *arg)
{
    struct daemon *d = arg;
    pthread_mutex_lock(&d->lock);
    if (d->ask.fd >= 0) {
        end(d, NULL); /* no answer came */
    } else {
        daemon_ask_names(d);
    }
    pthread_mutex_unlock(&d->lock);
}
