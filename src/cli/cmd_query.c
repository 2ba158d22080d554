/*
 * sinkhole query: one question to a DNS server, over UDP and, when the answer is cut, over TCP.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <jansson.h>

#include "cli/cli.h"
#include "cli/remote.h"
#include "dns/build.h"
#include "host/rrtext_ldns.h"
#include "host/sockaddr.h"
#include "host/sys.h"

enum { TRIES = 2, TRY_MS = 3000, QUERY_OCTETS = 512, TEXT_OCTETS = 1024 * 1024 };

struct question {
    struct dns_name name;
    uint16_t type;
    struct ip_endpoint server;
    uint8_t query[QUERY_OCTETS];
    size_t query_len;
    uint8_t reply[DNS_TCP_MAX];
    size_t reply_len;
    usec_t took;
    bool tcp;
};

/* 192.0.2.9 as 9.2.0.192.in-addr.arpa, an IPv6 address by its nibbles under ip6.arpa. */
static enum err reverse_name(const struct ip_addr *addr, struct dns_name *out)
{
    char text[80];
    struct strbuf s;
    strbuf_init(&s, text, sizeof text);
    if (ip_is_v4(addr)) {
        strbuf_printf(&s, "%u.%u.%u.%u.in-addr.arpa", addr->b[15], addr->b[14], addr->b[13],
                      addr->b[12]);
    } else {
        for (int i = 15; i >= 0; i--) {
            strbuf_printf(&s, "%x.%x.", addr->b[i] & 15U, (unsigned)addr->b[i] >> 4);
        }
        strbuf_str(&s, "ip6.arpa");
    }
    return dns_name_parse(span_of(s.text, s.len), out);
}

/* The first address that this machine's resolver listens on, as the configuration says. */
static bool own_server(struct cli *cli, struct ip_endpoint *out)
{
    static const uint8_t v4[4] = {127, 0, 0, 1}, v6[16] = {[15] = 1};
    cli->settings.quiet = true;
    struct config *c = cli_config(cli);
    if (c == NULL) {
        return false;
    }
    *out = c->listen.item[0];
    if (ip_is_unspecified(&out->addr)) {
        out->addr = ip_is_v4(&out->addr) ? ip_v4(v4) : ip_v6(v6);
    }
    settings_unload(NULL, c);
    return true;
}

/* The words: NAME [TYPE] [@SERVER], the server anywhere. */
static int read_words(struct cli *cli, struct question *q)
{
    const char *words[2] = {NULL, NULL}, *server = NULL;
    int count = 0;
    struct ip_addr addr;
    for (int i = 0; i < cli->word_count; i++) {
        if (cli->words[i][0] == '@') {
            server = cli->words[i] + 1;
        } else if (count < 2) {
            words[count++] = cli->words[i];
        } else {
            return cli_usage(cli, "found \"%s\", expected NAME [TYPE] [@SERVER]", cli->words[i]);
        }
    }
    if (words[0] == NULL) {
        return cli_usage(cli, "found no name, expected NAME [TYPE] [@SERVER]");
    }
    bool reverse = words[1] == NULL && ip_parse(span_str(words[0]), &addr) == ERR_OK;
    q->type = reverse ? DNS_PTR : DNS_A;
    if ((reverse ? reverse_name(&addr, &q->name) : dns_name_parse(span_str(words[0]), &q->name)) !=
        ERR_OK) {
        return cli_usage(cli, "found \"%s\", expected a domain name or an address", words[0]);
    }
    if (words[1] != NULL && dns_type_parse(span_str(words[1]), &q->type) != ERR_OK) {
        return cli_usage(
            cli, "found type \"%s\", expected one such as A, AAAA, HTTPS, MX or TYPE65", words[1]);
    }
    if (server == NULL) {
        return own_server(cli, &q->server) ? EXIT_FINE : EXIT_USAGE;
    }
    if (ip_endpoint_parse(span_str(server), 53, &q->server) != ERR_OK) {
        return cli_usage(cli, "found server \"%s\", expected @ADDR or @ADDR:PORT", server);
    }
    return EXIT_FINE;
}

/* ---- the wire ---- */

static int connected(const struct question *q, int kind)
{
    union sockaddr_any addr;
    socklen_t len = sockaddr_from_endpoint(&q->server, &addr);
    int fd = socket(addr.sa.sa_family, kind | SOCK_CLOEXEC, 0);
    struct timeval limit = {.tv_sec = TRY_MS / 1000};
    if (fd >= 0 && (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
                    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0 ||
                    connect(fd, &addr.sa, len) != 0)) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

/* Is the reply one to our question? The rest is for the reader to judge. */
static bool is_ours(const struct question *q)
{
    return q->reply_len >= DNS_HEADER_OCTETS && memcmp(q->reply, q->query, 2) == 0 &&
           (be16_read(q->reply + 2) & DNS_QR) != 0;
}

static bool ask_udp(struct question *q)
{
    int fd = connected(q, SOCK_DGRAM);
    bool got = false;
    for (int i = 0; i < TRIES && fd >= 0 && !got; i++) {
        usec_t end = sys_now() + TRY_MS * USEC_PER_MSEC;
        if (send(fd, q->query, q->query_len, 0) < 0) {
            break;
        }
        while (!got && sys_now() < end) {
            struct pollfd p = {.fd = fd, .events = POLLIN};
            if (poll(&p, 1, (int)((end - sys_now()) / USEC_PER_MSEC) + 1) <= 0) {
                errno = ETIMEDOUT;
                break;
            }
            ssize_t n = recv(fd, q->reply, sizeof q->reply, 0);
            if (n < 0) {
                break;
            }
            q->reply_len = (size_t)n;
            got = is_ours(q);
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    return got;
}

static bool receive(int fd, uint8_t *out, size_t len)
{
    for (size_t got = 0; got < len;) {
        ssize_t n = recv(fd, out + got, len - got, 0);
        if (n <= 0) {
            errno = n == 0 ? ECONNRESET : errno == EAGAIN ? ETIMEDOUT : errno;
            return false;
        }
        got += (size_t)n;
    }
    return true;
}

static bool ask_tcp(struct question *q)
{
    int fd = connected(q, SOCK_STREAM);
    uint8_t framed[QUERY_OCTETS + 2], head[2];
    bool got = false;
    be16_write(framed, (uint16_t)q->query_len);
    memcpy(framed + 2, q->query, q->query_len);
    if (fd >= 0 && send(fd, framed, q->query_len + 2, MSG_NOSIGNAL) == (ssize_t)q->query_len + 2 &&
        receive(fd, head, sizeof head)) {
        q->reply_len = be16_read(head);
        got = receive(fd, q->reply, q->reply_len) && is_ours(q);
    }
    if (fd >= 0) {
        close(fd);
    }
    return got;
}

static bool ask(struct cli *cli, struct question *q)
{
    uint8_t id[2];
    if (sys_entropy(id, sizeof id) != ERR_OK) {
        return false;
    }
    q->query_len =
        dns_build_query(q->query, sizeof q->query, be16_read(id), DNS_RD | DNS_AD, q->name.wire,
                        q->name.len, q->type, DNS_IN, true, (cli->flags & FLAG_DNSSEC) != 0);
    usec_t begin = sys_now();
    q->tcp = (cli->flags & FLAG_TCP) != 0;
    bool got = q->tcp ? ask_tcp(q) : ask_udp(q);
    if (got && !q->tcp && (be16_read(q->reply + 2) & DNS_TC) != 0) {
        q->tcp = true;
        got = ask_tcp(q);
    }
    q->took = sys_now() - begin;
    return got;
}

/* ---- showing ---- */

/* "name. ttl class type value" apart at its first four blanks. */
struct fields {
    char *at[5];
};

static bool fields_of(char *line, struct fields *out)
{
    for (int i = 0; i < 4; i++) {
        out->at[i] = line;
        line += strcspn(line, " \t");
        if (*line == '\0') {
            return false;
        }
        *line++ = '\0';
        line += strspn(line, " \t");
    }
    out->at[4] = line;
    return true;
}

static void show_record(char *line, enum dns_section section, json_t *out)
{
    static const char *const sections[] = {"answer", "authority", "additional"};
    struct fields f;
    if (!fields_of(line, &f)) {
        return;
    }
    if (out != NULL) {
        json_array_append_new(json_object_get(out, sections[section]),
                              json_pack("{s:s, s:I, s:s, s:s}", "name", f.at[0], "ttl",
                                        (json_int_t)strtoul(f.at[1], NULL, 10), "type", f.at[3],
                                        "value", f.at[4]));
    } else if (section == DNS_SECTION_ANSWER) {
        puts(f.at[4]);
    }
}

/* The records, into `out` as JSON or, with NULL, the values of the answer to standard output. */
static bool show_records(const struct question *q, json_t *out)
{
    struct dns_walk walk;
    struct dns_record rr;
    static char line[TEXT_OCTETS];
    if (dns_walk_begin(q->reply, q->reply_len, &walk) != ERR_OK) {
        return false;
    }
    while (dns_walk_next(&walk, &rr)) {
        struct strbuf s;
        size_t pos = rr.owner;
        strbuf_init(&s, line, sizeof line);
        struct dns_edns edns;
        if (rr.type == DNS_OPT && out != NULL &&
            dns_edns_read(rr.klass, rr.ttl, q->reply + rr.rdata, rr.rdlen, &edns) == ERR_OK &&
            edns.ede != DNS_EDE_NONE) {
            json_object_set_new(out, "ede", json_integer(edns.ede));
        }
        if (rr.type != DNS_OPT && rrtext_format(q->reply, q->reply_len, &pos, &s) == ERR_OK) {
            show_record(line, (enum dns_section)rr.section, out);
        }
    }
    return !walk.bad;
}

static int show_json(const struct question *q)
{
    char server[IP_ENDPOINT_TEXT], type[16], name[DNS_NAME_TEXT];
    unsigned flags = be16_read(q->reply + 2);
    ip_endpoint_format(&q->server, server);
    dns_name_format(&q->name, name);
    json_t *o =
        json_pack("{s:s, s:s, s:s, s:b, s:s, s:b, s:f, s:[], s:[], s:[]}", "name", name, "type",
                  dns_type_format(q->type, type), "server", server, "tcp", q->tcp, "rcode",
                  dns_rcode_name(flags & DNS_RCODE_MASK), "truncated", (flags & DNS_TC) != 0, "ms",
                  (double)q->took / 1000, "answer", "authority", "additional");
    bool whole = show_records(q, o);
    int status = print_json_reply(o);
    json_decref(o);
    return whole ? status : EXIT_FAILED;
}

static int show_text(const struct question *q)
{
    static char text[TEXT_OCTETS];
    char server[IP_ENDPOINT_TEXT];
    struct strbuf s;
    strbuf_init(&s, text, sizeof text);
    enum err e = rrtext_message(q->reply, q->reply_len, &s);
    ip_endpoint_format(&q->server, server);
    fputs(text, stdout);
    printf("\n;; %s over %s, %zu octets, %.1f ms\n", server, q->tcp ? "TCP" : "UDP", q->reply_len,
           (double)q->took / 1000);
    if (e != ERR_OK) {
        fprintf(stderr, "sinkhole query: the answer is broken: %s\n", err_text(e));
    }
    return e == ERR_OK ? EXIT_FINE : EXIT_FAILED;
}

int cmd_query(struct cli *cli)
{
    static struct question q;
    char server[IP_ENDPOINT_TEXT];
    int status = read_words(cli, &q);
    if (status != EXIT_FINE) {
        return status;
    }
    errno = 0;
    if (!ask(cli, &q)) {
        ip_endpoint_format(&q.server, server);
        cli_error(cli, "no answer from %s: %s", server,
                  errno != 0 ? strerror(errno) : "what came back is no answer");
        return EXIT_FAILED;
    }
    if (cli->flags & FLAG_JSON) {
        return show_json(&q);
    }
    if (cli->flags & FLAG_SHORT) {
        return show_records(&q, NULL) ? EXIT_FINE : EXIT_FAILED;
    }
    return show_text(&q);
}
