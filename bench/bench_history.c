/*
 * The query history: what a row costs to write and to keep, what a day of a house writes to the
 * disk, how long questions take.
 *
 *     bench_history                    a day of a house, then a million rows, in a temporary folder
 *     bench_history FILE ROWS DAYS     only makes a history of so many rows over so many days
 *
 * Names are made up: a few thousand that come again and again, a longer tail, and some that come
 * once; clients are two dozen. It ends today.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "host/history_sqlite.h"
#include "host/sys.h"

enum { BATCH = 16384, DAY_QUERIES = 100000, DAY_BATCHES = 144, CLIENTS = 24, ITEM_MAX = 160 };

static uint64_t state = 88172645463325252u, serial;

static uint32_t below(uint32_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 16) % n;
}

static void die(const char *what, const char *why)
{
    fprintf(stderr, "bench_history: %s: %s\n", what, why);
    exit(1);
}

static void check(enum err e, const struct history_db *db, const char *what)
{
    if (e != ERR_OK) {
        die(what, db ? history_db_why(db) : err_text(e));
    }
}

/* Of a hundred: 75 of the 3000 that everybody asks, 23 of a tail of 30 000, 2 once and never again.
 */
static void make_name(struct dns_name *out)
{
    static const char *const heads[] = {"www",  "api", "cdn", "telemetry",
                                        "push", "img", "a",   "edge-mqtt"};
    char text[64];
    uint32_t dice = below(100);
    uint32_t n = dice < 75 ? below(55) * below(55) : 3025 + below(30000);
    if (dice >= 98) {
        snprintf(text, sizeof text, "%016llx.unique-host.example",
                 (unsigned long long)++serial * 2654435761u);
    } else {
        snprintf(text, sizeof text, "%s%u.service-%u.example", heads[n % 8], n % 5, n);
    }
    check(dns_name_parse(span_str(text), out), NULL, text);
}

static void add_item(struct history_batch *b, uint64_t id, int64_t unix_us)
{
    struct dns_name name;
    make_name(&name);
    bool blocked = below(100) < 15, cached = !blocked && below(100) < 60;
    struct history_item *item = (struct history_item *)(void *)(b->data + b->len);
    *item = (struct history_item){
        .id = id,
        .unix_us = unix_us,
        .latency_us = blocked  ? 20 + below(40)
                      : cached ? 30 + below(60)
                               : 5000 + below(60000),
        .list_id = blocked ? 1000 + below(4) : 0,
        .client = ip_v4((const uint8_t[]){192, 168, 1, (uint8_t)(10 + below(CLIENTS))}),
        .qtype = (uint16_t[]){1, 1, 28, 65}[below(4)],
        .upstream = blocked || cached ? -1 : (int16_t)below(2),
        .status = blocked  ? QUERY_BLOCKED_LIST
                  : cached ? QUERY_CACHED
                           : QUERY_FORWARDED,
        .reply = below(5) ? REPLY_IP : REPLY_NODATA,
        .ede = blocked ? 15 : -1,
        .qname_len = name.len};
    memcpy(item + 1, name.wire, name.len);
    item->size = (uint16_t)((sizeof *item + name.len + 7) & ~7u);
    b->len += item->size;
    b->count++;
}

static struct history_batch *new_batch(void)
{
    struct history_batch *b = calloc(1, sizeof *b + (size_t)BATCH * ITEM_MAX);
    if (!b) {
        die("batch", "no memory");
    }
    snprintf(b->upstream[0], sizeof b->upstream[0], "9.9.9.9#53");
    snprintf(b->upstream[1], sizeof b->upstream[1], "1.1.1.1#53");
    return b;
}

/* `count` rows, evenly from one time to another, in batches; returns the seconds that writing took.
 */
static double make_rows(struct history_db *db, uint64_t *id, uint64_t count, uint32_t batch,
                        int64_t from_us, int64_t until_us)
{
    struct history_batch *b = new_batch();
    double step = (double)(until_us - from_us) / (double)count;
    usec_t spent = 0;
    for (uint64_t done = 0; done < count;) {
        b->count = 0;
        b->len = 0;
        for (uint32_t i = 0; i < batch && done < count; i++, done++) {
            add_item(b, ++*id, from_us + (int64_t)(step * (double)done));
        }
        usec_t start = sys_now();
        check(history_db_write(db, b), db, "write");
        spent += sys_now() - start;
    }
    free(b);
    return (double)spent / 1e6;
}

static uint64_t size_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static struct history_db *open_db(const char *path, enum history_mode mode)
{
    char why[HISTORY_WHY];
    struct history_db *db;
    if (history_db_open(path, mode, &db, why) != ERR_OK) {
        die(path, why);
    }
    return db;
}

/* --- a day of a house ------------------------------------------------------------------------- */

static void house(const char *folder)
{
    char path[300];
    uint64_t id = 0;
    const int64_t day_us = INT64_C(86400) * 1000000;
    int64_t start = sys_unix_us() / day_us * day_us - 10 * day_us;
    snprintf(path, sizeof path, "%s/house.db", folder);
    struct history_db *db = open_db(path, HISTORY_WRITE);
    printf("\n### A house of %d queries a day, written every ten minutes\n\n| day | octets written "
           "to the disk | of the file |\n|---|---|---|\n",
           DAY_QUERIES);
    for (int day = 0; day < 5; day++) {
        uint64_t before = history_db_written();
        make_rows(db, &id, DAY_QUERIES, DAY_QUERIES / DAY_BATCHES + 1, start + day * day_us,
                  start + (day + 1) * day_us);
        struct history_extent x;
        check(history_db_extent(db, &x), db, "extent");
        printf("| %d | %.1f MB | %.1f MB |\n", day + 1,
               (double)(history_db_written() - before) / 1e6, (double)x.octets / 1e6);
    }
    history_db_close(db);
}

/* --- a large file ----------------------------------------------------------------------------- */

static double ask(struct history_db *db, const struct history_ask *what, uint64_t *rows)
{
    atomic_bool stop = false;
    enum history_state now = HISTORY_WORKING;
    struct history_scan *s = history_scan_new(what);
    usec_t start = sys_now();
    *rows = 0;
    while (s && now != HISTORY_DONE) {
        check(history_scan_step(s, db, &stop, &now), db, "question");
        *rows += history_scan_result(s)->rows;
        history_scan_result(s)->rows = 0;
        if (what->what == HISTORY_ROWS && now == HISTORY_PAGE_READY) {
            break; /* a page is what a person looks at */
        }
    }
    history_scan_free(s);
    return (double)(sys_now() - start) / 1e3;
}

static void questions(const char *path)
{
    struct history_ask base = {.until_us = INT64_MAX,
                               .count = 10,
                               .slot_s = 3600,
                               .time_us = 600 * USEC_PER_SEC,
                               .statuses = UINT32_MAX,
                               .replies = UINT32_MAX,
                               .client_count = UINT32_MAX};
    struct {
        const char *what;
        struct history_ask ask;
    } rows[] = {{"newest page", base},
                {"page of a name that is not there", base},
                {"page of one rare name", base},
                {"totals", base},
                {"timeline", base},
                {"top clients", base},
                {"top names", base}};
    static const enum history_what kinds[] = {HISTORY_ROWS,   HISTORY_ROWS,     HISTORY_ROWS,
                                              HISTORY_TOTALS, HISTORY_TIMELINE, HISTORY_CLIENTS,
                                              HISTORY_NAMES};
    struct history_db *db = open_db(path, HISTORY_READ);
    printf("\n| question over all of it | ms |\n|---|---|\n");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t count;
        rows[i].ask.what = kinds[i];
        if (i == 1) {
            snprintf(rows[i].ask.domain, sizeof rows[i].ask.domain, "nobody-asks.example");
        } else if (i == 2) {
            snprintf(rows[i].ask.domain, sizeof rows[i].ask.domain, "*service-31777.example");
        }
        printf("| %s | %.1f |\n", rows[i].what, ask(db, &rows[i].ask, &count));
    }
    history_db_close(db);
}

static void make_file(const char *path, uint64_t count, int days)
{
    uint64_t id = 0;
    int64_t now = sys_unix_us();
    struct history_db *db = open_db(path, HISTORY_WRITE);
    double seconds = make_rows(db, &id, count, BATCH, now - days * INT64_C(86400) * 1000000, now);
    history_db_close(db);
    printf("\n### %llu rows over %d days\n\n%.2f us a row to write, %.1f octets a row in the file "
           "(%.0f MB)\n",
           (unsigned long long)count, days, seconds * 1e6 / (double)count,
           (double)size_of(path) / (double)count, (double)size_of(path) / 1e6);
}

int main(int argc, char **argv)
{
    if (argc == 4) {
        make_file(argv[1], strtoull(argv[2], NULL, 10), atoi(argv[3]));
        return 0;
    }
    char folder[] = "/tmp/sinkhole-bench-XXXXXX", path[300], command[300];
    if (!mkdtemp(folder)) {
        die(folder, "cannot be made");
    }
    house(folder);
    snprintf(path, sizeof path, "%s/large.db", folder);
    make_file(path, 1000000, 30);
    questions(path);
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) == 0 ? 0 : 1;
}
