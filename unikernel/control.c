/*
 * The card is written at a person's changes, for statistics four times a day, and for lists once a
 * day at most: docs/pi.md tells what that comes to.
 */
#include "control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/backend.h"
#include "api/policy_plan.h"
#include "arch/aarch64/cpu.h"
#include "base/log.h"
#include "board/board.h"
#include "engine.h"
#include "lib/wallclock.h"
#include "lists.h"
#include "net/neighbours.h"
#include "passwords.h"
#include "settings.h"
#include "shared/text.h"
#include "stats/stats.h"
#include "storage.h"

#define STATS_EVERY_US (6 * 3600 * USEC_PER_SEC)
#define CLOCK_STEP_US                                                           \
    ((int64_t)(2 * USEC_PER_SEC)) /* more than a clock drifts between two looks \
                                   */
#define LISTS_EVERY_US (86400 * USEC_PER_SEC)

enum { CONF_MAX = 65536 };

static struct {
    struct config *cfg;
    void *cfg_memory;
    struct rules rules;
    usec_t stats_at, lists_at, policy_at;
    struct devices devices;
    int64_t clock_ahead; /* of wall over monotonic time, microseconds */
} control = {.stats_at = STATS_EVERY_US};

const struct config *control_config(void)
{
    return control.cfg;
}

/* Local time by the configuration: a rule as POSIX writes it, else Greenwich. */
static const struct tz *timezone_of(const struct config *cfg)
{
    static struct tz tz;
    if (cfg->timezone[0] == '\0' || tz_parse(span_str(cfg->timezone), &tz) != ERR_OK) {
        tz = (struct tz){0};
    }
    return &tz;
}

struct rules *control_rules(void)
{
    return &control.rules;
}

void control_policy_source(const struct config *cfg, const struct rules *rules,
                           struct policy_source *out)
{
    *out = (struct policy_source){.config = cfg,
                                  .rules = rules,
                                  .tz = timezone_of(cfg),
                                  .now = clock_now(),
                                  .now_unix = wallclock_unix_us() / (int64_t)USEC_PER_SEC,
                                  .list_id = lists_source_id,
                                  .address = control.devices.item,
                                  .address_count = control.devices.count};
}

/* ---- start ---- */

static enum err load_rules(void)
{
    char what[200] = "";
    struct span text = storage_get(STORAGE_RULES);
    enum err e = rules_clear(&control.rules);
    if (e == ERR_OK && text.len > 0 &&
        rules_parse(&control.rules, text, what, sizeof what) != ERR_OK) {
        log_error(STORE, "the rules document on the card cannot be used: %s", what);
    }
    return e;
}

static void load_passwords(struct rng *rng)
{
    char made[PASSWORD_CHARS + 1];
    const char *told = settings_password();
    passwords_start(rng, storage_get(STORAGE_PASSWORDS), told, made);
    if (made[0] != '\0') {
        printf("\nThe password of the page is: %s\n\n", made);
        memset(made, 0, sizeof made);
    }
    uint8_t secret[TOTP_SECRET_OCTETS];
    bool forget = settings_forget_totp() && passwords_totp_get(secret);
    if (forget) {
        passwords_totp_set(NULL);
        log_warning(STORE, "one-time passwords are off, as totp = off says; take it out again");
    }
    if ((!told || forget) && control_keep_passwords() != ERR_OK) {
        log_info(STORE, "the password is not kept: there will be another one after a restart");
    }
}

void control_open(const char *cmdline)
{
    storage_start(board_disk());
    struct span conf = storage_file("sinkhole.conf", CONF_MAX);
    settings_start((uint8_t *)(uintptr_t)conf.ptr, conf.len, cmdline);
}

enum err control_start(struct rng *rng)
{
    enum err e = load_rules();
    e = e == ERR_OK ? settings_load(&control.rules, &control.cfg_memory, &control.cfg) : e;
    if (e == ERR_OK) {
        log_set_level_all((enum log_level)control.cfg->log_level);
        load_passwords(rng);
    }
    return e;
}

void control_load_stats(void)
{
    struct span saved = storage_get(STORAGE_STATS);
    enum err e = saved.len > 0 ? stats_load(engine_stats(), saved.ptr, saved.len) : ERR_OK;
    if (e != ERR_OK) {
        log_warning(STORE, "statistics start anew: %s", err_text(e));
    }
}

/* ---- keeping ---- */

/* Without a card things hold until the next start, and that is no error. */
static enum err write_card(void)
{
    enum err e = storage_write();
    if (e != ERR_OK && e != ERR_NOT_FOUND) {
        log_error(STORE, "state.bin: %s", err_text(e));
    }
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static enum err keep_rules(const struct rules *rules)
{
    struct text t = {0};
    enum err e = rules_print(rules, text_put, &t);
    e = e == ERR_OK ? storage_set(STORAGE_RULES, span_of(t.data, t.len)) : e;
    text_free(&t);
    return e == ERR_OK ? write_card() : e;
}

enum err control_keep_passwords(void)
{
    uint8_t octets[PASSWORD_SAVED_MAX];
    uint32_t len;
    passwords_save(octets, &len);
    enum err e = storage_set(STORAGE_PASSWORDS, span_of(octets, len));
    return e == ERR_OK ? storage_write() : e;
}

static void keep_stats(void)
{
    size_t cap = stats_save_memory(engine_stats()), len = 0;
    uint8_t *buf = malloc(cap);
    enum err e = buf ? stats_save(engine_stats(), buf, cap, &len) : ERR_MEMORY;
    e = e == ERR_OK ? storage_set(STORAGE_STATS, span_of(buf, len)) : e;
    free(buf);
    e = e == ERR_OK ? write_card() : e;
    if (e != ERR_OK) {
        log_warning(STORE, "statistics are not kept: %s", err_text(e));
    }
}

void control_keep_lists(struct span image)
{
    usec_t now = clock_now();
    if (now < control.lists_at) {
        return;
    }
    enum err e = storage_write_lists(image);
    if (e == ERR_OK) {
        control.lists_at = now + LISTS_EVERY_US;
        log_info(STORE, "lists.bin: %u KiB written", (unsigned)(image.len / 1024));
    } else if (e != ERR_NOT_FOUND) {
        log_error(STORE, "lists.bin: %s", err_text(e));
    }
}

/* A schedule begins or ends, the clock came to be known, or a device came: what decides is made
 * anew. */
static void mind_policy(usec_t now)
{
    int64_t unix_us = wallclock_unix_us();
    int64_t ahead = unix_us - (int64_t)now, drift = ahead - control.clock_ahead;
    bool set = drift > CLOCK_STEP_US || drift < -CLOCK_STEP_US;
    control.policy_at = now + USEC_PER_SEC;
    bool met = devices_update(&control.devices, control.cfg, &control.rules, net_neighbours);
    if (set || met || unix_us / (int64_t)USEC_PER_SEC >= engine_plan()->groups.next_change) {
        control.clock_ahead = ahead;
        enum err e = engine_set_rules(control.cfg, &control.rules);
        if (e != ERR_OK) {
            log_warning(RESOLVER, "policy cannot be put in force: %s", err_text(e));
        }
    }
}

void control_tick(usec_t now)
{
    if (now >= control.policy_at) {
        mind_policy(now);
    }
    if (now >= control.stats_at) {
        control.stats_at = now + STATS_EVERY_US;
        keep_stats();
    }
}

/* ---- changes ---- */

static enum err put_in_force(const struct config *cfg, const struct rules *rules)
{
    (void)devices_update(&control.devices, cfg, rules, net_neighbours);
    return engine_set_rules(cfg, rules);
}

static enum err reconfigure(const struct rules *next)
{
    struct config *fresh;
    void *memory, *old = control.cfg_memory;
    enum err e = settings_load(next, &memory, &fresh);
    e = e == ERR_OK ? put_in_force(fresh, next) : e;
    if (e != ERR_OK) {
        return e;
    }
    log_set_level_all((enum log_level)fresh->log_level);
    stats_set_privacy(engine_stats(), (enum stats_privacy)fresh->privacy);
    control.cfg = fresh;
    control.cfg_memory = memory;
    free(old);
    return lists_configure(fresh, next);
}

enum err control_apply(const struct rules *next, unsigned parts)
{
    enum err e = keep_rules(next);
    if (e != ERR_OK && parts != RULES_PAUSE) {
        return e;
    }
    if (parts & RULES_SETTINGS) {
        return reconfigure(next);
    }
    e = put_in_force(control.cfg, next);
    return e == ERR_OK && (parts & RULES_LISTS) ? lists_configure(control.cfg, next) : e;
}
