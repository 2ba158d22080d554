/*
 * Questions to upstreams over HTTPS: the part of a line that is not that of TCP and TLS. A
 * connection has one request under way; what was released meanwhile is read all the same, and
 * thrown away.
 */
#include "arch/aarch64/cpu.h"
#include "net/service_line_int.h"

static struct flight *flight_by_ticket(struct line *l, uint32_t ticket)
{
    for (unsigned i = 0; i < SERVICE_STREAM_FLIGHTS; i++) {
        if (l->flight[i].ticket == ticket) {
            return &l->flight[i];
        }
    }
    return NULL;
}

bool post_write(struct line *l, const struct flight *f)
{
    static uint8_t request[DOH_REQUEST_ROOM + UPSTREAM_NAME_MAX + QUERY_MAX];
    const struct upstream_spec *u = line_upstream(l->upstream_id);
    struct span message = span_of(f->question + STREAM_PREFIX, (size_t)f->len - STREAM_PREFIX);
    size_t len;
    if (!u || doh_request(u->name, message, request, sizeof request, &len) != ERR_OK ||
        stream_write(l->stream, request, len) != ERR_OK) {
        return false;
    }
    doh_expect(l->http, l->in, MESSAGE_MAX);
    l->asking = true;
    l->asked = f->ticket;
    return true;
}

static void post_answered(struct line *l, bool good)
{
    struct flight *f = flight_by_ticket(l, l->asked);
    l->answered++;
    if (f && good) {
        f->answered = true;
        resolver_response(service.resolver, clock_now(), f->ticket, l->in, l->http->body_len);
        service_flush();
    } else if (f) {
        uint32_t ticket = f->ticket;
        f->ticket = 0;
        line_tell_failure(ticket, RESOLVER_CLOSED);
    }
    l->asking = false; /* not before: what the resolver sends to this meanwhile has to wait */
}

void post_data(void *ctx, struct stream *s, const uint8_t *data, size_t len)
{
    struct line *l = ctx;
    (void)s;
    enum doh_state state = l->asking ? doh_read(l->http, data, len) : DOH_BAD;
    if (state == DOH_MORE) {
        return;
    }
    l->busy = true;
    if (state != DOH_BAD) {
        post_answered(l, state == DOH_MESSAGE);
    }
    if (state == DOH_BAD || !l->http->keep) {
        line_close(l, RESOLVER_CLOSED);
        return;
    }
    line_send_waiting(l);
    l->busy = false;
}

void post_end(struct line *l)
{
    enum doh_state state = doh_read(l->http, NULL, 0); /* the end may be what ends the answer */
    if (state != DOH_BAD) {
        post_answered(l, state == DOH_MESSAGE);
    }
}
