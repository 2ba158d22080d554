/*
 * The misbehaving HTTP server of tests.
 */
#include "list_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAGES_MAX 64
#define HEAD_MAX  8192

struct slot {
    char path[64];
    struct page page;
    unsigned hits, not_modified;
};

struct list_server {
    int fd;
    uint16_t port;
    pthread_t thread;
    atomic_bool stop;
    atomic_uint connections;
    pthread_mutex_t lock;
    struct slot slots[PAGES_MAX];
    unsigned count;
    char last[HEAD_MAX];
};

struct connection {
    struct list_server *s;
    int fd;
};

static bool put_all(int fd, const void *data, size_t len)
{
    const char *p = data;
    while (len > 0) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
        if (n <= 0) {
            return false;
        }
        p += n;
        len -= (size_t)n;
    }
    return true;
}

static bool put_text(int fd, const char *text)
{
    return put_all(fd, text, strlen(text));
}

/* Waits; false when the server stops or the peer went away. */
static bool pause_ms(struct connection *c, int ms)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    while (ms > 0 && !atomic_load(&c->s->stop)) {
        int step = ms < 20 ? ms : 20;
        if (poll(&p, 1, step) > 0) {
            char octet;
            if (recv(c->fd, &octet, 1, MSG_PEEK) <= 0) {
                return false;
            }
            usleep((useconds_t)step * 1000);
        }
        ms -= step;
    }
    return !atomic_load(&c->s->stop);
}

static bool put_chunk(int fd, const void *data, size_t len)
{
    char size[32];
    (void)snprintf(size, sizeof size, "%zx\r\n", len);
    return put_text(fd, size) && put_all(fd, data, len) && put_text(fd, "\r\n");
}

static void put_head(struct connection *c, const struct page *p, int status)
{
    char head[4096];
    int n =
        snprintf(head, sizeof head, "HTTP/1.1 %d Test\r\n%s", status, p->headers ? p->headers : "");
    size_t len = (size_t)n;
    if (p->etag) {
        len += (size_t)snprintf(head + len, sizeof head - len, "ETag: %s\r\n", p->etag);
    }
    if (p->location) {
        len += (size_t)snprintf(head + len, sizeof head - len, "Location: %s\r\n", p->location);
    }
    if (status == 304) {
        (void)snprintf(head + len, sizeof head - len, "\r\n");
    } else if (p->kind == PAGE_CHUNKED || p->kind == PAGE_CHUNK_CUT || p->kind == PAGE_ENDLESS) {
        (void)snprintf(head + len, sizeof head - len, "Transfer-Encoding: chunked\r\n\r\n");
    } else if (p->kind == PAGE_NO_LENGTH) {
        (void)snprintf(head + len, sizeof head - len, "Connection: close\r\n\r\n");
    } else {
        (void)snprintf(head + len, sizeof head - len, "Content-Length: %zu\r\n\r\n", p->len);
    }
    (void)put_text(c->fd, head);
}

static void put_chunks(struct connection *c, const struct page *p)
{
    for (size_t at = 0; at < p->len; at += 1000) {
        size_t n = p->len - at < 1000 ? p->len - at : 1000;
        if (!put_chunk(c->fd, (const char *)p->body + at, n)) {
            return;
        }
    }
    if (p->kind == PAGE_CHUNKED) {
        (void)put_text(c->fd, "0\r\n\r\n");
    }
}

static void put_body(struct connection *c, const struct page *p)
{
    switch (p->kind) {
    case PAGE_WHOLE:
    case PAGE_NO_LENGTH:
        (void)put_all(c->fd, p->body, p->len);
        break;
    case PAGE_CHUNKED:
    case PAGE_CHUNK_CUT:
        put_chunks(c, p);
        break;
    case PAGE_SHORT:
    case PAGE_RESET:
        (void)put_all(c->fd, p->body, p->len / 2);
        (void)pause_ms(c, 50);
        break;
    case PAGE_HANG_BODY:
        (void)put_all(c->fd, p->body, p->len / 2);
        (void)pause_ms(c, 60000);
        break;
    case PAGE_DRIP:
        for (size_t i = 0; i < p->len && pause_ms(c, 20); i++) {
            if (!put_all(c->fd, (const char *)p->body + i, 1)) {
                return;
            }
        }
        break;
    case PAGE_ENDLESS:
        while (!atomic_load(&c->s->stop) && put_chunk(c->fd, p->body, p->len)) {
        }
        break;
    case PAGE_HANG:
    case PAGE_HEADER_BOMB:
    case PAGE_SILENT_CLOSE:
        break;
    }
}

static void header_bomb(struct connection *c)
{
    char line[1024];
    memset(line, 'x', sizeof line);
    memcpy(line, "X-Bomb: ", 8);
    line[sizeof line - 2] = '\r';
    line[sizeof line - 1] = '\n';
    (void)put_text(c->fd, "HTTP/1.1 200 OK\r\n");
    while (!atomic_load(&c->s->stop) && put_all(c->fd, line, sizeof line)) {
    }
}

static struct slot *find_slot(struct list_server *s, const char *path)
{
    for (unsigned i = 0; i < s->count; i++) {
        if (strcmp(s->slots[i].path, path) == 0) {
            return &s->slots[i];
        }
    }
    return NULL;
}

/* Finds the page of a request; *status is what to answer. False: none. */
static bool look_up(struct connection *c, const char *head, struct page *page, int *status)
{
    char path[64] = "";
    bool found = false;
    (void)sscanf(head, "GET %63s", path);
    pthread_mutex_lock(&c->s->lock);
    memcpy(c->s->last, head, strlen(head) + 1);
    struct slot *slot = find_slot(c->s, path);
    if (slot) {
        const char *asked = strcasestr(head, "\r\nIf-None-Match: ");
        slot->hits++;
        *page = slot->page;
        *status = page->status ? page->status : 200;
        if (page->etag && asked && strncmp(asked + 17, page->etag, strlen(page->etag)) == 0) {
            *status = 304;
            slot->not_modified++;
        }
        found = true;
    }
    pthread_mutex_unlock(&c->s->lock);
    return found;
}

static void answer(struct connection *c, const char *head)
{
    struct page page;
    int status = 0;
    if (!look_up(c, head, &page, &status)) {
        (void)put_text(c->fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone");
    } else if (status == 304) {
        put_head(c, &page, status);
    } else if (page.kind == PAGE_HANG) {
        (void)pause_ms(c, 60000);
    } else if (page.kind == PAGE_HEADER_BOMB) {
        header_bomb(c);
    } else if (page.kind != PAGE_SILENT_CLOSE) {
        put_head(c, &page, status);
        put_body(c, &page);
    }
    if (status != 0 && page.kind == PAGE_RESET) {
        struct linger now = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
}

/* One request a connection. */
static void *serve(void *arg)
{
    struct connection *c = arg;
    char head[HEAD_MAX];
    size_t len = 0;
    while (len < sizeof head - 1) {
        ssize_t n = recv(c->fd, head + len, sizeof head - 1 - len, 0);
        if (n <= 0) {
            break;
        }
        len += (size_t)n;
        head[len] = '\0';
        if (strstr(head, "\r\n\r\n")) {
            answer(c, head);
            break;
        }
    }
    close(c->fd);
    atomic_fetch_sub(&c->s->connections, 1);
    free(c);
    return NULL;
}

static void *accept_all(void *arg)
{
    struct list_server *s = arg;
    struct pollfd p = {.fd = s->fd, .events = POLLIN};
    while (!atomic_load(&s->stop)) {
        pthread_t t;
        if (poll(&p, 1, 20) <= 0) {
            continue;
        }
        int fd = accept(s->fd, NULL, NULL);
        struct connection *c = fd >= 0 ? malloc(sizeof *c) : NULL;
        if (!c) {
            continue;
        }
        *c = (struct connection){s, fd};
        atomic_fetch_add(&s->connections, 1);
        if (pthread_create(&t, NULL, serve, c) != 0) {
            atomic_fetch_sub(&s->connections, 1);
            close(fd);
            free(c);
        } else {
            pthread_detach(t);
        }
    }
    return NULL;
}

struct list_server *list_server_start(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    struct list_server *s = calloc(1, sizeof *s);
    if (!s) {
        return NULL;
    }
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pthread_mutex_init(&s->lock, NULL);
    if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(s->fd, 64) != 0 ||
        getsockname(s->fd, (struct sockaddr *)&a, &len) != 0 ||
        pthread_create(&s->thread, NULL, accept_all, s) != 0) {
        if (s->fd >= 0) {
            close(s->fd);
        }
        free(s);
        return NULL;
    }
    s->port = ntohs(a.sin_port);
    return s;
}

void list_server_stop(struct list_server *s)
{
    if (!s) {
        return;
    }
    atomic_store(&s->stop, true);
    pthread_join(s->thread, NULL);
    close(s->fd);
    while (atomic_load(&s->connections) > 0) {
        usleep(5000);
    }
    pthread_mutex_destroy(&s->lock);
    free(s);
}

void list_server_put(struct list_server *s, const char *path, const struct page *page)
{
    pthread_mutex_lock(&s->lock);
    struct slot *slot = find_slot(s, path);
    if (!slot && s->count < PAGES_MAX) {
        slot = &s->slots[s->count++];
        (void)snprintf(slot->path, sizeof slot->path, "%s", path);
    }
    if (slot) {
        slot->page = *page;
    }
    pthread_mutex_unlock(&s->lock);
}

char *list_server_url(const struct list_server *s, const char *path, char *out, size_t cap)
{
    (void)snprintf(out, cap, "http://127.0.0.1:%u%s", s->port, path);
    return out;
}

uint16_t list_server_port(const struct list_server *s)
{
    return s->port;
}

unsigned list_server_hits(struct list_server *s, const char *path)
{
    pthread_mutex_lock(&s->lock);
    struct slot *slot = find_slot(s, path);
    unsigned n = slot ? slot->hits : 0;
    pthread_mutex_unlock(&s->lock);
    return n;
}

unsigned list_server_not_modified(struct list_server *s, const char *path)
{
    pthread_mutex_lock(&s->lock);
    struct slot *slot = find_slot(s, path);
    unsigned n = slot ? slot->not_modified : 0;
    pthread_mutex_unlock(&s->lock);
    return n;
}

void list_server_last_request(struct list_server *s, char *out, size_t cap)
{
    pthread_mutex_lock(&s->lock);
    (void)snprintf(out, cap, "%s", s->last);
    pthread_mutex_unlock(&s->lock);
}
