/*
 * Load for a DNS server over UDP on loopback, fast enough not to be what is measured.
 *
 *     dnsblast [options] ADDR PORT
 *       --names FILE    names to ask for, one a line, over and over (default: one name)
 *       --unique TEXT   names that were never asked before: "0123abcd.TEXT"
 *       --share PCT     with --names: so many of a hundred are unique ones, the rest from the file
 * (0)
 *       --type N        question type (1)
 *       --edns          with an OPT record
 *       --seconds S     how long (5), after a quarter of a second that does not count
 *       --window N      questions in flight (256): as fast as the server answers
 *       --rate N        instead: so many questions a second, evenly
 *       --sockets N     source ports (1)
 *       --pid PID       the server: its processor time is measured
 *       --json          one JSON object in place of the lines for people
 *
 * Latency is from the question's send call to the answer's arrival in this program. Lost is what
 * has no answer after a second.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH       64
#define PACKET_MAX  320
#define SOCKETS_MAX 64
#define BUCKETS     4096 /* of latency: 32 a power of two, in nanoseconds */
#define WARM_NS     UINT64_C(250000000)
#define LOST_NS     UINT64_C(1000000000)

struct options {
    const char *names, *unique;
    unsigned type, window, sockets, share;
    bool edns, json;
    double seconds, rate;
    int pid;
};

struct question {
    uint16_t len;
    uint8_t octets[PACKET_MAX];
};

/* One source port: what is in flight, by ID. */
struct port {
    int fd;
    uint16_t next_id, oldest;
    unsigned flying;
    uint64_t sent[65536]; /* time; 0: not in flight */
};

static struct options opt = {.type = 1, .window = 256, .sockets = 1, .seconds = 5};
static struct question *questions;
static size_t question_count, next_question;
static uint64_t unique_number;
static struct port *ports;
static uint64_t histogram[BUCKETS];
static uint64_t sent, answered, lost, strange, rcodes[16];
static bool counting;

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- Questions. ---- */

static bool make_question(const char *text, struct question *q)
{
    static const uint8_t header[12] = {0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0};
    static const uint8_t opt_record[11] = {0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 0};
    memcpy(q->octets, header, sizeof header);
    size_t pos = 12;
    while (*text && *text != '\n') {
        size_t label = strcspn(text, ".\n");
        if (label == 0 || label > 63 || pos + label > 260) {
            return false;
        }
        q->octets[pos++] = (uint8_t)label;
        memcpy(q->octets + pos, text, label);
        pos += label;
        text += label;
        text += *text == '.';
    }
    uint8_t tail[5] = {0, (uint8_t)(opt.type >> 8), (uint8_t)opt.type, 0, 1};
    memcpy(q->octets + pos, tail, sizeof tail);
    pos += sizeof tail;
    if (opt.edns) {
        q->octets[11] = 1;
        memcpy(q->octets + pos, opt_record, sizeof opt_record);
        pos += sizeof opt_record;
    }
    q->len = (uint16_t)pos;
    return true;
}

static void load_names(void)
{
    FILE *f = fopen(opt.names, "r");
    char line[512];
    size_t cap = 0;
    if (!f) {
        perror(opt.names);
        exit(1);
    }
    while (fgets(line, sizeof line, f)) {
        if (question_count == cap) {
            cap = cap ? cap * 2 : 1024;
            questions = realloc(questions, cap * sizeof *questions);
        }
        if (line[0] != '#' && line[0] != '\n' && make_question(line, &questions[question_count])) {
            question_count++;
        }
    }
    fclose(f);
    if (question_count == 0) {
        fprintf(stderr, "%s: no names\n", opt.names);
        exit(1);
    }
}

/* Evenly spread: `share` of each hundred turns. */
static bool is_unique_turn(void)
{
    static unsigned due;
    due += opt.share;
    bool now = due >= 100;
    due -= now ? 100 : 0;
    return now;
}

static size_t take_question(uint8_t *out)
{
    struct question own;
    const struct question *q = &own;
    if (opt.unique && (!questions || is_unique_turn())) {
        char text[300];
        snprintf(text, sizeof text, "%08" PRIx64 ".%s", unique_number++, opt.unique);
        make_question(text, &own);
    } else {
        q = &questions[next_question++ % question_count];
    }
    memcpy(out, q->octets, q->len);
    return q->len;
}

/* ---- Sending and receiving. ---- */

static void send_batch(struct port *p, unsigned count)
{
    static struct mmsghdr out[BATCH];
    static struct iovec iov[BATCH];
    static uint8_t data[BATCH][PACKET_MAX];
    unsigned n = 0;
    uint64_t now = now_ns();
    while (n < count && n < BATCH && p->sent[p->next_id] == 0) {
        iov[n] = (struct iovec){.iov_base = data[n], .iov_len = take_question(data[n])};
        data[n][0] = (uint8_t)(p->next_id >> 8);
        data[n][1] = (uint8_t)p->next_id;
        out[n].msg_hdr = (struct msghdr){.msg_iov = &iov[n], .msg_iovlen = 1};
        p->sent[p->next_id++] = now;
        n++;
    }
    for (unsigned done = 0; done < n;) {
        int k = sendmmsg(p->fd, out + done, n - done, 0);
        if (k < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNREFUSED) {
            perror("sendmmsg");
            exit(1);
        }
        done += k > 0 ? (unsigned)k : 0;
    }
    p->flying += n;
    sent += counting ? n : 0;
}

static unsigned bucket_of(uint64_t ns)
{
    unsigned shift = ns < 32 ? 0 : 58u - (unsigned)__builtin_clzll(ns);
    unsigned b = shift * 32 + (unsigned)(ns >> shift);
    return b < BUCKETS ? b : BUCKETS - 1;
}

static double bucket_us(unsigned b)
{
    unsigned shift = b < 64 ? 0 : b / 32 - 1;
    return (double)((uint64_t)(b - shift * 32) << shift) / 1000;
}

static void take_answer(struct port *p, const uint8_t *data, size_t len, uint64_t now)
{
    unsigned id = len >= 12 ? (unsigned)data[0] << 8 | data[1] : 0;
    if (len < 12 || p->sent[id] == 0) {
        strange++;
        return;
    }
    if (counting) {
        histogram[bucket_of(now - p->sent[id])]++;
        rcodes[data[3] & 15]++;
        answered++;
    }
    p->sent[id] = 0;
    p->flying--;
}

static unsigned receive_batch(struct port *p)
{
    static struct mmsghdr in[BATCH];
    static struct iovec iov[BATCH];
    static uint8_t data[BATCH][1536];
    for (unsigned i = 0; i < BATCH; i++) {
        iov[i] = (struct iovec){.iov_base = data[i], .iov_len = sizeof data[i]};
        in[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
    }
    int n = recvmmsg(p->fd, in, BATCH, MSG_DONTWAIT, NULL);
    uint64_t now = n > 0 ? now_ns() : 0;
    for (int i = 0; i < n; i++) {
        take_answer(p, data[i], in[i].msg_len, now);
    }
    return n > 0 ? (unsigned)n : 0;
}

/* Give up on what is too old. */
static void expire(struct port *p, uint64_t now)
{
    while (p->oldest != p->next_id &&
           (p->sent[p->oldest] == 0 || now > p->sent[p->oldest] + LOST_NS)) {
        if (p->sent[p->oldest] != 0) {
            p->sent[p->oldest] = 0;
            p->flying--;
            lost += counting ? 1 : 0;
        }
        p->oldest++;
    }
}

static void open_ports(const char *addr, const char *port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    int size = 8 << 20;
    ports = calloc(opt.sockets, sizeof *ports);
    if (inet_pton(AF_INET, addr, &to.sin_addr) != 1) {
        fprintf(stderr, "%s: not an IPv4 address\n", addr);
        exit(2);
    }
    for (unsigned i = 0; i < opt.sockets; i++) {
        ports[i].fd = socket(AF_INET, SOCK_DGRAM, 0);
        setsockopt(ports[i].fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
        if (connect(ports[i].fd, (struct sockaddr *)&to, sizeof to) != 0) {
            perror("connect");
            exit(1);
        }
    }
}

/* ---- The server's processor time: what the scheduler charged its threads. ---- */

static double server_cpu_seconds(void)
{
    char path[300];
    double sum = 0;
    snprintf(path, sizeof path, "/proc/%d/task", opt.pid);
    DIR *dir = opt.pid ? opendir(path) : NULL;
    for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir)) {
        unsigned long long ns = 0;
        snprintf(path, sizeof path, "/proc/%d/task/%.20s/schedstat", opt.pid, e->d_name);
        FILE *f = e->d_name[0] == '.' ? NULL : fopen(path, "r");
        if (f) {
            sum += fscanf(f, "%llu", &ns) == 1 ? (double)ns / 1e9 : 0;
            fclose(f);
        }
    }
    if (dir) {
        closedir(dir);
    }
    return sum;
}

/* ---- The run. ---- */

static void wait_for_answers(uint64_t until)
{
    struct pollfd p[SOCKETS_MAX];
    uint64_t now = now_ns();
    for (unsigned i = 0; i < opt.sockets; i++) {
        p[i] = (struct pollfd){.fd = ports[i].fd, .events = POLLIN};
    }
    uint64_t ns = until > now ? until - now : 0;
    struct timespec ts = {.tv_sec = (time_t)(ns / 1000000000u),
                          .tv_nsec = (long)(ns % 1000000000u)};
    ppoll(p, opt.sockets, &ts, NULL);
}

/* Keep the window full. */
static void turn_window(void)
{
    unsigned each = opt.window / opt.sockets > 0 ? opt.window / opt.sockets : 1;
    unsigned got = 0;
    uint64_t now = now_ns();
    for (unsigned i = 0; i < opt.sockets; i++) {
        struct port *p = &ports[i];
        got += receive_batch(p);
        expire(p, now);
        if (p->flying < each) {
            send_batch(p, each - p->flying);
        }
    }
    if (got == 0) {
        wait_for_answers(now + 10000000);
    }
}

/* Send what is due by the clock; between two turns a few microseconds are slept. */
static void turn_rate(uint64_t start, uint64_t *done)
{
    uint64_t now = now_ns();
    uint64_t due = (uint64_t)((double)(now - start) / 1e9 * opt.rate);
    unsigned count = due - *done > BATCH ? BATCH : (unsigned)(due - *done);
    struct port *p = &ports[(*done / BATCH) % opt.sockets];
    if (count > 0) {
        send_batch(p, count);
        *done += count;
    }
    for (unsigned i = 0; i < opt.sockets; i++) {
        while (receive_batch(&ports[i]) > 0) {
        }
        expire(&ports[i], now);
    }
    wait_for_answers(start + (uint64_t)((double)(*done + 1) * 1e9 / opt.rate));
}

static double percentile(double share)
{
    uint64_t wanted = (uint64_t)((double)answered * share);
    uint64_t sum = 0;
    for (unsigned b = 0; b < BUCKETS; b++) {
        sum += histogram[b];
        if (sum > wanted) {
            return bucket_us(b);
        }
    }
    return 0;
}

static void print_report(double seconds, double cpu)
{
    double million = answered > 0 ? cpu / (double)answered * 1e6 : 0;
    if (opt.json) {
        printf("{\"seconds\":%.3f,\"sent\":%" PRIu64 ",\"answered\":%" PRIu64 ",\"lost\":%" PRIu64
               ",\"qps\":%.0f,\"cpu_s_per_million\":%.3f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_"
               "us\":%.1f,\"max_us\":%.1f}\n",
               seconds, sent, answered, lost, (double)answered / seconds, million, percentile(0.5),
               percentile(0.99), percentile(0.999), percentile(1 - 1e-9));
        return;
    }
    printf("%" PRIu64 " sent, %" PRIu64 " answered, %" PRIu64 " lost, %" PRIu64
           " strange, in %.2f s: %.0f a second\n",
           sent, answered, lost, strange, seconds, (double)answered / seconds);
    printf("latency p50 %.1f us, p99 %.1f us, p99.9 %.1f us, max %.1f us\n", percentile(0.5),
           percentile(0.99), percentile(0.999), percentile(1 - 1e-9));
    printf("rcodes: %" PRIu64 " NOERROR, %" PRIu64 " SERVFAIL, %" PRIu64 " NXDOMAIN, %" PRIu64
           " REFUSED\n",
           rcodes[0], rcodes[2], rcodes[3], rcodes[5]);
    if (opt.pid) {
        printf("server: %.3f CPU seconds, %.3f a million queries\n", cpu, million);
    }
}

static void blast(void)
{
    uint64_t start = now_ns();
    uint64_t from = start + WARM_NS;
    uint64_t until = from + (uint64_t)(opt.seconds * 1e9);
    uint64_t done = 0;
    double cpu = 0;
    for (uint64_t now = start; now < until; now = now_ns()) {
        if (!counting && now >= from) {
            counting = true;
            cpu = server_cpu_seconds();
        }
        if (opt.rate > 0) {
            turn_rate(start, &done);
        } else {
            turn_window();
        }
    }
    cpu = server_cpu_seconds() - cpu;
    print_report((double)(now_ns() - from) / 1e9, cpu);
}

static void read_options(int argc, char **argv)
{
    static const struct option names[] = {
        {"names", required_argument, NULL, 'n'},   {"unique", required_argument, NULL, 'u'},
        {"share", required_argument, NULL, 'S'},   {"type", required_argument, NULL, 't'},
        {"edns", no_argument, NULL, 'e'},          {"seconds", required_argument, NULL, 's'},
        {"window", required_argument, NULL, 'w'},  {"rate", required_argument, NULL, 'r'},
        {"sockets", required_argument, NULL, 'k'}, {"pid", required_argument, NULL, 'p'},
        {"json", no_argument, NULL, 'j'},          {NULL, 0, NULL, 0}};
    int c;
    while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (c) {
        case 'n':
            opt.names = optarg;
            break;
        case 'u':
            opt.unique = optarg;
            break;
        case 'S':
            opt.share = (unsigned)atoi(optarg);
            break;
        case 't':
            opt.type = (unsigned)atoi(optarg);
            break;
        case 'e':
            opt.edns = true;
            break;
        case 's':
            opt.seconds = atof(optarg);
            break;
        case 'w':
            opt.window = (unsigned)atoi(optarg);
            break;
        case 'r':
            opt.rate = atof(optarg);
            break;
        case 'k':
            opt.sockets = (unsigned)atoi(optarg);
            break;
        case 'p':
            opt.pid = atoi(optarg);
            break;
        case 'j':
            opt.json = true;
            break;
        default:
            exit(2);
        }
    }
    if (argc - optind != 2 || opt.sockets < 1 || opt.sockets > SOCKETS_MAX) {
        fprintf(stderr, "usage: dnsblast [options] ADDR PORT\n");
        exit(2);
    }
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
    if (opt.names) {
        load_names();
    } else if (!opt.unique) {
        questions = calloc(1, sizeof *questions);
        question_count = 1;
        make_question("www.example.com", &questions[0]);
    }
    unique_number = (uint64_t)time(NULL) << 20;
    open_ports(argv[optind], argv[optind + 1]);
    blast();
    free(questions);
    free(ports);
    return answered > 0 ? 0 : 1;
}
