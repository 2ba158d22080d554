/*
 * Listening sockets, and parts of the control thread: its loop, files that are watched, log lines,
 * what the machine's network configuration says.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/filewatch.h"
#include "host/listen.h"
#include "host/logsink.h"
#include "host/loop.h"
#include "host/netconf.h"
#include "host/sys.h"

/* ---- listeners ---- */

static int get_int(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof value;
    assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

static void listeners_take_one_port_for_both_and_all_workers(void **state)
{
    (void)state;
    struct listeners l, second;
    struct ip_endpoint any[2] = {{.addr = ip_v4((const uint8_t[]){127, 0, 0, 1})}, {.addr = {{0}}}};
    assert_int_equal(listeners_open(&l, any, 2, 3), ERR_OK);
    assert_false(l.item[0].wildcard);
    assert_true(l.item[1].wildcard);
    for (uint32_t i = 0; i < l.count; i++) {
        assert_int_not_equal(l.item[i].endpoint.port, 0);
        for (uint32_t w = 0; w < 3; w++) {
            struct sockaddr_in6 a;
            socklen_t len = sizeof a;
            assert_int_equal(getsockname(l.item[i].udp[w], (struct sockaddr *)&a, &len), 0);
            assert_int_equal(ntohs(a.sin6_port), l.item[i].endpoint.port);
            len = sizeof a;
            assert_int_equal(getsockname(l.item[i].tcp[w], (struct sockaddr *)&a, &len), 0);
            assert_int_equal(ntohs(a.sin6_port), l.item[i].endpoint.port);
        }
    }
    assert_true(listeners_buffer(&l) > 0);
    /* Hardening D7: who vanished is found out in a minute. */
    int tcp = l.item[0].tcp[0];
    assert_int_equal(get_int(tcp, SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_true(get_int(tcp, IPPROTO_TCP, TCP_KEEPIDLE) +
                    get_int(tcp, IPPROTO_TCP, TCP_KEEPINTVL) *
                        get_int(tcp, IPPROTO_TCP, TCP_KEEPCNT) <=
                60);
    struct ip_endpoint foreign = {.addr = ip_v4((const uint8_t[]){192, 0, 2, 77}), .port = 0};
    assert_int_equal(listeners_open(&second, &foreign, 1, 1),
                     ERR_OK); /* not ours yet, perhaps later */
    listeners_close(&second);
    listeners_close(&l);
}

/* ---- loop ---- */

struct counter {
    int fd;
    unsigned calls;
};

static void on_ready(void *arg)
{
    struct counter *c = arg;
    uint64_t n;
    c->calls++;
    if (c->fd >= 0) {
        assert_int_equal(read(c->fd, &n, sizeof n), sizeof n);
    }
}

static void loop_calls_what_is_ready_and_due(void **state)
{
    (void)state;
    struct loop *l;
    struct loop_timer soon, later;
    struct counter fd = {.fd = eventfd(1, EFD_NONBLOCK)}, first = {.fd = -1}, second = {.fd = -1};
    assert_int_equal(loop_new(&l), ERR_OK);
    assert_int_equal(loop_watch(l, fd.fd, on_ready, &fd), ERR_OK);
    loop_timer_add(l, &soon, on_ready, &first);
    loop_timer_add(l, &later, on_ready, &second);
    loop_turn(l);
    assert_int_equal(fd.calls, 1);
    usec_t start = sys_now();
    loop_timer_set(&soon, start + 20 * USEC_PER_MSEC);
    loop_timer_set(&later, start + 3600 * USEC_PER_SEC);
    while (first.calls == 0) {
        loop_turn(l);
    }
    assert_true(sys_now() - start >= 20 * USEC_PER_MSEC);
    assert_int_equal(second.calls, 0);
    loop_timer_set(&later, sys_now());
    loop_timer_clear(&later);
    loop_timer_set(&soon, sys_now());
    loop_turn(l); /* the first fires again, once */
    assert_int_equal(first.calls, 2);
    assert_int_equal(second.calls, 0);
    loop_unwatch(l, fd.fd);
    assert_int_equal(loop_watch(l, fd.fd, on_ready, &fd), ERR_OK);
    loop_free(l);
    close(fd.fd);
}

/* ---- filewatch ---- */

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static bool changed(struct filewatch *w)
{
    struct pollfd p = {.fd = filewatch_fd(w), .events = POLLIN};
    return poll(&p, 1, 50) == 1 && filewatch_changed(w);
}

static void filewatch_sees_writing_and_replacing(void **state)
{
    (void)state;
    char dir[] = "/tmp/sinkhole-test-XXXXXX";
    char path[64], other[64];
    struct filewatch *w;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/hosts", dir);
    snprintf(other, sizeof other, "%s/other", dir);
    assert_int_equal(filewatch_new(&w), ERR_OK);
    assert_int_equal(filewatch_add(w, path), ERR_OK); /* it is not there yet */
    assert_false(changed(w));
    write_file(other, "x");
    assert_false(changed(w));
    write_file(path, "x");
    assert_true(changed(w));
    assert_int_equal(rename(other, path), 0);
    assert_true(changed(w));
    assert_int_equal(unlink(path), 0);
    assert_true(changed(w));
    filewatch_clear(w);
    write_file(path, "x");
    assert_false(changed(w));
    assert_int_equal(filewatch_add(w, "/no/such/folder/hosts"), ERR_IO);
    filewatch_free(w);
    unlink(path);
    rmdir(dir);
}

/* ---- logsink ---- */

static void log_lines_have_their_forms(void **state)
{
    (void)state;
    char storage[512];
    struct strbuf out;
    setenv("TZ", "UTC", 1);
    strbuf_init(&out, storage, sizeof storage);
    logsink_text(&out, false, INT64_C(1700000000123456), LOG_AREA_LISTS, LOG_LEVEL_INFO, "hello");
    assert_string_equal(out.text, "2023-11-14 22:13:20 lists: hello\n");
    strbuf_clear(&out);
    logsink_text(&out, true, 0, LOG_AREA_MAIN, LOG_LEVEL_WARNING, "careful");
    assert_string_equal(out.text, "<4>warning: main: careful\n");
    strbuf_clear(&out);
    logsink_json(&out, INT64_C(1700000000123456), LOG_AREA_NET, LOG_LEVEL_ERROR, "a \"b\" \\ \x01");
    assert_string_equal(
        out.text, "{\"time\":\"2023-11-14T22:13:20.123Z\",\"level\":\"error\",\"area\":\"net\","
                  "\"message\":\"a \\\"b\\\" \\\\ \\u0001\"}\n");
}

/* ---- netconf ---- */

static void name_servers_are_read(void **state)
{
    (void)state;
    static const char text[] = "# a comment\n"
                               "search example.net\n"
                               "nameserver 192.0.2.1\n"
                               "  nameserver\t2001:db8::1  \r\n"
                               "nameservers 192.0.2.9\n"
                               "nameserver not-an-address\n"
                               "nameserver fe80::1%lo\n"
                               "nameserver 192.0.2.2 # behind\n"
                               "nameserver";
    struct ip_endpoint e[8];
    char one[IP_TEXT_MAX];
    assert_int_equal(netconf_parse_resolv(span_str(text), e, 8), 4);
    ip_format(&e[0].addr, one);
    assert_string_equal(one, "192.0.2.1");
    assert_int_equal(e[0].port, 53);
    ip_format(&e[1].addr, one);
    assert_string_equal(one, "2001:db8::1");
    assert_int_not_equal(e[2].scope, 0);
    ip_format(&e[3].addr, one);
    assert_string_equal(one, "192.0.2.2");
    assert_int_equal(netconf_parse_resolv(span_str(text), e, 1), 1);
    assert_int_equal(netconf_parse_resolv(span_of(NULL, 0), e, 8), 0);
}

static void own_addresses_are_known(void **state)
{
    (void)state;
    struct ip_addr loopback = ip_v4((const uint8_t[]){127, 0, 0, 53});
    struct ip_addr foreign = ip_v4((const uint8_t[]){192, 0, 2, 1});
    assert_true(netconf_is_own(&loopback));
    assert_false(netconf_is_own(&foreign));
}

static void connected_networks_are_networks(void **state)
{
    (void)state;
    struct ip_prefix p[NETCONF_NETWORKS_MAX];
    uint32_t n = netconf_networks(p, NETCONF_NETWORKS_MAX);
    for (uint32_t i = 0; i < n; i++) {
        assert_true(p[i].bits > 0 && p[i].bits <= 128);
        assert_true(ip_in_prefix(&p[i].addr, &p[i]));
        assert_false(ip_is_loopback(&p[i].addr));
        if (ip_is_v4(&p[i].addr)) {
            assert_true(p[i].bits > 96);
        }
    }
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listeners_take_one_port_for_both_and_all_workers),
        cmocka_unit_test(loop_calls_what_is_ready_and_due),
        cmocka_unit_test(filewatch_sees_writing_and_replacing),
        cmocka_unit_test(log_lines_have_their_forms),
        cmocka_unit_test(name_servers_are_read),
        cmocka_unit_test(own_addresses_are_known),
        cmocka_unit_test(connected_networks_are_networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
