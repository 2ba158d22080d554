/* FAT reader. The card may be broken or hostile: cluster chains are bounded by the number of
 * clusters, every address by the volume's end. */
#include "lib/fat.h"

#include <string.h>

#include "base/span.h"

enum {
    ENTRY = 32,
    ENTRIES = BLOCK_SECTOR / ENTRY,
    ATTR_VOLUME = 0x08,
    ATTR_FOLDER = 0x10,
    ATTR_LONG = 0x0f,
    LONG_LAST = 0x40,
    LONG_CHARS = 13,
    NAME_MAX_OCTETS = 260,
    ROOT_CLUSTERS_MAX = 1024
};
enum { PARTITIONS = 446, PARTITION = 16, FAT16_CLUSTERS = 4085, FAT32_CLUSTERS = 65525 };

static uint32_t le16(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static bool is_fat_partition(uint8_t type)
{
    return type == 0x04 || type == 0x06 || type == 0x0b || type == 0x0c || type == 0x0e;
}

static enum err read_boot(struct block_device *disk, uint64_t start, struct fat *fs)
{
    uint8_t b[BLOCK_SECTOR];
    enum err e = disk->read(disk, start, 1, b);
    if (e != ERR_OK) {
        return e;
    }
    if (b[510] != 0x55 || b[511] != 0xaa || le16(b + 11) != BLOCK_SECTOR) {
        return ERR_FORMAT;
    }
    uint32_t reserved = le16(b + 14), copies = b[16], root_entries = le16(b + 17),
             total = le16(b + 19), fat_sectors = le16(b + 22);
    total = total ? total : le32_read(b + 32);
    fat_sectors = fat_sectors ? fat_sectors : le32_read(b + 36);
    uint32_t per = b[13];
    uint64_t root_sectors = (root_entries + ENTRIES - 1) / ENTRIES;
    uint64_t data = reserved + (uint64_t)copies * fat_sectors + root_sectors;
    if (per == 0 || (per & (per - 1)) || reserved == 0 || copies == 0 || copies > 4 ||
        fat_sectors == 0 || data >= total) {
        return ERR_FORMAT;
    }
    *fs = (struct fat){.disk = disk,
                       .fat_start = start + reserved,
                       .root_start = start + reserved + (uint64_t)copies * fat_sectors,
                       .data_start = start + data,
                       .end = start + total,
                       .cluster_sectors = per,
                       .root_sectors = (uint32_t)root_sectors,
                       .clusters = (uint32_t)((total - data) / per)};
    fs->is32 = fs->clusters >= FAT32_CLUSTERS || le16(b + 22) == 0;
    if (!fs->is32 && fs->clusters < FAT16_CLUSTERS) {
        return ERR_UNSUPPORTED; /* FAT12: a volume of under 2 MB */
    }
    if (fs->is32) {
        fs->root_cluster = le32_read(b + 44) & 0x0fffffff;
    }
    /* The table must have an entry for each cluster, or chains would lead out of it. */
    uint64_t entries = (uint64_t)fat_sectors * BLOCK_SECTOR / (fs->is32 ? 4 : 2);
    return entries >= fs->clusters + 2ULL ? ERR_OK : ERR_FORMAT;
}

enum err fat_open(struct block_device *disk, struct fat *out)
{
    uint8_t b[BLOCK_SECTOR];
    enum err e = disk->read(disk, 0, 1, b);
    if (e != ERR_OK) {
        return e;
    }
    for (int i = 0; i < 4 && b[510] == 0x55 && b[511] == 0xaa; i++) {
        const uint8_t *p = b + PARTITIONS + PARTITION * i;
        struct fat fs;
        if (is_fat_partition(p[4]) && (p[0] & 0x7f) == 0 && le32_read(p + 8) > 0 &&
            read_boot(disk, le32_read(p + 8), &fs) == ERR_OK) {
            *out = fs;
            return ERR_OK;
        }
    }
    struct fat fs;
    e = read_boot(disk, 0, &fs);
    if (e == ERR_OK) {
        *out = fs;
    }
    return e;
}

static bool cluster_valid(const struct fat *fs, uint32_t cluster)
{
    return cluster >= 2 && cluster - 2 < fs->clusters;
}

static uint64_t cluster_sector(const struct fat *fs, uint32_t cluster)
{
    return fs->data_start + (uint64_t)(cluster - 2) * fs->cluster_sectors;
}

/* One sector of the table is kept, since chains mostly go to the next cluster. */
struct chain {
    uint64_t sector;
    uint8_t data[BLOCK_SECTOR];
};

/* The cluster after this one; 0 at the end of the chain. ERR_FORMAT: it leads nowhere. */
static enum err chain_next(const struct fat *fs, struct chain *c, uint32_t cluster, uint32_t *next)
{
    uint32_t width = fs->is32 ? 4 : 2;
    uint64_t off = (uint64_t)cluster * width;
    uint64_t sector = fs->fat_start + off / BLOCK_SECTOR;
    if (c->sector != sector) {
        enum err e = fs->disk->read(fs->disk, sector, 1, c->data);
        if (e != ERR_OK) {
            return e;
        }
        c->sector = sector;
    }
    const uint8_t *p = c->data + off % BLOCK_SECTOR;
    uint32_t v = fs->is32 ? le32_read(p) & 0x0fffffff : le16(p);
    if (v >= (fs->is32 ? 0x0ffffff8U : 0xfff8U)) {
        *next = 0;
        return ERR_OK;
    }
    *next = v;
    return cluster_valid(fs, v) ? ERR_OK : ERR_FORMAT;
}

/* ---- names ---- */

/* A long name under assembly: its pieces stand before the short entry, last piece first. */
struct long_name {
    char text[NAME_MAX_OCTETS];
    uint8_t sum;
    uint8_t expect; /* number of the next piece; 0: complete or none */
    bool whole;
};

static void long_name_take(struct long_name *n, const uint8_t *e)
{
    static const uint8_t at[LONG_CHARS] = {1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30};
    uint8_t order = e[0] & 0x1f;
    if (e[0] & LONG_LAST) {
        memset(n, 0, sizeof *n);
        n->sum = e[13];
        n->expect = order;
    }
    if (order == 0 || order != n->expect || e[13] != n->sum ||
        (size_t)order * LONG_CHARS >= sizeof n->text) {
        memset(n, 0, sizeof *n);
        return;
    }
    for (unsigned i = 0; i < LONG_CHARS; i++) {
        uint32_t c = le16(e + at[i]);
        /* Names that we look for are ASCII; any other character can match nothing. */
        n->text[(order - 1U) * LONG_CHARS + i] = c == 0xffff ? '\0' : c < 128 ? (char)c : '\x7f';
    }
    n->expect = (uint8_t)(order - 1);
    n->whole = n->expect == 0;
}

static uint8_t short_sum(const uint8_t *e)
{
    uint8_t sum = 0;
    for (int i = 0; i < 11; i++) {
        sum = (uint8_t)(((sum & 1) ? 0x80 : 0) + (sum >> 1) + e[i]);
    }
    return sum;
}

static void short_name(const uint8_t *e, char out[13])
{
    size_t n = 0;
    for (int i = 0; i < 8 && e[i] != ' '; i++) {
        out[n++] = (char)e[i];
    }
    if (e[8] != ' ') {
        out[n++] = '.';
        for (int i = 8; i < 11 && e[i] != ' '; i++) {
            out[n++] = (char)e[i];
        }
    }
    out[n] = '\0';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool same_name(const char *a, const char *b)
{
    while (*a && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return *a == *b;
}

/* One sector of a folder. ERR_OK: found; ERR_NOT_FOUND: go on; ERR_STATE: the folder ends here. */
static enum err search_sector(const uint8_t *sector, const char *name, struct long_name *assembled,
                              struct fat_file *out)
{
    for (int i = 0; i < ENTRIES; i++) {
        const uint8_t *e = sector + i * ENTRY;
        char alias[13];
        if (e[0] == 0) {
            return ERR_STATE;
        }
        if (e[0] == 0xe5) {
            assembled->whole = false;
            continue;
        }
        if ((e[11] & 0x3f) == ATTR_LONG) {
            long_name_take(assembled, e);
            continue;
        }
        short_name(e, alias);
        bool match =
            same_name(alias, name) || (assembled->whole && assembled->sum == short_sum(e) &&
                                       same_name(assembled->text, name));
        assembled->whole = false;
        if (match && !(e[11] & (ATTR_FOLDER | ATTR_VOLUME))) {
            *out = (struct fat_file){.first_cluster = le16(e + 26) | le16(e + 20) << 16,
                                     .octets = le32_read(e + 28)};
            return ERR_OK;
        }
    }
    return ERR_NOT_FOUND;
}

static enum err search_run(const struct fat *fs, uint64_t start, uint32_t sectors, const char *name,
                           struct long_name *assembled, struct fat_file *out)
{
    uint8_t sector[BLOCK_SECTOR];
    for (uint32_t s = 0; s < sectors; s++) {
        enum err e = fs->disk->read(fs->disk, start + s, 1, sector);
        e = e == ERR_OK ? search_sector(sector, name, assembled, out) : e;
        if (e != ERR_NOT_FOUND) {
            return e;
        }
    }
    return ERR_NOT_FOUND;
}

enum err fat_find(const struct fat *fs, const char *name, struct fat_file *out)
{
    struct long_name assembled = {0};
    struct chain chain = {.sector = 0};
    enum err e = ERR_NOT_FOUND;
    if (!fs->is32) {
        e = search_run(fs, fs->root_start, fs->root_sectors, name, &assembled, out);
        return e == ERR_STATE ? ERR_NOT_FOUND : e;
    }
    uint32_t cluster = fs->root_cluster;
    for (int n = 0; n < ROOT_CLUSTERS_MAX && cluster_valid(fs, cluster) && e == ERR_NOT_FOUND;
         n++) {
        e = search_run(fs, cluster_sector(fs, cluster), fs->cluster_sectors, name, &assembled, out);
        if (e == ERR_NOT_FOUND) {
            enum err step = chain_next(fs, &chain, cluster, &cluster);
            e = step == ERR_OK ? e : step;
        }
    }
    return e == ERR_STATE ? ERR_NOT_FOUND : e;
}

/* The number of clusters that follow each other on the disk from `cluster` on, at most `want`;
 * *after is the one that comes then (0: end of the chain). */
static enum err run_length(const struct fat *fs, struct chain *chain, uint32_t cluster,
                           uint32_t want, uint32_t *run, uint32_t *after)
{
    uint32_t n = 0, next = cluster;
    enum err e = ERR_OK;
    do {
        n++;
        cluster = next;
        e = chain_next(fs, chain, cluster, &next);
    } while (e == ERR_OK && n < want && next == cluster + 1);
    *run = n;
    *after = next;
    return e;
}

static uint32_t clusters_for(const struct fat *fs, uint32_t octets)
{
    uint64_t size = (uint64_t)fs->cluster_sectors * BLOCK_SECTOR;
    return (uint32_t)((octets + size - 1) / size);
}

enum err fat_read(const struct fat *fs, const struct fat_file *f, void *out, uint32_t cap,
                  uint32_t *len)
{
    uint32_t left = clusters_for(fs, f->octets);
    uint32_t sectors_left = (uint32_t)(((uint64_t)f->octets + BLOCK_SECTOR - 1) / BLOCK_SECTOR);
    uint32_t cluster = f->first_cluster;
    struct chain chain = {.sector = 0};
    uint8_t *p = out;
    if ((uint64_t)sectors_left * BLOCK_SECTOR > cap) {
        return ERR_SPACE;
    }
    while (left > 0) {
        uint32_t run, after;
        if (!cluster_valid(fs, cluster)) {
            return ERR_FORMAT;
        }
        enum err e = run_length(fs, &chain, cluster, left, &run, &after);
        if (e != ERR_OK) {
            return e;
        }
        uint64_t sectors = (uint64_t)run * fs->cluster_sectors;
        uint32_t n = sectors < sectors_left ? (uint32_t)sectors : sectors_left;
        e = fs->disk->read(fs->disk, cluster_sector(fs, cluster), n, p);
        if (e != ERR_OK) {
            return e;
        }
        p += (size_t)n * BLOCK_SECTOR;
        sectors_left -= n;
        left -= run;
        cluster = after;
    }
    *len = f->octets;
    return ERR_OK;
}

enum err fat_extent(const struct fat *fs, const struct fat_file *f, uint64_t *sector,
                    uint32_t *sectors)
{
    uint32_t want = clusters_for(fs, f->octets), run = 0, after;
    struct chain chain = {.sector = 0};
    if (want == 0 || !cluster_valid(fs, f->first_cluster)) {
        return ERR_FORMAT;
    }
    enum err e = run_length(fs, &chain, f->first_cluster, want, &run, &after);
    if (e != ERR_OK || run < want) {
        return e != ERR_OK ? e : ERR_UNSUPPORTED;
    }
    *sector = cluster_sector(fs, f->first_cluster);
    *sectors = f->octets / BLOCK_SECTOR;
    return ERR_OK;
}
