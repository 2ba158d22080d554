/* Two slots with generation and checksum. The header is one sector, which a card writes whole or
 * not at all; it is written after the payload. */
#include "lib/slots.h"

#include <stdbool.h>
#include <string.h>

#include "base/siphash.h"
#include "base/span.h"

enum {
    MAGIC = 0x544c5353,
    VERSION = 1,
    OFF_MAGIC = 0,
    OFF_VERSION = 4,
    OFF_GENERATION = 8,
    OFF_LENGTH = 16,
    OFF_PAYLOAD_SUM = 24,
    OFF_HEADER_SUM = 32
};

enum { PIECE_SECTORS = 64 };

static const struct siphash_key key = {UINT64_C(0x736c6f74732e7631), UINT64_C(0x73696e6b686f6c65)};

struct header {
    uint64_t generation, sum;
    uint32_t length;
};

static uint64_t slot_sector(const struct slots *s, unsigned slot)
{
    return s->sector + (uint64_t)slot * s->slot_sectors;
}

static bool read_header(const struct slots *s, unsigned slot, struct header *out)
{
    uint8_t b[BLOCK_SECTOR];
    if (s->disk->read(s->disk, slot_sector(s, slot), 1, b) != ERR_OK ||
        le32_read(b + OFF_MAGIC) != MAGIC || le32_read(b + OFF_VERSION) != VERSION ||
        le64_read(b + OFF_HEADER_SUM) != siphash13(key, b, OFF_HEADER_SUM)) {
        return false;
    }
    out->generation = le64_read(b + OFF_GENERATION);
    out->length = le32_read(b + OFF_LENGTH);
    out->sum = le64_read(b + OFF_PAYLOAD_SUM);
    return out->length <= (s->slot_sectors - 1) * BLOCK_SECTOR;
}

enum err slots_open(struct block_device *disk, uint64_t sector, uint32_t sectors, struct slots *out)
{
    if (sectors < 4) {
        return ERR_RANGE;
    }
    struct slots s = {.disk = disk, .sector = sector, .slot_sectors = sectors / 2};
    for (unsigned slot = 0; slot < 2; slot++) {
        struct header h;
        if (read_header(&s, slot, &h) && h.generation > s.generation) {
            s.generation = h.generation;
            s.current = slot;
        }
    }
    *out = s;
    return ERR_OK;
}

static enum err load_slot(const struct slots *s, unsigned slot, void *out, uint32_t cap,
                          uint32_t *len)
{
    struct header h;
    if (!read_header(s, slot, &h)) {
        return ERR_NOT_FOUND;
    }
    uint32_t sectors = (h.length + BLOCK_SECTOR - 1) / BLOCK_SECTOR;
    if (sectors * BLOCK_SECTOR > cap) {
        return ERR_SPACE;
    }
    enum err e = sectors ? s->disk->read(s->disk, slot_sector(s, slot) + 1, sectors, out) : ERR_OK;
    if (e != ERR_OK) {
        return e;
    }
    if (siphash13(key, out, h.length) != h.sum) {
        return ERR_CHECKSUM;
    }
    *len = h.length;
    return ERR_OK;
}

enum err slots_load(struct slots *s, void *out, uint32_t cap, uint32_t *len)
{
    if (s->generation == 0) {
        return ERR_NOT_FOUND;
    }
    enum err e = load_slot(s, s->current, out, cap, len);
    if (e != ERR_CHECKSUM) {
        return e;
    }
    /* The payload does not match its header: the other slot is older but whole, and the next save
     * must not hit it. */
    s->current = 1 - s->current;
    return load_slot(s, s->current, out, cap, len);
}

/* A card is slow: what else there is to do goes on between the pieces. */
static enum err write_payload(struct slots *s, unsigned slot, const uint8_t *data, uint32_t sectors)
{
    enum err e = ERR_OK;
    for (uint32_t at = 0; at < sectors && e == ERR_OK; at += PIECE_SECTORS) {
        uint32_t n = sectors - at < PIECE_SECTORS ? sectors - at : PIECE_SECTORS;
        e = s->disk->write(s->disk, slot_sector(s, slot) + 1 + at, n,
                           data + (size_t)at * BLOCK_SECTOR);
        if (s->breathe) {
            s->breathe();
        }
    }
    return e;
}

enum err slots_save(struct slots *s, const void *data, uint32_t len)
{
    uint32_t sectors = (len + BLOCK_SECTOR - 1) / BLOCK_SECTOR;
    unsigned slot = s->generation == 0 ? 0 : 1 - s->current;
    uint8_t b[BLOCK_SECTOR] = {0};
    if (sectors > s->slot_sectors - 1) {
        return ERR_SPACE;
    }
    enum err e = write_payload(s, slot, data, sectors);
    if (e != ERR_OK) {
        return e;
    }
    le32_write(b + OFF_MAGIC, MAGIC);
    le32_write(b + OFF_VERSION, VERSION);
    le64_write(b + OFF_GENERATION, s->generation + 1);
    le32_write(b + OFF_LENGTH, len);
    le64_write(b + OFF_PAYLOAD_SUM, siphash13(key, data, len));
    le64_write(b + OFF_HEADER_SUM, siphash13(key, b, OFF_HEADER_SUM));
    e = s->disk->write(s->disk, slot_sector(s, slot), 1, b);
    if (e == ERR_OK) {
        s->generation++;
        s->current = slot;
    }
    return e;
}
