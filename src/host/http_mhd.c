/*
 * Sockets and the thread of the HTTP server. libmicrohttpd runs without a thread or a listening
 * socket of its own: our thread polls the listeners, its epoll descriptor and an eventfd, so one
 * thread serves any number of addresses, and we decide which connection makes room for a new one.
 */
#include "host/http_mhd.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "host/http_mhd_int.h"
#include "host/sockaddr.h"
#include "host/sys.h"

enum {
    CONNECTIONS = 256,
    CONNECTIONS_MIN = 8,
    CONNECTIONS_MAX = 4096,
    IDLE_S = 30,
    POOL_OCTETS =
        18 * 1024, /* of a connection; head of a request of 16 KiB and what goes with it */
    BACKLOG = 512,
    ACCEPTS_AT_ONCE = 16, /* then those that gave way are cleared away */
    VANISHED_MS = 20000,
    TICK_MS = 1000
};

/* --- listening ------------------------------------------------------------------------------- */

static void set_int(int fd, int level, int name, int value)
{
    (void)setsockopt(fd, level, name, &value, sizeof value);
}

static enum err open_listener(struct http *h, const struct ip_endpoint *endpoint)
{
    union sockaddr_any addr;
    char text[IP_ENDPOINT_TEXT];
    socklen_t len = sockaddr_from_endpoint(endpoint, &addr);
    int fd = socket(addr.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ip_endpoint_format(endpoint, text);
    if (fd < 0) {
        log_error(HTTP, "no socket for %s: %s", text, strerror(errno));
        return ERR_IO;
    }
    set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (addr.sa.sa_family == AF_INET6) {
        set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    }
    if (bind(fd, &addr.sa, len) != 0 || listen(fd, BACKLOG) != 0) {
        log_error(HTTP, "cannot listen on %s: %s", text, strerror(errno));
        close(fd);
        return ERR_IO;
    }
    struct ip_endpoint bound = *endpoint;
    if (getsockname(fd, &addr.sa, &(socklen_t){sizeof addr}) == 0) {
        sockaddr_to_endpoint(&addr, &bound);
    }
    h->listener[h->listen_count] = fd;
    h->port[h->listen_count] = bound.port;
    h->listen_count++;
    return ERR_OK;
}

/* Hand a new connection to the library, which owns the socket from then on. */
static void add_connection(struct http *h, int fd, const union sockaddr_any *addr, socklen_t len)
{
    struct ip_endpoint peer;
    sockaddr_to_endpoint(addr, &peer);
    set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, VANISHED_MS);
    struct http_conn *c = http_conns_add(&h->conns, fd, &peer.addr, sys_now());
    if (!c) {
        close(fd);
        return;
    }
    if (MHD_add_connection(h->daemon, fd, &addr->sa, len) != MHD_YES) {
        http_conns_remove(&h->conns, c); /* the library has closed it */
    }
}

static void accept_all(struct http *h, int listener)
{
    for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
        union sockaddr_any addr;
        socklen_t len = sizeof addr;
        int fd = accept4(listener, &addr.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
                usleep(10000); /* the listener stays readable: do not spin */
            }
            return;
        }
        add_connection(h, fd, &addr, len);
    }
}

/* --- the library's other callbacks ----------------------------------------------------------- */

static void connection_changed(void *cls, struct MHD_Connection *connection, void **context,
                               enum MHD_ConnectionNotificationCode code)
{
    struct http *h = cls;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        *context = info ? http_conns_find(&h->conns, info->connect_fd) : NULL;
    } else if (*context) {
        http_conns_remove(&h->conns, *context);
        *context = NULL;
    }
}

static void log_line(void *cls, const char *format, va_list args)
{
    char text[512];
    (void)cls;
    if (log_enabled(LOG_AREA_HTTP, LOG_LEVEL_DEBUG)) {
        vsnprintf(text, sizeof text, format, args);
        text[strcspn(text, "\n")] = '\0';
        log_debug(HTTP, "%s", text);
    }
}

/* The request target stays as it was sent. */
static size_t leave_escapes(void *cls, struct MHD_Connection *connection, char *text)
{
    (void)cls;
    (void)connection;
    return strlen(text);
}

static struct MHD_Daemon *start_daemon(struct http *h, uint32_t connections)
{
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0,
        NULL, NULL, http_request_part, h, MHD_OPTION_EXTERNAL_LOGGER, log_line, h,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)(connections + HTTP_CONNS_SPARE),
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HTTP_POOL_OCTETS, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK,
        http_request_start, h, MHD_OPTION_UNESCAPE_CALLBACK, leave_escapes, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, http_request_end, h, MHD_OPTION_NOTIFY_CONNECTION,
        connection_changed, h, MHD_OPTION_END);
}

/* --- the thread ------------------------------------------------------------------------------ */

/* Without connections there is nothing to look after: no time-out. */
static int poll_timeout(struct http *h)
{
    MHD_UNSIGNED_LONG_LONG ms = TICK_MS;
    bool due = MHD_get_timeout(h->daemon, &ms) == MHD_YES;
    if (!due && h->conns.count == 0) {
        return -1;
    }
    return due && ms < TICK_MS ? (int)ms : TICK_MS;
}

static int epoll_fd_of(struct MHD_Daemon *daemon)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
    return info ? info->epoll_fd : -1;
}

static void take_wake(struct http *h)
{
    uint64_t n;
    if (read(h->wake, &n, sizeof n) == (ssize_t)sizeof n) {
        http_resume(h);
    }
}

static void *run(void *arg)
{
    struct http *h = arg;
    struct pollfd fds[HTTP_LISTEN_MAX + 2];
    uint32_t n = h->listen_count;
    usec_t next_tick = 0;
    for (uint32_t i = 0; i < n; i++) {
        fds[i] = (struct pollfd){.fd = h->listener[i], .events = POLLIN};
    }
    fds[n] = (struct pollfd){.fd = epoll_fd_of(h->daemon), .events = POLLIN};
    fds[n + 1] = (struct pollfd){.fd = h->wake, .events = POLLIN};
    while (!atomic_load(&h->stop)) {
        (void)poll(fds, n + 2, poll_timeout(h));
        for (uint32_t i = 0; i < n; i++) {
            if (fds[i].revents) {
                accept_all(h, h->listener[i]);
            }
        }
        if (fds[n + 1].revents) {
            take_wake(h);
        }
        if (sys_now() >= next_tick) {
            http_conns_tick(&h->conns, sys_now());
            next_tick = sys_now() + TICK_MS * USEC_PER_MSEC;
        }
        MHD_run(h->daemon);
        atomic_store_explicit(&h->open, h->conns.count, memory_order_relaxed);
    }
    http_resume(h);
    return NULL;
}

/* Signals are the main thread's. */
static int start_thread(struct http *h)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int error = pthread_create(&h->thread, NULL, run, h);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return error;
}

/* --- start and stop -------------------------------------------------------------------------- */

static enum err open_all(struct http *h, const struct http_config *cfg)
{
    uint32_t connections = cfg->connections ? cfg->connections : CONNECTIONS;
    if (connections < CONNECTIONS_MIN || connections > CONNECTIONS_MAX || cfg->listen_count == 0 ||
        cfg->listen_count > HTTP_LISTEN_MAX) {
        return ERR_RANGE;
    }
    enum err e = http_conns_open(&h->conns, connections);
    for (uint32_t i = 0; e == ERR_OK && i < cfg->listen_count; i++) {
        e = open_listener(h, &cfg->listen[i]);
    }
    if (e != ERR_OK) {
        return e;
    }
    h->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    h->daemon = h->wake >= 0 ? start_daemon(h, connections) : NULL;
    if (!h->daemon) {
        log_error(HTTP, "the HTTP server does not start: %s", strerror(errno));
        return ERR_IO;
    }
    return ERR_OK;
}

enum err http_serve(struct http *h)
{
    int error = start_thread(h);
    h->started = error == 0;
    if (!h->started) {
        log_error(HTTP, "no thread for the HTTP server: %s", strerror(error));
    }
    return h->started ? ERR_OK : ERR_MEMORY;
}

enum err http_open(struct http **out, const struct http_config *cfg)
{
    struct http *h = calloc(1, sizeof *h);
    if (!h) {
        return ERR_MEMORY;
    }
    h->api = cfg->api;
    h->lock = cfg->lock;
    h->before = cfg->before;
    h->before_arg = cfg->arg;
    h->wake = -1;
    enum err e = open_all(h, cfg);
    if (e != ERR_OK) {
        http_stop(h);
        return e;
    }
    *out = h;
    return ERR_OK;
}

void http_stop(struct http *h)
{
    if (!h) {
        return;
    }
    if (h->started) {
        atomic_store(&h->stop, true);
        http_wake(h);
        pthread_join(h->thread, NULL);
    }
    if (h->daemon) {
        MHD_stop_daemon(h->daemon);
    }
    for (uint32_t i = 0; i < h->listen_count; i++) {
        close(h->listener[i]);
    }
    if (h->wake >= 0) {
        close(h->wake);
    }
    http_conns_close(&h->conns);
    free(h);
}

void http_wake(struct http *h)
{
    uint64_t one = 1;
    (void)!write(h->wake, &one, sizeof one);
}

uint16_t http_port(const struct http *h, uint32_t i)
{
    return i < h->listen_count ? h->port[i] : 0;
}

uint32_t http_connections(const struct http *h)
{
    return atomic_load_explicit(&h->open, memory_order_relaxed);
}
