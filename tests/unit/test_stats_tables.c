/* Series of slots, the log's ring, the table of clients, the hash index. */
#include <stdlib.h>

#include "octets.h"
#include "stats/clients.h"
#include "stats/qlog.h"
#include "stats/series.h"
#include "unit.h"

static uint8_t *mem;
static struct arena arena;

static int open_arena(void **state)
{
    (void)state;
    mem = malloc(1 << 20);
    arena_init(&arena, mem, 1 << 20);
    return mem ? 0 : -1;
}

static int close_arena(void **state)
{
    (void)state;
    free(mem);
    return 0;
}

/* --- series ---------------------------------------------------------------------------------- */

static void slots_are_aligned_and_ordered(void **state)
{
    (void)state;
    struct series s;
    assert_true(series_init(&s, &arena, 600, 4, 6001));
    assert_int_equal(series_start(&s, 0), 6000);
    series_current(&s)->status[0] = 1;
    series_advance(&s, 6599);
    assert_int_equal(series_start(&s, 0), 6000);
    series_advance(&s, 6600);
    assert_int_equal(series_start(&s, 0), 6600);
    assert_int_equal(series_start(&s, 3), 4800);
    assert_int_equal(series_at(&s, 0)->status[0], 0);
    assert_int_equal(series_at(&s, 1)->status[0], 1);
}

static void slots_that_were_missed_are_empty(void **state)
{
    (void)state;
    struct series s;
    assert_true(series_init(&s, &arena, 10, 4, 0));
    series_current(&s)->status[0] = 1;
    series_advance(&s, 30);
    assert_int_equal(series_at(&s, 3)->status[0], 1);
    assert_int_equal(series_at(&s, 2)->status[0] + series_at(&s, 1)->status[0], 0);
    series_advance(&s, 40);
    for (uint32_t ago = 0; ago < 4; ago++) {
        assert_int_equal(series_at(&s, ago)->status[0], 0);
    }
    series_current(&s)->status[0] = 7;
    series_advance(&s, INT64_MAX / 2);
    for (uint32_t ago = 0; ago < 4; ago++) {
        assert_int_equal(series_at(&s, ago)->status[0], 0);
    }
}

static void earlier_times_change_nothing(void **state)
{
    (void)state;
    struct series s;
    assert_true(series_init(&s, &arena, 10, 4, 1000));
    series_current(&s)->type[TYPE_A] = 3;
    series_advance(&s, 500);
    series_advance(&s, -500);
    assert_int_equal(series_start(&s, 0), 1000);
    assert_int_equal(series_current(&s)->type[TYPE_A], 3);
}

static void a_clock_step_moves_what_was_recorded(void **state)
{
    (void)state;
    static const struct {
        int64_t step, start;
    } rows[] = {
        {600, 6600},  {-600, 5400}, {299, 6000},      {300, 6600},
        {-300, 6000}, {-301, 5400}, {172800, 178800},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct series s;
        arena_reset(&arena);
        assert_true(series_init(&s, &arena, 600, 4, 6000));
        series_current(&s)->reply[REPLY_IP] = 9;
        series_redate(&s, rows[i].step);
        assert_int_equal(series_start(&s, 0), rows[i].start);
        assert_int_equal(series_current(&s)->reply[REPLY_IP], 9);
    }
}

static void slots_before_1970_are_aligned(void **state)
{
    (void)state;
    struct series s;
    assert_true(series_init(&s, &arena, 600, 4, -1));
    assert_int_equal(series_start(&s, 0), -600);
}

/* --- log ------------------------------------------------------------------------------------- */

union record_room {
    struct ring_record head;
    uint8_t octets[RING_RECORD_MAX];
};

static void append(struct qlog *q, uint64_t time, uint8_t name_len)
{
    static union record_room r;
    r.head = (struct ring_record){.time = time, .qname_len = name_len};
    r.head.size = (uint16_t)((sizeof r.head + name_len + 7) & ~7U);
    memset(r.octets + sizeof r.head, (int)(time & 0xff), name_len);
    assert_int_equal(qlog_append(q, &r.head)->time, time);
}

static void assert_intact(const struct qlog *q, uint64_t id)
{
    const struct ring_record *rec = qlog_at(q, id);
    assert_non_null(rec);
    assert_int_equal(rec->time, id);
    const uint8_t *name = (const uint8_t *)(rec + 1);
    for (uint8_t i = 0; i < rec->qname_len; i++) {
        assert_int_equal(name[i], id & 0xff);
    }
}

static void log_keeps_the_last_entries(void **state)
{
    (void)state;
    struct qlog q;
    assert_true(qlog_init(&q, &arena, 16));
    assert_null(qlog_at(&q, 0));
    assert_null(qlog_at(&q, 1));
    for (uint64_t id = 1; id <= 40; id++) {
        append(&q, id, 20);
    }
    assert_int_equal(q.first, 25);
    assert_int_equal(q.next, 41);
    assert_null(qlog_at(&q, 24));
    assert_null(qlog_at(&q, 41));
    for (uint64_t id = 25; id <= 40; id++) {
        assert_intact(&q, id);
    }
}

static void long_names_push_out_more(void **state)
{
    (void)state;
    struct qlog q;
    struct test_random random = {.state = 3};
    assert_true(qlog_init(&q, &arena, 16));
    for (uint64_t id = 1; id <= 5000; id++) {
        append(&q, id, (uint8_t)test_random_below(&random, 256));
        assert_true(q.head - q.tail <= q.cap);
        assert_true(q.next - q.first <= 16 && (id < 4 || q.next - q.first >= 4));
        for (uint64_t kept = q.first; kept < q.next; kept++) {
            assert_intact(&q, kept);
        }
    }
}

/* --- clients --------------------------------------------------------------------------------- */

static struct ip_addr ip(uint8_t last)
{
    const uint8_t octets[4] = {192, 0, 2, last};
    return ip_v4(octets);
}

static void ask(struct clients *c, uint8_t last, int64_t time, bool blocked)
{
    struct ip_addr a = ip(last);
    clients_add(c, &a, time, blocked);
}

static const struct client *find(const struct clients *c, uint8_t last)
{
    struct ip_addr a = ip(last);
    return clients_find(c, &a);
}

static void clients_are_counted(void **state)
{
    (void)state;
    struct clients c;
    assert_true(clients_init(&c, &arena, 4, (struct siphash_key){1, 2}));
    ask(&c, 1, 10, false);
    ask(&c, 1, 20, true);
    ask(&c, 2, 30, false);
    assert_int_equal(c.count, 2);
    assert_int_equal(find(&c, 1)->total, 2);
    assert_int_equal(find(&c, 1)->blocked, 1);
    assert_int_equal(find(&c, 1)->first_seen, 10);
    assert_int_equal(find(&c, 1)->last_seen, 20);
    assert_null(find(&c, 3));
}

static void the_one_not_heard_of_longest_goes(void **state)
{
    (void)state;
    struct clients c;
    assert_true(clients_init(&c, &arena, 4, (struct siphash_key){1, 2}));
    for (uint8_t i = 1; i <= 4; i++) {
        ask(&c, i, i, false);
    }
    ask(&c, 1, 5, false); /* 2 is the oldest now */
    ask(&c, 5, 6, false);
    assert_null(find(&c, 2));
    assert_non_null(find(&c, 1));
    ask(&c, 6, 7, false);
    assert_null(find(&c, 3));
    assert_int_equal(c.count, 4);
    assert_int_equal(c.replaced, 2);
    assert_int_equal(find(&c, 6)->total, 1);
}

static void clients_counts_leave_after_a_day(void **state)
{
    (void)state;
    struct clients c;
    assert_true(clients_init(&c, &arena, 4, (struct siphash_key){1, 2}));
    ask(&c, 1, 1, true);
    clients_next_slot(&c, 1);
    ask(&c, 1, 2, false);
    assert_int_equal(find(&c, 1)->slot_total[clients_slot_at(&c, 1)], 1);
    clients_next_slot(&c, CLIENTS_SLOTS - 2);
    assert_int_equal(find(&c, 1)->total, 2);
    clients_next_slot(&c, 1);
    assert_int_equal(find(&c, 1)->total, 1);
    assert_int_equal(find(&c, 1)->blocked, 0);
    clients_next_slot(&c, 1);
    assert_int_equal(find(&c, 1)->total, 0);
    ask(&c, 1, 3, true);
    clients_next_slot(&c, UINT32_MAX);
    assert_int_equal(find(&c, 1)->total, 0);
    assert_int_equal(find(&c, 1)->blocked, 0);
}

static void table_survives_a_crowd(void **state)
{
    (void)state;
    struct clients c;
    struct test_random random = {.state = 4};
    assert_true(clients_init(&c, &arena, 8, (struct siphash_key){1, 2}));
    for (int64_t t = 0; t < 20000; t++) {
        ask(&c, (uint8_t)test_random_below(&random, 40), t, false);
        uint32_t chained = 0;
        for (uint32_t e = c.newest; e != INDEX_NONE; e = c.row[e].older) {
            assert_true(c.row[e].older == INDEX_NONE ||
                        c.row[c.row[e].older].last_seen <= c.row[e].last_seen);
            assert_ptr_equal(clients_find(&c, &c.row[e].addr), &c.row[e]);
            chained++;
        }
        assert_int_equal(chained, c.count);
    }
}

/* --- index: against a plain array, with tags that collide on purpose ------------------------- */

static bool index_has(const struct index *ix, uint64_t hash, uint32_t entry)
{
    uint32_t e;
    for (uint32_t at = index_first(ix, hash); (e = index_next(ix, hash, &at)) != INDEX_NONE;) {
        if (e == entry) {
            return true;
        }
    }
    return false;
}

static void index_agrees_with_an_array(void **state)
{
    (void)state;
    enum { N = 64 };
    struct index ix;
    bool in[N] = {false};
    struct test_random random = {.state = 5};
    assert_true(index_init(&ix, &arena, N));
    for (int i = 0; i < 20000; i++) {
        uint32_t e = test_random_below(&random, N);
        uint64_t hash = e % 9 + (e % 2 ? ix.mask : 0);
        if (in[e]) {
            index_remove(&ix, hash, e);
        } else {
            index_insert(&ix, hash, e);
        }
        in[e] = !in[e];
        for (uint32_t k = 0; k < N; k++) {
            assert_int_equal(index_has(&ix, k % 9 + (k % 2 ? ix.mask : 0), k), in[k]);
        }
    }
}

static void index_has_twice_the_room(void **state)
{
    (void)state;
    assert_int_equal(index_slots(1), 16);
    assert_int_equal(index_slots(8), 16);
    assert_int_equal(index_slots(9), 32);
    assert_int_equal(index_slots(4096), 8192);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_arena, close_arena)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(slots_are_aligned_and_ordered),
        TEST(slots_that_were_missed_are_empty),
        TEST(earlier_times_change_nothing),
        TEST(a_clock_step_moves_what_was_recorded),
        TEST(slots_before_1970_are_aligned),
        TEST(log_keeps_the_last_entries),
        TEST(long_names_push_out_more),
        TEST(clients_are_counted),
        TEST(the_one_not_heard_of_longest_goes),
        TEST(clients_counts_leave_after_a_day),
        TEST(table_survives_a_crowd),
        TEST(index_agrees_with_an_array),
        TEST(index_has_twice_the_room),
    };
    return UNIT_RUN(tests);
}
