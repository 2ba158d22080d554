/* A line's place is its id modulo the size. */
#include "base/log_ring.h"

#include "base/strbuf.h"

void log_ring_add(struct log_ring *r, int64_t unix_us, enum log_area area, enum log_level level,
                  const char *text)
{
    struct log_ring_line *line = &r->line[++r->last % LOG_RING_LINES];
    struct strbuf out;
    line->id = r->last;
    line->unix_us = unix_us;
    line->area = area;
    line->level = level;
    strbuf_init(&out, line->text, sizeof line->text);
    strbuf_str(&out, text);
}

uint32_t log_ring_read(const struct log_ring *r, uint64_t after, struct log_ring_line *out,
                       uint32_t max)
{
    uint64_t oldest = r->last > LOG_RING_LINES ? r->last - LOG_RING_LINES : 0;
    uint32_t count = 0;
    for (uint64_t id = (after > oldest ? after : oldest) + 1; id <= r->last && count < max; id++) {
        out[count++] = r->line[id % LOG_RING_LINES];
    }
    return count;
}
