/*
 * Start, the control thread's loop, and the end. Order of the start: configuration, sockets, state,
 * privileges; then lists (the saved image is there at once), snapshot, workers; "ready"; and behind
 * it downloads.
 */
#include "host/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/require.h"
#include "host/daemon_int.h"
#include "host/fetch_curl.h"
#include "host/logsink.h"
#include "host/neighbours.h"
#include "host/netconf.h"
#include "host/notify.h"
#include "host/progress.h"
#include "host/sys.h"

static void broken_contract(const char *file, int line, const char *expr)
{
    log_error(MAIN, "%s:%d: %s does not hold; this is a defect of the program", file, line, expr);
    abort();
}

/* ---- Statistics. ---- */

static void stop_collecting(struct daemon *d)
{
    atomic_store(&d->control.active, false);
    /* What came before a worker saw that is collected here; what comes later calls. */
    if (daemon_collect(d) > 0) {
        atomic_store(&d->control.active, true);
        loop_timer_set(&d->collect_timer, sys_now() + COLLECT_US);
    }
}

static void on_collect(void *arg)
{
    struct daemon *d = arg;
    pthread_mutex_lock(&d->lock);
    d->quiet = daemon_collect(d) > 0 ? 0 : d->quiet + 1;
    if (d->quiet < COLLECT_QUIET) {
        loop_timer_set(&d->collect_timer, sys_now() + COLLECT_US);
    } else if (api_host_is_watched(d->api)) {
        loop_timer_set(&d->collect_timer,
                       sys_now() + WATCHED_US); /* its timeline moves on all the same */
    } else {
        stop_collecting(d);
    }
    api_host_tick(d->api);
    pthread_mutex_unlock(&d->lock);
    api_host_wake(d->api);
}

static void start_collecting(struct daemon *d)
{
    d->quiet = 0;
    if (d->ask.fd < 0 &&
        d->names_timer.due == USEC_NEVER) { /* traffic that goes on puts nothing off */
        loop_timer_set(&d->names_timer, sys_now() + NAMES_US);
    }
    atomic_store(&d->control.active, true);
    loop_timer_set(&d->collect_timer, sys_now() + COLLECT_US);
}

static void on_save(void *arg)
{
    struct daemon *d = arg;
    pthread_mutex_lock(&d->lock);
    daemon_save_stats(d);
    pthread_mutex_unlock(&d->lock);
    loop_timer_set(&d->save_timer, sys_now() + SAVE_US);
}

/* ---- Calls from other threads. ---- */

static void on_control(void *arg)
{
    struct daemon *d = arg;
    uint64_t count;
    ssize_t n = read(d->control.event, &count, sizeof count);
    (void)n; /* EAGAIN: taken already */
    unsigned calls = atomic_exchange(&d->control.calls, 0);
    pthread_mutex_lock(&d->lock);
    if (calls & CONTROL_IMAGE) {
        daemon_take_image(d);
    }
    if (calls & CONTROL_FILLING) {
        daemon_collect(d);
    }
    if (calls & CONTROL_TRAFFIC) {
        start_collecting(d);
    }
    if (calls & CONTROL_SNAPSHOT) {
        publisher_reap(d->publisher);
        loop_timer_set(&d->policy_timer, sys_now()); /* it may have another time to wait for */
    }
    bool lists_changed = (calls & (CONTROL_IMAGE | CONTROL_LISTS)) != 0;
    if (lists_changed) {
        api_host_changed(d->api, RULES_LISTS);
    }
    pthread_mutex_unlock(&d->lock);
    if (lists_changed || (calls & CONTROL_ANSWER)) {
        api_host_wake(d->api);
    }
}

/* ---- Signals, files, addresses. ---- */

static void on_signal(void *arg)
{
    struct daemon *d = arg;
    struct signalfd_siginfo info;
    while (read(d->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP) {
            usec_t now = sys_now();
            usec_t earliest = d->reloaded + RELOAD_US;
            loop_timer_set(&d->reload_timer, earliest > now ? earliest : now);
        } else {
            log_info(MAIN, "stopping on %s", info.ssi_signo == SIGINT ? "SIGINT" : "SIGTERM");
            d->stopping = true;
        }
    }
}

static void on_reload(void *arg)
{
    struct daemon *d = arg;
    pthread_mutex_lock(&d->lock);
    d->reloaded = sys_now();
    if (daemon_reconfigure(d, &d->rules, true) == ERR_OK) {
        api_host_changed(d->api, RULES_ALL);
    }
    pthread_mutex_unlock(&d->lock);
    api_host_wake(d->api);
}

static void on_files(void *arg)
{
    struct daemon *d = arg;
    if (filewatch_changed(d->files)) {
        loop_timer_set(&d->settle_timer, sys_now() + SETTLE_US);
    }
}

static void on_addresses(void *arg)
{
    struct daemon *d = arg;
    netconf_drain(d->monitor);
    loop_timer_set(&d->settle_timer, sys_now() + SETTLE_US);
}

static void on_settled(void *arg)
{
    struct daemon *d = arg;
    pthread_mutex_lock(&d->lock);
    daemon_take_image(d);
    daemon_read_leases(d);
    if (daemon_publish(d, &d->rules, SNAPSHOT_LOCAL) != ERR_OK) {
        loop_timer_set(&d->settle_timer, sys_now() + RETRY_US);
    }
    pthread_mutex_unlock(&d->lock);
}

/* ---- The watchdog: the service manager hears from us only while every worker turns. ---- */

static void on_watchdog(void *arg)
{
    struct daemon *d = arg;
    bool alive = true;
    for (uint32_t i = 0; i < d->workers; i++) {
        alive &= worker_answered(d->worker[i]);
        worker_ping(d->worker[i]);
    }
    if (alive) {
        notify_send("WATCHDOG=1");
    } else {
        log_error(MAIN, "a worker does not answer");
    }
    loop_timer_set(&d->watchdog_timer, sys_now() + d->watchdog);
}

static void on_neighbours(void *arg)
{
    struct daemon *d = arg;
    netconf_drain(d->neighbours);
    loop_timer_set(&d->neighbour_timer, sys_now() + NEIGHBOURS_US);
}

static void on_neighbours_settled(void *arg)
{
    struct daemon *d = arg;
    pthread_mutex_lock(&d->lock);
    daemon_mind_neighbours(d);
    pthread_mutex_unlock(&d->lock);
}

/* The table changes often: it is listened to only if that can matter. */
static void watch_neighbours(struct daemon *d)
{
    if (!d->wants_neighbours || d->neighbours >= 0) {
        return;
    }
    d->neighbours = neighbours_monitor();
    if (d->neighbours < 0 || loop_watch(d->loop, d->neighbours, on_neighbours, d) != ERR_OK) {
        log_warning(NET, "new addresses of devices are not noticed: %s", strerror(errno));
    }
}

static void on_schedules(void *arg)
{
    struct daemon *d = arg;
    pthread_mutex_lock(&d->lock);
    usec_t due = daemon_mind_schedules(d);
    watch_neighbours(d);
    pthread_mutex_unlock(&d->lock);
    loop_timer_set(&d->policy_timer, due);
}

static void on_housekeeping(void *arg)
{
    struct daemon *d = arg;
    pthread_mutex_lock(&d->lock);
    publisher_reap(d->publisher);
    daemon_collect(d);
    daemon_mind_neighbours(d);
    daemon_ask_names(d);
    api_host_tick(d->api);
    pthread_mutex_unlock(&d->lock);
    loop_timer_set(&d->housekeep_timer, sys_now() + HOUSEKEEP_US);
}

/* ---- Start. ---- */

static enum err block_signals(struct daemon *d)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ,
           SIG_IGN); /* a limit of file sizes is an error of the write, as a full disk is */
    d->signals = sigprocmask(SIG_BLOCK, &set, NULL) == 0
                     ? signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC)
                     : -1;
    return d->signals >= 0 ? ERR_OK : ERR_IO;
}

static enum err make_loop(struct daemon *d)
{
    enum err e = loop_new(&d->loop);
    d->control.event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    d->monitor = netconf_monitor();
    e = e == ERR_OK && d->control.event < 0 ? ERR_IO : e;
    e = e == ERR_OK ? filewatch_new(&d->files) : e;
    e = e == ERR_OK ? loop_watch(d->loop, d->signals, on_signal, d) : e;
    e = e == ERR_OK ? loop_watch(d->loop, d->control.event, on_control, d) : e;
    e = e == ERR_OK ? loop_watch(d->loop, filewatch_fd(d->files), on_files, d) : e;
    if (e == ERR_OK && d->monitor >= 0) {
        e = loop_watch(d->loop, d->monitor, on_addresses, d);
    }
    if (e == ERR_OK) {
        loop_timer_add(d->loop, &d->collect_timer, on_collect, d);
        loop_timer_add(d->loop, &d->save_timer, on_save, d);
        loop_timer_add(d->loop, &d->reload_timer, on_reload, d);
        loop_timer_add(d->loop, &d->settle_timer, on_settled, d);
        loop_timer_add(d->loop, &d->watchdog_timer, on_watchdog, d);
        loop_timer_add(d->loop, &d->housekeep_timer, on_housekeeping, d);
        loop_timer_add(d->loop, &d->policy_timer, on_schedules, d);
        loop_timer_add(d->loop, &d->neighbour_timer, on_neighbours_settled, d);
        loop_timer_add(d->loop, &d->names_timer, daemon_on_names, d);
    }
    return e;
}

/* Who gets how many descriptors. ERR_LIMIT: there are too few to serve with. */
static enum err share_files(struct daemon *d)
{
    struct budget_wish wish;
    budget_wish(d->first, d->workers, &wish);
    wish.open += sys_open_files();
    uint32_t wanted = budget_wanted(&wish);
    wish.limit = sys_raise_files(wanted);
    budget_share(&wish, &d->budget);
    if (wish.limit < budget_least(&wish)) {
        log_error(NET,
                  "limit of open files: found %u, expected at least %u for %u workers and %u "
                  "addresses",
                  wish.limit, budget_least(&wish), d->workers, d->first->listen.count);
        return ERR_LIMIT;
    }
    if (wish.limit < wanted) {
        log_warning(NET,
                    "limit of open files: found %u, expected at least %u; %u questions in flight "
                    "and %u TCP clients per worker",
                    wish.limit, wanted, d->budget.sockets, d->budget.tcp_connections);
    }
    return ERR_OK;
}

static enum err bind_all(struct daemon *d)
{
    const struct config *c = d->first;
    d->workers = c->workers != 0 ? c->workers : sys_cpus();
    d->workers = d->workers < WORKERS_MAX ? d->workers : WORKERS_MAX;
    enum err e = share_files(d);
    if (e == ERR_OK) {
        e = listeners_open(&d->listeners, c->listen.item, c->listen.count, d->workers);
    }
    if (e == ERR_OK && listeners_buffer(&d->listeners) < LISTEN_BUFFER_NEEDED) {
        log_info(NET,
                 "receive buffers have %u KiB only; net.core.rmem_max = %u would let bursts of "
                 "queries wait",
                 listeners_buffer(&d->listeners) / 1024, LISTEN_BUFFER_WANTED);
    }
    for (uint32_t i = 0; i < d->listeners.count; i++) {
        d->own[i] = d->listeners.item[i].endpoint;
    }
    if (e == ERR_OK && c->steer && !listeners_steer(&d->listeners)) {
        log_error(NET, "questions cannot be steered to cores: %s", strerror(errno));
        e = ERR_IO;
    }
    if (e == ERR_OK && c->xdp[0] != '\0') {
        e = xdp_open(&d->xdp, c->xdp, &d->listeners, d->workers);
    }
    return e;
}

static enum err make_cache(struct daemon *d)
{
    struct cache_config cfg = {.entries = d->first->cache_entries};
    struct siphash_key key;
    enum err e = sys_entropy(&key, sizeof key);
    d->cache_octets = cache_memory(&cfg);
    d->cache_memory = sys_map_huge(d->cache_octets);
    if (e == ERR_OK && !d->cache_memory) {
        e = ERR_MEMORY;
    }
    return e == ERR_OK ? cache_init(&d->cache, d->cache_memory, d->cache_octets, &cfg, key) : e;
}

static enum err make_mailboxes(struct daemon *d)
{
    d->mailboxes = calloc(d->workers, sizeof(struct mailbox *));
    d->worker = calloc(d->workers, sizeof(struct worker *));
    d->spare = calloc(d->workers, sizeof *d->spare);
    enum err e = d->mailboxes && d->worker && d->spare ? ERR_OK : ERR_MEMORY;
    for (uint32_t i = 0; i < d->workers && e == ERR_OK; i++) {
        e = mailbox_new(&d->mailboxes[i], MAILBOX_CELLS);
        if (e == ERR_OK) {
            e = spare_open(&d->spare[i], mailbox_fd(d->mailboxes[i]), d->budget.spare);
        }
    }
    return e;
}

static uint32_t share_per_client(const struct daemon *d, uint32_t per_client)
{
    uint32_t share = (per_client + d->workers - 1) / d->workers;
    uint32_t least = per_client < 8 ? per_client : 8;
    return share > least ? share : least;
}

static enum err make_worker(struct daemon *d, uint32_t i)
{
    const struct config *c = d->first;
    struct worker_config cfg = {
        .number = (uint16_t)i,
        .steer = c->steer,
        .listeners = &d->listeners,
        .xdp = xdp_queue_of(d->xdp, i),
        .publisher = d->publisher,
        .mailboxes = d->mailboxes,
        .control = &d->control,
        .doh = d->doh,
        .resolver = {.pending_max = c->pending_max < PENDING_MAX ? c->pending_max : PENDING_MAX,
                     .waiting_max = c->waiting_max,
                     .clients_max = c->clients_max,
                     .regex_memo = REGEX_MEMO,
                     .rate_limit = c->rate_limit,
                     .worker = (uint16_t)i,
                     .workers = (uint16_t)d->workers,
                     .cache = d->cache,
                     .stats = d->stats_worker[i]},
        .tcp_connections = d->budget.tcp_connections,
        .tcp_per_client = share_per_client(d, c->tcp_per_client),
        .tcp_idle_us = c->tcp_idle_us,
        .spare = &d->spare[i],
        .sockets_max = d->budget.sockets,
        .streams_max = d->budget.streams,
        .ports = outbound_detect()};
    enum err e = sys_entropy(cfg.seed, sizeof cfg.seed);
    e = e == ERR_OK ? worker_new(&d->worker[i], &cfg) : e;
    explicit_bzero(cfg.seed, sizeof cfg.seed);
    if (e == ERR_OK && d->trust) {
        worker_set_trust(d->worker[i], d->trust);
    }
    return e;
}

static enum err make_workers(struct daemon *d)
{
    enum err e = ERR_OK;
    for (uint32_t i = 0; i < d->workers && e == ERR_OK; i++) {
        e = make_worker(d, i);
    }
    for (uint32_t i = 0; i < d->workers && e == ERR_OK; i++) {
        e = worker_start(d->worker[i]);
    }
    return e;
}

static enum err claim_store(struct daemon *d)
{
    enum err e = store_claim(d->store);
    if (e == ERR_STATE) {
        log_error(STORE, "state directory %s: another process uses it", d->first->state_dir);
        return e;
    }
    if (e != ERR_OK) {
        log_warning(STORE,
                    "state directory %s cannot be written; nothing will be kept over a restart",
                    d->first->state_dir);
    }
    return ERR_OK;
}

static enum err open_api(struct daemon *d)
{
    if (d->first->http.count == 0) {
        return ERR_OK;
    }
    if (token_make(d->store, &d->token) != ERR_OK) {
        log_warning(HTTP,
                    TOKEN_FILE " was not written; the command line will ask for the password");
    }
    return api_host_open(&d->api, d);
}

/* Everything that may need root; then it is given up. There is one thread until then, so none that
 * keeps a right. */
static enum err start_as_root(struct daemon *d)
{
    const struct config *c = d->first;
    enum err e = privdrop_find(c->user, cfg_row(CFG_OPT_user)->def, &d->privileges);
    e = e == ERR_OK ? privdrop_prepare() : e;
    e = e == ERR_OK ? daemon_confine_files(d) : e;
    e = e == ERR_OK ? bind_all(d) : e;
    e = e == ERR_OK ? claim_store(d) : e;
    e = e == ERR_OK ? make_mailboxes(d) : e;
    e = e == ERR_OK ? daemon_make_stats(d) : e;
    e = e == ERR_OK ? open_api(d) : e;
    if (e == ERR_OK) {
        privdrop_give(&d->privileges, c->state_dir);
        e = privdrop_apply(&d->privileges);
    }
    return e;
}

/* With the lock: requests to the API that come early wait for it. */
static enum err start_all(struct daemon *d)
{
    enum err e = start_as_root(d);
    e = e == ERR_OK ? api_host_serve(d->api) : e;
    e = e == ERR_OK ? make_cache(d) : e;
    e = e == ERR_OK ? make_loop(d) : e;
    e = e == ERR_OK ? doh_new(&d->doh, d->mailboxes, (uint16_t)d->workers) : e;
    e = e == ERR_OK ? daemon_open_lists(d) : e;
    if (e == ERR_OK) {
        daemon_take_image(d); /* the saved one */
        e = daemon_first_snapshot(d);
    }
    e = e == ERR_OK ? make_workers(d) : e;
    e = e == ERR_OK ? daemon_open_history(d) : e;
    if (e == ERR_OK) {
        daemon_watch_files(d);
        e = daemon_confine_calls(d);
    }
    return e;
}

static void say_ready(struct daemon *d)
{
    usec_t now = sys_now();
    log_info(MAIN, "ready after %llu ms; %s", (unsigned long long)((now - d->started) / 1000),
             d->image ? "answering from the saved lists" : "lists are still to come");
    notify_send("READY=1\nSTATUS=answering queries");
    d->watchdog = notify_watchdog_period();
    if (d->watchdog != 0) {
        loop_timer_set(&d->watchdog_timer, now);
    }
    loop_timer_set(&d->save_timer, now + SAVE_US);
    loop_timer_set(&d->housekeep_timer, now + HOUSEKEEP_US);
    loop_timer_set(&d->policy_timer, now);
}

/* ---- The end. ---- */

static void stop_all(struct daemon *d)
{
    notify_send("STOPPING=1");
    for (uint32_t i = 0; d->worker && i < d->workers && d->worker[i]; i++) {
        worker_stop(d->worker[i], STOP_GRACE_US);
    }
    api_host_stop(d->api);
    lists_close(d->lists);
    d->lists = NULL; /* what is collected below has nobody to tell */
    progress_open(-1);
    for (uint32_t i = 0; d->worker && i < d->workers && d->worker[i]; i++) {
        worker_join(d->worker[i]);
    }
    doh_free(d->doh);
    pthread_mutex_lock(&d->lock);
    if (d->stats) {
        daemon_collect(d);
        daemon_save_stats(d);
    }
    if (d->history) {
        history_finish(d->history, d->stats);
    }
    pthread_mutex_unlock(&d->lock);
    history_close(d->history);
}

static void free_all(struct daemon *d)
{
    for (uint32_t i = 0; d->worker && i < d->workers; i++) {
        worker_free(d->worker[i]);
    }
    for (uint32_t i = 0; d->spare && i < d->workers; i++) {
        spare_close(&d->spare[i]);
    }
    for (uint32_t i = 0; d->mailboxes && i < d->workers; i++) {
        mailbox_free(d->mailboxes[i]);
    }
    publisher_free(d->publisher);
    snapshots_free(d->snapshots);
    list_image_close(atomic_exchange(&d->new_image, NULL));
    list_image_close(d->image);
    xdp_close(d->xdp);
    listeners_close(&d->listeners);
    tls_trust_free(d->trust);
    rules_free(&d->rules);
    store_close(d->store);
    filewatch_free(d->files);
    loop_free(d->loop);
    sys_unmap(d->cache_memory, d->cache_octets);
    sys_unmap(d->stats_memory, d->stats_octets);
    sys_unmap(d->ring_memory, d->ring_octets * d->workers);
    free(d->stats_worker);
    free(d->worker);
    free(d->mailboxes);
    free(d->spare);
    house_free(d->house);
    name_ask_end(&d->ask);
    int fds[] = {d->signals, d->monitor, d->neighbours, d->control.event};
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    pthread_mutex_destroy(&d->lock);
}

static int run(struct daemon *d)
{
    enum err e = block_signals(d);
    e = e == ERR_OK ? fetch_global_init() : e;
    if (e == ERR_OK) {
        pthread_mutex_lock(&d->lock);
        e = start_all(d);
        pthread_mutex_unlock(&d->lock);
    }
    if (e == ERR_OK) {
        say_ready(d);
        while (!d->stopping) {
            loop_turn(d->loop);
        }
    } else {
        log_error(MAIN, "cannot start: %s", err_text(e));
    }
    stop_all(d);
    log_info(MAIN, "stopped");
    return e == ERR_OK ? d->status : e == ERR_NOT_FOUND ? 2 : 1;
}

/* Says what is wrong; the exit status. */
static int complain(enum err e, const struct cfg_error *error)
{
    fprintf(stderr, "%s\n", error->text[0] != '\0' ? error->text : err_text(e));
    return e == ERR_MEMORY ? 1 : 2;
}

/*
 * The configuration says where the state is, and the rules document there has settings for the
 * configuration: so it is read twice. Returns the exit status, 0 to go on.
 */
static int configure(struct daemon *d)
{
    struct cfg_error error = {""};
    struct config *plain = NULL;
    enum err e = d->start->load(d->start->arg, &plain, &error);
    if (e == ERR_OK) {
        log_set_level_all((enum log_level)plain->log_level);
        logsink_open(plain->log_format == CFG_LOG_JSON);
        e = cfg_finish(plain, &error);
    }
    if (e != ERR_OK) {
        if (plain) {
            d->start->unload(d->start->arg, plain);
        }
        return complain(e, &error);
    }
    e = daemon_open_store(d, plain->state_dir);
    e = e == ERR_OK ? daemon_load_rules(d) : e;
    d->start->unload(d->start->arg, plain);
    if (e != ERR_OK) {
        log_error(MAIN, "cannot start: %s", err_text(e));
        return 1;
    }
    e = daemon_load_config(d, &d->rules, &d->first, &error);
    d->config = d->first;
    return e == ERR_OK ? 0 : complain(e, &error);
}

int daemon_run(const struct daemon_start *start)
{
    struct daemon *d = calloc(1, sizeof *d);
    if (!d) {
        fprintf(stderr, "sinkhole: %s\n", err_text(ERR_MEMORY));
        return 1;
    }
    d->start = start;
    d->started = sys_now();
    d->signals = d->monitor = d->neighbours = d->control.event = d->ask.fd = -1;
    pthread_mutex_init(&d->lock, NULL);
    require_set_handler(broken_contract);
    umask(077);
    int status = configure(d);
    if (status == 0) {
        log_set_level_all((enum log_level)d->first->log_level);
        status = run(d);
    }
    free_all(d);
    if (d->config != d->first) {
        start->unload(start->arg, d->config);
    }
    if (d->first) {
        start->unload(start->arg, d->first);
    }
    free(d);
    return status;
}
