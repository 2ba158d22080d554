/* Prometheus text; names begin with sinkhole_machine_. */
#include "metrics.h"

#include "drivers/nic.h"
#include "engine.h"
#include "lib/heap.h"
#include "lists.h"
#include "net/httpd.h"
#include "net/lwip.h"
#include "net/net.h"
#include "net/service.h"
#include "net/stream.h"
#include "net/tls_session.h"
#include "storage.h"

static void number(struct strbuf *t, const char *name, const char *type, const char *help,
                   uint64_t value)
{
    strbuf_printf(t,
                  "# HELP sinkhole_machine_%s %s\n# TYPE sinkhole_machine_%s %s\n"
                  "sinkhole_machine_%s %llu\n",
                  name, help, name, type, name, (unsigned long long)value);
}

static void pools(struct strbuf *t)
{
    static const struct {
        const char *name, *type, *help;
    } rows[] = {{"pool_used", "gauge", "Items of a pool of the network stack in use"},
                {"pool_peak", "gauge", "Most items ever in use"},
                {"pool_size", "gauge", "Items that there are"},
                {"pool_refused_total", "counter", "Times that there was none"}};
    for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
        strbuf_printf(t, "# HELP sinkhole_machine_%s %s\n# TYPE sinkhole_machine_%s %s\n",
                      rows[r].name, rows[r].help, rows[r].name, rows[r].type);
        for (int i = 0; i < MEMP_MAX; i++) {
            const struct stats_mem *m = lwip_stats.memp[i];
            uint64_t values[] = {m->used, m->max, m->avail, m->err};
            strbuf_printf(t, "sinkhole_machine_%s{pool=\"%s\"} %llu\n", rows[r].name,
                          memp_pools[i]->desc, (unsigned long long)values[r]);
        }
        uint64_t heap[] = {lwip_stats.mem.used, lwip_stats.mem.max, lwip_stats.mem.avail,
                           lwip_stats.mem.err};
        strbuf_printf(t, "sinkhole_machine_%s{pool=\"BUFFERS\"} %llu\n", rows[r].name,
                      (unsigned long long)heap[r]);
    }
}

static void memory(struct strbuf *t)
{
    struct heap_gauges h;
    heap_get_gauges(&h);
    number(t, "heap_bytes", "gauge", "Octets of the heap in use", h.used);
    number(t, "heap_peak_bytes", "gauge", "Most octets ever in use", h.peak);
    number(t, "heap_size_bytes", "gauge", "Octets that the heap has", h.total);
    number(t, "heap_blocks", "gauge", "Blocks of the heap in use", h.blocks);
    number(t, "heap_refused_total", "counter", "Requests that the heap could not meet", h.failed);
}

static void parts(struct strbuf *t)
{
    struct engine_memory m;
    struct lists_gauges l;
    engine_get_memory(&m);
    lists_get_gauges(&l);
    const struct {
        const char *name;
        size_t octets;
    } rows[] = {{"cache", m.cache},        {"statistics", m.statistics},
                {"resolver", m.resolver},  {"list_image", m.image},
                {"own_rules", m.own},      {"list_texts", l.text_octets},
                {"list_build", l.in_build}};
    strbuf_str(t, "# HELP sinkhole_machine_memory_bytes Octets of the heap by what they are for\n"
                  "# TYPE sinkhole_machine_memory_bytes gauge\n");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        strbuf_printf(t, "sinkhole_machine_memory_bytes{part=\"%s\"} %llu\n", rows[i].name,
                      (unsigned long long)rows[i].octets);
    }
}

static void connections(struct strbuf *t)
{
    struct service_gauges s;
    struct httpd_gauges h;
    service_get_gauges(&s);
    httpd_get_gauges(&h);
    number(t, "dns_tcp_connections", "gauge", "TCP connections of DNS clients", s.tcp_clients);
    number(t, "dns_tcp_evicted_total", "counter", "Connections that made room for others",
           s.tcp_evicted);
    number(t, "upstream_sockets", "gauge", "Questions at upstreams", s.tickets);
    number(t, "streams", "gauge", "Connections to other machines", stream_count());
    number(t, "http_connections", "gauge", "Connections to the page and the API", h.open);
    number(t, "http_requests_total", "counter", "Requests to them", h.requests);
    number(t, "http_refused_total", "counter", "Requests that were refused unread", h.refused);
    number(t, "http_evicted_total", "counter", "Idle connections that made room for others",
           h.evicted);
    number(t, "http_timed_out_total", "counter", "Connections that were too slow", h.timed_out);
    number(t, "first_answer_microseconds", "gauge", "From start to the first answer",
           s.first_answer_us);
}

static void tls(struct strbuf *t)
{
    struct tls_gauges g;
    tls_session_get_gauges(&g);
    const struct {
        const char *result;
        uint64_t count;
    } rows[] = {{"full", g.full}, {"resumed", g.resumed}, {"failed", g.failed}};
    strbuf_str(t,
               "# HELP sinkhole_machine_tls_handshakes_total TLS handshakes with other machines\n"
               "# TYPE sinkhole_machine_tls_handshakes_total counter\n");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        strbuf_printf(t, "sinkhole_machine_tls_handshakes_total{result=\"%s\"} %llu\n",
                      rows[i].result, (unsigned long long)rows[i].count);
    }
    number(t, "tls_sessions", "gauge", "TLS sessions that can be taken up again", g.sessions);
}

static void network(struct strbuf *t)
{
    struct nic_counters n;
    net_get_counters(&n);
    number(t, "frames_received_total", "counter", "Ethernet frames in", n.rx_frames);
    number(t, "frames_sent_total", "counter", "Ethernet frames out", n.tx_frames);
    number(t, "frames_received_bad_total", "counter", "Frames that were no good", n.rx_errors);
    number(t, "frames_received_dropped_total", "counter", "Frames for which there was no buffer",
           n.rx_dropped);
    number(t, "link_up", "gauge", "1 if the cable has a partner", net_link_up());
}

static void list_work(struct strbuf *t)
{
    struct lists_gauges l;
    lists_get_gauges(&l);
    number(t, "list_builds_total", "counter", "Images compiled", l.builds);
    number(t, "list_builds_failed_total", "counter", "Images that could not be compiled",
           l.failed_builds);
    number(t, "list_downloads_total", "counter", "Downloads begun", l.fetches);
    number(t, "list_download_bytes_total", "counter", "Octets of lists received", l.octets);
    number(t, "list_download_microseconds", "gauge", "The last refresh: downloading",
           l.last_fetch_us);
    number(t, "list_build_microseconds", "gauge", "The last refresh: compiling", l.last_build_us);
    number(t, "list_build_stall_microseconds", "gauge",
           "Longest time in a build without a look at the network", l.stall_us);
    number(t, "list_build_scratch_bytes", "gauge", "Memory that the last build worked in",
           l.scratch_octets);
    number(t, "card_sectors_written_total", "counter", "Sectors written to the card",
           storage_written());
}

void metrics_write(void *ctx, struct strbuf *out)
{
    (void)ctx;
    memory(out);
    parts(out);
    pools(out);
    connections(out);
    tls(out);
    network(out);
    list_work(out);
}
