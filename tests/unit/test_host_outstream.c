/*
 * TCP connections to upstreams, against a server in this file that does as it is told, with a clock
 * of our own.
 */
#include "host/outstream.h"

#include <errno.h>
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

#include "base/span.h"
#include "host/poll_tag.h"
#include "host/sockaddr.h"
#include "host/sys.h"

#define LOG_MAX 256

struct fixture {
    struct outstreams *o;
    int epoll, listener;
    usec_t now;
    struct upstream_spec upstream;
    uint32_t answered[LOG_MAX], failed[LOG_MAX];
    unsigned answers, failures;
    enum resolver_failure why;
    size_t last_len;
    bool release; /* tickets that were answered or failed, as the resolver does */
};

static void on_response(void *arg, uint32_t ticket, const uint8_t *data, size_t len)
{
    struct fixture *f = arg;
    (void)data;
    assert_true(f->answers < LOG_MAX);
    f->answered[f->answers++] = ticket;
    f->last_len = len;
    if (f->release) {
        assert_true(outstreams_release(f->o, f->now, ticket));
    }
}

static void on_failed(void *arg, uint32_t ticket, enum resolver_failure why)
{
    struct fixture *f = arg;
    assert_true(f->failures < LOG_MAX);
    f->failed[f->failures++] = ticket;
    f->why = why;
}

static struct fixture *make(uint32_t streams_max)
{
    struct fixture *f = calloc(1, sizeof *f);
    union sockaddr_any a = {
        .v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof a.v4;
    assert_non_null(f);
    f->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(f->listener, &a.sa, len), 0);
    assert_int_equal(listen(f->listener, 64), 0);
    getsockname(f->listener, &a.sa, &len);
    f->upstream = (struct upstream_spec){.id = 77, .transport = UPSTREAM_TCP};
    sockaddr_to_endpoint(&a, &f->upstream.endpoint);
    f->epoll = epoll_create1(EPOLL_CLOEXEC);
    f->now = 5000 * USEC_PER_SEC;
    f->release = true;
    struct outstream_config cfg = {
        .epoll = f->epoll,
        .streams_max = streams_max,
        .idle_us = 20 * USEC_PER_SEC,
        .connect_us = 5 * USEC_PER_SEC,
        .events = {.response = on_response, .failed = on_failed, .arg = f}};
    assert_int_equal(outstreams_new(&f->o, &cfg), ERR_OK);
    return f;
}

static void drop(struct fixture *f)
{
    outstreams_free(f->o);
    close(f->listener);
    close(f->epoll);
    free(f);
}

static void run(struct fixture *f)
{
    struct epoll_event ev[16];
    int n;
    unsigned turns = 0;
    f->now += 1000;
    do {
        n = epoll_wait(f->epoll, ev, 16, 10);
        for (int i = 0; i < n; i++) {
            assert_int_equal(poll_tag_kind(ev[i].data.u64), POLL_STREAM);
            outstreams_ready(f->o, f->now, poll_tag_index(ev[i].data.u64), ev[i].events);
        }
        while (outstreams_deadline(f->o) <= f->now) {
            outstreams_tick(f->o, f->now);
        }
        assert_true(++turns < 5000); /* it must not spin */
    } while (n > 0);
}

static bool ask(struct fixture *f, uint32_t ticket, uint16_t id)
{
    uint8_t query[40] = {0};
    enum resolver_failure why = RESOLVER_CLOSED;
    be16_write(query, id);
    be16_write(query + 12, (uint16_t)ticket);
    bool sent = outstreams_send(f->o, f->now, ticket, &f->upstream, query, sizeof query, &why);
    if (!sent) {
        f->why = why;
    }
    return sent;
}

/* ---- The server. ---- */

static int accept_one(struct fixture *f)
{
    for (int i = 0; i < 50; i++) {
        int fd = accept(f->listener, NULL, NULL);
        if (fd >= 0) {
            return fd;
        }
        run(f);
    }
    return -1;
}

/* The next question's ID on a connection, -1 at its end, -2 if there is none. */
static int read_question(int fd)
{
    uint8_t buf[2 + OUTSTREAM_QUERY_MAX];
    size_t have = 0;
    while (have < 2 || have < 2 + (size_t)be16_read(buf)) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, 50) == 0) {
            return -2;
        }
        size_t want = have < 2 ? 2 - have : 2 + (size_t)be16_read(buf) - have;
        ssize_t n = recv(fd, buf + have, want, 0);
        if (n <= 0) {
            return -1;
        }
        have += (size_t)n;
    }
    return be16_read(buf + 2);
}

static void answer(int fd, uint16_t id, size_t len)
{
    uint8_t *buf = calloc(1, len + 2);
    be16_write(buf, (uint16_t)len);
    be16_write(buf + 2, id);
    assert_int_equal(send(fd, buf, len + 2, MSG_NOSIGNAL), len + 2);
    free(buf);
}

static void reset(int fd)
{
    struct linger now = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

/* ---- Tests. ---- */

static void uses_one_connection_for_many(void **state)
{
    (void)state;
    struct fixture *f = make(4);
    for (uint16_t i = 1; i <= 5; i++) {
        assert_true(ask(f, i, i));
    }
    run(f);
    int fd = accept_one(f);
    run(f);
    for (uint16_t i = 1; i <= 5; i++) {
        assert_int_equal(read_question(fd), i);
    }
    for (uint16_t i = 5; i >= 1; i--) { /* in another order */
        answer(fd, i, 60);
    }
    run(f);
    assert_int_equal(f->answers, 5);
    assert_int_equal(f->answered[0], 5);
    assert_int_equal(f->answered[4], 1);
    assert_true(ask(f, 6, 6)); /* and once more */
    run(f);
    assert_int_equal(read_question(fd), 6);
    assert_int_equal(outstreams_open(f->o), 1);
    close(fd);
    drop(f);
}

static void takes_answers_octet_by_octet(void **state)
{
    (void)state;
    struct fixture *f = make(4);
    uint8_t msg[32] = {0, 30, 0, 9};
    assert_true(ask(f, 1, 9));
    run(f);
    int fd = accept_one(f);
    run(f);
    for (size_t i = 0; i < sizeof msg; i++) {
        assert_int_equal(f->answers, 0);
        assert_int_equal(send(fd, msg + i, 1, 0), 1);
        run(f);
    }
    assert_int_equal(f->answers, 1);
    assert_int_equal(f->last_len, 30);
    answer(fd, 9, 65535); /* nobody waits for it any more */
    run(f);
    assert_int_equal(f->answers, 1);
    assert_int_equal(outstreams_open(f->o), 1);
    close(fd);
    drop(f);
}

static void ignores_other_ids(void **state)
{
    (void)state;
    struct fixture *f = make(4);
    assert_true(ask(f, 1, 9));
    run(f);
    int fd = accept_one(f);
    run(f);
    answer(fd, 8, 40);
    run(f);
    assert_int_equal(f->answers, 0);
    answer(fd, 9, 40);
    run(f);
    assert_int_equal(f->answers, 1);
    close(fd);
    drop(f);
}

static void closes_idle_connections(void **state)
{
    (void)state;
    struct fixture *f = make(4);
    assert_true(ask(f, 1, 9));
    run(f);
    int fd = accept_one(f);
    run(f);
    assert_int_equal(read_question(fd), 9);
    assert_int_equal(outstreams_deadline(f->o),
                     USEC_NEVER); /* the resolver says how long to wait */
    answer(fd, 9, 40);
    run(f);
    assert_int_not_equal(outstreams_deadline(f->o), USEC_NEVER);
    f->now += 21 * USEC_PER_SEC;
    run(f);
    assert_int_equal(outstreams_open(f->o), 0);
    assert_int_equal(read_question(fd), -1);
    assert_int_equal(f->failures, 0);
    close(fd);
    drop(f);
}

/* The server closes an idle connection just when we ask again: that is no failure of the
 * upstream's. */
static void asks_again_when_a_kept_connection_was_closed(void **state)
{
    (void)state;
    struct fixture *f = make(4);
    assert_true(ask(f, 1, 1));
    run(f);
    int fd = accept_one(f);
    run(f);
    answer(fd, 1, 40);
    run(f);
    assert_true(ask(f, 2, 2)); /* sent, and lost */
    reset(fd);
    run(f);
    fd = accept_one(f);
    run(f);
    assert_int_equal(read_question(fd), 2);
    answer(fd, 2, 40);
    run(f);
    assert_int_equal(f->answers, 2);
    assert_int_equal(f->failures, 0);
    close(fd);
    drop(f);
}

static void gives_up_on_a_connection_that_never_worked(void **state)
{
    (void)state;
    struct fixture *f = make(4);
    assert_true(ask(f, 1, 1));
    run(f);
    int fd = accept_one(f);
    run(f);
    reset(fd);
    run(f);
    assert_int_equal(f->failures, 1);
    assert_int_equal(f->failed[0], 1);
    assert_int_equal(f->why, RESOLVER_CLOSED);
    assert_int_equal(outstreams_open(f->o), 0);
    assert_false(outstreams_release(f->o, f->now, 1));
    drop(f);
}

static void closes_on_nonsense(void **state)
{
    (void)state;
    static const uint8_t nonsense[][4] = {{0, 0, 0, 0}, {0, 5, 1, 2}};
    for (size_t i = 0; i < 2; i++) {
        struct fixture *f = make(4);
        assert_true(ask(f, 1, 1));
        run(f);
        int fd = accept_one(f);
        run(f);
        assert_int_equal(send(fd, nonsense[i], 4, 0), 4);
        run(f);
        assert_int_equal(f->failures, 1);
        assert_int_equal(outstreams_open(f->o), 0);
        close(fd);
        drop(f);
    }
}

static void reports_a_refused_connection(void **state)
{
    (void)state;
    struct fixture *f = make(4);
    close(f->listener);
    f->listener = -1;
    bool sent = ask(f, 1, 1);
    run(f);
    assert_true(!sent || f->failures == 1);
    assert_int_equal(f->why, RESOLVER_REFUSED);
    assert_int_equal(outstreams_open(f->o), 0);
    drop(f);
}

/* A server that takes questions and says nothing: the next question does not go the same way. */
static void leaves_a_silent_connection(void **state)
{
    (void)state;
    struct fixture *f = make(4);
    assert_true(ask(f, 1, 1));
    assert_true(ask(f, 2, 2));
    run(f);
    int silent = accept_one(f);
    run(f);
    assert_true(outstreams_release(f->o, f->now, 1)); /* the resolver lost patience */
    assert_true(ask(f, 3, 3));
    run(f);
    int fresh = accept_one(f);
    assert_true(fresh >= 0);
    run(f);
    assert_int_equal(read_question(fresh), 3);
    assert_int_equal(outstreams_open(f->o), 2);
    assert_true(outstreams_release(f->o, f->now, 2)); /* nobody waits there any more */
    run(f);
    assert_int_equal(outstreams_open(f->o), 1);
    close(silent);
    close(fresh);
    drop(f);
}

static void gives_up_connecting_in_time(void **state)
{
    (void)state;
    struct fixture *f = make(4);
    /* TEST-NET-1 leads nowhere; without a route at all it fails at once, which is fine too. */
    f->upstream.endpoint.addr = ip_v4((const uint8_t[]){192, 0, 2, 1});
    bool sent = ask(f, 1, 1);
    f->now += 6 * USEC_PER_SEC;
    run(f);
    assert_true(!sent || f->failures == 1);
    assert_int_equal(outstreams_open(f->o), 0);
    drop(f);
}

static void makes_room_by_closing_an_idle_one(void **state)
{
    (void)state;
    struct fixture *f = make(1);
    assert_true(ask(f, 1, 1));
    run(f);
    int fd = accept_one(f);
    run(f);
    f->upstream.id = 78; /* another upstream (at the same place) */
    assert_false(ask(f, 2, 2));
    assert_int_equal(f->why, RESOLVER_NO_SOCKET);
    answer(fd, 1, 40);
    run(f);
    assert_true(ask(f, 2, 2));
    run(f);
    int other = accept_one(f);
    run(f);
    assert_int_equal(read_question(other), 2);
    assert_int_equal(outstreams_open(f->o), 1);
    close(fd);
    close(other);
    drop(f);
}

static void keeps_equal_ids_apart(void **state)
{
    (void)state;
    struct fixture *f = make(4);
    assert_true(ask(f, 1, 5));
    assert_true(ask(f, 2, 5));
    run(f);
    int a = accept_one(f);
    int b = accept_one(f);
    assert_true(a >= 0 && b >= 0);
    run(f);
    assert_int_equal(outstreams_open(f->o), 2);
    answer(a, 5, 40);
    answer(b, 5, 40);
    run(f);
    assert_int_equal(f->answers, 2);
    assert_int_not_equal(f->answered[0], f->answered[1]);
    close(a);
    close(b);
    drop(f);
}

/* A server that closes after each answer gets one question a connection before long, and all are
 * answered. */
static void learns_to_ask_one_at_a_time(void **state)
{
    (void)state;
    struct fixture *f = make(8);
    uint32_t ticket = 1;
    unsigned lost = 0;
    for (int round = 0; round < 6; round++) {
        for (int i = 0; i < 3; i++, ticket++) {
            assert_true(ask(f, ticket, (uint16_t)ticket));
        }
        run(f);
        unsigned seen = 0;
        int fd;
        while ((fd = accept_one(f)) >= 0 && seen < 20) {
            run(f);
            int id = read_question(fd);
            if (id > 0) {
                answer(fd, (uint16_t)id, 40);
            }
            shutdown(fd, SHUT_WR);
            run(f);
            close(fd);
            seen++;
            if (f->answers + f->failures == ticket - 1) {
                break;
            }
        }
        lost = round < 3 ? f->failures : lost;
    }
    assert_int_equal(f->failures, lost); /* none fails any more once it is known */
    assert_int_equal(f->answers + f->failures, ticket - 1);
    drop(f);
}

static void leaves_nothing_behind(void **state)
{
    (void)state;
    struct fixture *f = make(4);
    uint32_t before = sys_open_files();
    for (uint32_t i = 1; i <= 300; i++) {
        f->failures = f->answers = 0;
        assert_true(ask(f, i, (uint16_t)i));
        run(f);
        int fd = accept_one(f);
        if (fd < 0) {
            fail_msg("no connection for question %u", i);
        }
        if (i % 3 == 0) {
            reset(fd);
        } else if (i % 3 == 1) {
            close(fd);
        } else {
            assert_int_equal(send(fd, "\0\0", 2, MSG_NOSIGNAL), 2);
            run(f);
            close(fd);
        }
        run(f);
        assert_int_equal(f->failures, 1);
    }
    assert_int_equal(outstreams_open(f->o), 0);
    assert_int_equal(sys_open_files(), before);
    drop(f);
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uses_one_connection_for_many),
        cmocka_unit_test(takes_answers_octet_by_octet),
        cmocka_unit_test(ignores_other_ids),
        cmocka_unit_test(closes_idle_connections),
        cmocka_unit_test(asks_again_when_a_kept_connection_was_closed),
        cmocka_unit_test(gives_up_on_a_connection_that_never_worked),
        cmocka_unit_test(closes_on_nonsense),
        cmocka_unit_test(reports_a_refused_connection),
        cmocka_unit_test(leaves_a_silent_connection),
        cmocka_unit_test(gives_up_connecting_in_time),
        cmocka_unit_test(makes_room_by_closing_an_idle_one),
        cmocka_unit_test(keeps_equal_ids_apart),
        cmocka_unit_test(learns_to_ask_one_at_a_time),
        cmocka_unit_test(leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
