/*
 * Partitions into the trie. Alone, one goes straight to the output. Where there are threads, as
 * many are worked on at a time, so that each stays in a cache: names, then (by one thread, in
 * order) the numbers of new classes, then the octets of each as if the trie began with them, then
 * (in order again) all of that to the output, with offsets moved to where it comes to lie. A
 * partition that finds too little room among others is done again, alone.
 */
#include "base/attr.h"
#include "blocklist/compile_int.h"

void work_pause(struct work *w)
{
    uint32_t steps = w->steps;
    w->steps = 0;
    if (w->pause.call) {
        w->pause.call(w->pause.ctx, steps);
    }
}

/* ---- what the trie's writer calls ---- */

uint32_t lane_pos(const struct lane *w)
{
    return w->alone ? (uint32_t)out_trie_pos(w->c) : 1 + w->out_used;
}

void lane_out(struct lane *w, const void *data, size_t len)
{
    if (w->alone) {
        out_bytes(w->c, data, len);
        if (out_trie_pos(w->c) > (uint64_t)INT32_MAX - 2 * BL_GROUP_ROOM) {
            lane_fail(w, ERR_LIMIT);
        }
    } else if (len > w->out_cap - w->out_used) {
        lane_fail(w, ERR_SPACE);
    } else {
        memcpy(w->out + w->out_used, data, len);
        w->out_used += (uint32_t)len;
    }
}

void lane_word(struct lane *w, uint32_t word)
{
    if (!w->alone) {
        w->words[w->word_count++] = word; /* no name has more sources than rules: there is room */
        return;
    }
    uint8_t *p = kept_room(w->c, &w->c->lines, 4, 1);
    if (p) {
        le32_write(p, word);
    }
}

static void mark_group(struct bl_compile *c, uint32_t group, uint64_t bits)
{
    if (group < c->next_mark) {
        return;
    }
    uint8_t *mark = kept_room(c, &c->marks, BL_MARK, 1);
    if (mark) {
        le32_write(mark, group);
        le64_write(mark + 4, bits);
        c->mark_count++;
    }
    c->next_mark = group + BL_MARK_EVERY;
}

static void lane_mark(struct lane *w, uint32_t pos, uint32_t bits)
{
    if (w->mark_count == w->mark_cap) {
        lane_fail(w, ERR_SPACE);
        return;
    }
    w->marks[w->mark_count++] = (struct mark){pos, bits};
}

void lane_mark_group(struct lane *w, uint32_t pos)
{
    if (w->alone) {
        mark_group(w->c, pos, w->bits.count);
    } else {
        lane_mark(w, pos, (uint32_t)w->bits.count);
    }
}

void lane_mark_fan(struct lane *w, uint32_t pos)
{
    if (!w->alone) {
        lane_mark(w, pos, IS_FAN);
    }
}

/* ---- one partition ---- */

static void lane_begin(struct lane *w, unsigned part)
{
    w->part = part;
    w->err = ERR_OK;
    w->classes_open = false;
    w->rule_count = 0;
    memset(w->rules, 0, sizeof w->rules);
    memset(w->duplicates, 0, sizeof w->duplicates);
    w->out_used = w->word_count = w->mark_count = 0;
    w->bits = w->alone ? w->c->bits : (struct bits){0};
}

/* Room for what an image will have of this partition, between nodes and names. */
static void lane_room(struct lane *w)
{
    uint32_t n = w->name_count;
    uint32_t words = ((uint32_t)(w->sources_used * 4) + 15) & ~15u;
    uint32_t marks = (n + n / 8 + 32) * (uint32_t)sizeof(struct mark);
    uint32_t room = w->stack_end - w->begin;
    if (words + marks > room) {
        lane_fail(w, ERR_SPACE);
        return;
    }
    w->stack_end -= words;
    w->words = (uint32_t *)(void *)at(w->c, w->stack_end);
    w->stack_end -= marks;
    w->marks = (struct mark *)(void *)at(w->c, w->stack_end);
    w->mark_cap = marks / (uint32_t)sizeof(struct mark);
    w->out_cap = (w->stack_end - w->begin) / 4 * 3 & ~15u;
    w->stack_end -= w->out_cap;
    w->out = at(w->c, w->stack_end);
}

static void names_job(void *arg, unsigned i)
{
    struct lane *w = &((struct lane *)arg)[i];
    if (part_load(w)) {
        part_names(w);
    }
}

static void trie_job(void *arg, unsigned i)
{
    struct lane *w = &((struct lane *)arg)[i];
    lane_room(w);
    if (w->err == ERR_OK) {
        part_trie(w);
    }
}

/* Offsets count from where the lane's octets will be. */
static void move_offset(uint8_t *p, uint32_t by)
{
    uint32_t v = le32_read(p);
    le32_write(p, v == 0 ? 0 : v + by);
}

/* The lane's bits behind those that are there: as a lane alone would have gone on. */
static void lines_append(struct lane *w)
{
    struct bits mine = w->bits;
    uint32_t count = w->word_count;
    w->alone = true;
    w->bits = w->c->bits;
    for (uint32_t i = 0; i < count; i++) {
        lane_bits(w, w->words[i], 32);
    }
    lane_bits(w, (uint32_t)mine.acc, mine.held);
}

static void lane_append(struct lane *w)
{
    struct bl_compile *c = w->c;
    uint64_t pos = out_trie_pos(c), bits = c->bits.count;
    uint32_t by = (uint32_t)pos - 1;
    if (pos + w->out_used > (uint64_t)INT32_MAX - 2 * BL_GROUP_ROOM) {
        lane_fail(w, ERR_LIMIT);
        return;
    }
    for (uint32_t i = 0; i < w->mark_count; i++) {
        const struct mark *m = &w->marks[i];
        if (m->bits != IS_FAN) {
            mark_group(c, m->at + by, bits + m->bits);
            continue;
        }
        uint8_t *fan = w->out + m->at - 1;
        for (uint32_t b = 0, buckets = le32_read(fan + 1); b < buckets; b++) {
            move_offset(fan + BL_FAN_HEAD + (size_t)b * 4, by);
        }
    }
    uint32_t each = c->bucket_count / PARTS;
    for (uint32_t b = w->part * each; b < (w->part + 1) * each; b++) {
        move_offset(at(c, c->directory) + (size_t)b * 4, by);
    }
    out_bytes(c, w->out, w->out_used);
    lines_append(w);
}

static bool lane_kept(struct lane *w)
{
    struct bl_compile *c = w->c;
    if (w->err == ERR_OK && !w->alone) {
        lane_append(w);
    }
    if (w->err != ERR_OK) {
        return false;
    }
    c->bits = w->bits;
    for (unsigned i = 0; i < BL_LISTS_MAX; i++) {
        c->lists[i].rules += w->rules[i];
        c->lists[i].duplicates += w->duplicates[i];
    }
    c->rule_count += w->rule_count;
    for (unsigned k = 0; k < c->feeds; k++) {
        chain_free(c, &c->feed[k]->parts[w->part]);
        c->feed[k]->part_rules[w->part] = 0;
    }
    return true;
}

void lane_whole(struct bl_compile *c, unsigned part)
{
    struct lane *w = c->lane;
    w->alone = true;
    w->begin = c->work_begin;
    w->end = c->work_end;
    lane_begin(w, part);
}

static void note_peak(struct bl_compile *c, const struct lane *w, unsigned lanes)
{
    size_t used = atomic_load_explicit(&c->chunk_top, memory_order_relaxed);
    used += w->alone ? w->high : (size_t)(w->end - w->begin) * lanes;
    c->peak = used > c->peak ? used : c->peak;
}

void lane_alone(struct bl_compile *c, unsigned part)
{
    struct lane *w = c->lane;
    lane_whole(c, part);
    if (part_load(w)) {
        part_names(w);
        part_classes(w);
    }
    if (w->err == ERR_OK && c->err == ERR_OK) {
        if (part < PARTS) {
            part_trie(w);
        } else {
            part_tld_rules(w);
        }
    }
    note_peak(c, w, 1);
    if (!lane_kept(w)) {
        compile_fail(c, w->err);
    }
}

/* ---- several ---- */

static void run(struct bl_compile *c, void (*job)(void *arg, unsigned i), unsigned count)
{
    c->cfg.jobs.run(c->cfg.jobs.ctx, job, c->lane, count);
}

/* Octets for each of n lanes: no more than the largest needs, so that they stay close together. */
static uint32_t lane_memory(const struct bl_compile *c, unsigned part, unsigned n)
{
    uint64_t room = (c->work_end - c->work_begin) / n, need = 0;
    for (unsigned i = 0; i < n; i++) {
        uint64_t mine = (uint64_t)part_rules(c, part + i) * LANE_PER_RULE + LANE_SPARE;
        need = mine > need ? mine : need;
    }
    return (uint32_t)(need < room ? need : room) & ~15u;
}

/* Partitions part..part+n-1; how many of them are done. */
static unsigned lanes_together(struct bl_compile *c, unsigned part, unsigned n)
{
    uint32_t each = lane_memory(c, part, n);
    unsigned kept = 0;
    for (unsigned i = 0; i < n; i++) {
        struct lane *w = &c->lane[i];
        w->alone = false;
        w->begin = c->work_begin + i * each;
        w->end = w->begin + each;
        lane_begin(w, part + i);
    }
    run(c, names_job, n);
    for (unsigned i = 0; i < n && c->err == ERR_OK; i++) {
        if (c->lane[i].err != ERR_OK) {
            n = i;
            break;
        }
        part_classes(&c->lane[i]);
    }
    if (n > 0 && c->err == ERR_OK) {
        run(c, trie_job, n);
        note_peak(c, c->lane, n);
    }
    while (kept < n && c->err == ERR_OK && lane_kept(&c->lane[kept])) {
        kept++;
    }
    return kept;
}

void lanes_run(struct bl_compile *c)
{
    unsigned part = c->part_first;
    while (part < c->part_end && c->err == ERR_OK) {
        unsigned left = c->part_end - part, n = c->lane_count < left ? c->lane_count : left;
        unsigned kept = n > 1 ? lanes_together(c, part, n) : 0;
        part += kept;
        if (kept < n && c->err == ERR_OK) {
            lane_alone(c, part++);
        }
    }
}
