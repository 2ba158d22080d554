/* Files and slots of the card. */
#include "storage.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "drivers/block.h"
#include "lib/fat.h"
#include "lib/slots.h"

enum { PART_HEAD = 8 }; /* kind and length; little-endian */

static struct {
    struct block_device *disk;
    struct fat fs;
    bool has_fs;
    struct slots state, lists;
    bool has_state, has_lists;
    uint8_t *part[STORAGE_PARTS];
    uint32_t len[STORAGE_PARTS];
} card;

static uint32_t whole_sectors(uint32_t octets)
{
    return (octets + BLOCK_SECTOR - 1) / BLOCK_SECTOR * BLOCK_SECTOR;
}

static bool open_slots(const char *name, struct slots *out)
{
    struct fat_file file;
    uint64_t sector;
    uint32_t sectors;
    if (fat_find(&card.fs, name, &file) != ERR_OK) {
        log_info(STORE, "%s is not on the card", name);
        return false;
    }
    enum err e = fat_extent(&card.fs, &file, &sector, &sectors);
    e = e == ERR_OK ? slots_open(card.disk, sector, sectors, out) : e;
    if (e != ERR_OK) {
        log_error(STORE, "%s cannot be used: %s", name,
                  e == ERR_UNSUPPORTED ? "it does not lie in one piece" : err_text(e));
    }
    return e == ERR_OK;
}

/* What the newest slot holds, from malloc. */
static struct span load(struct slots *s, const char *name)
{
    uint32_t cap = s->slot_sectors * BLOCK_SECTOR, len = 0;
    uint8_t *data = s->generation > 0 ? malloc(cap) : NULL;
    if (!data) {
        return span_of("", 0);
    }
    enum err e = slots_load(s, data, cap, &len);
    if (e != ERR_OK || len == 0) {
        if (e != ERR_OK) {
            log_error(STORE, "%s: %s", name, err_text(e));
        }
        free(data);
        return span_of("", 0);
    }
    uint8_t *exact = realloc(data, whole_sectors(len) + 1);
    return span_of(exact ? exact : data, len);
}

static void take_parts(struct span s)
{
    size_t pos = 0;
    while (s.len - pos >= PART_HEAD) {
        uint32_t kind = le32_read(s.ptr + pos), len = le32_read(s.ptr + pos + 4);
        pos += PART_HEAD;
        if (kind >= STORAGE_PARTS || len > s.len - pos) {
            return;
        }
        if (storage_set((enum storage_part)kind, span_of(s.ptr + pos, len)) != ERR_OK) {
            log_error(STORE, "state.bin: out of memory");
        }
        pos += len;
    }
}

void storage_start(struct block_device *disk)
{
    card.disk = disk;
    if (!disk) {
        log_info(STORE, "no card: what a person decides is lost at a restart");
        return;
    }
    enum err e = fat_open(disk, &card.fs);
    if (e != ERR_OK) {
        log_error(STORE, "the card has no FAT partition that can be read: %s", err_text(e));
        return;
    }
    card.has_fs = true;
    card.has_state = open_slots("state.bin", &card.state);
    card.has_lists = open_slots("lists.bin", &card.lists);
    if (card.has_state) {
        struct span s = load(&card.state, "state.bin");
        take_parts(s);
        log_info(STORE, "state.bin: generation %u, %u octets", (unsigned)card.state.generation,
                 (unsigned)s.len);
        if (s.len > 0) {
            free((void *)(uintptr_t)s.ptr);
        }
    }
}

struct span storage_file(const char *name, uint32_t octets_max)
{
    struct fat_file file;
    uint32_t len = 0;
    if (!card.has_fs || fat_find(&card.fs, name, &file) != ERR_OK) {
        return span_of("", 0);
    }
    if (file.octets > octets_max) {
        log_error(STORE, "%s has more than %u octets: not read", name, (unsigned)octets_max);
        return span_of("", 0);
    }
    uint32_t cap = whole_sectors(file.octets);
    uint8_t *data = malloc(cap + 1);
    enum err e = data ? fat_read(&card.fs, &file, data, cap, &len) : ERR_MEMORY;
    if (e != ERR_OK) {
        log_error(STORE, "%s: %s", name, err_text(e));
        free(data);
        return span_of("", 0);
    }
    data[len] = '\0';
    return span_of(data, len);
}

struct span storage_get(enum storage_part part)
{
    return card.len[part] > 0 ? span_of(card.part[part], card.len[part]) : span_of("", 0);
}

enum err storage_set(enum storage_part part, struct span octets)
{
    uint8_t *copy = malloc(octets.len + 1);
    if (!copy) {
        return ERR_MEMORY;
    }
    memcpy(copy, octets.ptr, octets.len);
    free(card.part[part]);
    card.part[part] = copy;
    card.len[part] = (uint32_t)octets.len;
    return ERR_OK;
}

enum err storage_write(void)
{
    uint32_t total = 0, pos = 0;
    if (!card.has_state) {
        return ERR_NOT_FOUND;
    }
    for (int i = 0; i < STORAGE_PARTS; i++) {
        total += card.len[i] > 0 ? PART_HEAD + card.len[i] : 0;
    }
    uint8_t *data = calloc(1, whole_sectors(total) + BLOCK_SECTOR);
    if (!data) {
        return ERR_MEMORY;
    }
    for (int i = 0; i < STORAGE_PARTS; i++) {
        if (card.len[i] > 0) {
            le32_write(data + pos, (uint32_t)i);
            le32_write(data + pos + 4, card.len[i]);
            memcpy(data + pos + PART_HEAD, card.part[i], card.len[i]);
            pos += PART_HEAD + card.len[i];
        }
    }
    enum err e = slots_save(&card.state, data, total);
    free(data);
    return e;
}

struct span storage_lists(void)
{
    return card.has_lists ? load(&card.lists, "lists.bin") : span_of("", 0);
}

enum err storage_write_lists(struct span image)
{
    if (!card.has_lists) {
        return ERR_NOT_FOUND;
    }
    return slots_save(&card.lists, image.ptr, (uint32_t)image.len);
}

uint64_t storage_written(void)
{
    return card.disk ? card.disk->written : 0;
}
