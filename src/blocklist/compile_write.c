/*
 * Octets out: staged, summed and given to the sink in order; then the tables behind the trie, and
 * the header last.
 */
#include "base/attr.h"
#include "blocklist/codes.h"
#include "blocklist/compile_int.h"
#include "dns/suffix.h"

static void flush(struct bl_compile *c)
{
    struct output *o = &c->out;
    if (o->staged > 0 && c->err == ERR_OK) {
        bl_checksum_add(&o->sum, o->stage, o->staged);
        enum err e = o->sink.write(o->sink.ctx, o->pos - o->staged, o->stage, o->staged);
        if (e != ERR_OK) {
            compile_fail(c, e);
        }
    }
    o->staged = 0;
}

void out_bytes(struct bl_compile *c, const void *data, size_t len)
{
    struct output *o = &c->out;
    const uint8_t *p = data;
    while (len > 0) {
        size_t n = STAGE - o->staged < len ? STAGE - o->staged : len;
        memcpy(o->stage + o->staged, p, n);
        o->staged += (uint32_t)n;
        o->pos += n;
        p += n;
        len -= n;
        if (o->staged == STAGE) {
            flush(c);
        }
    }
}

void out_begin(struct bl_compile *c, enum bl_section s)
{
    static const uint8_t zeros[8];
    struct output *o = &c->out;
    out_bytes(c, zeros, (8 - o->pos % 8) % 8);
    flush(c);
    c->sections[s].off = o->pos;
    bl_checksum_init(&o->sum);
}

void out_end(struct bl_compile *c, enum bl_section s)
{
    flush(c);
    c->sections[s].len = c->out.pos - c->sections[s].off;
    c->sections[s].sum = bl_checksum_end(&c->out.sum);
}

uint64_t out_trie_pos(const struct bl_compile *c)
{
    return c->out.pos - BL_HEADER;
}

static void chain_out(struct bl_compile *c, const struct chain *chain)
{
    for (uint32_t off = chain->first; off; off = chunk_next(at(c, off))) {
        out_bytes(c, at(c, off) + CHUNK_HEAD, chunk_used(at(c, off)));
        work_did(&c->work, CHUNK / BL_MARK);
    }
}

static void out_tlds(struct bl_compile *c)
{
    struct tlds *t = &c->feed[0]->tlds;
    uint32_t slots = 1;
    while (slots < t->count * 2) {
        slots *= 2;
    }
    out_begin(c, BL_TLDS);
    memset(t->slots, 0, slots * sizeof t->slots[0]);
    for (uint32_t i = 0; i < t->count; i++) {
        const uint8_t *row = at(c, t->at[i]);
        uint32_t slot = (uint32_t)(dns_suffix_child(dns_suffix_root(), row + 1, row[0]) >> 32);
        while (t->slots[slot & (slots - 1)] != 0) {
            slot++;
        }
        t->slots[slot & (slots - 1)] = (uint16_t)(i + 1);
        out_bytes(c, row, BL_TLD);
        work_did(&c->work, 1);
    }
    out_end(c, BL_TLDS);
    out_begin(c, BL_TLD_SLOTS);
    for (uint32_t i = 0; i < slots; i++) {
        uint8_t octets[2];
        le16_write(octets, t->slots[i]);
        out_bytes(c, octets, sizeof octets);
        work_did(&c->work, 1);
    }
    out_end(c, BL_TLD_SLOTS);
}

enum class_part { PART_EFFECT, PART_INDEX, PART_PAIRS };

static void out_class_rows(struct bl_compile *c, enum class_part part)
{
    uint32_t sources = 0;
    uint8_t octets[4];
    for (uint32_t off = c->classes.first; off; off = chunk_next(at(c, off))) {
        uint32_t used = chunk_used(at(c, off)), pos = 0;
        while (pos < used) {
            work_did(&c->work, 1);
            const struct class_row *row =
                (const struct class_row *)(const void *)(at(c, off) + CHUNK_HEAD + pos);
            if (part == PART_EFFECT) {
                out_bytes(c, &row->effect, 1);
            } else if (part == PART_INDEX) {
                sources += row->count;
                le32_write(octets, sources);
                out_bytes(c, octets, 4);
            } else {
                out_bytes(c, row->pairs, row->count * 2u);
            }
            pos += (uint32_t)sizeof *row + row->count * 2u;
            pos = (pos + (uint32_t) _Alignof(struct class_row) - 1) &
                  ~((uint32_t) _Alignof(struct class_row) - 1);
        }
    }
}

static void out_classes(struct bl_compile *c)
{
    static const uint8_t zeros[8];
    out_begin(c, BL_EFFECTS);
    out_bytes(c, zeros, 1); /* class 0: no rule */
    out_class_rows(c, PART_EFFECT);
    out_end(c, BL_EFFECTS);
    out_begin(c, BL_CLASSES);
    out_bytes(c, zeros, 8);
    out_class_rows(c, PART_INDEX);
    out_end(c, BL_CLASSES);
    out_begin(c, BL_SOURCES);
    out_class_rows(c, PART_PAIRS);
    out_end(c, BL_SOURCES);
}

static void out_lists(struct bl_compile *c)
{
    unsigned count = BL_LISTS_MAX;
    while (count > 0 && !c->lists[count - 1].used) {
        count--;
    }
    out_begin(c, BL_LISTS);
    for (unsigned i = 0; i < count; i++) {
        const struct list_state *l = &c->lists[i];
        uint8_t row[BL_LIST] = {l->used, (uint8_t)line_width(c, i)};
        le16_write(row + BL_AT_LIST_NAME_LEN, l->name_len);
        le16_write(row + BL_AT_LIST_URL_LEN, l->url_len);
        le32_write(row + BL_AT_LIST_TEXT, l->text);
        le32_write(row + BL_AT_LIST_RULES, l->rules);
        le32_write(row + BL_AT_LIST_DUPLICATES, l->duplicates);
        le32_write(row + BL_AT_LIST_REJECTED, l->rejected);
        le32_write(row + BL_AT_LIST_LINES, l->lines);
        out_bytes(c, row, sizeof row);
    }
    out_end(c, BL_LISTS);
    out_begin(c, BL_TEXTS);
    chain_out(c, &c->feed[0]->texts);
    out_end(c, BL_TEXTS);
    out_begin(c, BL_PATTERNS);
    chain_out(c, &c->feed[0]->patterns);
    out_end(c, BL_PATTERNS);
}

static void out_header(struct bl_compile *c)
{
    uint8_t h[BL_HEADER] = {0};
    memcpy(h + BL_AT_MAGIC, BL_MAGIC, 8);
    le32_write(h + BL_AT_VERSION, BL_IMAGE_VERSION);
    le32_write(h + BL_AT_SECTIONS_COUNT, BL_SECTION_COUNT);
    le64_write(h + BL_AT_TOTAL, c->out.pos);
    le64_write(h + BL_AT_BUILT, c->cfg.built_unix);
    le32_write(h + BL_AT_RULES, c->rule_count);
    le64_write(h + BL_AT_HASH, bl_format_hash_check());
    le64_write(h + BL_AT_CODES, bl_format_codes_check());
    for (unsigned i = 0; i < BL_SECTION_COUNT; i++) {
        uint8_t *row = h + BL_AT_SECTIONS + (size_t)i * 24;
        le64_write(row, c->sections[i].off);
        le64_write(row + 8, c->sections[i].len);
        le64_write(row + 16, c->sections[i].sum);
    }
    le64_write(h + BL_AT_CHECKSUM, bl_checksum_of(h, BL_AT_CHECKSUM));
    if (c->err == ERR_OK) {
        enum err e = c->out.sink.write(c->out.sink.ctx, 0, h, sizeof h);
        if (e != ERR_OK) {
            compile_fail(c, e);
        }
    }
}

void out_tables(struct bl_compile *c)
{
    static const uint8_t zeros[BL_TRIE_PAD];
    out_bytes(c, zeros, sizeof zeros);
    out_end(c, BL_TRIE);
    out_begin(c, BL_DIRECTORY);
    for (uint32_t b = 0; b < c->bucket_count; b += PARTS) { /* a multiple of it */
        out_bytes(c, at(c, c->directory) + (size_t)b * 4, (size_t)PARTS * 4);
        work_did(&c->work, PARTS);
    }
    out_end(c, BL_DIRECTORY);
    out_tlds(c);
    out_classes(c);
    out_begin(c, BL_LINES);
    chain_out(c, &c->lines);
    uint8_t last[12] = {0}; /* and eight zeros, which readers may touch */
    le32_write(last, (uint32_t)c->bits.acc);
    out_bytes(c, last, sizeof last);
    out_end(c, BL_LINES);
    out_begin(c, BL_MARKS);
    chain_out(c, &c->marks);
    out_end(c, BL_MARKS);
    out_lists(c);
    out_header(c);
}
