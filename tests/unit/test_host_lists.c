/*
 * The lists manager against a list server that misbehaves: what is in force after each thing that
 * can go wrong, with the network, the disk, the process and the person.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "base/attr.h"
#include "base/log.h"
#include "blocklist/match.h"
#include "host/lists.h"
#include "list_server.h"
#include "tempdir.h"
#include "unit.h"

#define STARTER_ID 999
#define PATIENCE_S 20

/* The thread sanitizer gives up after a fork in a process with threads unless it is told not to. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "die_after_fork=0";
}

static struct list_server *server;
static char dir[TEMPDIR_MAX];
static struct store *store;

/* What the manager told. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t news;
    struct list_image *image;
    unsigned images;
} told = {.lock = PTHREAD_MUTEX_INITIALIZER, .news = PTHREAD_COND_INITIALIZER};

static void on_image(void *arg, struct list_image *image)
{
    (void)arg;
    pthread_mutex_lock(&told.lock);
    list_image_close(told.image);
    told.image = image;
    told.images++;
    pthread_cond_broadcast(&told.news);
    pthread_mutex_unlock(&told.lock);
}

static void on_status(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&told.lock);
    pthread_cond_broadcast(&told.news);
    pthread_mutex_unlock(&told.lock);
}

static void forget(void)
{
    list_image_close(told.image);
    told.image = NULL;
    told.images = 0;
}

static int group_setup(void **state)
{
    (void)state;
    server = list_server_start();
    return server ? 0 : -1;
}

static int group_teardown(void **state)
{
    (void)state;
    list_server_stop(server);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    tempdir_make(dir);
    assert_int_equal(store_open(dir, &store), ERR_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    store_set_fault(NULL);
    forget();
    store_close(store);
    tempdir_remove(dir);
    return 0;
}

/* Lists and verdicts */

static struct list_spec spec(uint32_t id, enum list_kind kind, const char *path)
{
    struct list_spec s;
    char url[256];
    bool web = path[0] == '/' && strncmp(path, dir, strlen(dir)) != 0;
    assert_int_equal(list_spec_parse(web ? list_server_url(server, path, url, sizeof url) : path,
                                     true, &s, NULL),
                     ERR_OK);
    s.id = id;
    s.kind = kind;
    return s;
}

static struct lists_config config(void)
{
    return (struct lists_config){.store = store,
                                 .limits = {.octets_max = 1 << 20,
                                            .total_timeout_s = 3,
                                            .connect_timeout_s = 2,
                                            .low_speed_octets = 1000,
                                            .low_speed_s = 1},
                                 .guard = true,
                                 .retry_first_s = 1,
                                 .starter_id = STARTER_ID,
                                 .on_image = on_image,
                                 .on_status = on_status};
}

static struct lists *open_lists(const struct list_spec *specs, uint32_t count)
{
    struct lists_config c = config();
    struct lists *l;
    assert_int_equal(lists_open(&c, specs, count, &l), ERR_OK);
    return l;
}

static enum bl_action verdict_of(struct list_image *image, const char *text)
{
    struct dns_name name;
    struct dns_suffixes suffixes;
    struct bl_verdict v;
    assert_int_equal(dns_name_parse(span_str(text), &name), ERR_OK);
    dns_suffixes_make(&name, &suffixes);
    return bl_match(list_image_get(image), &name, &suffixes, NULL, &v);
}

static bool blocks(const char *name)
{
    pthread_mutex_lock(&told.lock);
    bool yes = told.image && verdict_of(told.image, name) == BL_BLOCK;
    pthread_mutex_unlock(&told.lock);
    return yes;
}

static struct list_status status_of(struct lists *l, uint32_t id)
{
    static struct list_status all[LISTS_MAX];
    uint32_t count = lists_status(l, all, LISTS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        if (all[i].id == id) {
            return all[i];
        }
    }
    fail_msg("no list %u", id);
    return all[0];
}

static int64_t ms_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Waits until `text`, an expression, holds; looks again at each news and every 20 ms. */
#define WAIT_FOR(expr)                                   \
    do {                                                 \
        int64_t wait_end = ms_now() + PATIENCE_S * 1000; \
        while (!(expr)) {                                \
            if (ms_now() > wait_end) {                   \
                fail_msg("in vain: %s", #expr);          \
            }                                            \
            usleep(20000);                               \
        }                                                \
    } while (0)

static bool idle(struct lists *l)
{
    struct lists_progress p;
    lists_get_progress(l, &p);
    return !p.running && !p.building;
}

static bool tried(struct lists *l, uint32_t id)
{
    struct list_status s = status_of(l, id);
    return s.attempt_unix != 0 && !s.fetching && idle(l);
}

static void put_text(const char *path, const char *text)
{
    list_server_put(server, path, &(struct page){.body = text, .len = strlen(text)});
}

static const char ads[] = "0.0.0.0 ads1.example\n0.0.0.0 ads2.example\n0.0.0.0 "
                          "ads3.example\n0.0.0.0 ads3.example\n# comment\n0.0.0.0 bad..example\n";
static const char other[] = "||other.example^\n@@||good.other.example^\n";

/* The ordinary course */

static void fetches_compiles_and_puts_in_force(void **state)
{
    (void)state;
    put_text("/ads", ads);
    put_text("/other", other);
    put_text("/allow", "ads1.example\n");
    struct list_spec specs[] = {spec(11, LIST_BLOCK, "/ads"), spec(12, LIST_BLOCK, "/other"),
                                spec(13, LIST_ALLOW, "/allow")};
    struct lists *l = open_lists(specs, 3);
    WAIT_FOR(blocks("ads2.example") && blocks("x.other.example"));
    WAIT_FOR(idle(l));
    assert_false(blocks("ads1.example"));
    assert_false(blocks("good.other.example"));
    assert_false(blocks("x.ads2.example"));
    struct list_status s = status_of(l, 11);
    assert_int_equal(s.state, LIST_STATE_CURRENT);
    assert_int_equal(s.rules, 3);
    assert_int_equal(s.duplicates, 1);
    assert_int_equal(s.rejected, 1);
    assert_int_equal(s.ignored, 1);
    assert_int_equal(s.examples_count, 1);
    assert_string_equal(s.examples[0], "line 6: bad..example: a name with an empty label");
    assert_int_equal(s.http_status, 200);
    assert_int_equal(s.octets_text, sizeof ads - 1);
    assert_true(s.success_unix > 0 && s.attempt_unix > 0 && s.changed_unix > 0);
    assert_string_equal(s.error, "");
    assert_false(s.unchanged);
    assert_int_equal(list_image_slot(told.image, 12), 1);
    assert_int_equal(list_image_id(told.image, 1), 12);
    assert_int_equal(list_image_slot(told.image, 77), -1);
    struct lists_progress p;
    lists_get_progress(l, &p);
    assert_false(p.starter);
    assert_int_equal(p.total, 3);
    assert_int_equal(p.done, 3);
    assert_int_equal(p.failed, 0);
    lists_close(l);
}

static void answers_from_the_saved_image_at_once(void **state)
{
    (void)state;
    put_text("/ads", ads);
    struct list_spec specs[] = {spec(11, LIST_BLOCK, "/ads")};
    struct lists *l = open_lists(specs, 1);
    WAIT_FOR(blocks("ads2.example") && idle(l));
    lists_close(l);
    forget();
    list_server_put(server, "/ads", &(struct page){.kind = PAGE_HANG});
    l = open_lists(specs, 1);
    assert_int_equal(told.images, 1); /* before lists_open returned */
    assert_true(blocks("ads2.example"));
    assert_int_equal(list_image_slot(told.image, 11), 0);
    struct list_status s = status_of(l, 11);
    assert_int_equal(s.rules, 3);
    assert_int_equal(s.duplicates, 1);
    assert_int_equal(s.examples_count, 1);
    int64_t begin = ms_now();
    lists_close(l); /* in the midst of a hanging download */
    assert_true(ms_now() - begin < 1000);
    assert_int_equal(told.images, 1); /* nothing had to be built */
}

static struct stat stat_of(const char *name)
{
    char path[TEMPDIR_MAX + 64];
    struct stat st = {0};
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(stat(path, &st), 0);
    return st;
}

static void remember_name(void *arg, const char *name)
{
    if (strstr(name, ".gz")) {
        (void)snprintf(arg, 64, "lists/%s", name);
    }
}

static void unchanged_lists_write_nothing(void **state)
{
    (void)state;
    char copy[64] = "";
    list_server_put(server, "/ads",
                    &(struct page){.body = ads, .len = sizeof ads - 1, .etag = "\"1\""});
    put_text("/plain", other); /* no validators: comes whole each time */
    struct list_spec specs[] = {spec(11, LIST_BLOCK, "/ads"), spec(12, LIST_BLOCK, "/plain")};
    struct lists *l = open_lists(specs, 2);
    WAIT_FOR(blocks("ads2.example") && idle(l));
    unsigned images = told.images, hits = list_server_hits(server, "/plain"),
             not_modified = list_server_not_modified(server, "/ads");
    store_each(store, "lists", remember_name, copy);
    struct stat image = stat_of("blocklist.img"), list = stat_of(copy);
    for (unsigned i = 1; i <= 3; i++) {
        lists_refresh(l);
        WAIT_FOR(list_server_hits(server, "/plain") == hits + i &&
                 list_server_not_modified(server, "/ads") == not_modified + i && idle(l));
    }
    struct stat image_now = stat_of("blocklist.img"), list_now = stat_of(copy);
    assert_int_equal(image.st_ino, image_now.st_ino);
    assert_int_equal(list.st_ino, list_now.st_ino);
    assert_int_equal(told.images, images);
    struct list_status s = status_of(l, 11);
    assert_true(s.unchanged);
    assert_int_equal(s.http_status, 304);
    assert_int_equal(s.rules, 3);
    assert_true(status_of(l, 12).unchanged);
    lists_close(l);
}

static void a_changed_list_replaces_the_old_one(void **state)
{
    (void)state;
    put_text("/ads", ads);
    struct list_spec specs[] = {spec(11, LIST_BLOCK, "/ads")};
    struct lists *l = open_lists(specs, 1);
    WAIT_FOR(blocks("ads2.example"));
    put_text("/ads", "ads2.example\nnew1.example\nnew2.example\n");
    lists_refresh(l);
    WAIT_FOR(blocks("new1.example"));
    assert_true(blocks("ads2.example"));
    assert_false(blocks("ads1.example"));
    lists_close(l);
}

/* The network */

static void keeps_the_last_good_copy_whatever_comes(void **state)
{
    (void)state;
    static const char page[] = "<!DOCTYPE html><html><body>Sorry</body></html>";
    static uint8_t big[2 << 20], bomb[65536], gz[512], binary[4096], long_line[900000];
    uint8_t *zeros = calloc(1, (size_t)20 << 20);
    uLongf bomb_len = sizeof bomb;
    z_stream z = {0};
    assert_non_null(zeros);
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = zeros, z.avail_in = 20U << 20, z.next_out = bomb, z.avail_out = sizeof bomb;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    bomb_len = z.total_out;
    assert_int_equal(deflateReset(&z), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)ads, z.avail_in = sizeof ads - 1, z.next_out = gz,
    z.avail_out = sizeof gz;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t gz_len = z.total_out;
    deflateEnd(&z);
    free(zeros);
    memset(big, 'a', sizeof big);
    memset(long_line, 'x', sizeof long_line);
    for (size_t i = 0; i < sizeof binary; i++) {
        binary[i] = (uint8_t)(i * 7919 >> 3);
    }
    const struct {
        const char *why;
        struct page page;
    } rows[] = {
        {"404", {.status = 404, .body = "no", .len = 2}},
        {"500", {.status = 500}},
        {"200 with a page", {.body = page, .len = sizeof page - 1}},
        {"empty", {.body = "", .len = 0}},
        {"comments only", {.body = "# closed\n", .len = 9}},
        {"shorter than promised", {.kind = PAGE_SHORT, .body = ads, .len = sizeof ads - 1}},
        {"last chunk missing", {.kind = PAGE_CHUNK_CUT, .body = ads, .len = sizeof ads - 1}},
        {"no length", {.kind = PAGE_NO_LENGTH, .body = ads, .len = sizeof ads - 1}},
        {"gzip cut", {.body = gz, .len = gz_len - 5, .headers = "Content-Encoding: gzip\r\n"}},
        {"gzip bomb", {.body = bomb, .len = bomb_len, .headers = "Content-Encoding: gzip\r\n"}},
        {"too large", {.body = big, .len = sizeof big}},
        {"endless", {.kind = PAGE_ENDLESS, .body = "a.example\n", .len = 10}},
        {"redirect loop", {.status = 302, .location = "/fault"}},
        {"redirect to a file", {.status = 302, .location = "file:///etc/hosts"}},
        {"reset", {.kind = PAGE_RESET, .body = ads, .len = sizeof ads - 1}},
        {"hang", {.kind = PAGE_HANG_BODY, .body = ads, .len = sizeof ads - 1}},
        {"drip", {.kind = PAGE_DRIP, .body = big, .len = sizeof big}},
        {"binary", {.body = binary, .len = sizeof binary}},
        {"one very long line", {.body = long_line, .len = sizeof long_line}},
        {"header bomb", {.kind = PAGE_HEADER_BOMB}},
        {"closed", {.kind = PAGE_SILENT_CLOSE}},
        {"much shorter", {.body = "ads1.example\n", .len = 13}},
    };
    put_text("/fault", ads);
    struct list_spec specs[] = {spec(11, LIST_BLOCK, "/fault")};
    struct lists *l = open_lists(specs, 1);
    WAIT_FOR(blocks("ads2.example") && idle(l));
    unsigned images = told.images;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unsigned hits = list_server_hits(server, "/fault");
        list_server_put(server, "/fault", &rows[i].page);
        lists_refresh_one(l, 11);
        WAIT_FOR(list_server_hits(server, "/fault") > hits && tried(l, 11));
        struct list_status s = status_of(l, 11);
        if (s.state != LIST_STATE_STALE || !s.error[0] || s.rules != 3 || told.images != images ||
            !blocks("ads2.example")) {
            fail_msg("%s: state %d, \"%s\", %u rules", rows[i].why, (int)s.state, s.error, s.rules);
        }
    }
    /* And back. */
    put_text("/fault", "ads1.example\nads2.example\nads4.example\n");
    lists_refresh_one(l, 11);
    WAIT_FOR(blocks("ads4.example") && idle(l));
    assert_int_equal(status_of(l, 11).state, LIST_STATE_CURRENT);
    assert_string_equal(status_of(l, 11).error, "");
    lists_close(l);
}

static void tries_again_by_itself_and_the_starter_stands_in(void **state)
{
    (void)state;
    list_server_put(server, "/boot", &(struct page){.kind = PAGE_SILENT_CLOSE});
    struct list_spec specs[] = {spec(11, LIST_BLOCK, "/boot")};
    struct lists *l = open_lists(specs, 1);
    WAIT_FOR(blocks("ad.doubleclick.net"));
    struct lists_progress p;
    lists_get_progress(l, &p);
    assert_true(p.starter);
    WAIT_FOR(status_of(l, 11).state == LIST_STATE_UNAVAILABLE);
    put_text("/boot", ads);
    WAIT_FOR(blocks("ads2.example")); /* nobody asked for it */
    assert_false(blocks("ad.doubleclick.net"));
    lists_get_progress(l, &p);
    assert_false(p.starter);
    assert_int_equal(status_of(l, 11).state, LIST_STATE_CURRENT);
    lists_close(l);
}

static void a_much_shorter_list_waits_for_a_person(void **state)
{
    (void)state;
    put_text("/ads", ads);
    struct list_spec specs[] = {spec(11, LIST_BLOCK, "/ads")};
    struct lists *l = open_lists(specs, 1);
    WAIT_FOR(blocks("ads2.example") && idle(l));
    put_text("/ads", "ads9.example\n");
    lists_refresh(l);
    WAIT_FOR(status_of(l, 11).needs_confirm && idle(l));
    assert_false(blocks("ads9.example"));
    lists_confirm(l, 11);
    WAIT_FOR(blocks("ads9.example") && idle(l));
    assert_false(blocks("ads2.example"));
    assert_false(status_of(l, 11).needs_confirm);
    assert_int_equal(status_of(l, 11).rules, 1);
    lists_close(l);
}

/* What is held back of list 11, compared. */
static struct list_held held_of(struct lists *l)
{
    struct list_held h;
    WAIT_FOR(lists_get_held(l, 11, &h) && h.compared);
    return h;
}

static void put_tagged(const char *path, const char *text, const char *etag)
{
    list_server_put(server, path, &(struct page){.body = text, .len = strlen(text), .etag = etag});
}

static const char with_com[] =
    "0.0.0.0 ads1.example\n0.0.0.0 ads2.example\n0.0.0.0 ads4.example\n||com^\n";

static void an_update_that_looks_wrong_is_held_back(void **state)
{
    (void)state;
    char copy[64] = "";
    put_tagged("/held", ads, "\"1\"");
    struct list_spec specs[] = {spec(11, LIST_BLOCK, "/held")};
    struct lists *l = open_lists(specs, 1);
    struct list_held h;
    WAIT_FOR(blocks("ads2.example") && idle(l));
    assert_false(lists_get_held(l, 11, &h));
    put_tagged("/held", with_com, "\"2\"");
    lists_refresh(l);
    WAIT_FOR(status_of(l, 11).needs_confirm && idle(l));
    h = held_of(l);
    assert_string_equal(h.reason, "held back: adds a public suffix (com and all below)");
    assert_string_equal(status_of(l, 11).error, h.reason);
    assert_int_equal(status_of(l, 11).state, LIST_STATE_STALE);
    assert_int_equal(h.names.count[BL_GUARD_SUFFIX], 1);
    assert_int_equal(h.added.count, 2);
    assert_int_equal(h.removed.count, 1); /* ads3, which was said twice */
    assert_int_equal(h.rules, 4);
    assert_int_equal(h.rules_before, 4);
    assert_false(blocks("www.com"));
    assert_true(blocks("ads3.example"));
    /* It is not fetched again, and waits on. */
    unsigned unchanged = list_server_not_modified(server, "/held");
    lists_refresh(l);
    WAIT_FOR(list_server_not_modified(server, "/held") == unchanged + 1 && idle(l));
    assert_true(status_of(l, 11).needs_confirm);
    lists_close(l);
    forget();
    /* A restart does not lose it, nor put it in force. */
    list_server_put(server, "/held", &(struct page){.kind = PAGE_SILENT_CLOSE});
    l = open_lists(specs, 1);
    assert_true(lists_get_held(l, 11, &h));
    h = held_of(l);
    assert_string_equal(h.reason, "held back: adds a public suffix (com and all below)");
    assert_int_equal(h.added.count, 2);
    assert_false(blocks("www.com"));
    assert_true(status_of(l, 11).needs_confirm);
    /* A yes needs no server. */
    lists_confirm(l, 11);
    WAIT_FOR(blocks("www.com") && idle(l));
    assert_false(blocks("ads3.example"));
    assert_false(lists_get_held(l, 11, &h));
    WAIT_FOR(!status_of(l, 11).needs_confirm);
    assert_int_equal(status_of(l, 11).rules, 4);
    lists_close(l);
    store_each(store, "lists", remember_name, copy);
    assert_null(strstr(copy, "held"));
}

static void what_was_refused_is_not_asked_about_again(void **state)
{
    (void)state;
    put_text("/held", ads);
    struct list_spec specs[] = {spec(11, LIST_BLOCK, "/held")};
    struct lists *l = open_lists(specs, 1);
    struct list_held h;
    WAIT_FOR(blocks("ads2.example") && idle(l));
    put_text("/held", with_com);
    lists_refresh(l);
    WAIT_FOR(lists_get_held(l, 11, &h) && idle(l));
    lists_refuse(l, 11);
    WAIT_FOR(!lists_get_held(l, 11, &h) && !status_of(l, 11).needs_confirm && idle(l));
    assert_string_equal(status_of(l, 11).error, "");
    unsigned hits = list_server_hits(server, "/held");
    lists_refresh(l);
    WAIT_FOR(list_server_hits(server, "/held") == hits + 1 && idle(l));
    assert_false(lists_get_held(l, 11, &h));
    lists_close(l);
    forget();
    l = open_lists(specs, 1); /* and after a restart neither */
    WAIT_FOR(list_server_hits(server, "/held") == hits + 2 && idle(l));
    assert_false(lists_get_held(l, 11, &h));
    assert_true(blocks("ads3.example"));
    assert_false(blocks("www.com"));
    put_text("/held", "0.0.0.0 ads1.example\n0.0.0.0 ads2.example\n||com^\n||net^\n");
    lists_refresh(l);
    WAIT_FOR(lists_get_held(l, 11, &h)); /* that is another text */
    lists_close(l);
}

static void what_the_server_takes_back_waits_no_more(void **state)
{
    (void)state;
    put_text("/held", ads);
    struct list_spec specs[] = {spec(11, LIST_BLOCK, "/held")};
    struct lists *l = open_lists(specs, 1);
    struct list_held h;
    WAIT_FOR(blocks("ads2.example") && idle(l));
    put_text("/held", with_com);
    lists_refresh(l);
    WAIT_FOR(lists_get_held(l, 11, &h) && idle(l));
    put_text("/held", "0.0.0.0 ads1.example\n0.0.0.0 ads2.example\n0.0.0.0 ads7.example\n");
    lists_refresh(l);
    WAIT_FOR(blocks("ads7.example") && idle(l));
    assert_false(lists_get_held(l, 11, &h));
    assert_false(status_of(l, 11).needs_confirm);
    put_text("/held", with_com);
    lists_refresh(l);
    WAIT_FOR(lists_get_held(l, 11, &h) && idle(l));
    put_text("/held", "0.0.0.0 ads1.example\n0.0.0.0 ads2.example\n0.0.0.0 ads7.example\n");
    lists_refresh(l); /* what is in force */
    WAIT_FOR(!lists_get_held(l, 11, &h) && idle(l));
    lists_close(l);
}

static void the_guard_may_be_off(void **state)
{
    (void)state;
    put_text("/held", ads);
    put_text("/spared", ads);
    struct list_spec specs[] = {spec(11, LIST_BLOCK, "/held"), spec(12, LIST_BLOCK, "/spared")};
    specs[1].guard = false;
    struct lists *l = open_lists(specs, 2);
    struct list_held h;
    WAIT_FOR(blocks("ads2.example") && idle(l));
    put_tagged("/held", with_com, "\"a\"");
    put_text("/spared", "||net^\n");
    lists_refresh(l);
    WAIT_FOR(blocks("www.net") && lists_get_held(l, 11, &h) && idle(l));
    assert_false(blocks("www.com"));
    lists_set_guard(l, false); /* what waits is taken with the next look */
    lists_refresh(l);
    WAIT_FOR(blocks("www.com") && idle(l));
    assert_false(lists_get_held(l, 11, &h));
    assert_false(status_of(l, 11).needs_confirm);
    lists_close(l);
}

static void the_first_version_is_taken_with_a_word(void **state)
{
    (void)state;
    put_text("/held", "||google.com^\n0.0.0.0 ads1.example\n");
    struct list_spec specs[] = {spec(11, LIST_BLOCK, "/held")};
    struct lists *l = open_lists(specs, 1);
    WAIT_FOR(blocks("www.google.com") && idle(l));
    struct list_status s = status_of(l, 11);
    assert_false(s.needs_confirm);
    assert_non_null(strstr(s.notice, "most-used names"));
    lists_confirm(l, 11);
    WAIT_FOR(status_of(l, 11).notice[0] == '\0' && idle(l));
    lists_close(l);
}

static void names_of_the_house_count(void **state)
{
    (void)state;
    put_text("/held", ads);
    struct list_spec specs[] = {spec(11, LIST_BLOCK, "/held")};
    struct lists_config c = config();
    struct lists *l;
    struct list_held h;
    c.store = NULL; /* all in memory */
    assert_int_equal(lists_open(&c, specs, 1, &l), ERR_OK);
    WAIT_FOR(blocks("ads2.example") && idle(l));
    char *names = strdup("learn.school.example\nmail.example\n");
    assert_non_null(names);
    lists_set_used(l, names, strlen(names));
    put_text("/held", "0.0.0.0 ads1.example\n0.0.0.0 ads2.example\n||school.example^\n");
    lists_refresh(l);
    WAIT_FOR(lists_get_held(l, 11, &h) && idle(l));
    h = held_of(l);
    assert_string_equal(h.reason, "held back: adds a name that was used here daily "
                                  "(school.example and all below)");
    assert_int_equal(h.names.count[BL_GUARD_USED], 1);
    lists_confirm(l, 11);
    WAIT_FOR(blocks("learn.school.example") && idle(l));
    assert_false(blocks("ads3.example"));
    lists_close(l);
}

static void nothing_is_built_of_nothing(void **state)
{
    (void)state;
    struct list_spec specs[] = {spec(11, LIST_BLOCK, "/none"), spec(12, LIST_BLOCK, "builtin")};
    struct lists_config c = config();
    struct lists *l;
    c.starter_id = 0;
    assert_int_equal(lists_open(&c, specs, 1, &l), ERR_OK);
    WAIT_FOR(tried(l, 11));
    assert_int_equal(told.images, 0);
    assert_int_equal(lists_set(l, specs, 2), ERR_OK);
    WAIT_FOR(blocks("ad.doubleclick.net") && idle(l));
    lists_refresh_one(l, 12); /* which cannot be refreshed */
    lists_refresh_one(l, 13); /* which is not there */
    usleep(100000);
    struct timespec before, after;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    usleep(300000);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    assert_true((after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec <
                150000000); /* it sleeps */
    lists_close(l);
}

static void one_bad_list_does_not_hold_up_the_others(void **state)
{
    (void)state;
    put_text("/ads", ads);
    list_server_put(server, "/hang", &(struct page){.kind = PAGE_HANG});
    struct list_spec specs[] = {spec(11, LIST_BLOCK, "/hang"), spec(12, LIST_BLOCK, "/ads"),
                                spec(13, LIST_BLOCK, "/none")};
    struct lists *l = open_lists(specs, 3);
    WAIT_FOR(blocks("ads2.example"));
    WAIT_FOR(tried(l, 11) && tried(l, 13));
    assert_int_equal(status_of(l, 11).state, LIST_STATE_UNAVAILABLE);
    assert_int_equal(status_of(l, 12).state, LIST_STATE_CURRENT);
    assert_int_equal(status_of(l, 13).http_status, 404);
    lists_close(l);
}

/* Local files */

static void reads_local_files_when_they_change(void **state)
{
    (void)state;
    char path[TEMPDIR_MAX + 16];
    (void)snprintf(path, sizeof path, "%s/own.txt", dir);
    tempdir_put(path, "own1.example\nown2.example\nown3.example\n", 39);
    struct list_spec specs[] = {spec(11, LIST_BLOCK, path)};
    struct lists *l = open_lists(specs, 1);
    WAIT_FOR(blocks("own3.example") && idle(l));
    unsigned images = told.images;
    lists_refresh(l);
    WAIT_FOR(status_of(l, 11).unchanged && idle(l));
    assert_int_equal(told.images, images);
    tempdir_put(path, "own1.example\n", 13); /* a person's own file may shrink */
    lists_refresh(l);
    WAIT_FOR(!blocks("own3.example"));
    assert_true(blocks("own1.example"));
    WAIT_FOR(idle(l));
    assert_int_equal(unlink(path), 0);
    lists_refresh(l);
    WAIT_FOR(status_of(l, 11).state == LIST_STATE_STALE && idle(l));
    assert_true(blocks("own1.example"));
    assert_string_equal(status_of(l, 11).error, strerror(ENOENT));
    lists_close(l);
}

static void does_not_read_what_is_no_plain_file(void **state)
{
    (void)state;
    char path[TEMPDIR_MAX + 16];
    (void)snprintf(path, sizeof path, "%s/pipe", dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    struct list_spec specs[] = {spec(11, LIST_BLOCK, path), spec(12, LIST_BLOCK, dir)};
    struct lists *l = open_lists(specs, 2);
    WAIT_FOR(tried(l, 11) && tried(l, 12));
    assert_string_equal(status_of(l, 11).error, "not a plain file");
    assert_string_equal(status_of(l, 12).error, "not a plain file");
    lists_close(l);
}

static void the_list_inside_the_program_can_be_configured(void **state)
{
    (void)state;
    struct list_spec specs[] = {spec(11, LIST_BLOCK, "builtin")};
    struct lists *l = open_lists(specs, 1);
    WAIT_FOR(blocks("ad.doubleclick.net") && idle(l));
    struct list_status s = status_of(l, 11);
    assert_int_equal(s.state, LIST_STATE_CURRENT);
    assert_true(s.rules > 400);
    assert_int_equal(s.duplicates, 0);
    assert_int_equal(s.rejected, 0);
    struct lists_progress p;
    lists_get_progress(l, &p);
    assert_false(p.starter);
    lists_close(l);
}

/* The person */

static void takes_over_a_new_configuration(void **state)
{
    (void)state;
    put_text("/ads", ads);
    put_text("/other", other);
    struct list_spec specs[] = {spec(11, LIST_BLOCK, "/ads"), spec(12, LIST_BLOCK, "/other")};
    struct lists *l = open_lists(specs, 1);
    WAIT_FOR(blocks("ads2.example") && idle(l));
    unsigned hits = list_server_hits(server, "/ads");
    assert_int_equal(lists_set(l, specs, 2), ERR_OK);
    WAIT_FOR(blocks("x.other.example") && idle(l));
    assert_true(blocks("ads2.example"));
    assert_int_equal(list_server_hits(server, "/ads"), hits); /* known ones are not fetched again */
    specs[0].enabled = false;
    assert_int_equal(lists_set(l, specs, 2), ERR_OK);
    WAIT_FOR(!blocks("ads2.example") && idle(l));
    assert_int_equal(status_of(l, 11).state, LIST_STATE_DISABLED);
    assert_true(blocks("x.other.example"));
    specs[0].enabled = true;
    assert_int_equal(lists_set(l, specs, 1), ERR_OK);
    WAIT_FOR(blocks("ads2.example") && !blocks("x.other.example") && idle(l));
    assert_int_equal(lists_set(l, specs, 0), ERR_OK);
    WAIT_FOR(!blocks("ads2.example"));
    lists_close(l);
}

static void a_new_configuration_cuts_what_hangs(void **state)
{
    (void)state;
    list_server_put(server, "/hang", &(struct page){.kind = PAGE_HANG});
    put_text("/ads", ads);
    struct list_spec specs[] = {spec(11, LIST_BLOCK, "/hang"), spec(12, LIST_BLOCK, "/ads")};
    struct lists *l = open_lists(specs, 1);
    WAIT_FOR(status_of(l, 11).fetching);
    int64_t begin = ms_now();
    assert_int_equal(lists_set(l, specs + 1, 1), ERR_OK);
    WAIT_FOR(blocks("ads2.example"));
    assert_true(ms_now() - begin < 1500);
    lists_close(l);
}

static void the_same_configuration_cuts_nothing(void **state)
{
    (void)state;
    list_server_put(server, "/slow",
                    &(struct page){.kind = PAGE_DRIP, .body = "slow.example\n", .len = 13});
    struct list_spec specs[] = {spec(11, LIST_BLOCK, "/slow")};
    struct lists *l = open_lists(specs, 1);
    unsigned hits = list_server_hits(server, "/slow");
    WAIT_FOR(status_of(l, 11).fetching);
    for (int i = 0; i < 20 && status_of(l, 11).fetching; i++) {
        assert_int_equal(lists_set(l, specs, 1), ERR_OK);
        usleep(10000);
    }
    WAIT_FOR(blocks("slow.example"));
    assert_true(list_server_hits(server, "/slow") <= hits + 1);
    lists_close(l);
}

static void new_limits_count_from_the_next_refresh(void **state)
{
    (void)state;
    put_text("/ads", ads);
    struct list_spec specs[] = {spec(11, LIST_BLOCK, "/ads")};
    struct lists *l = open_lists(specs, 1);
    WAIT_FOR(blocks("ads2.example") && idle(l));
    struct fetch_limits limits = config().limits;
    limits.octets_max = 10;
    lists_set_limits(l, &limits);
    lists_refresh(l);
    WAIT_FOR(status_of(l, 11).state == LIST_STATE_STALE);
    assert_string_equal(status_of(l, 11).error, "the list is larger than the limit");
    lists_close(l);
}

static void refuses_impossible_configurations(void **state)
{
    (void)state;
    struct lists_config c = config();
    struct lists *l;
    struct list_spec specs[] = {spec(11, LIST_BLOCK, "/ads"), spec(11, LIST_BLOCK, "/other")};
    assert_int_equal(lists_open(&c, specs, 2, &l), ERR_RANGE);
    assert_int_equal(lists_open(&c, specs, LISTS_MAX + 1, &l), ERR_RANGE);
}

/* The disk */

static void spoil(const char *name, off_t at)
{
    char path[TEMPDIR_MAX + 64], octet;
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &octet, 1, at), 1);
    octet ^= 0x20;
    assert_int_equal(pwrite(fd, &octet, 1, at), 1);
    close(fd);
}

static void fill_state_dir(const struct list_spec *specs, uint32_t count)
{
    struct lists *l = open_lists(specs, count);
    for (uint32_t i = 0; i < count; i++) {
        WAIT_FOR(tried(l, specs[i].id));
    }
    assert_true(blocks("ads2.example"));
    lists_close(l);
    forget();
}

static void a_damaged_image_is_made_anew_from_copies(void **state)
{
    (void)state;
    put_text("/ads", ads);
    struct list_spec specs[] = {spec(11, LIST_BLOCK, "/ads")};
    fill_state_dir(specs, 1);
    list_server_put(server, "/ads", &(struct page){.kind = PAGE_SILENT_CLOSE});
    spoil("blocklist.img", stat_of("blocklist.img").st_size / 2);
    struct lists *l = open_lists(specs, 1);
    assert_int_equal(told.images, 0);
    WAIT_FOR(blocks("ads2.example"));
    lists_close(l);
}

static void lost_copies_do_not_shrink_what_is_in_force(void **state)
{
    (void)state;
    char copy[64] = "";
    put_text("/ads", ads);
    put_text("/other", other);
    struct list_spec specs[] = {spec(11, LIST_BLOCK, "/ads"), spec(12, LIST_BLOCK, "/other")};
    fill_state_dir(specs, 1);
    fill_state_dir(specs, 2);
    store_each(store, "lists", remember_name, copy);
    spoil(copy, 4096); /* the text of one */
    assert_int_equal(store_remove(store, "lists/index"), ERR_OK);
    list_server_put(server, "/ads", &(struct page){.kind = PAGE_SILENT_CLOSE});
    list_server_put(server, "/other", &(struct page){.kind = PAGE_SILENT_CLOSE});
    struct lists *l = open_lists(specs, 2);
    WAIT_FOR(tried(l, 11) && tried(l, 12));
    assert_true(blocks("ads2.example"));
    assert_true(blocks("x.other.example"));
    put_text("/ads", "ads2.example\nads3.example\nads5.example\n");
    put_text("/other", other);
    lists_refresh(l);
    WAIT_FOR(blocks("ads5.example") && blocks("x.other.example") && !blocks("ads1.example"));
    lists_close(l);
}

static int nothing_can_be_written(enum store_step step, const char *name)
{
    (void)name;
    return step == STORE_STEP_CREATE || step == STORE_STEP_WRITE ? ENOSPC : 0;
}

static void a_full_disk_does_not_stop_the_service(void **state)
{
    (void)state;
    put_text("/ads", ads);
    struct list_spec specs[] = {spec(11, LIST_BLOCK, "/ads"), spec(12, LIST_BLOCK, "/other")};
    fill_state_dir(specs, 1);
    store_set_fault(nothing_can_be_written);
    put_text("/ads", "ads2.example\nads3.example\nads6.example\n");
    put_text("/other", other);
    struct lists *l = open_lists(specs, 2);
    WAIT_FOR(blocks("ads6.example") && blocks("x.other.example") && idle(l));
    lists_close(l);
    store_set_fault(NULL);
    forget();
    /* And the last good state is what is found afterwards. */
    struct lists_config c = config();
    c.offline = true;
    assert_int_equal(lists_open(&c, specs, 1, &l), ERR_OK);
    assert_true(blocks("ads1.example"));
    assert_false(blocks("ads6.example"));
    lists_close(l);
}

static void works_without_a_state_directory(void **state)
{
    (void)state;
    put_text("/ads", ads);
    struct list_spec specs[] = {spec(11, LIST_BLOCK, "/ads")};
    struct lists_config c = config();
    struct lists *l;
    c.store = NULL;
    assert_int_equal(lists_open(&c, specs, 1, &l), ERR_OK);
    WAIT_FOR(blocks("ads2.example"));
    put_text("/ads", "ads2.example\nads3.example\nads7.example\n");
    lists_refresh(l);
    WAIT_FOR(blocks("ads7.example"));
    lists_close(l);
}

/*
 * A process that keeps fetching two versions of a list in turn is killed at random moments. What
 * the next one finds is always one of the two, whole, in the image as well as in the copy.
 */
static void survives_kill_at_any_moment(void **state)
{
    (void)state;
    static char versions[2][200000];
    size_t len[2] = {0, 0};
    for (unsigned v = 0; v < 2; v++) {
        for (unsigned i = 0; i < 8000; i++) {
            len[v] += (size_t)snprintf(versions[v] + len[v], sizeof versions[v] - len[v],
                                       "n%u.v%u.example\n", i, v);
        }
    }
    list_server_put(server, "/turn", &(struct page){.body = versions[0], .len = len[0]});
    struct list_spec specs[] = {spec(11, LIST_BLOCK, "/turn")};
    unsigned seen = 0;
    for (unsigned round = 0; round < 12; round++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            struct lists_config c = config();
            struct lists *l;
            c.on_image = NULL;
            c.on_status = NULL;
            if (lists_open(&c, specs, 1, &l) != ERR_OK) {
                _exit(1);
            }
            for (;;) {
                lists_refresh(l);
                usleep(2000);
            }
        }
        for (unsigned i = 0; i < 4; i++) {
            usleep((useconds_t)(9000 + round * 1711));
            unsigned v = i & 1;
            list_server_put(server, "/turn", &(struct page){.body = versions[v], .len = len[v]});
        }
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);

        struct lists_config c = config();
        struct lists *l;
        c.offline = true;
        c.starter_id = 0;
        assert_int_equal(lists_open(&c, specs, 1, &l), ERR_OK);
        if (status_of(l, 11).rules > 0) {
            WAIT_FOR((blocks("n1.v0.example") || blocks("n1.v1.example")) && idle(l));
            assert_int_equal(status_of(l, 11).rules, 8000);
            assert_int_not_equal(blocks("n7999.v0.example"), blocks("n7999.v1.example"));
            assert_int_equal(blocks("n0.v0.example"), blocks("n7999.v0.example"));
            seen++;
        }
        lists_close(l);
        forget();
    }
    assert_true(seen > 0);
}

/* Once */

static void compiles_once_for_the_command_line(void **state)
{
    (void)state;
    put_text("/ads", ads);
    struct list_spec specs[] = {spec(11, LIST_BLOCK, "/ads"), spec(12, LIST_BLOCK, "/none")};
    struct lists_config c = config();
    static struct list_status status[2];
    struct list_image *image, *again;
    char path[TEMPDIR_MAX + 16];
    c.on_image = NULL;
    c.on_status = NULL;
    assert_int_equal(lists_compile(&c, specs, 2, status, &image), ERR_OK);
    assert_int_equal(verdict_of(image, "ads1.example"), BL_BLOCK);
    assert_int_equal(status[0].rules, 3);
    assert_int_equal(status[1].state, LIST_STATE_UNAVAILABLE);
    (void)snprintf(path, sizeof path, "%s/out.img", dir);
    assert_int_equal(list_image_save(image, path), ERR_OK);
    list_image_close(image);
    assert_int_equal(list_image_open(path, &again), ERR_OK);
    assert_int_equal(verdict_of(again, "ads3.example"), BL_BLOCK);
    list_image_close(again);
    spoil("out.img", 100);
    assert_int_not_equal(list_image_open(path, &again), ERR_OK);
    (void)snprintf(path, sizeof path, "%s/none.img", dir);
    assert_int_equal(list_image_open(path, &again), ERR_NOT_FOUND);
}

static void images_are_shared_until_the_last_closes(void **state)
{
    (void)state;
    struct list_spec specs[] = {spec(11, LIST_BLOCK, "builtin")};
    struct lists_config c = config();
    struct list_image *image;
    c.on_image = NULL;
    assert_int_equal(lists_compile(&c, specs, 1, NULL, &image), ERR_OK);
    struct list_image *second = list_image_ref(image);
    list_image_close(image);
    assert_int_equal(verdict_of(second, "ad.doubleclick.net"), BL_BLOCK);
    list_image_close(second);
    list_image_close(NULL);
}

static void quiet(enum log_area area, enum log_level level, const char *line)
{
    (void)area;
    (void)level;
    (void)line;
}

int main(void)
{
#define IN_A_DIRECTORY(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        IN_A_DIRECTORY(fetches_compiles_and_puts_in_force),
        IN_A_DIRECTORY(answers_from_the_saved_image_at_once),
        IN_A_DIRECTORY(unchanged_lists_write_nothing),
        IN_A_DIRECTORY(a_changed_list_replaces_the_old_one),
        IN_A_DIRECTORY(keeps_the_last_good_copy_whatever_comes),
        IN_A_DIRECTORY(tries_again_by_itself_and_the_starter_stands_in),
        IN_A_DIRECTORY(a_much_shorter_list_waits_for_a_person),
        IN_A_DIRECTORY(an_update_that_looks_wrong_is_held_back),
        IN_A_DIRECTORY(what_was_refused_is_not_asked_about_again),
        IN_A_DIRECTORY(what_the_server_takes_back_waits_no_more),
        IN_A_DIRECTORY(the_guard_may_be_off),
        IN_A_DIRECTORY(the_first_version_is_taken_with_a_word),
        IN_A_DIRECTORY(names_of_the_house_count),
        IN_A_DIRECTORY(nothing_is_built_of_nothing),
        IN_A_DIRECTORY(one_bad_list_does_not_hold_up_the_others),
        IN_A_DIRECTORY(reads_local_files_when_they_change),
        IN_A_DIRECTORY(does_not_read_what_is_no_plain_file),
        IN_A_DIRECTORY(the_list_inside_the_program_can_be_configured),
        IN_A_DIRECTORY(takes_over_a_new_configuration),
        IN_A_DIRECTORY(a_new_configuration_cuts_what_hangs),
        IN_A_DIRECTORY(the_same_configuration_cuts_nothing),
        IN_A_DIRECTORY(new_limits_count_from_the_next_refresh),
        IN_A_DIRECTORY(refuses_impossible_configurations),
        IN_A_DIRECTORY(a_damaged_image_is_made_anew_from_copies),
        IN_A_DIRECTORY(lost_copies_do_not_shrink_what_is_in_force),
        IN_A_DIRECTORY(a_full_disk_does_not_stop_the_service),
        IN_A_DIRECTORY(works_without_a_state_directory),
        IN_A_DIRECTORY(survives_kill_at_any_moment),
        IN_A_DIRECTORY(compiles_once_for_the_command_line),
        IN_A_DIRECTORY(images_are_shared_until_the_last_closes),
    };
    if (!getenv("SINKHOLE_TEST_LOG")) {
        log_set_sink(quiet);
    }
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name(__FILE__, tests, group_setup, group_teardown);
}
