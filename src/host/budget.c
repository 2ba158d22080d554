/*
 * If everything fits, everybody gets what he wants. Else everybody gets the least with which he
 * works, and of what is left UDP sockets to upstreams get half, clients' TCP connections a quarter,
 * streams and HTTP an eighth each; lists are fetched one after the other if need be.
 */
#include "host/budget.h"

#include "host/spare.h"

/*
 * What the program has open beside its workers and what is shared out, at most: the lock of the
 * state directory, two of the HTTP server, four of the control thread, two for the table of
 * neighbours, three for the history's writer and three for its reader, two of libcurl, two for a
 * file that is written, one that is read.
 */
#define OWN        20
#define OWN_WORKER 2  /* mailbox and epoll set */
#define OWN_XDP    3  /* program, map, link */
#define OWN_HTTPS  11 /* DNS over HTTPS: mailbox, two of libcurl, eight connections */

/* A list being fetched: two sockets (both families are tried), two of the resolver's, or the file
 * that is written and its directory. */
#define TRANSFER 5

#define SOCKETS_LEAST 4
#define HTTP_LEAST    8

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static bool asks_over_https(const struct config *c)
{
    bool https = false;
    for (uint32_t i = 0; i < c->upstream.count; i++) {
        https |= c->upstream.item[i].transport == UPSTREAM_HTTPS;
    }
    for (uint32_t i = 0; i < c->route.count; i++) {
        https |= c->route.item[i].upstream.transport == UPSTREAM_HTTPS;
    }
    return https;
}

void budget_wish(const struct config *c, uint32_t workers, struct budget_wish *out)
{
    uint32_t xdp = c->xdp[0] == '\0' ? 0 : workers + OWN_XDP;
    *out = (struct budget_wish){.open = 2 * workers * c->listen.count + c->http.count + xdp,
                                .workers = workers,
                                .pending = c->pending_max,
                                .tcp_connections = c->tcp_connections,
                                .http_connections = c->http.count > 0 ? c->http_connections : 0,
                                .https = asks_over_https(c)};
}

static struct budget most(const struct budget_wish *w)
{
    /* Half as many sockets again: a question that is asked twice holds two for a while. */
    return (struct budget){
        .sockets = larger(w->pending + w->pending / 2, SOCKETS_LEAST),
        .streams = BUDGET_STREAMS_MAX,
        .tcp_connections = larger((w->tcp_connections + w->workers - 1) / w->workers, 1),
        .http_connections = w->http_connections == 0 ? 0 : larger(w->http_connections, HTTP_LEAST),
        .transfers = BUDGET_TRANSFERS_MAX};
}

static struct budget least(const struct budget_wish *w)
{
    return (struct budget){.sockets = SOCKETS_LEAST,
                           .streams = 1,
                           .tcp_connections = 1,
                           .http_connections = w->http_connections == 0 ? 0 : HTTP_LEAST,
                           .transfers = 1};
}

static uint32_t sum(const struct budget_wish *w, const struct budget *b)
{
    return w->open + OWN + (w->https ? OWN_HTTPS : 0) + b->http_connections +
           b->transfers * TRANSFER +
           w->workers * (OWN_WORKER + b->sockets + b->streams + b->tcp_connections);
}

uint32_t budget_wanted(const struct budget_wish *w)
{
    struct budget b = most(w);
    return sum(w, &b);
}

uint32_t budget_least(const struct budget_wish *w)
{
    struct budget b = least(w);
    return sum(w, &b);
}

void budget_share(const struct budget_wish *w, struct budget *out)
{
    struct budget all = most(w);
    struct budget b = least(w);
    if (sum(w, &all) <= w->limit) {
        b = all;
    } else if (sum(w, &b) < w->limit) {
        uint32_t left = w->limit - sum(w, &b);
        b.http_connections = smaller(b.http_connections + left / 8, all.http_connections);
        b.tcp_connections = smaller(b.tcp_connections + left / 4 / w->workers, all.tcp_connections);
        b.streams = smaller(b.streams + left / 8 / w->workers, all.streams);
        b.transfers = smaller(b.transfers + left / 16 / TRANSFER, all.transfers);
        b.sockets = smaller(b.sockets + (w->limit - sum(w, &b)) / w->workers, all.sockets);
    }
    b.spare = smaller(b.sockets, SPARE_MAX - 1) + 1; /* one stream, for answers that are cut */
    *out = b;
}
