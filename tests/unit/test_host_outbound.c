/*
 * Sockets to upstreams over UDP, on loopback: source ports, reuse, late datagrams, errors. Both
 * ways to get a port are tested.
 */
#include "host/outbound.h"

#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/poll_tag.h"
#include "host/sockaddr.h"
#include "host/sys.h"

struct fixture {
    struct outbound *o;
    int epoll;
    int server;
    struct ip_endpoint endpoint;
    uint8_t buffer[4096];
    unsigned responses, failures;
    uint32_t last_ticket;
    size_t last_len;
    uint8_t last_data[4096];
    enum resolver_failure last_why;
};

static void on_response(void *arg, uint32_t ticket, const uint8_t *data, size_t len)
{
    struct fixture *f = arg;
    f->responses++;
    f->last_ticket = ticket;
    f->last_len = len;
    memcpy(f->last_data, data, len);
}

static void on_failed(void *arg, uint32_t ticket, enum resolver_failure why)
{
    struct fixture *f = arg;
    f->failures++;
    f->last_ticket = ticket;
    f->last_why = why;
}

static int udp_server(int family, struct ip_endpoint *endpoint)
{
    union sockaddr_any a = {0};
    socklen_t len = family == AF_INET ? sizeof a.v4 : sizeof a.v6;
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    a.sa.sa_family = (sa_family_t)family;
    if (family == AF_INET) {
        a.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else {
        a.v6.sin6_addr = in6addr_loopback;
    }
    if (fd < 0 || bind(fd, &a.sa, len) != 0) {
        return -1;
    }
    getsockname(fd, &a.sa, &len);
    sockaddr_to_endpoint(&a, endpoint);
    return fd;
}

static struct fixture *make(enum outbound_ports ports, uint32_t sockets_max)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->epoll = epoll_create1(EPOLL_CLOEXEC);
    f->server = udp_server(AF_INET, &f->endpoint);
    assert_true(f->epoll >= 0 && f->server >= 0);
    struct outbound_config cfg = {
        .epoll = f->epoll,
        .sockets_max = sockets_max,
        .sockets_kept = sockets_max,
        .ports = ports,
        .buffer = f->buffer,
        .buffer_len = sizeof f->buffer,
        .events = {.response = on_response, .failed = on_failed, .arg = f}};
    assert_int_equal(sys_entropy(cfg.seed, sizeof cfg.seed), ERR_OK);
    assert_int_equal(outbound_new(&f->o, &cfg), ERR_OK);
    return f;
}

static void drop(struct fixture *f)
{
    outbound_free(f->o);
    close(f->epoll);
    close(f->server);
    free(f);
}

static bool ask(struct fixture *f, uint32_t ticket, const char *text)
{
    enum resolver_failure why;
    return outbound_send(f->o, ticket, &f->endpoint, (const uint8_t *)text, strlen(text), &why);
}

/* What the server got; the sender goes to *from. */
static size_t server_read(struct fixture *f, char *buf, size_t cap, union sockaddr_any *from)
{
    struct pollfd p = {.fd = f->server, .events = POLLIN};
    socklen_t len = sizeof *from;
    assert_int_equal(poll(&p, 1, 2000), 1);
    ssize_t n = recvfrom(f->server, buf, cap, 0, &from->sa, &len);
    assert_true(n >= 0);
    return (size_t)n;
}

static void server_send(struct fixture *f, const union sockaddr_any *to, const char *text)
{
    assert_int_equal(sendto(f->server, text, strlen(text), 0, &to->sa, sizeof to->v4),
                     strlen(text));
}

/* Let it handle what is ready now. */
static void handle(struct fixture *f, int timeout_ms)
{
    struct epoll_event ev[16];
    int n = epoll_wait(f->epoll, ev, 16, timeout_ms);
    for (int i = 0; i < n; i++) {
        assert_int_equal(poll_tag_kind(ev[i].data.u64), POLL_OUTBOUND);
        outbound_ready(f->o, poll_tag_index(ev[i].data.u64));
    }
}

static void brings_answers_by_ticket(void **state)
{
    enum outbound_ports ports = *(enum outbound_ports *)*state;
    struct fixture *f = make(ports, 8);
    union sockaddr_any from[3];
    char buf[64];
    for (uint32_t i = 0; i < 3; i++) {
        char text[2] = {(char)('a' + (int)i), 0};
        assert_true(ask(f, 100 + i, text));
        assert_int_equal(server_read(f, buf, sizeof buf, &from[i]), 1);
        assert_int_equal(buf[0], text[0]);
    }
    assert_int_equal(outbound_used(f->o), 3);
    server_send(f, &from[1], "second");
    handle(f, 1000);
    assert_int_equal(f->responses, 1);
    assert_int_equal(f->last_ticket, 101);
    assert_memory_equal(f->last_data, "second", 6);
    server_send(f, &from[1], "again"); /* waiting goes on until the release */
    handle(f, 1000);
    assert_int_equal(f->responses, 2);
    assert_true(outbound_release(f->o, 101));
    assert_false(outbound_release(f->o, 101));
    assert_int_equal(outbound_used(f->o), 2);
    drop(f);
}

static void ignores_other_senders(void **state)
{
    enum outbound_ports ports = *(enum outbound_ports *)*state;
    struct fixture *f = make(ports, 8);
    struct ip_endpoint other;
    int forger = udp_server(AF_INET, &other);
    union sockaddr_any from;
    char buf[16];
    assert_true(ask(f, 1, "q"));
    server_read(f, buf, sizeof buf, &from);
    assert_int_equal(sendto(forger, "forged", 6, 0, &from.sa, sizeof from.v4), 6);
    handle(f, 50);
    assert_int_equal(f->responses, 0);
    server_send(f, &from, "real");
    handle(f, 1000);
    assert_int_equal(f->responses, 1);
    close(forger);
    drop(f);
}

static void repeats_from_the_same_port(void **state)
{
    enum outbound_ports ports = *(enum outbound_ports *)*state;
    struct fixture *f = make(ports, 8);
    union sockaddr_any from[2];
    char buf[16];
    for (int i = 0; i < 2; i++) {
        assert_true(ask(f, 5, "q"));
        server_read(f, buf, sizeof buf, &from[i]);
    }
    assert_int_equal(from[0].v4.sin_port, from[1].v4.sin_port);
    assert_int_equal(outbound_used(f->o), 1);
    drop(f);
}

/* Hardening P1: a fresh port for each of 300 questions in a row, out of a wide range, without a
 * pattern. */
static void takes_a_fresh_port_each_time(void **state)
{
    enum outbound_ports ports = *(enum outbound_ports *)*state;
    struct fixture *f = make(ports, 8);
    static uint8_t seen[65536];
    memset(seen, 0, sizeof seen);
    unsigned distinct = 0;
    unsigned near = 0;
    unsigned low = UINT16_MAX;
    unsigned high = 0;
    int last = -1000;
    for (uint32_t i = 1; i <= 300; i++) {
        union sockaddr_any from;
        char buf[16];
        assert_true(ask(f, i, "q"));
        server_read(f, buf, sizeof buf, &from);
        unsigned port = ntohs(from.v4.sin_port);
        distinct += seen[port]++ == 0;
        near += abs((int)port - last) < 16;
        last = (int)port;
        low = port < low ? port : low;
        high = port > high ? port : high;
        assert_true(outbound_release(f->o, i));
    }
    assert_true(distinct >= 280);
    assert_true(near <= 5);
    assert_true(high - low >= 18000);
    drop(f);
}

/* A datagram that came after the last look at a socket must not be taken for the answer to the next
 * question on it. */
static void forgets_late_datagrams(void **state)
{
    enum outbound_ports ports = *(enum outbound_ports *)*state;
    struct fixture *f = make(ports, 1);
    union sockaddr_any from;
    union sockaddr_any second;
    char buf[16];
    assert_true(ask(f, 1, "q1"));
    server_read(f, buf, sizeof buf, &from);
    server_send(f, &from, "late 1");
    server_send(f, &from, "late 2");
    assert_true(outbound_release(f->o, 1));
    assert_true(ask(f, 2, "q2"));
    server_read(f, buf, sizeof buf, &second);
    assert_int_not_equal(from.v4.sin_port, second.v4.sin_port);
    server_send(f, &from, "to the old port");
    handle(f, 50);
    assert_int_equal(f->responses, 0);
    server_send(f, &second, "good");
    handle(f, 1000);
    assert_int_equal(f->responses, 1);
    assert_int_equal(f->last_ticket, 2);
    assert_memory_equal(f->last_data, "good", 4);
    drop(f);
}

static void says_when_sockets_run_out(void **state)
{
    enum outbound_ports ports = *(enum outbound_ports *)*state;
    struct fixture *f = make(ports, 2);
    enum resolver_failure why = RESOLVER_CLOSED;
    assert_true(ask(f, 1, "a"));
    assert_true(ask(f, 2, "b"));
    assert_false(outbound_send(f->o, 3, &f->endpoint, (const uint8_t *)"c", 1, &why));
    assert_int_equal(why, RESOLVER_NO_SOCKET);
    assert_true(outbound_release(f->o, 1));
    assert_true(ask(f, 3, "c"));
    drop(f);
}

static void reports_a_closed_port(void **state)
{
    enum outbound_ports ports = *(enum outbound_ports *)*state;
    struct fixture *f = make(ports, 4);
    close(f->server);
    assert_true(ask(f, 7, "q"));
    handle(f, 1000);
    assert_int_equal(f->failures, 1);
    assert_int_equal(f->last_ticket, 7);
    assert_int_equal(f->last_why, RESOLVER_REFUSED);
    assert_true(outbound_release(f->o, 7));
    /* The error is not inherited by the next question on the socket. */
    f->server = udp_server(AF_INET, &f->endpoint);
    union sockaddr_any from;
    char buf[16];
    assert_true(ask(f, 8, "q"));
    server_read(f, buf, sizeof buf, &from);
    server_send(f, &from, "ok");
    handle(f, 1000);
    assert_int_equal(f->failures, 1);
    assert_int_equal(f->responses, 1);
    drop(f);
}

static void serves_both_families_from_few_sockets(void **state)
{
    enum outbound_ports ports = *(enum outbound_ports *)*state;
    struct fixture *f = make(ports, 1);
    struct ip_endpoint six;
    int server6 = udp_server(AF_INET6, &six);
    if (server6 < 0) {
        drop(f);
        skip();
    }
    enum resolver_failure why;
    for (uint32_t i = 1; i <= 6; i++) {
        const struct ip_endpoint *to = i % 2 ? &f->endpoint : &six;
        assert_true(outbound_send(f->o, i, to, (const uint8_t *)"q", 1, &why));
        assert_true(outbound_release(f->o, i));
    }
    close(server6);
    drop(f);
}

static void keeps_no_more_sockets_than_told(void **state)
{
    (void)state;
    struct fixture *f = make(OUTBOUND_RENEW, 64);
    uint32_t before = sys_open_files();
    for (int round = 0; round < 20; round++) {
        for (uint32_t i = 1; i <= 64; i++) {
            assert_true(ask(f, i, "q"));
        }
        for (uint32_t i = 1; i <= 64; i++) {
            assert_true(outbound_release(f->o, i));
        }
    }
    assert_int_equal(outbound_used(f->o), 0);
    assert_int_equal(outbound_open(f->o), 64);
    assert_int_equal(sys_open_files(), before + 64);
    drop(f);
    struct fixture *g = make(OUTBOUND_FRESH, 64);
    assert_true(ask(g, 1, "q"));
    assert_true(outbound_release(g->o, 1));
    assert_int_equal(outbound_open(g->o), 0);
    drop(g);
}

int main(void)
{
    static enum outbound_ports renew = OUTBOUND_RENEW;
    static enum outbound_ports fresh = OUTBOUND_FRESH;
    cmocka_set_message_output(CM_OUTPUT_TAP);
#define BOTH(test)                                \
    {#test "_renewed", test, NULL, NULL, &renew}, \
    {                                             \
#test "_fresh", test, NULL, NULL, &fresh  \
    }
    const struct CMUnitTest tests[] = {
        BOTH(brings_answers_by_ticket),
        BOTH(ignores_other_senders),
        BOTH(repeats_from_the_same_port),
        BOTH(takes_a_fresh_port_each_time),
        BOTH(forgets_late_datagrams),
        BOTH(says_when_sockets_run_out),
        BOTH(reports_a_closed_port),
        BOTH(serves_both_families_from_few_sockets),
        cmocka_unit_test(keeps_no_more_sockets_than_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
