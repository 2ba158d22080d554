/*
 * Saved statistics from hostile octets: as they stand, and with magic, version, length and checksum
 * put right, so that the sections are reached. What is taken must be readable, and must come
 * through another save and load. What is refused leaves the statistics as they were, so they are
 * made anew only after something was taken.
 */
#include <stdlib.h>
#include <string.h>

#include "base/siphash.h"
#include "stats/stats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { HEAD = 24, SUM = 8, INPUT_MAX = 1 << 16 };

static const struct stats_config cfg = {
    .workers_max = 1, .log_entries = 256, .top_names = 64, .top_clients = 16};
static const uint8_t key[16];

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

/* Statistics that hold nothing, in memory that is used again. */
static struct stats *open_stats(void **mem)
{
    struct stats *s = NULL;
    size_t size = stats_memory(&cfg);
    *mem = *mem ? *mem : malloc(size);
    check(*mem != NULL);
    check(stats_init(&s, *mem, size, &cfg, 1000000, INT64_C(1767225600000000), key) == ERR_OK);
    return s;
}

static void read_all(const struct stats *s)
{
    struct stats_totals totals;
    struct stats_slot slot;
    static struct stats_name names[STATS_TOP_READ_MAX];
    struct stats_client clients[16];
    struct stats_upstream_use up;
    stats_day(s, &totals);
    stats_ever(s, &totals);
    check(stats_top_names(s, true, names, STATS_TOP_READ_MAX) <= cfg.top_names);
    check(stats_top_clients(s, false, clients, 16) <= cfg.top_clients);
    for (uint32_t ago = 0; stats_timeline_at(s, TIMELINE_1H, ago, &slot); ago++) {
        check(slot.total < UINT64_MAX);
    }
    for (uint32_t row = 0; row < STATS_UPSTREAM_ROWS; row++) {
        if (stats_upstream_at(s, row, &up)) {
            check(memchr(up.upstream.name, 0, sizeof up.upstream.name) != NULL);
        }
    }
}

static void save_and_load_again(const struct stats *s)
{
    static void *mem;
    static uint8_t *octets;
    struct stats *again = open_stats(&mem);
    size_t cap = stats_save_memory(s), n = 0;
    octets = octets ? octets : malloc(cap);
    check(octets && stats_save(s, octets, cap, &n) == ERR_OK);
    check(stats_load(again, octets, n) == ERR_OK);
    read_all(again);
    check(stats_unique_names(again) == stats_unique_names(s)); /* the slowest thing here: once */
}

static void load(const uint8_t *data, size_t len)
{
    static void *mem;
    static struct stats *s;
    s = s ? s : open_stats(&mem);
    if (stats_load(s, data, len) == ERR_OK) {
        read_all(s);
        stats_collect(s, 2000000, INT64_C(1767225601000000));
        save_and_load_again(s);
        stats_collect(s, UINT64_C(90000) * 1000000,
                      INT64_C(1767225600000000) + INT64_C(90000) * 1000000);
        read_all(s);
        s = NULL;
    } else {
        struct stats_totals totals;
        stats_ever(s, &totals);
        check(totals.total == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const struct siphash_key sum_key = {UINT64_C(0x736e6b2073746174),
                                               UINT64_C(0x6973746963732031)};
    if (len > INPUT_MAX) {
        return 0;
    }
    load(data, len);
    if (len < HEAD + SUM) {
        return 0;
    }
    uint8_t *copy = malloc(len);
    check(copy != NULL);
    memcpy(copy, data, len);
    memcpy(copy, "sinkstat", 8);
    le32_write(copy + 8, 1);
    le32_write(copy + 12, (uint32_t)len);
    le64_write(copy + len - SUM, siphash24(sum_key, copy, len - SUM));
    load(copy, len);
    free(copy);
    return 0;
}
