/* Card images made in memory: FAT16 and FAT32 with long names, broken chains, and state slots
 * through every possible power cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../unikernel/lib/fat.c"
#include "../../unikernel/lib/slots.c"

/* ---- a disk in memory that loses power after a number of sectors ---- */

enum { DISK_SECTORS = 80000 };

static struct {
    struct block_device block;
    uint8_t *data;
    uint64_t sectors;
    int64_t writes_left; /* sectors that still reach the card; -1: no end */
    int read_fails_at;   /* the n-th read fails; -1: none */
} disk;

static enum err disk_read(struct block_device *d, uint64_t sector, uint32_t count, void *out)
{
    (void)d;
    if (disk.read_fails_at == 0) {
        return ERR_IO;
    }
    disk.read_fails_at -= disk.read_fails_at > 0;
    if (sector > disk.sectors || count > disk.sectors - sector) {
        return ERR_IO;
    }
    memcpy(out, disk.data + sector * BLOCK_SECTOR, (size_t)count * BLOCK_SECTOR);
    return ERR_OK;
}

static enum err disk_write(struct block_device *d, uint64_t sector, uint32_t count,
                           const void *data)
{
    (void)d;
    for (uint32_t i = 0; i < count; i++) {
        if (disk.writes_left == 0) {
            return ERR_IO;
        }
        disk.writes_left -= disk.writes_left > 0;
        assert_true(sector + i < disk.sectors);
        memcpy(disk.data + (sector + i) * BLOCK_SECTOR,
               (const uint8_t *)data + (size_t)i * BLOCK_SECTOR, BLOCK_SECTOR);
    }
    return ERR_OK;
}

static int setup(void **state)
{
    (void)state;
    memset(&disk, 0, sizeof disk);
    disk.block.read = disk_read;
    disk.block.write = disk_write;
    disk.sectors = DISK_SECTORS;
    disk.data = calloc(DISK_SECTORS, BLOCK_SECTOR);
    disk.writes_left = -1;
    disk.read_fails_at = -1;
    return disk.data ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    free(disk.data);
    return 0;
}

/* ---- a FAT volume ---- */

enum { VOLUME = 2048, RESERVED = 32, FAT16_SECTORS = 40, FAT32_SECTORS = 560, TOTAL = 70000 };

static uint8_t *at(uint64_t sector)
{
    return disk.data + sector * BLOCK_SECTOR;
}

static void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static void make_volume(bool is32)
{
    uint8_t *mbr = at(0), *b = at(VOLUME);
    mbr[446 + 4] = is32 ? 0x0c : 0x06;
    le32_write(mbr + 446 + 8, VOLUME);
    put16(mbr + 510, 0xaa55);
    put16(b + 11, BLOCK_SECTOR);
    b[13] = is32 ? 1 : 8;
    put16(b + 14, RESERVED);
    b[16] = 2;
    put16(b + 17, is32 ? 0 : 512);
    le32_write(b + 32, TOTAL);
    if (is32) {
        le32_write(b + 36, FAT32_SECTORS);
        le32_write(b + 44, 2);
    } else {
        put16(b + 22, FAT16_SECTORS);
    }
    put16(b + 510, 0xaa55);
}

static void link_cluster(bool is32, uint32_t cluster, uint32_t next)
{
    uint8_t *fat = at(VOLUME + RESERVED);
    if (is32) {
        le32_write(fat + 4 * (size_t)cluster, next ? next : 0x0fffffff);
    } else {
        put16(fat + 2 * (size_t)cluster, next ? next : 0xffff);
    }
}

static void add_short(uint8_t *e, const char name[11], uint8_t attributes, uint32_t cluster,
                      uint32_t octets)
{
    memcpy(e, name, 11);
    e[11] = attributes;
    put16(e + 26, cluster & 0xffff);
    put16(e + 20, cluster >> 16);
    le32_write(e + 28, octets);
}

static void add_long(uint8_t *e, const char *piece, uint8_t order, uint8_t sum)
{
    static const uint8_t where[LONG_CHARS] = {1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30};
    e[0] = order;
    e[11] = ATTR_LONG;
    e[13] = sum;
    bool over = false;
    for (size_t i = 0; i < LONG_CHARS; i++) {
        put16(e + where[i], over ? 0xffff : (uint8_t)piece[i]);
        over = over || piece[i] == '\0';
    }
}

/* SHORT.TXT (one cluster and a bit, in two pieces), sinkhole.conf by long name, STATE.BIN in one
 * piece. */
static struct fat make_and_open(bool is32)
{
    struct fat fs;
    make_volume(is32);
    assert_int_equal(fat_open(&disk.block, &fs), ERR_OK);
    assert_int_equal(fs.is32, is32);
    uint8_t *root = at(is32 ? cluster_sector(&fs, 2) : fs.root_start);
    uint32_t size = fs.cluster_sectors * BLOCK_SECTOR;
    link_cluster(is32, 2, 0);
    add_short(root, "SINKHOLE   ", ATTR_VOLUME, 0, 0);
    add_short(root + 32, "SHORT   TXT", 0x20, 5, size + 100);
    link_cluster(is32, 5, 9);
    link_cluster(is32, 9, 0);
    root[64] = 0xe5;
    uint8_t alias[11];
    memcpy(alias, "SINKHO~1CON", 11);
    uint8_t sum = short_sum(alias);
    add_long(root + 96, ".conf", 0x42, sum);
    add_long(root + 128, "Sinkhole-main", 0x01, sum);
    add_short(root + 160, "SINKHO~1CON", 0x20, 20, 11);
    link_cluster(is32, 20, 0);
    memcpy(at(cluster_sector(&fs, 20)), "list = a\nb\n", 11);
    add_short(root + 192, "STATE   BIN", 0x20, 30, 3 * size);
    link_cluster(is32, 30, 31);
    link_cluster(is32, 31, 32);
    link_cluster(is32, 32, 0);
    memset(at(cluster_sector(&fs, 5)), 'a', size);
    memset(at(cluster_sector(&fs, 9)), 'b', size);
    return fs;
}

static void check_volume(bool is32)
{
    static uint8_t out[64 * BLOCK_SECTOR];
    struct fat fs = make_and_open(is32);
    struct fat_file f;
    uint32_t len, size = fs.cluster_sectors * BLOCK_SECTOR;
    assert_int_equal(fat_find(&fs, "short.txt", &f), ERR_OK);
    assert_int_equal(fat_read(&fs, &f, out, sizeof out, &len), ERR_OK);
    assert_int_equal(len, size + 100);
    assert_int_equal(out[size - 1], 'a');
    assert_int_equal(out[size], 'b');
    uint64_t sector;
    uint32_t sectors;
    assert_int_equal(fat_extent(&fs, &f, &sector, &sectors), ERR_UNSUPPORTED);
    assert_int_equal(fat_read(&fs, &f, out, size, &len), ERR_SPACE);

    assert_int_equal(fat_find(&fs, "sinkhole-main.conf", &f), ERR_OK);
    assert_int_equal(fat_read(&fs, &f, out, sizeof out, &len), ERR_OK);
    assert_int_equal(len, 11);
    assert_memory_equal(out, "list = a\nb\n", 11);
    assert_int_equal(fat_find(&fs, "SINKHO~1.CON", &f), ERR_OK);
    assert_int_equal(fat_find(&fs, "sinkhole", &f),
                     ERR_NOT_FOUND); /* the volume's label is no file */
    assert_int_equal(fat_find(&fs, "missing.txt", &f), ERR_NOT_FOUND);

    assert_int_equal(fat_find(&fs, "state.bin", &f), ERR_OK);
    assert_int_equal(fat_extent(&fs, &f, &sector, &sectors), ERR_OK);
    assert_int_equal(sectors, 3 * fs.cluster_sectors);
    assert_int_equal(sector, cluster_sector(&fs, 30));
}

static void reads_fat16(void **state)
{
    (void)state;
    check_volume(false);
}

static void reads_fat32(void **state)
{
    (void)state;
    check_volume(true);
}

static void broken_chains_are_errors(void **state)
{
    (void)state;
    static uint8_t out[64 * BLOCK_SECTOR];
    static const uint32_t bad[] = {0, 1, 0x0ffffff7, 0x00ffffff, 69000};
    struct fat fs = make_and_open(true);
    struct fat_file f;
    uint32_t len;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        le32_write(at(VOLUME + RESERVED) + 5 * 4, bad[i]);
        assert_int_equal(fat_find(&fs, "SHORT.TXT", &f), ERR_OK);
        assert_int_equal(fat_read(&fs, &f, out, sizeof out, &len), ERR_FORMAT);
    }
    link_cluster(true, 2, 2); /* the root folder leads to itself: the walk ends all the same */
    memset(at(cluster_sector(&fs, 2)), 0xe5, BLOCK_SECTOR);
    assert_int_equal(fat_find(&fs, "SHORT.TXT", &f), ERR_NOT_FOUND);
    disk.read_fails_at = 0;
    assert_int_equal(fat_find(&fs, "SHORT.TXT", &f), ERR_IO);
}

static void hostile_boot_sectors_are_refused_or_bounded(void **state)
{
    (void)state;
    uint32_t x = 12345;
    uint8_t good[64];
    make_volume(true);
    memcpy(good, at(VOLUME), sizeof good);
    for (int i = 0; i < 20000; i++) {
        struct fat fs;
        struct fat_file f;
        memcpy(at(VOLUME), good, sizeof good);
        for (int k = 0; k < 3; k++) {
            x = x * 1103515245 + 12345;
            at(VOLUME)[11 + (x >> 16) % 40] = (uint8_t)(x >> 8);
        }
        if (fat_open(&disk.block, &fs) == ERR_OK) {
            assert_true(fs.cluster_sectors > 0 && fs.data_start < fs.end);
            assert_int_not_equal(fat_find(&fs, "x", &f), ERR_OK);
        }
    }
}

/* ---- slots ---- */

enum { EXTENT = 100, EXTENT_SECTORS = 16, PAYLOAD_CAP = 7 * BLOCK_SECTOR };

static void fill(uint8_t *p, uint32_t len, uint8_t seed)
{
    for (uint32_t i = 0; i < len; i++) {
        p[i] = (uint8_t)(seed * 31 + i * 7);
    }
}

static void state_survives_a_power_cut_at_every_sector(void **state)
{
    (void)state;
    uint8_t payload[PAYLOAD_CAP] = {0}, out[PAYLOAD_CAP], want[PAYLOAD_CAP];
    uint32_t len;
    struct slots s;
    for (int64_t cut = 0; cut < 40; cut++) {
        memset(at(EXTENT), 0, EXTENT_SECTORS * BLOCK_SECTOR);
        assert_int_equal(slots_open(&disk.block, EXTENT, EXTENT_SECTORS, &s), ERR_OK);
        assert_int_equal(slots_load(&s, out, sizeof out, &len), ERR_NOT_FOUND);
        disk.writes_left = cut;
        uint8_t saved = 0;
        for (uint8_t n = 1; n <= 8; n++) {
            uint32_t size = 300U * n;
            fill(payload, size, n);
            if (slots_save(&s, payload, size) != ERR_OK) {
                break;
            }
            saved = n;
        }
        disk.writes_left = -1;
        assert_int_equal(slots_open(&disk.block, EXTENT, EXTENT_SECTORS, &s), ERR_OK);
        enum err e = slots_load(&s, out, sizeof out, &len);
        if (saved == 0) {
            assert_int_equal(e, ERR_NOT_FOUND);
            continue;
        }
        assert_int_equal(e, ERR_OK);
        assert_int_equal(len, 300U * saved);
        fill(want, len, saved);
        assert_memory_equal(out, want, len);
    }
}

static void any_flipped_octet_costs_at_most_the_newest_state(void **state)
{
    (void)state;
    uint8_t payload[PAYLOAD_CAP] = {0}, out[PAYLOAD_CAP], want[PAYLOAD_CAP];
    uint32_t len;
    struct slots s;
    assert_int_equal(slots_open(&disk.block, EXTENT, EXTENT_SECTORS, &s), ERR_OK);
    for (uint8_t n = 1; n <= 2; n++) {
        fill(payload, 1000, n);
        assert_int_equal(slots_save(&s, payload, 1000), ERR_OK);
    }
    for (uint32_t i = 0; i < EXTENT_SECTORS * BLOCK_SECTOR; i++) {
        at(EXTENT)[i] ^= 0x20;
        assert_int_equal(slots_open(&disk.block, EXTENT, EXTENT_SECTORS, &s), ERR_OK);
        assert_int_equal(slots_load(&s, out, sizeof out, &len), ERR_OK);
        fill(want, 1000, 2);
        if (memcmp(out, want, 1000) != 0) {
            fill(want, 1000, 1);
        }
        assert_int_equal(len, 1000);
        assert_memory_equal(out, want, 1000);
        at(EXTENT)[i] ^= 0x20;
    }
}

static void a_save_after_a_bad_payload_keeps_the_good_slot(void **state)
{
    (void)state;
    uint8_t payload[PAYLOAD_CAP] = {0}, out[PAYLOAD_CAP], want[PAYLOAD_CAP];
    uint32_t len;
    struct slots s;
    assert_int_equal(slots_open(&disk.block, EXTENT, EXTENT_SECTORS, &s), ERR_OK);
    for (uint8_t n = 1; n <= 2; n++) {
        fill(payload, 1000, n);
        assert_int_equal(slots_save(&s, payload, 1000), ERR_OK);
    }
    at(EXTENT + 8 + 1)[5] ^= 1; /* the newer one's payload */
    assert_int_equal(slots_open(&disk.block, EXTENT, EXTENT_SECTORS, &s), ERR_OK);
    assert_int_equal(slots_load(&s, out, sizeof out, &len), ERR_OK);
    fill(payload, 1000, 3);
    disk.writes_left = 1; /* the next save is cut off: the good slot must still be there */
    assert_int_equal(slots_save(&s, payload, 1000), ERR_IO);
    disk.writes_left = -1;
    assert_int_equal(slots_open(&disk.block, EXTENT, EXTENT_SECTORS, &s), ERR_OK);
    assert_int_equal(slots_load(&s, out, sizeof out, &len), ERR_OK);
    fill(want, 1000, 1);
    assert_memory_equal(out, want, 1000);
}

static void refuses_what_does_not_fit(void **state)
{
    (void)state;
    uint8_t payload[PAYLOAD_CAP + BLOCK_SECTOR] = {0};
    struct slots s;
    assert_int_equal(slots_open(&disk.block, EXTENT, 3, &s), ERR_RANGE);
    assert_int_equal(slots_open(&disk.block, EXTENT, EXTENT_SECTORS, &s), ERR_OK);
    assert_int_equal(slots_save(&s, payload, PAYLOAD_CAP), ERR_OK);
    assert_int_equal(slots_save(&s, payload, PAYLOAD_CAP + 1), ERR_SPACE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_fat16, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_fat32, setup, teardown),
        cmocka_unit_test_setup_teardown(broken_chains_are_errors, setup, teardown),
        cmocka_unit_test_setup_teardown(hostile_boot_sectors_are_refused_or_bounded, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(state_survives_a_power_cut_at_every_sector, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(any_flipped_octet_costs_at_most_the_newest_state, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_save_after_a_bad_payload_keeps_the_good_slot, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(refuses_what_does_not_fit, setup, teardown),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("unikernel_storage", tests, NULL, NULL);
}
