/* One pass over the query log for the lists; see list_hits.h. A key of the scratch table is the
 * list's id and the name. */
#include "api/list_hits.h"

#include <string.h>

#include "blocklist/match.h"
#include "stats/topk.h"

enum { ID_OCTETS = sizeof(uint32_t), RULES_SEEN = 64 };

static struct list_hits *row_of(struct list_hits_table *t, uint32_t id)
{
    uint32_t i = 0;
    while (i < t->count && t->row[i].id != id) {
        i++;
    }
    if (i == ARRAY_LEN(t->row)) {
        return NULL;
    }
    if (i == t->count) {
        t->row[t->count++] = (struct list_hits){.id = id};
    }
    return &t->row[i];
}

static void add_entry(struct api *a, const struct stats_log_entry *e, struct list_hits_table *t)
{
    uint8_t key[API_SCRATCH_KEY];
    struct span name = e->status == QUERY_BLOCKED_CNAME ? e->cname : e->qname;
    struct list_hits *row = row_of(t, e->list_id);
    if (!row) {
        return;
    }
    row->blocked++;
    if (name.len == 0 || name.len > sizeof key - ID_OCTETS) {
        return;
    }
    memcpy(key, &e->list_id, ID_OCTETS);
    memcpy(key + ID_OCTETS, name.ptr, name.len);
    size_t len = ID_OCTETS + name.len;
    topk_add(a->scratch, siphash13(a->mac_key[0], key, len), key, len);
}

/* Do the rules that block the name all stand in one list? */
static bool is_on_one_list(const struct bl_image *image, const uint8_t *wire, size_t len)
{
    struct bl_hit hits[RULES_SEEN];
    struct bl_verdict verdict;
    struct dns_name name;
    if (dns_name_from_wire(wire, len, &name) != ERR_OK) {
        return false;
    }
    size_t count = bl_explain(image, &name, NULL, hits, RULES_SEEN, &verdict);
    if (count > RULES_SEEN) {
        return false;
    }
    int list = -1;
    for (size_t i = 0; i < count; i++) {
        if (hits[i].applies && bl_rank_action(hits[i].source.rank) == BL_BLOCK) {
            if (list >= 0 && list != (int)hits[i].source.list) {
                return false;
            }
            list = (int)hits[i].source.list;
        }
    }
    return list >= 0;
}

void list_hits_count(struct api *a, struct span_of_time span, struct list_hits_table *out)
{
    const struct snapshot *snapshot = a->be->snapshot(a->be->ctx);
    struct topk_row rows[LIST_HITS_NAMES];
    struct stats_log_entry e;
    out->count = 0;
    topk_clear(a->scratch);
    for (uint64_t id = stats_log_next(a->stats); stats_log_at(a->stats, --id, &e);) {
        if (e.list_id != 0 && e.unix_us >= span.from_us && e.unix_us < span.until_us &&
            query_outcome_of(e.status) == OUTCOME_BLOCKED) {
            add_entry(a, &e, out);
        }
    }
    uint32_t n = topk_read(a->scratch, rows, LIST_HITS_NAMES);
    for (uint32_t i = 0; snapshot && snapshot->image && i < n; i++) {
        uint32_t id;
        memcpy(&id, rows[i].key, ID_OCTETS);
        if (is_on_one_list(snapshot->image, rows[i].key + ID_OCTETS, rows[i].key_len - ID_OCTETS)) {
            row_of(out, id)->alone += rows[i].count;
        }
    }
}

struct list_hits list_hits_of(const struct list_hits_table *t, uint32_t id)
{
    for (uint32_t i = 0; i < t->count; i++) {
        if (t->row[i].id == id) {
            return t->row[i];
        }
    }
    return (struct list_hits){.id = id};
}
