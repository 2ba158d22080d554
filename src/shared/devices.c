#include "shared/devices.h"

#include <stdlib.h>
#include <string.h>

#include "api/policy_plan.h"
#include "base/mac.h"

/* Does a text of a client stand for a device? Then its addresses matter. */
static bool is_device(const char *client)
{
    struct ip_prefix prefix;
    return client && ip_prefix_parse(span_str(client), &prefix) != ERR_OK;
}

bool devices_are_wanted(const struct config *cfg, const struct rules *rules)
{
    struct client_view v;
    struct rule_view own;
    struct pause_view pause;
    for (uint32_t i = 0; rules_client_at(rules, i, &v); i++) {
        if (is_device(v.client)) {
            return true;
        }
    }
    for (uint32_t i = 0; rules_pause_at(rules, i, &pause); i++) {
        if (is_device(pause.client)) {
            return true;
        }
    }
    for (uint32_t i = 0; rules_own_at(rules, i, &own); i++) {
        if (is_device(own.client)) {
            return true;
        }
    }
    for (uint32_t i = 0; i < cfg->groups.value_count; i++) {
        const struct cfg_group_value *value = &cfg->groups.value[i];
        if (value->key == CFG_GROUP_CLIENT && is_device(value->text)) {
            return true;
        }
    }
    return false;
}

static int by_address(const void *a, const void *b)
{
    const struct policy_address *x = a, *y = b;
    return memcmp(x->addr.b, y->addr.b, sizeof x->addr.b);
}

static bool is_same(const struct devices *d, const struct policy_address *other, uint32_t count)
{
    bool same = d->count == count;
    for (uint32_t i = 0; i < count && same; i++) {
        same = ip_equal(&other[i].addr, &d->item[i].addr) &&
               memcmp(other[i].mac, d->item[i].mac, MAC_OCTETS) == 0;
    }
    return same;
}

bool devices_update(struct devices *d, const struct config *cfg, const struct rules *rules,
                    devices_read *read)
{
    d->wanted = devices_are_wanted(cfg, rules);
    if (!d->wanted) {
        bool had = d->count != 0;
        devices_free(d);
        return had;
    }
    struct policy_address *fresh = calloc(POLICY_ADDRESSES_MAX, sizeof *fresh);
    if (!fresh) {
        return false;
    }
    uint32_t count = read(fresh, POLICY_ADDRESSES_MAX);
    qsort(fresh, count, sizeof *fresh, by_address);
    bool changed = !is_same(d, fresh, count);
    free(d->item);
    struct policy_address *exact = realloc(fresh, (count + 1) * sizeof *fresh);
    d->item = exact ? exact : fresh;
    d->count = count;
    return changed;
}

void devices_free(struct devices *d)
{
    free(d->item);
    d->item = NULL;
    d->count = 0;
}
