/*
 * Sockets to upstreams over UDP, on loopback: source ports, questions that share one, reuse, late
 * datagrams, errors. Both ways to get a port are tested. A message is an ID of two octets, the
 * ticket's last ones, and a text.
 */
#include "host/outbound.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/outbound_int.h"
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
    struct spare spare;
    char last_text[64];
    unsigned seen[64]; /* answers and failures, by ticket */
    enum resolver_failure last_why;
};

static void on_response(void *arg, uint32_t ticket, const uint8_t *data, size_t len)
{
    struct fixture *f = arg;
    f->responses++;
    f->last_ticket = ticket;
    f->seen[ticket % 64]++;
    assert_true(len >= 2 && len - 2 < sizeof f->last_text);
    memcpy(f->last_text, data + 2, len - 2);
    f->last_text[len - 2] = 0;
}

static void on_failed(void *arg, uint32_t ticket, enum resolver_failure why)
{
    struct fixture *f = arg;
    f->failures++;
    f->last_ticket = ticket;
    f->seen[ticket % 64]++;
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
        .spare = &f->spare,
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
    spare_close(&f->spare);
    close(f->epoll);
    close(f->server);
    free(f);
}

static size_t message(uint8_t out[64], uint32_t id, const char *text)
{
    size_t len = strlen(text);
    assert_true(len <= 62);
    out[0] = (uint8_t)(id >> 8);
    out[1] = (uint8_t)id;
    memcpy(out + 2, text, len);
    return len + 2;
}

static bool send_to(struct fixture *f, uint32_t ticket, const struct ip_endpoint *to,
                    const char *text)
{
    uint8_t buf[64];
    enum resolver_failure why = RESOLVER_CLOSED;
    bool sent = outbound_send(f->o, ticket, to, buf, message(buf, ticket, text), &why);
    f->last_why = why;
    return sent;
}

/* A question that shares its port with those that were put in before. */
static bool put(struct fixture *f, uint32_t ticket, const char *text)
{
    return send_to(f, ticket, &f->endpoint, text);
}

/* A question that comes alone. */
static bool ask(struct fixture *f, uint32_t ticket, const char *text)
{
    bool sent = put(f, ticket, text);
    outbound_flush(f->o);
    return sent;
}

/* The ID of what the server got, its text goes to buf, the sender to *from. */
static unsigned server_read(struct fixture *f, char *buf, size_t cap, union sockaddr_any *from)
{
    struct pollfd p = {.fd = f->server, .events = POLLIN};
    uint8_t got[64];
    socklen_t len = sizeof *from;
    assert_int_equal(poll(&p, 1, 2000), 1);
    ssize_t n = recvfrom(f->server, got, sizeof got, 0, &from->sa, &len);
    assert_true(n >= 2 && (size_t)n - 2 < cap);
    memcpy(buf, got + 2, (size_t)n - 2);
    buf[n - 2] = 0;
    return got[0] * 256u + got[1];
}

static void server_send(struct fixture *f, const union sockaddr_any *to, uint32_t id,
                        const char *text)
{
    uint8_t buf[64];
    size_t len = message(buf, id, text);
    assert_int_equal(sendto(f->server, buf, len, 0, &to->sa, sizeof to->v4), len);
}

static unsigned port_of(const union sockaddr_any *a)
{
    return ntohs(a->v4.sin_port);
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
        assert_int_equal(server_read(f, buf, sizeof buf, &from[i]), 100 + i);
        assert_string_equal(buf, text);
    }
    assert_int_equal(outbound_used(f->o), 3);
    server_send(f, &from[1], 101, "second");
    handle(f, 1000);
    assert_int_equal(f->responses, 1);
    assert_int_equal(f->last_ticket, 101);
    assert_string_equal(f->last_text, "second");
    server_send(f, &from[1], 101, "again"); /* waiting goes on until the release */
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
    server_send(f, &from, 1, "real");
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
    server_send(f, &from, 1, "late 1");
    server_send(f, &from, 2, "late 2");
    assert_true(outbound_release(f->o, 1));
    assert_true(ask(f, 2, "q2"));
    server_read(f, buf, sizeof buf, &second);
    assert_int_not_equal(from.v4.sin_port, second.v4.sin_port);
    server_send(f, &from, 2, "to the old port");
    handle(f, 50);
    assert_int_equal(f->responses, 0);
    server_send(f, &second, 2, "good");
    handle(f, 1000);
    assert_int_equal(f->responses, 1);
    assert_int_equal(f->last_ticket, 2);
    assert_string_equal(f->last_text, "good");
    drop(f);
}

static void says_when_sockets_run_out(void **state)
{
    enum outbound_ports ports = *(enum outbound_ports *)*state;
    struct fixture *f = make(ports, 2);
    assert_true(ask(f, 1, "a"));
    assert_true(ask(f, 2, "b"));
    assert_false(ask(f, 3, "c"));
    assert_int_equal(f->last_why, RESOLVER_NO_SOCKET);
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
    server_send(f, &from, 8, "ok");
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
    for (uint32_t i = 1; i <= 6; i++) {
        const struct ip_endpoint *to = i % 2 ? &f->endpoint : &six;
        assert_true(send_to(f, i, to, "q"));
        outbound_flush(f->o);
        assert_true(outbound_release(f->o, i));
    }
    close(server6);
    drop(f);
}

/* Questions of one batch leave together, through one port up to OUTBOUND_SHARE, and are told apart
 * by their IDs. */
static void shares_a_port_in_a_batch(void **state)
{
    enum outbound_ports ports = *(enum outbound_ports *)*state;
    enum { ASKED = 2 * OUTBOUND_SHARE + 1 };
    struct fixture *f = make(ports, ASKED);
    union sockaddr_any from[ASKED + 1];
    char buf[16];
    for (uint32_t i = 1; i <= ASKED; i++) {
        assert_true(put(f, i, "q"));
    }
    struct pollfd p = {.fd = f->server, .events = POLLIN};
    outbound_flush(f->o);
    for (unsigned i = 1; i <= ASKED; i++) {
        assert_int_equal(server_read(f, buf, sizeof buf, &from[i]), i);
        assert_int_equal(port_of(&from[i]),
                         port_of(&from[(i - 1) / OUTBOUND_SHARE * OUTBOUND_SHARE + 1]));
    }
    assert_int_equal(poll(&p, 1, 0), 0);
    assert_int_not_equal(port_of(&from[1]), port_of(&from[OUTBOUND_SHARE + 1]));
    assert_int_not_equal(port_of(&from[1]), port_of(&from[2 * OUTBOUND_SHARE + 1]));
    assert_int_equal(outbound_used(f->o), ASKED);
    assert_int_equal(outbound_open(f->o), 3);
    for (unsigned i = ASKED; i >= 1; i--) {
        server_send(f, &from[i], i, "answer");
    }
    handle(f, 1000);
    assert_int_equal(f->responses, ASKED);
    for (uint32_t i = 1; i <= ASKED; i++) {
        assert_int_equal(f->seen[i], 1);
        assert_true(outbound_release(f->o, i));
    }
    assert_true(ask(f, 1, "alone"));
    server_read(f, buf, sizeof buf, &from[0]);
    for (unsigned i = 1; i <= ASKED; i++) {
        assert_int_not_equal(port_of(&from[0]), port_of(&from[i]));
    }
    drop(f);
}

/* Two that could not be told apart, and those to different upstreams, share nothing. */
static void shares_no_port_where_ids_or_upstreams_clash(void **state)
{
    enum outbound_ports ports = *(enum outbound_ports *)*state;
    struct fixture *f = make(ports, 8);
    union sockaddr_any from[4];
    struct ip_endpoint other;
    char buf[16];
    int second = udp_server(AF_INET, &other);
    assert_true(put(f, 1, "a") && put(f, 0x10001, "b") && put(f, 2, "c"));
    outbound_flush(f->o);
    for (int i = 0; i < 3; i++) {
        server_read(f, buf, sizeof buf, &from[i]);
    }
    assert_int_not_equal(port_of(&from[0]), port_of(&from[1]));
    assert_int_equal(port_of(&from[1]), port_of(&from[2]));
    assert_true(put(f, 3, "d") && send_to(f, 4, &other, "e") && put(f, 5, "f"));
    outbound_flush(f->o);
    assert_int_equal(outbound_open(f->o), 5);
    close(second);
    drop(f);
}

/* Hardening P3: whoever forges an ID at a port that some share is heard by all of them, so that
 * each counts it; what comes late for one that is over is nobody's. */
static void tells_wrong_ids_to_all_who_share(void **state)
{
    enum outbound_ports ports = *(enum outbound_ports *)*state;
    struct fixture *f = make(ports, 8);
    union sockaddr_any from;
    char buf[16];
    for (uint32_t i = 1; i <= 3; i++) {
        assert_true(put(f, i, "q"));
    }
    outbound_flush(f->o);
    for (int i = 0; i < 3; i++) {
        server_read(f, buf, sizeof buf, &from);
    }
    server_send(f, &from, 77, "wrong");
    handle(f, 1000);
    assert_int_equal(f->responses, 3);
    assert_true(f->seen[1] == 1 && f->seen[2] == 1 && f->seen[3] == 1);
    assert_true(outbound_release(f->o, 2));
    server_send(f, &from, 2, "late");
    server_send(f, &from, 3, "good");
    handle(f, 1000);
    assert_int_equal(f->responses, 4);
    assert_int_equal(f->last_ticket, 3);
    assert_int_equal(sendto(f->server, "x", 1, 0, &from.sa, sizeof from.v4), 1);
    assert_int_equal(sendto(f->server, "", 0, 0, &from.sa, sizeof from.v4), 0);
    assert_true(outbound_release(f->o, 1));
    assert_true(outbound_release(f->o, 3));
    handle(f, 50); /* the port is gone, and what was in its queue */
    assert_int_equal(f->responses, 4);
    drop(f);
}

/* What is over before it was sent does not leave. */
static void sends_nothing_that_is_over(void **state)
{
    enum outbound_ports ports = *(enum outbound_ports *)*state;
    struct fixture *f = make(ports, 8);
    union sockaddr_any from;
    char buf[16];
    assert_true(put(f, 1, "a") && put(f, 2, "b") && put(f, 3, "c"));
    assert_true(outbound_release(f->o, 2));
    outbound_flush(f->o);
    assert_int_equal(server_read(f, buf, sizeof buf, &from), 1);
    assert_int_equal(server_read(f, buf, sizeof buf, &from), 3);
    assert_true(put(f, 4, "d"));
    assert_true(outbound_release(f->o, 4));
    outbound_flush(f->o);
    struct pollfd p = {.fd = f->server, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 0), 0);
    assert_int_equal(outbound_used(f->o), 2);
    drop(f);
}

/* What cannot be sent at the end of the batch is told then, once, and may be over by then. */
static void tells_what_could_not_be_sent(void **state)
{
    enum outbound_ports ports = *(enum outbound_ports *)*state;
    struct fixture *f = make(ports, 8);
    assert_true(put(f, 1, "a") && put(f, 2, "b") && put(f, 3, "c"));
    assert_int_equal(shutdown(f->o->slot[f->o->open].fd, SHUT_WR), 0);
    assert_true(outbound_release(f->o, 1));
    outbound_flush(f->o);
    assert_int_equal(f->failures, 2);
    assert_true(f->seen[2] == 1 && f->seen[3] == 1);
    assert_int_equal(f->last_why, RESOLVER_UNREACHABLE);
    outbound_flush(f->o);
    assert_int_equal(f->failures, 2);
    assert_true(outbound_release(f->o, 2) && outbound_release(f->o, 3));
    assert_int_equal(outbound_used(f->o), 0);
    drop(f);
}

static void reports_a_closed_port_to_all_who_share(void **state)
{
    enum outbound_ports ports = *(enum outbound_ports *)*state;
    struct fixture *f = make(ports, 4);
    close(f->server);
    assert_true(put(f, 1, "a") && put(f, 2, "b") && put(f, 3, "c"));
    outbound_flush(f->o);
    handle(f, 1000);
    assert_int_equal(f->failures, 3);
    assert_int_equal(f->last_why, RESOLVER_REFUSED);
    f->server = udp_server(AF_INET, &f->endpoint);
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

/* Hardening D8: whatever else has taken all descriptors, questions to upstreams have theirs. */
static void has_its_own_when_there_are_no_descriptors(void **state)
{
    struct fixture *f = make(*(enum outbound_ports *)*state, 8);
    enum resolver_failure why;
    int held[64];
    unsigned count = 0;
    struct rlimit old;
    assert_int_equal(spare_open(&f->spare, f->epoll, 3), ERR_OK);
    getrlimit(RLIMIT_NOFILE, &old);
    struct rlimit tight = {.rlim_cur = sys_open_files() + 16, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    while (count < 64 && (held[count] = fcntl(0, F_DUPFD_CLOEXEC, 0)) >= 0) {
        count++;
    }
    for (int round = 0; round < 5; round++) {
        for (uint32_t ticket = 1; ticket <= 3; ticket++) {
            assert_true(ask(f, ticket, "q"));
        }
        assert_false(outbound_send(f->o, 4, &f->endpoint, (const uint8_t *)"\0\4q", 3, &why));
        assert_int_equal(why, RESOLVER_NO_SOCKET);
        for (uint32_t ticket = 1; ticket <= 3; ticket++) {
            assert_true(outbound_release(f->o, ticket));
            assert_int_equal(fcntl(0, F_DUPFD_CLOEXEC, 0), -1); /* nobody else gets it */
        }
    }
    while (count > 0) {
        close(held[--count]);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    drop(f);
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
        BOTH(shares_a_port_in_a_batch),
        BOTH(shares_no_port_where_ids_or_upstreams_clash),
        BOTH(tells_wrong_ids_to_all_who_share),
        BOTH(sends_nothing_that_is_over),
        BOTH(tells_what_could_not_be_sent),
        BOTH(reports_a_closed_port_to_all_who_share),
        BOTH(has_its_own_when_there_are_no_descriptors),
        cmocka_unit_test(keeps_no_more_sockets_than_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
