/*
 * If everything fits, everybody gets what he wants. Else UDP sockets to upstreams get half of what
 * there is, clients' TCP connections a quarter, and the other two an eighth each.
 */
#include "host/budget.h"

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* Half as many again: a question that is asked twice holds two sockets for a while. */
static uint32_t sockets_wanted(const struct budget_wish *w)
{
    return w->pending + w->pending / 2;
}

static uint32_t overhead(const struct budget_wish *w)
{
    return w->open + BUDGET_RESERVE + 2 * w->workers;
}

uint32_t budget_wanted(const struct budget_wish *w)
{
    return overhead(w) + w->workers * (sockets_wanted(w) + BUDGET_STREAMS_MAX) +
           larger(w->tcp_connections, w->workers) + w->workers + w->http_connections;
}

void budget_share(const struct budget_wish *w, struct budget *out)
{
    uint32_t per_worker = (w->tcp_connections + w->workers - 1) / w->workers;
    *out = (struct budget){.sockets = sockets_wanted(w),
                           .streams = BUDGET_STREAMS_MAX,
                           .tcp_connections = larger(per_worker, 1),
                           .http_connections = larger(w->http_connections, 1)};
    if (budget_wanted(w) <= w->limit) {
        return;
    }
    uint32_t left = w->limit > overhead(w) ? w->limit - overhead(w) : 0;
    out->http_connections = larger(smaller(out->http_connections, left / 8), 1);
    out->tcp_connections = larger(smaller(out->tcp_connections, left / 4 / w->workers), 1);
    out->streams = larger(smaller(out->streams, left / 8 / w->workers), 1);
    uint32_t taken = out->http_connections + w->workers * (out->tcp_connections + out->streams);
    uint32_t rest = left > taken ? (left - taken) / w->workers : 0;
    out->sockets = larger(smaller(out->sockets, rest), 2);
}
