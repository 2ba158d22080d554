/*
 * Mailboxes: order, sizes, what happens when one is full, and four writers at once (run under
 * ThreadSanitizer as well).
 */
#include "host/mailbox.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CELLS 512

static struct mailbox *new_box(void)
{
    struct mailbox *m = NULL;
    assert_int_equal(mailbox_new(&m, CELLS), ERR_OK);
    return m;
}

static bool post(struct mailbox *m, uint32_t ticket, const void *data, size_t len)
{
    struct mail head = {.kind = MAIL_RESPONSE, .ticket = ticket, .len = (uint32_t)len};
    return mailbox_post(m, &head, data);
}

static bool has_signal(const struct mailbox *m)
{
    struct pollfd p = {.fd = mailbox_fd(m), .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static void keeps_order_and_content(void **state)
{
    (void)state;
    struct mailbox *m = new_box();
    static uint8_t out[65535];
    struct mail head;
    for (uint32_t i = 1; i <= 300; i++) {
        uint8_t data[700];
        memset(data, (int)i, sizeof data);
        assert_true(post(m, i, data, i * 2));
        if (i % 3 == 0) {
            for (uint32_t j = i - 2; j <= i; j++) {
                assert_true(mailbox_take(m, &head, out, sizeof out));
                assert_int_equal(head.ticket, j);
                assert_int_equal(head.len, j * 2);
                assert_int_equal(out[0], j & 0xff);
                assert_int_equal(out[head.len - 1], j & 0xff);
            }
        }
    }
    assert_false(mailbox_take(m, &head, out, sizeof out));
    mailbox_free(m);
}

static void carries_the_longest_message_around_the_end(void **state)
{
    (void)state;
    struct mailbox *m = new_box();
    uint8_t *data = malloc(65535);
    uint8_t *out = malloc(65535);
    struct mail head;
    for (size_t i = 0; i < 65535; i++) {
        data[i] = (uint8_t)(i * 7 + i / 251);
    }
    for (uint32_t i = 1; i < 20;
         i++) { /* 257 cells of 512 each time: all alignments with the end come up */
        assert_true(post(m, i, data, 65535));
        assert_true(mailbox_take(m, &head, out, 65535));
        assert_int_equal(head.ticket, i);
        assert_memory_equal(data, out, 65535);
    }
    assert_false(post(m, 1, data, 65536));
    free(data);
    free(out);
    mailbox_free(m);
}

static void refuses_and_counts_when_full(void **state)
{
    (void)state;
    struct mailbox *m = new_box();
    struct mail head;
    uint8_t byte = 1;
    uint32_t taken = 0;
    while (post(m, taken + 1, &byte, 1)) {
        taken++;
    }
    assert_int_equal(taken, CELLS);
    assert_int_equal(mailbox_refused(m), 1);
    assert_true(mailbox_take(m, &head, &byte, 1));
    assert_true(post(m, 9999, &byte, 1));
    assert_false(post(m, 10000, &byte, 1));
    for (uint32_t i = 2; i <= CELLS; i++) {
        assert_true(mailbox_take(m, &head, &byte, 1));
        assert_int_equal(head.ticket, i);
    }
    assert_true(mailbox_take(m, &head, &byte, 1));
    assert_int_equal(head.ticket, 9999);
    mailbox_free(m);
}

static void drops_what_the_reader_has_no_room_for(void **state)
{
    (void)state;
    struct mailbox *m = new_box();
    uint8_t data[300] = {0};
    struct mail head;
    assert_true(post(m, 1, data, 300));
    assert_true(post(m, 2, data, 10));
    assert_true(mailbox_take(m, &head, data, 100));
    assert_int_equal(head.ticket, 2);
    assert_int_equal(mailbox_refused(m), 1);
    mailbox_free(m);
}

static void wakes_only_a_sleeper(void **state)
{
    (void)state;
    struct mailbox *m = new_box();
    struct mail head;
    uint8_t byte = 0;
    assert_true(post(m, 1, &byte, 1));
    mailbox_wake(m);
    assert_false(has_signal(m));
    assert_false(mailbox_doze(m)); /* there is mail */
    assert_true(mailbox_take(m, &head, &byte, 1));
    assert_true(mailbox_doze(m));
    assert_true(post(m, 2, &byte, 1));
    mailbox_wake(m);
    assert_true(has_signal(m));
    mailbox_rise(m);
    mailbox_clear(m);
    assert_false(has_signal(m));
    mailbox_interrupt(m);
    assert_true(has_signal(m));
    mailbox_free(m);
}

/* Four writers, one reader that sleeps when it can: every message arrives once, each writer's in
 * order. */
#define WRITERS 4
#define EACH    20000

struct writer {
    struct mailbox *box;
    uint32_t number;
};

static void *write_many(void *arg)
{
    struct writer *w = arg;
    uint8_t data[600];
    for (uint32_t i = 1; i <= EACH; i++) {
        size_t len = 4 + (i * 37 + w->number * 11) % 590;
        memset(data, (int)(i & 0xff), sizeof data);
        memcpy(data, &i, 4);
        while (!post(w->box, w->number, data, len)) {
            sched_yield();
        }
        mailbox_wake(w->box);
    }
    return NULL;
}

static void serves_several_writers(void **state)
{
    (void)state;
    struct mailbox *m = new_box();
    pthread_t thread[WRITERS];
    struct writer writer[WRITERS];
    uint32_t last[WRITERS] = {0};
    for (uint32_t i = 0; i < WRITERS; i++) {
        writer[i] = (struct writer){.box = m, .number = i};
        assert_int_equal(pthread_create(&thread[i], NULL, write_many, &writer[i]), 0);
    }
    uint32_t done = 0;
    while (done < WRITERS * EACH) {
        struct mail head;
        uint8_t data[1024];
        if (mailbox_doze(m)) {
            struct pollfd p = {.fd = mailbox_fd(m), .events = POLLIN};
            if (poll(&p, 1, 5000) == 0) {
                fail_msg("the reader was not woken");
            }
            mailbox_clear(m);
        }
        mailbox_rise(m);
        while (mailbox_take(m, &head, data, sizeof data)) {
            uint32_t i;
            memcpy(&i, data, 4);
            assert_int_equal(i, last[head.ticket] + 1);
            assert_int_equal(head.len, 4 + (i * 37 + head.ticket * 11) % 590);
            assert_true(head.len == 4 || data[head.len - 1] == (i & 0xff));
            last[head.ticket] = i;
            done++;
        }
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        pthread_join(thread[i], NULL);
    }
    mailbox_free(m);
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_order_and_content),
        cmocka_unit_test(carries_the_longest_message_around_the_end),
        cmocka_unit_test(refuses_and_counts_when_full),
        cmocka_unit_test(drops_what_the_reader_has_no_room_for),
        cmocka_unit_test(wakes_only_a_sleeper),
        cmocka_unit_test(serves_several_writers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
