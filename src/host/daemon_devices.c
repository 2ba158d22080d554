/*
 * The devices of the house as this machine sees them: the kernel's neighbours, and files of DHCP
 * servers. What a person or a local record calls them stands above (api/lookup.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "host/daemon_int.h"
#include "host/neighbours.h"
#include "host/sys.h"
#include "host/textfile.h"
#include "shared/devices.h"

#define LEASE_FILE_MAX (4u << 20) /* octets */

static bool update(struct daemon *d)
{
    bool changed = false;
    if (house_update(d->house, sys_now(), &changed) != ERR_OK) {
        log_warning(NET, "no memory for the table of devices; the old one stays");
    }
    return changed && d->wants_neighbours;
}

bool daemon_read_neighbours(struct daemon *d, const struct rules *rules)
{
    struct policy_address *fresh = NULL;
    d->wants_neighbours = devices_are_wanted(d->config, rules);
    if (d->wants_neighbours || d->first->http.count > 0) {
        fresh = calloc(POLICY_ADDRESSES_MAX, sizeof *fresh);
    }
    if (fresh) {
        uint32_t count = neighbours_read(fresh, POLICY_ADDRESSES_MAX);
        house_set_neighbours(d->house, fresh, count, sys_now());
        free(fresh);
    }
    return update(d);
}

void daemon_read_leases(struct daemon *d)
{
    house_begin_leases(d->house);
    for (uint32_t i = 0; i < d->config->lease_file.count; i++) {
        struct textfile file;
        textfile_read("lease file", d->config->lease_file.item[i], LEASE_FILE_MAX, &file);
        house_add_leases(d->house, span_of(file.data, file.len),
                         sys_unix_us() / (int64_t)USEC_PER_SEC);
        textfile_free(&file);
    }
    (void)update(d);
}

void daemon_update_house(struct daemon *d)
{
    if (update(d)) {
        enum err e = daemon_publish(d, &d->rules, 0);
        (void)e; /* logged; the next change tries again */
    }
}

void daemon_mind_neighbours(struct daemon *d)
{
    if (daemon_read_neighbours(d, &d->rules)) {
        enum err e = daemon_publish(d, &d->rules, 0);
        (void)e; /* logged; the next change tries again */
    }
}
