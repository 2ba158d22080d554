/*
 * TCP connections of clients, on loopback with a clock of our own: framing, pipelining, order,
 * limits, time-outs. The "resolver" here answers a query by what its payload says.
 */
#include "host/tcp.h"

#include <arpa/inet.h>
#include <errno.h>
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

#include "base/span.h"
#include "host/listen.h"
#include "host/poll_tag.h"
#include "host/sys.h"

#define PENDING_MAX 4096

struct fixture {
    struct tcp *t;
    struct listeners listeners;
    int epoll;
    usec_t now;
    unsigned queries, gone;
    uint32_t answer_len; /* of answers made at once */
    struct {
        uint32_t conn;
        uint16_t id;
    } pending[PENDING_MAX];
    unsigned pending_count;
    struct peer last_peer;
};

/* Octet 2 of a query says what happens: 'a' answer now, 'p' later, 'i' never. Octets 0 and 1 are
 * the ID. */
static enum tcp_verdict on_query(void *arg, const struct peer *peer, struct packet *packet)
{
    struct fixture *f = arg;
    f->queries++;
    f->last_peer = *peer;
    switch (packet->data[2]) {
    case 'a':
        packet->len = f->answer_len ? f->answer_len : packet->len;
        memset(packet->data + 3, 'A', packet->len - 3);
        return TCP_ANSWER;
    case 'p':
        assert_true(f->pending_count < PENDING_MAX);
        f->pending[f->pending_count].conn = peer->conn;
        f->pending[f->pending_count++].id = be16_read(packet->data);
        return TCP_PENDING;
    default:
        return TCP_IGNORE;
    }
}

static void on_gone(void *arg, uint32_t conn)
{
    struct fixture *f = arg;
    assert_int_not_equal(conn, 0);
    f->gone++;
}

static struct fixture *make(uint32_t connections, uint32_t per_client, uint32_t buffers)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    struct ip_endpoint loopback = {.addr = ip_v4((const uint8_t[]){127, 0, 0, 1})};
    assert_int_equal(listeners_open(&f->listeners, &loopback, 1, 1), ERR_OK);
    f->epoll = epoll_create1(EPOLL_CLOEXEC);
    f->now = 1000 * USEC_PER_SEC;
    struct tcp_config cfg = {.epoll = f->epoll,
                             .worker = 3,
                             .connections_max = connections,
                             .per_client = per_client,
                             .buffers = buffers,
                             .idle_us = 10 * USEC_PER_SEC,
                             .query = on_query,
                             .gone = on_gone,
                             .arg = f};
    assert_int_equal(tcp_new(&f->t, &cfg), ERR_OK);
    assert_int_equal(tcp_listen(f->t, 0, f->listeners.item[0].tcp[0]), ERR_OK);
    return f;
}

static void drop(struct fixture *f)
{
    tcp_free(f->t);
    listeners_close(&f->listeners);
    close(f->epoll);
    free(f);
}

/* Handle events until there are none for a moment. */
static void run(struct fixture *f)
{
    struct epoll_event ev[64];
    int n;
    unsigned turns = 0;
    while ((n = epoll_wait(f->epoll, ev, 64, 5)) > 0) {
        assert_true(++turns < 20000); /* it must not spin */
        for (int i = 0; i < n; i++) {
            uint32_t index = poll_tag_index(ev[i].data.u64);
            if (poll_tag_kind(ev[i].data.u64) == POLL_TCP) {
                tcp_accept(f->t, f->now, (uint16_t)index);
            } else {
                tcp_ready(f->t, f->now, index, ev[i].events);
            }
        }
        tcp_run(f->t, f->now);
    }
}

static void pass(struct fixture *f, usec_t us)
{
    f->now += us;
    if (tcp_deadline(f->t) <= f->now) {
        tcp_tick(f->t, f->now);
        assert_true(tcp_deadline(f->t) > f->now);
    }
    tcp_run(f->t, f->now);
}

static int dial(struct fixture *f)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons(f->listeners.item[0].endpoint.port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

/* A framed query of `len` octets. Returns the octets in buf. */
static size_t frame(uint8_t *buf, uint16_t id, char what, size_t len)
{
    memset(buf, 0, len + 2);
    be16_write(buf, (uint16_t)len);
    be16_write(buf + 2, id);
    buf[4] = (uint8_t)what;
    return len + 2;
}

static void ask(int fd, uint16_t id, char what)
{
    uint8_t buf[64];
    size_t len = frame(buf, id, what, 20);
    assert_int_equal(send(fd, buf, len, MSG_NOSIGNAL), len);
}

/* Read one framed answer; its ID, or -1 at the end of the stream, -2 if nothing comes. */
static int read_answer(int fd, size_t *len)
{
    uint8_t buf[2 + 65535];
    size_t have = 0;
    while (have < 2 || have < 2 + (size_t)be16_read(buf)) {
        size_t want = have < 2 ? 2 - have : 2 + (size_t)be16_read(buf) - have;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, 20) == 0) {
            return -2;
        }
        ssize_t n = recv(fd, buf + have, want, 0);
        if (n <= 0) {
            return -1;
        }
        have += (size_t)n;
    }
    if (len) {
        *len = have - 2;
    }
    return be16_read(buf + 2);
}

static bool is_closed(int fd)
{
    return read_answer(fd, NULL) == -1;
}

static void answer_pending(struct fixture *f, unsigned i)
{
    uint8_t msg[20] = {0};
    be16_write(msg, f->pending[i].id);
    tcp_answer(f->t, f->now, f->pending[i].conn, msg, sizeof msg);
    tcp_run(f->t, f->now);
}

static void answers_a_query(void **state)
{
    (void)state;
    struct fixture *f = make(4, 4, 4);
    int fd = dial(f);
    ask(fd, 0x1234, 'a');
    run(f);
    assert_int_equal(read_answer(fd, NULL), 0x1234);
    assert_true(f->last_peer.tcp);
    assert_int_equal(f->last_peer.worker, 3);
    assert_true(ip_is_loopback(&f->last_peer.addr));
    assert_true(ip_is_loopback(&f->last_peer.local));
    ask(fd, 0x1235, 'a');
    run(f);
    assert_int_equal(read_answer(fd, NULL), 0x1235);
    assert_int_equal(tcp_count(f->t), 1);
    close(fd);
    run(f);
    assert_int_equal(tcp_count(f->t), 0);
    drop(f);
}

static void takes_a_query_octet_by_octet(void **state)
{
    (void)state;
    struct fixture *f = make(4, 4, 4);
    int fd = dial(f);
    for (int round = 0; round < 2; round++) {
        uint8_t buf[64];
        size_t len = frame(buf, 7, 'a', 20);
        for (size_t i = 0; i < len; i++) {
            assert_int_equal(f->queries, round);
            assert_int_equal(send(fd, buf + i, 1, MSG_NOSIGNAL), 1);
            run(f);
        }
        assert_int_equal(read_answer(fd, NULL), 7);
    }
    close(fd);
    drop(f);
}

/* The longest message there is, in pieces that do not fit its parts, with another one behind it. */
static void takes_a_long_query_in_pieces(void **state)
{
    (void)state;
    struct fixture *f = make(4, 4, 1);
    int fd = dial(f);
    uint8_t *buf = malloc(2 + 65535 + 22);
    size_t len = frame(buf, 9, 'a', 65535);
    len += frame(buf + len, 10, 'a', 20);
    f->answer_len = 12;
    for (size_t i = 0; i < len; i += 997) {
        size_t part = len - i < 997 ? len - i : 997;
        assert_int_equal(send(fd, buf + i, part, MSG_NOSIGNAL), part);
        run(f);
    }
    assert_int_equal(read_answer(fd, NULL), 9);
    assert_int_equal(read_answer(fd, NULL), 10);
    free(buf);
    close(fd);
    drop(f);
}

static void answers_out_of_order(void **state)
{
    (void)state;
    struct fixture *f = make(4, 4, 4);
    int fd = dial(f);
    ask(fd, 1, 'p');
    ask(fd, 2, 'p');
    ask(fd, 3, 'a');
    run(f);
    assert_int_equal(read_answer(fd, NULL), 3);
    answer_pending(f, 1);
    assert_int_equal(read_answer(fd, NULL), 2);
    answer_pending(f, 0);
    assert_int_equal(read_answer(fd, NULL), 1);
    answer_pending(f, 0); /* a second answer to the same question is not sent */
    assert_int_equal(read_answer(fd, NULL), -2);
    close(fd);
    drop(f);
}

/* More questions than may be open: the rest waits, nothing is lost. */
static void holds_back_a_long_pipeline(void **state)
{
    (void)state;
    struct fixture *f = make(4, 4, 4);
    int fd = dial(f);
    for (uint16_t i = 0; i < 200; i++) {
        ask(fd, i, 'p');
    }
    run(f);
    assert_int_equal(f->queries, TCP_PIPELINE_MAX);
    for (unsigned i = 0; i < 200; i++) {
        assert_true(i < f->pending_count);
        answer_pending(f, i);
        run(f);
        assert_int_equal(read_answer(fd, NULL), i);
    }
    close(fd);
    drop(f);
}

static void answers_after_the_client_stopped_sending(void **state)
{
    (void)state;
    struct fixture *f = make(4, 4, 4);
    int fd = dial(f);
    ask(fd, 1, 'p');
    ask(fd, 2, 'a');
    shutdown(fd, SHUT_WR);
    run(f);
    assert_int_equal(tcp_count(f->t), 1);
    assert_int_equal(read_answer(fd, NULL), 2);
    answer_pending(f, 0);
    assert_int_equal(read_answer(fd, NULL), 1);
    assert_true(is_closed(fd));
    assert_int_equal(tcp_count(f->t), 0);
    assert_int_equal(f->gone, 0);
    close(fd);
    drop(f);
}

static void closes_on_a_short_length(void **state)
{
    (void)state;
    static const uint8_t zero[2] = {0, 0};
    static const uint8_t eleven[13] = {0, 11};
    struct fixture *f = make(4, 4, 4);
    int fd = dial(f);
    assert_int_equal(send(fd, zero, sizeof zero, 0), sizeof zero);
    run(f);
    assert_true(is_closed(fd));
    close(fd);
    fd = dial(f);
    assert_int_equal(send(fd, eleven, sizeof eleven, 0), sizeof eleven);
    run(f);
    assert_true(is_closed(fd));
    close(fd);
    assert_int_equal(f->queries, 0);
    drop(f);
}

static void forgets_answers_for_those_who_left(void **state)
{
    (void)state;
    struct fixture *f = make(1, 1, 4);
    int fd = dial(f);
    ask(fd, 1, 'p');
    run(f);
    struct linger reset = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
    run(f);
    assert_int_equal(f->gone, 1);
    int other = dial(f); /* in the same slot */
    run(f);
    answer_pending(f, 0);
    assert_int_equal(read_answer(other, NULL), -2);
    close(other);
    drop(f);
}

static void closes_idle_connections_in_time(void **state)
{
    (void)state;
    struct fixture *f = make(8, 8, 4);
    int early = dial(f);
    run(f);
    pass(f, 6 * USEC_PER_SEC);
    int late = dial(f);
    run(f);
    pass(f, 3 * USEC_PER_SEC);
    assert_int_equal(tcp_count(f->t), 2);
    pass(f, 1 * USEC_PER_SEC);
    assert_int_equal(tcp_count(f->t), 1);
    assert_true(is_closed(early));
    ask(late, 5, 'a');
    run(f);
    assert_int_equal(read_answer(late, NULL), 5);
    pass(f, 9 * USEC_PER_SEC);
    assert_int_equal(tcp_count(f->t), 1); /* the question counted */
    pass(f, 1 * USEC_PER_SEC);
    assert_true(is_closed(late));
    assert_int_equal(tcp_deadline(f->t), USEC_NEVER);
    close(early);
    close(late);
    drop(f);
}

static void closes_idle_connections_sooner_under_pressure(void **state)
{
    (void)state;
    struct fixture *f = make(8, 8, 4);
    int fd[8];
    for (int i = 0; i < 7; i++) {
        fd[i] = dial(f);
    }
    run(f);
    pass(f, TCP_PRESSURE_IDLE_US);
    assert_int_equal(tcp_count(f->t), 6); /* no more pressure */
    for (int i = 0; i < 7; i++) {
        close(fd[i]);
    }
    drop(f);
}

static void waits_longer_for_its_own_answers(void **state)
{
    (void)state;
    struct fixture *f = make(1, 1, 4); /* one of one is pressure */
    int fd = dial(f);
    ask(fd, 1, 'p');
    run(f);
    for (int i = 0; i < 4; i++) {
        pass(f, TCP_PRESSURE_IDLE_US);
    }
    assert_int_equal(tcp_count(f->t), 1);
    answer_pending(f, 0);
    assert_int_equal(read_answer(fd, NULL), 1);
    close(fd);
    drop(f);
}

static void cuts_who_sends_a_query_too_slowly(void **state)
{
    (void)state;
    struct fixture *f = make(8, 8, 4);
    int fd = dial(f);
    uint8_t buf[64];
    frame(buf, 1, 'a', 20);
    for (int i = 0; i < 9; i++) {
        assert_int_equal(send(fd, buf + i, 1, MSG_NOSIGNAL), 1);
        run(f);
        pass(f, USEC_PER_SEC);
        assert_int_equal(tcp_count(f->t), 1);
    }
    assert_int_equal(send(fd, buf + 9, 1, MSG_NOSIGNAL), 1);
    run(f);
    pass(f, 2 * USEC_PER_SEC);
    assert_int_equal(tcp_count(f->t), 0);
    close(fd);
    drop(f);
}

static void cuts_who_does_not_read_answers(void **state)
{
    (void)state;
    struct fixture *f = make(8, 8, 8);
    int fd = dial(f);
    f->answer_len = 65535;
    /* Until the kernel's buffers on both sides are full, and then one. */
    for (uint16_t i = 0; i < 400 && f->queries == i; i++) {
        ask(fd, i, 'a');
        run(f);
    }
    assert_true(f->queries < 400);
    unsigned asked = f->queries;
    ask(fd, 999, 'a');
    run(f);
    assert_int_equal(f->queries, asked); /* nothing more is read from it */
    pass(f, TCP_STALL_US + USEC_PER_SEC);
    assert_int_equal(tcp_count(f->t), 0);
    close(fd);
    drop(f);
}

static void sends_the_rest_to_a_slow_reader(void **state)
{
    (void)state;
    struct fixture *f = make(8, 8, 8);
    int fd = dial(f);
    size_t len = 0;
    unsigned sent = 0;
    f->answer_len = 65535;
    while (sent < 400 && f->queries == sent) {
        ask(fd, (uint16_t)sent++, 'a');
        run(f);
    }
    for (unsigned i = 0; i < sent; i++) {
        int id = -2;
        for (int tries = 0; tries < 100 && id == -2; tries++) {
            run(f);
            id = read_answer(fd, &len);
        }
        assert_int_equal(id, i);
        assert_int_equal(len, 65535);
    }
    close(fd);
    drop(f);
}

/* Hardening D7: idle clients, however many, never keep a new one out. */
static void evicts_the_longest_idle_when_full(void **state)
{
    (void)state;
    struct fixture *f = make(16, 16, 4);
    int fd[40];
    for (int i = 0; i < 40; i++) {
        fd[i] = dial(f);
        f->now += 1000;
        if (i == 0) {
            ask(fd[0], 77, 'p'); /* waits for its answer: not idle */
        }
        run(f);
    }
    assert_int_equal(tcp_count(f->t), 16);
    ask(fd[39], 5, 'a');
    run(f);
    assert_int_equal(read_answer(fd[39], NULL), 5);
    assert_true(is_closed(fd[1]));
    answer_pending(f, 0);
    assert_int_equal(read_answer(fd[0], NULL), 77);
    for (int i = 0; i < 40; i++) {
        close(fd[i]);
    }
    drop(f);
}

static void bounds_one_client(void **state)
{
    (void)state;
    struct fixture *f = make(16, 3, 4);
    int fd[10];
    for (int i = 0; i < 10; i++) {
        fd[i] = dial(f);
        f->now += 1000;
        run(f);
    }
    assert_int_equal(tcp_count(f->t), 3);
    assert_true(is_closed(fd[6]));
    ask(fd[9], 5, 'a');
    run(f);
    assert_int_equal(read_answer(fd[9], NULL), 5);
    for (int i = 0; i < 10; i++) {
        close(fd[i]);
    }
    drop(f);
}

static void leaves_nothing_behind(void **state)
{
    (void)state;
    struct fixture *f = make(16, 16, 4);
    int warm = dial(f);
    run(f);
    uint32_t before = sys_open_files();
    for (int i = 0; i < 1000; i++) {
        int fd = dial(f);
        uint8_t buf[1000];
        size_t len = frame(buf, 1, "aipx"[i % 4], 600);
        assert_true(send(fd, buf, i % 3 ? len : 300, MSG_NOSIGNAL) > 0);
        if (i % 5 == 0) {
            struct linger reset = {.l_onoff = 1};
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        }
        if (i % 7 == 0) {
            run(f);
        }
        close(fd);
        run(f);
        f->pending_count = 0;
    }
    pass(f, 60 * USEC_PER_SEC);
    assert_int_equal(tcp_count(f->t), 0);
    assert_int_equal(sys_open_files(), before - 1);
    close(warm);
    drop(f);
}

/* Hardening D8: at the limit of open files it neither spins nor stays deaf. */
static void rests_when_files_run_out(void **state)
{
    (void)state;
    struct fixture *f = make(16, 16, 4);
    struct rlimit old;
    getrlimit(RLIMIT_NOFILE, &old);
    int fd = dial(f);
    /* The highest number in use, and so no room above it. */
    struct rlimit tight = {.rlim_cur = (rlim_t)fd + 1, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    run(f);
    assert_int_equal(tcp_count(f->t), 0);
    assert_true(tcp_deadline(f->t) <= f->now + USEC_PER_SEC);
    struct epoll_event ev;
    assert_int_equal(epoll_wait(f->epoll, &ev, 1, 20), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    pass(f, USEC_PER_SEC);
    run(f);
    ask(fd, 5, 'a');
    run(f);
    assert_int_equal(read_answer(fd, NULL), 5);
    close(fd);
    drop(f);
}

static void is_cut_when_no_buffer_is_left(void **state)
{
    (void)state;
    struct fixture *f = make(8, 8, 1);
    uint8_t *buf = malloc(2 + 60000);
    frame(buf, 1, 'a', 60000);
    int first = dial(f);
    assert_int_equal(send(first, buf, 5000, 0), 5000);
    run(f);
    int second = dial(f);
    assert_int_equal(send(second, buf, 5000, 0), 5000);
    run(f);
    assert_int_equal(tcp_count(f->t), 1);
    f->answer_len = 12;
    assert_int_equal(send(first, buf + 5000, 55002, 0), 55002);
    run(f);
    assert_int_equal(read_answer(first, NULL), 1);
    free(buf);
    close(first);
    close(second);
    drop(f);
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_a_query),
        cmocka_unit_test(takes_a_query_octet_by_octet),
        cmocka_unit_test(takes_a_long_query_in_pieces),
        cmocka_unit_test(answers_out_of_order),
        cmocka_unit_test(holds_back_a_long_pipeline),
        cmocka_unit_test(answers_after_the_client_stopped_sending),
        cmocka_unit_test(closes_on_a_short_length),
        cmocka_unit_test(forgets_answers_for_those_who_left),
        cmocka_unit_test(closes_idle_connections_in_time),
        cmocka_unit_test(closes_idle_connections_sooner_under_pressure),
        cmocka_unit_test(waits_longer_for_its_own_answers),
        cmocka_unit_test(cuts_who_sends_a_query_too_slowly),
        cmocka_unit_test(cuts_who_does_not_read_answers),
        cmocka_unit_test(sends_the_rest_to_a_slow_reader),
        cmocka_unit_test(evicts_the_longest_idle_when_full),
        cmocka_unit_test(bounds_one_client),
        cmocka_unit_test(leaves_nothing_behind),
        cmocka_unit_test(rests_when_files_run_out),
        cmocka_unit_test(is_cut_when_no_buffer_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
