/*
 * The image's start and its one loop: take in packets, run what is due, sleep until something is
 * pending.
 */
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "api_backend.h"
#include "arch/aarch64/cpu.h"
#include "base/log.h"
#include "base/require.h"
#include "base/rng.h"
#include "base/siphash.h"
#include "blocklist/image.h"
#include "board/board.h"
#include "console.h"
#include "control.h"
#include "drivers/block.h"
#include "drivers/nic.h"
#include "engine.h"
#include "lib/boot_args.h"
#include "lib/heap.h"
#include "lists.h"
#include "net/net.h"
#include "net/roots.h"
#include "net/service.h"
#include "net/tls.h"
#include "resolver/snapshot.h"
#include "settings.h"
#include "stats/stats.h"
#include "storage.h"

enum { SLEEP_MAX_US = 250000, COLLECT_US = 250000, DNS_PORT = 53, ROOTS_MAX = 1 << 20 };

void kernel_main(uintptr_t firmware, uint64_t level);

extern char _heap_start[], _image_start[], _image_end[];

static struct rng random_source;

static void broken(const char *file, int line, const char *expression)
{
    printf("\nBROKEN: %s:%d: %s\n", file, line, expression);
    cpu_backtrace(__builtin_frame_address(0));
    board_restart(BOARD_RESTART_FAULT);
}

/* Everything after the image belongs to the heap, but for what the firmware put there. */
static void start_heap(void)
{
    uintptr_t start = (uintptr_t)_heap_start;
    uintptr_t end = BOARD_RAM_BASE + board_ram_octets();
    struct span initrd = boot_args()->initrd;
    heap_init();
    if (initrd.len > 0 && (uintptr_t)initrd.ptr >= start && (uintptr_t)initrd.ptr < end) {
        uintptr_t after = (uintptr_t)initrd.ptr + initrd.len;
        heap_add((void *)start, (uintptr_t)initrd.ptr - start);
        start = after < end ? after : end;
    }
    heap_add((void *)start, end - start);
}

static void start_random(void)
{
    uint8_t seed[RNG_SEED_OCTETS];
    if (!board_entropy(seed, sizeof seed)) {
        /* Predictable question IDs and ports would let anybody forge answers: better no service
         * than that. */
        printf("\nNO ENTROPY: the hardware random generator is missing or unhealthy; refusing to "
               "start.\n");
        for (;;) {
            cpu_sleep(1000000);
        }
    }
    rng_init(&random_source, seed);
}

static struct nic *start_network(void)
{
    static struct net_config net = {.hostname = "sinkhole"};
    struct nic *found = board_nic();
    board_irq_enable();
    if (!found) {
        log_error(NET, "no network device");
        board_restart(BOARD_RESTART_FAULT);
    }
    log_info(NET, "%s, %02x:%02x:%02x:%02x:%02x:%02x", found->name, found->mac[0], found->mac[1],
             found->mac[2], found->mac[3], found->mac[4], found->mac[5]);
    settings_network(&net);
    net_start(found, &net, &random_source);
    return found;
}

/* Compiled lists that are there already answer before anything is fetched. */
static bool take_image(struct span octets, bool owned, const char *where)
{
    struct bl_image image;
    uint32_t ids[BL_LISTS_MAX] = {0};
    if (octets.len == 0) {
        return false;
    }
    enum err e = bl_image_open(octets.ptr, octets.len, &image);
    if (e == ERR_OK && engine_image() && engine_image()->built_unix >= image.built_unix) {
        e = ERR_EXISTS; /* a newer one is in force */
    }
    for (unsigned i = 0; e == ERR_OK && i < BL_LISTS_MAX; i++) {
        struct bl_list_info info;
        bl_image_list(&image, i, &info);
        ids[i] = info.used ? lists_id_of(info.url) : 0;
    }
    e = e == ERR_OK ? engine_set_image(octets, owned, ids, BL_LISTS_MAX) : e;
    if (e != ERR_OK && owned) {
        free((void *)(uintptr_t)octets.ptr);
    }
    if (e == ERR_OK) {
        log_info(LISTS, "%u rules in force, from %s", engine_rules(), where);
    } else if (e != ERR_EXISTS) {
        log_error(LISTS, "the list image from %s cannot be used: %s", where, err_text(e));
    }
    return e == ERR_OK;
}

/* The newest of what was handed over and what the card has. */
static void take_first_image(void)
{
    (void)take_image(boot_args()->initrd, false, "the boot loader");
    if (!take_image(storage_lists(), true, "lists.bin") && !engine_image()) {
        (void)take_image(storage_file("blocklist.img", UINT32_MAX - BLOCK_SECTOR), true,
                         "blocklist.img");
    }
}

/* What must not fail at start. */
static void must(enum err e, const char *what)
{
    if (e != ERR_OK) {
        log_error(MAIN, "%s: %s", what, err_text(e));
        board_restart(BOARD_RESTART_FAULT);
    }
}

static void tell_first_answer(void)
{
    static bool told;
    struct service_gauges g;
    if (told) {
        return;
    }
    service_get_gauges(&g);
    if (g.first_answer_us > 0) {
        told = true;
        log_info(MAIN, "first answer after %u ms", (unsigned)(g.first_answer_us / USEC_PER_MSEC));
    }
}

static struct nic *nic;

static bool upstream_works(void)
{
    const struct snapshot *s = engine_snapshot();
    bool works = s->upstream_count == 0;
    for (uint16_t i = 0; i < s->upstream_count; i++) {
        struct upstream_health h;
        resolver_get_upstream(engine_resolver(), i, &h);
        works |= h.up;
    }
    return works;
}

static enum board_lamp lamp(void)
{
    if (!net_link_up() || !net_has_address()) {
        return BOARD_LAMP_NO_NETWORK;
    }
    return upstream_works() ? BOARD_LAMP_ALIVE : BOARD_LAMP_NO_UPSTREAM;
}

/* Off by default. The sign of an upstream that comes and goes is not played more than once a
 * minute. */
static void tell_by_ear(enum board_lamp state, usec_t now)
{
    static enum board_lamp told = BOARD_LAMP_NO_NETWORK;
    static usec_t next;
    if (!settings_audible() || state == told || now < next || state == BOARD_LAMP_NO_NETWORK) {
        return;
    }
    told = state;
    next = now + 60 * USEC_PER_SEC;
    log_info(MAIN, "sign: %s", state == BOARD_LAMP_ALIVE ? "ready" : "no upstream");
    board_sign(state == BOARD_LAMP_ALIVE ? SIGN_READY : SIGN_NO_UPSTREAM);
}

/* One line a minute for who watches the serial console. */
static void tell_status(usec_t now)
{
    static const char *const states[] = {"ok", "NO NETWORK", "NO UPSTREAM"};
    struct heap_gauges heap;
    struct stats_totals day;
    char address[160];
    heap_get_gauges(&heap);
    stats_day(engine_stats(), &day);
    net_describe(address, sizeof address);
    log_info(MAIN,
             "%s; up %u min; %s; %llu questions, %llu blocked today; %u rules; heap %u of %u MiB",
             states[lamp()], (unsigned)(now / USEC_PER_SEC / 60), address,
             (unsigned long long)day.total, (unsigned long long)day.outcome[OUTCOME_BLOCKED],
             engine_rules(), (unsigned)(heap.used >> 20), (unsigned)(heap.total >> 20));
}

/* One look at everything that may have something for us. True: there was something. */
static bool turn(usec_t *deadline)
{
    static uint32_t changes;
    static usec_t collect_at;
    bool busy = net_poll();
    *deadline = service_run();
    usec_t now = clock_now();
    if (net_changes() != changes) {
        changes = net_changes();
        engine_network_changed();
    }
    if (now >= collect_at) {
        engine_collect();
        tell_first_answer();
        api_backend_news();
        collect_at = now + COLLECT_US;
        enum board_lamp state = lamp();
        board_tick(state);
        tell_by_ear(state, now);
    }
    return busy;
}

/* While lists are compiled, everything else goes on. */
static void pump(void)
{
    usec_t deadline;
    while (turn(&deadline)) {
    }
    if (nic->woken) {
        nic->woken(nic);
    }
}

static void loop(void)
{
    usec_t second_at = 0, status_at = 60 * USEC_PER_SEC;
    for (;;) {
        usec_t deadline;
        bool busy = turn(&deadline);
        lists_run(clock_now());
        lists_preview_run();
        usec_t now = clock_now(); /* others have seen later times while lists were compiled */
        if (now >= second_at) {
            second_at = now + USEC_PER_SEC;
            api_backend_tick(now);
            control_tick(now);
        }
        if (now >= status_at) {
            status_at = now + 60 * USEC_PER_SEC;
            tell_status(now);
        }
        if (!busy) {
            uint32_t us = net_sleep_us();
            us = us < SLEEP_MAX_US ? us : SLEEP_MAX_US;
            if (deadline < now + us) {
                us = deadline > now ? (uint32_t)(deadline - now) : 0;
            }
            if (us > 0) {
                cpu_sleep(us);
            }
        }
        if (nic->woken) {
            nic->woken(nic);
        }
    }
}

void kernel_main(uintptr_t firmware, uint64_t level)
{
    board_early(firmware);
    require_set_handler(broken);
    console_open();
    start_heap();
    struct heap_gauges heap;
    heap_get_gauges(&heap);
    log_info(MAIN, "sinkhole %s on %s, image %u KiB, heap %u MiB, entered at EL%u",
             SINKHOLE_VERSION, BOARD_NAME, (unsigned)((_image_end - _image_start) / 1024),
             (unsigned)(heap.total >> 20), (unsigned)level);
    start_random();
    json_object_seed(rng_u32(&random_source) | 1);

    control_open(boot_args()->cmdline);
    nic = start_network(); /* DHCP goes on while the rest starts */
    must(control_start(&random_source), "configuration");
    tls_start(span_of(root_certificates, root_certificates_len),
              storage_file("roots.pem", ROOTS_MAX), &random_source);
    must(engine_start(control_config(), control_rules(), &random_source), "resolver");
    control_load_stats();
    const struct service_tcp_limits tcp = {.connections = control_config()->tcp_connections,
                                           .per_client = control_config()->tcp_per_client,
                                           .idle_us = control_config()->tcp_idle_us};
    must(service_start(engine_resolver(), &random_source, DNS_PORT, &tcp), "DNS service");
    take_first_image();
    lists_start(&random_source, pump, control_keep_lists);
    must(lists_configure(control_config(), control_rules()), "lists");
    must(api_backend_start(&random_source), "page");
    log_info(MAIN, "ready after %u ms", (unsigned)(clock_now() / USEC_PER_MSEC));
    loop();
}
