/*
 * Downloads through libcurl's multi interface: the transfers, and their redirects. Redirects are
 * followed here and not by curl, so that each target passes the same checks as a URL from a person,
 * and the count is ours.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/fetch_curl_int.h"

enum err fetch_global_init(void)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? ERR_OK : ERR_IO;
}

static void transfer_free(struct transfer *t)
{
    decode_close(t->encoding);
    decode_close(t->file);
    if (t->easy) {
        curl_easy_cleanup(t->easy);
    }
    curl_slist_free_all(t->headers);
    free(t->url);
    free(t);
}

static bool header_add(struct transfer *t, const char *name, const char *value)
{
    char line[FETCH_VALIDATOR_MAX + 64];
    (void)snprintf(line, sizeof line, "%s: %s", name, value);
    struct curl_slist *more = curl_slist_append(t->headers, line);
    if (more) {
        t->headers = more;
    }
    return more != NULL;
}

static void transfer_options(struct transfer *t)
{
    const struct fetch_limits *l = &t->fetcher->limits;
    CURL *c = t->easy;
    const char *ca_file = getenv("SSL_CERT_FILE");
    /* A result is not checked where the option exists in every libcurl since 7.85, which is asked
     * for at build time. */
    (void)curl_easy_setopt(c, CURLOPT_PRIVATE, t);
    (void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(c, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    (void)curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(c, CURLOPT_HTTP_CONTENT_DECODING, 0L);
    (void)curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->curl_error);
    (void)curl_easy_setopt(c, CURLOPT_USERAGENT, l->user_agent);
    (void)curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)l->connect_timeout_s);
    (void)curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)l->total_timeout_s);
    (void)curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, (long)l->low_speed_octets);
    (void)curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)l->low_speed_s);
    (void)curl_easy_setopt(c, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)l->octets_max);
    (void)curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, fetch_on_header);
    (void)curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
    (void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, fetch_on_body);
    (void)curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
    (void)curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, fetch_on_open_socket);
    (void)curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, t);
    (void)curl_easy_setopt(c, CURLOPT_HTTPHEADER, t->headers);
    (void)curl_easy_setopt(c, CURLOPT_URL, t->url);
#if LIBCURL_VERSION_NUM >= 0x075700
    (void)curl_easy_setopt(c, CURLOPT_QUICK_EXIT,
                           1L); /* do not wait for a slow resolver when we close */
#endif
    if (ca_file && ca_file[0]) {
        (void)curl_easy_setopt(c, CURLOPT_CAINFO, ca_file);
    }
}

enum err fetch_start(struct fetcher *f, const struct fetch_request *request)
{
    struct url_parts parts;
    if (fetch_url_check(request->url, &parts)) {
        return ERR_FORMAT;
    }
    struct transfer *t = calloc(1, sizeof *t);
    if (!t) {
        return ERR_MEMORY;
    }
    t->fetcher = f;
    t->sink = request->sink;
    t->arg = request->arg;
    t->local = parts.local || f->limits.local;
    t->url = strdup(request->url);
    t->easy = curl_easy_init();
    bool ok = t->url && t->easy && header_add(t, "Accept-Encoding", "gzip, br");
    if (request->etag && request->etag[0]) {
        ok = ok && header_add(t, "If-None-Match", request->etag);
        t->conditional = true;
    }
    if (request->last_modified && request->last_modified[0]) {
        ok = ok && header_add(t, "If-Modified-Since", request->last_modified);
        t->conditional = true;
    }
    if (!ok) {
        transfer_free(t);
        return ERR_MEMORY;
    }
    transfer_options(t);
    *f->waiting_end = t;
    f->waiting_end = &t->next;
    f->waiting_count++;
    return ERR_OK;
}

static void finish(struct fetcher *f, struct transfer *t)
{
    struct fetch_result result = t->result;
    void *arg = t->arg;
    for (struct transfer **p = &f->active; *p; p = &(*p)->next) {
        if (*p == t) {
            *p = t->next;
            f->active_count--;
            break;
        }
    }
    transfer_free(t);
    f->done(arg, &result);
}

static void activate(struct fetcher *f, struct transfer *t)
{
    t->next = f->active;
    f->active = t;
    f->active_count++;
    if (curl_multi_add_handle(f->multi, t->easy) != CURLM_OK) {
        fetch_answer_failed(t, true, "out of memory");
        finish(f, t);
    }
}

static void start_waiting(struct fetcher *f)
{
    while (f->waiting && f->active_count < f->limits.parallel_max) {
        struct transfer *t = f->waiting;
        f->waiting = t->next;
        if (!f->waiting) {
            f->waiting_end = &f->waiting;
        }
        f->waiting_count--;
        activate(f, t);
    }
}

static bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* Points the transfer at its redirect's target. False: refused, the result says why. */
static bool follow(struct transfer *t)
{
    struct url_parts from, to;
    const char *target = NULL;
    char text[FETCH_ERROR_MAX];
    (void)curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_URL, &target);
    const char *problem = target ? fetch_url_check(target, &to) : "no Location";
    if (problem) {
        (void)snprintf(text, sizeof text, "redirect refused: %s", problem);
        fetch_answer_failed(t, false, text);
        return false;
    }
    if (++t->redirects > FETCH_REDIRECTS_MAX) {
        fetch_answer_failed(t, false, "more than 5 redirects");
        return false;
    }
    if (!fetch_url_check(t->url, &from) && from.https && !to.https) {
        fetch_answer_failed(t, false, "redirect refused: from https to http");
        return false;
    }
    if (to.local && !t->local) {
        fetch_answer_failed(t, false, "redirect refused: to a loopback or link-local host");
        return false;
    }
    char *copy = strdup(target);
    if (!copy) {
        fetch_answer_failed(t, true, "out of memory");
        return false;
    }
    free(t->url);
    t->url = copy;
    (void)curl_easy_setopt(t->easy, CURLOPT_URL, t->url);
    t->header_octets = 0;
    fetch_answer_reset(t);
    return true;
}

static void handle_end(struct fetcher *f, struct transfer *t, CURLcode code)
{
    long status = 0;
    (void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_multi_remove_handle(f->multi, t->easy);
    t->result.http_status = (int)status;
    if (code != CURLE_OK) {
        fetch_answer_broken(t, code);
    } else if (is_redirect((int)status)) {
        if (follow(t)) {
            if (curl_multi_add_handle(f->multi, t->easy) == CURLM_OK) {
                return;
            }
            fetch_answer_failed(t, true, "out of memory");
        }
    } else {
        fetch_answer_complete(t);
    }
    finish(f, t);
}

void fetch_run(struct fetcher *f, int timeout_ms)
{
    int running = 0, left = 0;
    start_waiting(f);
    if (curl_multi_perform(f->multi, &running) == CURLM_OK &&
        (uint32_t)running == f->active_count) {
        (void)curl_multi_poll(f->multi, NULL, 0, timeout_ms, NULL);
        (void)curl_multi_perform(f->multi, &running);
    }
    for (CURLMsg *m = curl_multi_info_read(f->multi, &left); m;
         m = curl_multi_info_read(f->multi, &left)) {
        char *arg = NULL;
        if (m->msg != CURLMSG_DONE) {
            continue;
        }
        CURLcode code = m->data.result;
        (void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &arg);
        handle_end(f, (struct transfer *)(void *)arg, code);
    }
    start_waiting(f);
}

void fetch_wake(struct fetcher *f)
{
    (void)curl_multi_wakeup(f->multi);
}

uint32_t fetch_active(const struct fetcher *f)
{
    return f->active_count + f->waiting_count;
}

static bool proxy_in_environment(void)
{
    static const char *const names[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
                                        "ALL_PROXY"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *value = getenv(names[i]);
        if (value && value[0]) {
            return true;
        }
    }
    return false;
}

enum err fetch_open(const struct fetch_limits *limits, fetch_done *done, struct fetcher **out)
{
    struct fetcher *f = calloc(1, sizeof *f);
    CURLM *multi = curl_multi_init();
    if (!f || !multi) {
        free(f);
        if (multi) {
            (void)curl_multi_cleanup(multi);
        }
        return ERR_MEMORY;
    }
    struct fetch_limits l = *limits;
    l.octets_max = l.octets_max ? l.octets_max : UINT64_C(64) << 20;
    l.parallel_max = l.parallel_max ? l.parallel_max : 6;
    l.connect_timeout_s = l.connect_timeout_s ? l.connect_timeout_s : 20;
    l.total_timeout_s = l.total_timeout_s ? l.total_timeout_s : 300;
    l.low_speed_octets = l.low_speed_octets ? l.low_speed_octets : 200;
    l.low_speed_s = l.low_speed_s ? l.low_speed_s : 30;
    l.user_agent = l.user_agent ? l.user_agent : "sinkhole";
    *f = (struct fetcher){
        .multi = multi, .limits = l, .done = done, .proxied = proxy_in_environment()};
    f->waiting_end = &f->waiting;
    /* One that is idle is not kept beside those in use: each costs a descriptor. */
    (void)curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)l.parallel_max);
    *out = f;
    return ERR_OK;
}

static void drop_all(struct fetcher *f, struct transfer *t, bool active)
{
    while (t) {
        struct transfer *next = t->next;
        if (active) {
            (void)curl_multi_remove_handle(f->multi, t->easy);
        }
        transfer_free(t);
        t = next;
    }
}

void fetch_close(struct fetcher *f)
{
    if (!f) {
        return;
    }
    drop_all(f, f->active, true);
    drop_all(f, f->waiting, false);
    (void)curl_multi_cleanup(f->multi);
    free(f);
}
