/* The query history: what goes into the file comes out of it, stays within its bounds, and nobody
 * waits for it. Threads and their hand-over run under TSan as well. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "host/history.h"
#include "host/history_dict.h"
#include "host/history_sqlite.h"
#include "stats_fixture.h"
#include "tempdir.h"
#include "unit.h"

struct fixture {
    char dir[TEMPDIR_MAX];
    char path[TEMPDIR_MAX + 16];
    struct history_db *db;
    uint64_t id; /* of the last row */
};

static int open_fixture(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    char why[HISTORY_WHY];
    tempdir_make(f->dir);
    snprintf(f->path, sizeof f->path, "%s/history.db", f->dir);
    *state = f;
    return history_db_open(f->path, HISTORY_WRITE, &f->db, why) == ERR_OK ? 0 : -1;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;
    history_db_close(f->db);
    tempdir_remove(f->dir);
    free(f);
    return 0;
}

/* `count` rows of a minute each; names are PREFIX0.example and so on, repeating after `names`. */
static void add_rows(struct fixture *f, const char *prefix, uint32_t count, uint32_t names,
                     int64_t from_unix)
{
    struct history_batch *b = calloc(1, sizeof *b + count * 400);
    snprintf(b->upstream[3], sizeof b->upstream[3], "9.9.9.9#53");
    for (uint32_t i = 0; i < count; i++) {
        char text[80];
        snprintf(text, sizeof text, "%s%u.example", prefix, i % names);
        struct dns_name name = name_of(text);
        bool blocked = i % 4 == 0;
        struct history_item *item = (struct history_item *)(void *)(b->data + b->len);
        *item = (struct history_item){.id = ++f->id,
                                      .unix_us = (from_unix + 60 * (int64_t)i) * 1000000,
                                      .latency_us = 1000 + i,
                                      .list_id = blocked ? 77 : 0,
                                      .client = ip_of(i % 3 ? "192.0.2.1" : "2001:db8::1"),
                                      .qtype = i % 2 ? 1 : 28,
                                      .upstream = blocked ? -1 : 3,
                                      .status = blocked ? QUERY_BLOCKED_LIST : QUERY_FORWARDED,
                                      .reply = REPLY_IP,
                                      .ede = blocked ? 15 : -1,
                                      .qname_len = name.len};
        memcpy(item + 1, name.wire, name.len);
        item->size = (uint16_t)((sizeof *item + name.len + 7) & ~7u);
        b->len += item->size;
        b->count++;
    }
    assert_int_equal(history_db_write(f->db, b), ERR_OK);
    free(b);
}

static struct history_ask ask_all(enum history_what what)
{
    return (struct history_ask){.what = what,
                                .until_us = INT64_MAX,
                                .count = 10,
                                .slot_s = 600,
                                .time_us = 60 * USEC_PER_SEC,
                                .statuses = UINT32_MAX,
                                .replies = UINT32_MAX,
                                .client_count = UINT32_MAX};
}

/* All of it at once; pages are thrown away but for the last. */
static struct history_scan *scan(struct fixture *f, const struct history_ask *ask, uint32_t *rows)
{
    atomic_bool stop = false;
    enum history_state state = HISTORY_WORKING;
    struct history_scan *s = history_scan_new(ask);
    assert_non_null(s);
    *rows = 0;
    while (state != HISTORY_DONE) {
        history_scan_result(s)->rows = 0;
        do {
            assert_int_equal(history_scan_step(s, f->db, &stop, &state), ERR_OK);
        } while (state == HISTORY_WORKING);
        *rows += history_scan_result(s)->rows;
    }
    return s;
}

static uint32_t count_rows(struct fixture *f, const struct history_ask *ask)
{
    uint32_t rows;
    history_scan_free(scan(f, ask, &rows));
    return rows;
}

#define DAY INT64_C(86400)
#define T0  (FIXTURE_UNIX_S + 1000 * DAY)

static void rows_come_back_as_they_were(void **state)
{
    struct fixture *f = *state;
    uint32_t rows;
    add_rows(f, "n", 300, 300, T0);
    struct history_ask ask = ask_all(HISTORY_ROWS);
    ask.before = 300;
    struct history_scan *s = scan(f, &ask, &rows);
    assert_int_equal(rows, 299);
    /* The last page ends with the oldest one. */
    const struct history_result *r = history_scan_result(s);
    const struct history_row *row = &r->row[r->rows - 1];
    struct dns_name name = name_of("n0.example");
    assert_int_equal(row->entry.id, 1);
    assert_true(row->entry.unix_us == T0 * 1000000);
    assert_int_equal(row->entry.latency_us, 1000);
    assert_int_equal(row->entry.list_id, 77);
    assert_int_equal(row->entry.qtype, 28);
    assert_int_equal(row->entry.status, QUERY_BLOCKED_LIST);
    assert_int_equal(row->entry.reply, REPLY_IP);
    assert_int_equal(row->entry.ede, 15);
    assert_true(span_equal(row->entry.qname, span_of(name.wire, name.len)));
    assert_int_equal(row->entry.cname.len, 0);
    struct ip_addr client = ip_of("2001:db8::1");
    assert_true(ip_equal(&row->entry.client, &client));
    assert_string_equal(row->upstream, "");
    assert_string_equal(r->row[r->rows - 2].upstream, "9.9.9.9#53");
    history_scan_free(s);
}

static void conditions_narrow_rows(void **state)
{
    struct fixture *f = *state;
    add_rows(f, "n", 240, 12, T0);
    static const struct {
        const char *domain, *client_ip, *upstream, *type;
        uint32_t statuses;
        int64_t from, until; /* minutes */
        uint32_t expected;
    } rows[] = {
        {"", "", "", "", UINT32_MAX, 0, 0, 240},
        {"n3.example", "", "", "", UINT32_MAX, 0, 0, 20},
        {"N*.EXAMPLE", "", "", "", UINT32_MAX, 0, 0, 240},
        {"*3.example", "", "", "", UINT32_MAX, 0, 0, 20},
        {"nobody.example", "", "", "", UINT32_MAX, 0, 0, 0},
        {"", "2001:db8::*", "", "", UINT32_MAX, 0, 0, 80},
        {"", "198.51.100.1", "", "", UINT32_MAX, 0, 0, 0},
        {"", "", "9.9.9.9#53", "", UINT32_MAX, 0, 0, 180},
        {"", "", "", "AAAA", UINT32_MAX, 0, 0, 120},
        {"", "", "", "", 1u << QUERY_BLOCKED_LIST, 0, 0, 60},
        {"", "", "", "", 1u << QUERY_CACHED, 0, 0, 0},
        {"", "", "", "", UINT32_MAX, 100, 0, 140},
        {"", "", "", "", UINT32_MAX, 100, 101, 1},
        {"", "", "", "", UINT32_MAX, 0, 33, 33},
        {"n3.example", "192.0.2.1", "", "", UINT32_MAX, 0, 0, 0}, /* 3, 15, 27: all of the other */
        {"n4.example", "192.0.2.1", "", "AAAA", UINT32_MAX, 0, 0, 20},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct history_ask ask = ask_all(HISTORY_ROWS);
        snprintf(ask.domain, sizeof ask.domain, "%s", rows[i].domain);
        snprintf(ask.client_ip, sizeof ask.client_ip, "%s", rows[i].client_ip);
        snprintf(ask.upstream, sizeof ask.upstream, "%s", rows[i].upstream);
        snprintf(ask.type, sizeof ask.type, "%s", rows[i].type);
        ask.statuses = rows[i].statuses;
        ask.from_us = (T0 + 60 * rows[i].from) * 1000000;
        ask.until_us = rows[i].until ? (T0 + 60 * rows[i].until) * 1000000 : INT64_MAX;
        uint32_t found = count_rows(f, &ask);
        if (found != rows[i].expected) {
            fail_msg("row %zu: found %u, expected %u", i, found, rows[i].expected);
        }
    }
    struct history_ask ask = ask_all(HISTORY_ROWS);
    ask.client_count = 1;
    ask.client[0] = ip_of("192.0.2.1");
    assert_int_equal(count_rows(f, &ask), 160);
    ask.client_count = 0;
    assert_int_equal(count_rows(f, &ask), 0);
}

static void sums_add_up(void **state)
{
    struct fixture *f = *state;
    uint32_t rows;
    add_rows(f, "n", 120, 12, T0); /* two hours, of which 30 are blocked */
    add_rows(f, "n", 40, 1, T0 + 120 * 60);
    struct history_ask ask = ask_all(HISTORY_CLIENT_LINES);
    struct history_scan *s = scan(f, &ask, &rows);
    const struct history_result *r = history_scan_result(s);
    assert_int_equal(r->totals.total, 160);
    assert_int_equal(r->totals.outcome[OUTCOME_BLOCKED], 40);
    assert_int_equal(r->totals.type[TYPE_A], 80);
    assert_int_equal(r->upstreams, 1);
    assert_int_equal(r->upstream[0].count, 120);
    assert_int_equal(r->clients_seen, 2);
    assert_int_equal(r->slots, 16);
    assert_int_equal(r->slot[0].total, 10);
    struct ip_addr often = ip_of("192.0.2.1");
    assert_true(ip_equal(&r->client[0].addr, &often));
    assert_int_equal(r->client[0].total + r->client[1].total, 160);
    assert_int_equal(r->client[0].blocked + r->client[1].blocked, 40);
    uint64_t lines = 0;
    for (uint32_t i = 0; i < r->slots; i++) {
        assert_int_equal(r->line[i * HISTORY_LINES_MAX] + r->line[i * HISTORY_LINES_MAX + 1],
                         r->slot[i].total);
        lines += r->line[i * HISTORY_LINES_MAX];
    }
    assert_int_equal(lines, r->client[0].total);
    history_scan_free(s);

    ask = ask_all(HISTORY_NAMES);
    ask.count = 2;
    s = scan(f, &ask, &rows);
    r = history_scan_result(s);
    struct dns_name first = name_of("n0.example");
    assert_int_equal(r->names, 2);
    assert_true(dns_name_equal(&r->name[0].name, &first));
    assert_int_equal(r->name[0].count, 30); /* the 40 of the second batch less the blocked ones */
    history_scan_free(s);

    /* Slots that begin within the span, no others. */
    ask = ask_all(HISTORY_TIMELINE);
    ask.from_us = (T0 + 1) * 1000000;
    ask.until_us = (T0 + 3600) * 1000000;
    s = scan(f, &ask, &rows);
    assert_int_equal(history_scan_result(s)->totals.total, 50);
    history_scan_free(s);
}

static uint64_t rows_left(struct fixture *f)
{
    struct history_extent x;
    assert_int_equal(history_db_extent(f->db, &x), ERR_OK);
    return x.last_id ? x.last_id - x.first_id + 1 : 0;
}

static void trim_all(struct fixture *f, int64_t oldest, int64_t now, uint64_t octets)
{
    bool more = true;
    for (int i = 0; more; i++) {
        assert_true(i < 10000);
        assert_int_equal(history_db_trim(f->db, oldest, now, octets, &more), ERR_OK);
    }
}

static void old_rows_go(void **state)
{
    struct fixture *f = *state;
    struct history_ask ask = ask_all(HISTORY_TOTALS);
    uint32_t rows;
    atomic_bool stop = false;
    for (int day = 0; day < 5; day++) {
        char prefix[16];
        snprintf(prefix, sizeof prefix, "d%d-", day);
        add_rows(f, prefix, 100, 100, T0 + day * DAY);
    }
    trim_all(f, T0 - DAY, T0 + 5 * DAY, UINT64_MAX);
    assert_int_equal(rows_left(f), 500);
    trim_all(f, T0 + 2 * DAY, T0 + 5 * DAY, UINT64_MAX);
    assert_int_equal(rows_left(f), 300);
    struct history_scan *s = scan(f, &ask, &rows);
    assert_int_equal(history_scan_result(s)->totals.total, 300); /* sums go with the rows */
    history_scan_free(s);
    /* Names that nothing has any more go; the others stay, and are not made twice. */
    assert_int_equal(history_db_sweep(f->db, &stop), ERR_OK);
    add_rows(f, "d4-", 100, 100, T0 + 6 * DAY);
    ask = ask_all(HISTORY_ROWS);
    snprintf(ask.domain, sizeof ask.domain, "d4-7.example");
    assert_int_equal(count_rows(f, &ask), 2);
    snprintf(ask.domain, sizeof ask.domain, "d0-*");
    assert_int_equal(count_rows(f, &ask), 0);
    trim_all(f, T0 + 100 * DAY, T0 + 100 * DAY, UINT64_MAX);
    assert_int_equal(rows_left(f), 0);
    add_rows(f, "again", 10, 10, T0 + 100 * DAY);
    assert_int_equal(rows_left(f), 10);
}

static void the_file_stays_within_its_size(void **state)
{
    struct fixture *f = *state;
    const uint64_t most = 1 << 20;
    struct history_extent x;
    for (int day = 0; day < 60; day++) {
        add_rows(f, "a-name-of-some-length-", 1440, 700, T0 + day * DAY);
        trim_all(f, 0, T0 + day * DAY + DAY, most);
        assert_int_equal(history_db_extent(f->db, &x), ERR_OK);
        assert_true(x.octets <= most);
    }
    assert_int_equal(x.last_id, f->id); /* the newest are there */
    assert_true(x.first_id > 1);        /* the oldest are not */
    assert_true(f->id - x.first_id > 15000);
    struct stat st;
    history_db_close(f->db);
    f->db = NULL;
    assert_int_equal(stat(f->path, &st), 0);
    assert_true((uint64_t)st.st_size < 8 * most); /* with pages that wait for new rows */
}

static void rows_of_a_wrong_clock_go(void **state)
{
    struct fixture *f = *state;
    struct history_ask ask = ask_all(HISTORY_ROWS);
    add_rows(f, "right", 10, 10, T0);
    add_rows(f, "future", 10, 10, T0 + 4000 * DAY);
    add_rows(f, "past", 10, 10, 60);
    add_rows(f, "right", 10, 10, T0 + 3600);
    trim_all(f, 0, T0 + 2 * 3600, UINT64_MAX);
    assert_int_equal(count_rows(f, &ask), 30);
    snprintf(ask.domain, sizeof ask.domain, "future*");
    assert_int_equal(count_rows(f, &ask), 0);
    snprintf(ask.domain, sizeof ask.domain, "past*");
    assert_int_equal(count_rows(f, &ask), 10);
}

static void a_reader_sees_whole_batches(void **state)
{
    struct fixture *f = *state;
    char why[HISTORY_WHY];
    struct history_db *reader = NULL;
    add_rows(f, "n", 100, 100, T0);
    assert_int_equal(history_db_open(f->path, HISTORY_READ, &reader, why), ERR_OK);
    struct history_db *writer = f->db;
    struct history_ask ask = ask_all(HISTORY_ROWS);
    f->db = reader;
    assert_int_equal(count_rows(f, &ask), 100);
    f->db = writer;
    add_rows(f, "m", 100, 100, T0 + DAY);
    f->db = reader;
    assert_int_equal(count_rows(f, &ask), 200);
    f->db = writer;
    history_db_close(reader);
}

static void a_question_can_be_stopped(void **state)
{
    struct fixture *f = *state;
    atomic_bool stop = true;
    enum history_state now;
    add_rows(f, "n", 20000, 20000, T0);
    struct history_ask ask = ask_all(HISTORY_NAMES);
    struct history_scan *s = history_scan_new(&ask);
    assert_int_equal(history_scan_step(s, f->db, &stop, &now), ERR_TIMEOUT);
    assert_int_equal(now, HISTORY_DONE);
    assert_true(history_scan_result(s)->partial);
    history_scan_free(s);
    /* Time that is used up ends it as well, with what was found. */
    ask.time_us = 0;
    stop = false;
    s = history_scan_new(&ask);
    do {
        assert_int_equal(history_scan_step(s, f->db, &stop, &now), ERR_OK);
    } while (now == HISTORY_WORKING);
    history_scan_free(s);
}

static void strange_names_survive(void **state)
{
    struct fixture *f = *state;
    uint32_t rows;
    static const char *const texts[] = {"\\000\\255.example", "a\\.b.example",
                                        "'; DROP TABLE query;--.x", "."};
    struct history_batch *b = calloc(1, sizeof *b + 4096);
    for (size_t i = 0; i < 4; i++) {
        struct dns_name name;
        struct history_item *item = (struct history_item *)(void *)(b->data + b->len);
        if (dns_name_parse(span_str(texts[i]), &name) != ERR_OK) {
            name = name_of("blank.example"); /* a blank has to be written as \032 there */
        }
        *item = (struct history_item){.id = i + 1,
                                      .unix_us = T0 * 1000000,
                                      .upstream = -1,
                                      .qname_len = name.len,
                                      .size = (uint16_t)((sizeof *item + name.len + 7) & ~7u)};
        memcpy(item + 1, name.wire, name.len);
        b->len += item->size;
        b->count++;
    }
    assert_int_equal(history_db_write(f->db, b), ERR_OK);
    struct history_ask ask = ask_all(HISTORY_ROWS);
    struct history_scan *s = scan(f, &ask, &rows);
    assert_int_equal(rows, 4);
    struct dns_name first;
    assert_int_equal(dns_name_parse(span_str(texts[0]), &first), ERR_OK);
    assert_true(
        span_equal(history_scan_result(s)->row[3].entry.qname, span_of(first.wire, first.len)));
    history_scan_free(s);
    free(b);
}

static bool ends_with_7(void *ctx, const struct dns_name *name)
{
    (*(uint32_t *)ctx)++;
    return name->wire[name->wire[0]] == '7';
}

static uint64_t matched;
static void add_match(void *ctx, const struct dns_name *name, const struct ip_addr *client,
                      uint64_t count)
{
    (void)ctx;
    (void)client;
    assert_true(name->wire[name->wire[0]] == '7');
    matched += count;
}

static void names_are_matched_once_each(void **state)
{
    struct fixture *f = *state;
    atomic_bool stop = false;
    uint32_t asked = 0;
    matched = 0;
    add_rows(f, "old", 100, 10, T0 - DAY);
    add_rows(f, "n", 1000, 10, T0);
    struct history_match m = {
        .from_us = T0 * 1000000, .hit = ends_with_7, .found = add_match, .ctx = &asked};
    assert_int_equal(history_db_match(f->db, &m, &stop), ERR_OK);
    assert_int_equal(m.queries, 750); /* three of four are not blocked */
    assert_int_equal(asked, 10);
    assert_int_equal(matched, 100); /* 7, 17, …: odd ones, never blocked */
    stop = true;
    assert_int_equal(history_db_match(f->db, &m, &stop), ERR_TIMEOUT);
}

static void numbers_are_found_again(void **state)
{
    (void)state;
    struct history_dict d = {0};
    assert_int_equal(history_dict_find(&d, 5), 0);
    for (uint64_t i = 0; i < 10000; i++) {
        history_dict_add(&d, i * UINT64_C(0x9e3779b97f4a7c15), i + 1);
    }
    for (uint64_t i = 0; i < 10000; i++) {
        assert_int_equal(history_dict_find(&d, i * UINT64_C(0x9e3779b97f4a7c15)), i + 1);
    }
    assert_int_equal(history_dict_find(&d, 12345), 0);
    /* When it is full it begins anew instead of growing. */
    for (uint64_t i = 0; i <= HISTORY_DICT_MAX; i++) {
        history_dict_add(&d, (i + 20000) * UINT64_C(0x9e3779b97f4a7c15), i + 1);
        assert_true(d.count <= HISTORY_DICT_MAX);
    }
    history_dict_clear(&d);
    assert_int_equal(history_dict_find(&d, 5), 0);
}

/* --- with threads ----------------------------------------------------------------------------- */

static _Atomic uint32_t woken;

static void wake(void *arg)
{
    (void)arg;
    atomic_fetch_add(&woken, 1);
}

struct running {
    char dir[TEMPDIR_MAX];
    struct stats_fixture stats;
    struct history *h;
};

static void start(struct running *r)
{
    struct history_config cfg = {.dir = r->dir,
                                 .keep_s = 90 * DAY,
                                 .octets_max = 64 << 20,
                                 .interval = 3600 * USEC_PER_SEC,
                                 .wake = wake};
    assert_int_equal(history_open(&r->h, &cfg), ERR_OK);
}

static int open_running(void **state)
{
    struct running *r = calloc(1, sizeof *r);
    log_set_level_all(LOG_LEVEL_ERROR);
    tempdir_make(r->dir);
    stats_fixture_open(&r->stats);
    start(r);
    *state = r;
    return 0;
}

static int close_running(void **state)
{
    struct running *r = *state;
    history_close(r->h);
    stats_fixture_close(&r->stats);
    tempdir_remove(r->dir);
    free(r);
    return 0;
}

static void ask_some(struct running *r, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        stats_fixture_query(&r->stats, "name.example", "192.0.2.1", QUERY_FORWARDED);
    }
    (void)stats_fixture_collect(&r->stats);
}

static void wait_written(struct running *r, uint64_t rows)
{
    struct history_status s = {0};
    for (int i = 0; i < 20000 && s.written_rows < rows; i++) {
        usleep(1000);
        history_get_status(r->h, &s);
    }
    assert_int_equal(s.written_rows, rows);
}

static const struct history_result *wait_job(void *job, enum history_state *state)
{
    const struct history_result *out = NULL;
    for (int i = 0; i < 20000; i++) {
        *state = history_job_poll(job, &out);
        if (*state != HISTORY_WORKING) {
            return out;
        }
        usleep(1000);
    }
    fail_msg("the job does not end");
    return NULL;
}

/* The call comes after the state has changed: who looks at that may be a moment earlier. */
static void wait_woken(void)
{
    for (int i = 0; i < 20000 && atomic_load(&woken) == 0; i++) {
        usleep(1000);
    }
    assert_true(atomic_load(&woken) > 0);
}

static void what_is_handed_over_can_be_asked(void **state)
{
    struct running *r = *state;
    enum history_state now;
    uint64_t total = 0;
    ask_some(r, 200);
    history_take(r->h, r->stats.stats, r->stats.now, false);
    struct history_status s;
    history_get_status(r->h, &s);
    assert_int_equal(s.written_rows, 0); /* it is not time yet */
    history_finish(r->h, r->stats.stats);
    wait_written(r, 200);
    struct history_ask ask = ask_all(HISTORY_ROWS);
    void *job = history_job_open(r->h, &ask);
    assert_non_null(job);
    do {
        const struct history_result *out = wait_job(job, &now);
        total += out->rows;
        if (now == HISTORY_PAGE_READY) {
            history_job_next(job);
        }
    } while (now != HISTORY_DONE);
    history_job_close(job);
    assert_int_equal(total, 200);
    wait_woken();
    /* After a restart ids go on where they were. */
    history_close(r->h);
    start(r);
    assert_int_equal(history_next_id(r->h), 201);
}

static void jobs_are_bounded_and_can_be_dropped(void **state)
{
    struct running *r = *state;
    void *job[HISTORY_JOBS_MAX];
    ask_some(r, 200);
    history_finish(r->h, r->stats.stats);
    wait_written(r, 200);
    for (int round = 0; round < 50; round++) {
        struct history_ask ask = ask_all(round % 2 ? HISTORY_ROWS : HISTORY_NAMES);
        int open = 0;
        for (int i = 0; i < HISTORY_JOBS_MAX; i++) {
            job[i] = history_job_open(r->h, &ask); /* those just closed may not be gone yet */
            open += job[i] != NULL;
        }
        if (round == 0) {
            assert_int_equal(open, HISTORY_JOBS_MAX);
            assert_null(history_job_open(r->h, &ask));
        }
        for (int i = 0; i < HISTORY_JOBS_MAX; i++) {
            if (job[i]) {
                history_job_close(job[i]);
            }
        }
    }
}

/* The fixture's log has 256 places: what went round before it was handed over is counted. */
static void lost_rows_are_counted(void **state)
{
    struct running *r = *state;
    struct history_status s;
    ask_some(r, 600);
    history_finish(r->h, r->stats.stats);
    uint64_t kept = stats_log_next(r->stats.stats) - stats_log_first(r->stats.stats);
    wait_written(r, kept);
    history_get_status(r->h, &s);
    assert_int_equal(s.lost_rows, 600 - kept);
    assert_true(s.written_octets > 0);
}

static void floods_are_not_written(void **state)
{
    struct running *r = *state;
    struct history_status s;
    uint64_t before;
    for (int i = 0; i < HISTORY_AT_ONCE / 200 + 20; i++) {
        ask_some(r, 200);
        history_take(r->h, r->stats.stats, 1, true); /* no time goes by */
        usleep(200);
    }
    history_finish(r->h, r->stats.stats);
    history_get_status(r->h, &s);
    assert_true(s.lost_rows > 0);
    before = s.written_rows + s.lost_rows;
    assert_true(s.written_rows <= HISTORY_AT_ONCE + 10 * HISTORY_A_SECOND * 60);
    assert_true(before <= (uint64_t)(HISTORY_AT_ONCE / 200 + 20) * 200);
}

static void erasing_leaves_nothing(void **state)
{
    struct running *r = *state;
    struct history_status s;
    ask_some(r, 100);
    history_finish(r->h, r->stats.stats);
    wait_written(r, 100);
    ask_some(r, 50); /* not written yet: passed over */
    assert_int_equal(history_erase(r->h, r->stats.stats), ERR_OK);
    history_finish(r->h, r->stats.stats);
    history_get_status(r->h, &s);
    assert_int_equal(s.rows, 0);
    ask_some(r, 5);
    history_finish(r->h, r->stats.stats);
    wait_written(r, 105);
    history_get_status(r->h, &s);
    assert_int_equal(s.rows, 5);
}

static void a_folder_that_is_gone_costs_rows_alone(void **state)
{
    struct running *r = *state;
    struct history_status s = {0};
    struct history_config cfg = {.dir = "/nonexistent/folder",
                                 .keep_s = DAY,
                                 .octets_max = 1 << 20,
                                 .interval = USEC_PER_SEC,
                                 .wake = wake};
    history_close(r->h);
    assert_int_equal(history_open(&r->h, &cfg), ERR_OK);
    ask_some(r, 10);
    history_finish(r->h, r->stats.stats);
    for (int i = 0; i < 5000 && s.lost_rows < 10; i++) {
        usleep(1000);
        history_get_status(r->h, &s);
    }
    assert_int_equal(s.lost_rows, 10);
    assert_false(s.writable);
    assert_true(s.problem[0] != '\0');
    struct history_ask ask = ask_all(HISTORY_TOTALS);
    enum history_state now;
    void *job = history_job_open(r->h, &ask);
    const struct history_result *out = wait_job(job, &now);
    assert_non_null(out->failed);
    history_job_close(job);
}

#define TEST(name)    cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)
#define RUNNING(name) cmocka_unit_test_setup_teardown(name, open_running, close_running)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_come_back_as_they_were),
        TEST(conditions_narrow_rows),
        TEST(sums_add_up),
        TEST(old_rows_go),
        TEST(the_file_stays_within_its_size),
        TEST(rows_of_a_wrong_clock_go),
        TEST(a_reader_sees_whole_batches),
        TEST(a_question_can_be_stopped),
        TEST(strange_names_survive),
        TEST(names_are_matched_once_each),
        cmocka_unit_test(numbers_are_found_again),
        RUNNING(what_is_handed_over_can_be_asked),
        RUNNING(jobs_are_bounded_and_can_be_dropped),
        RUNNING(lost_rows_are_counted),
        RUNNING(floods_are_not_written),
        RUNNING(erasing_leaves_nothing),
        RUNNING(a_folder_that_is_gone_costs_rows_alone),
    };
    return UNIT_RUN(tests);
}
