/*
 * The whole engine between hostile clients and hostile upstreams. The input is a little program:
 * each step is an octet and what it takes from the octets behind it. Whatever it does, every packet
 * that comes out parses strictly and keeps its size limits (world.c checks the first), and in the
 * end all places are free again.
 */
#include <malloc.h>
#include <string.h>

#include "dns/build.h"
#include "fuzz.h"
#include "resolver/resolver_int.h"
#include "world.h"

enum { SENT_MAX = 16 };

struct input {
    const uint8_t *data;
    size_t len;
};

static unsigned take(struct input *in)
{
    if (in->len == 0) {
        return 0;
    }
    in->len--;
    return *in->data++;
}

static size_t take_octets(struct input *in, uint8_t *out, size_t cap)
{
    size_t n = take(in);
    n = n < in->len ? n : in->len;
    n = n < cap ? n : cap;
    memcpy(out, in->data, n);
    in->data += n;
    in->len -= n;
    return n;
}

static const char *const texts[] = {
    "www.example",        "a.example",
    "b.example",          "ads.example",
    "x.tracker.example",  "alias.lan",
    "loop.lan",           "nas.lan",
    "localhost",          "1.0.0.10.in-addr.arpa",
    "UPPER.Case.Example", "very-long-label-of-a-name.with.many.labels.in.it.example",
};

static struct dns_name name_at(unsigned i)
{
    struct dns_name n;
    FUZZ_CHECK(dns_name_parse(span_str(texts[i % ARRAY_LEN(texts)]), &n) == ERR_OK);
    return n;
}

static struct peer take_peer(struct input *in)
{
    unsigned v = take(in);
    struct peer p = {.port = (uint16_t)(1024 + v % 8), .listener = 1};
    p.addr = ip_v4((const uint8_t[]){192, 0, 2, (uint8_t)(v >> 4)});
    if (v & 8) {
        p.tcp = true;
        p.conn = 1 + v % 4;
    }
    return p;
}

static void ask(struct world *w, struct input *in)
{
    static const uint16_t types[] = {DNS_A,   DNS_AAAA, DNS_CNAME, DNS_HTTPS,
                                     DNS_TXT, DNS_ANY,  DNS_PTR,   DNS_MX};
    uint8_t msg[600];
    struct peer p = take_peer(in);
    struct dns_name n = name_at(take(in));
    unsigned v = take(in);
    for (unsigned i = 1; i < n.len; i++) { /* some capitals */
        n.wire[i] =
            (uint8_t)(v & 1 && n.wire[i] >= 'a' && n.wire[i] <= 'z' && i % 3 == 0 ? n.wire[i] - 32
                                                                                  : n.wire[i]);
    }
    size_t len =
        dns_build_query(msg, sizeof msg, (uint16_t)v, (uint16_t)(DNS_RD | (v & 2 ? DNS_CD : 0)),
                        n.wire, n.len, types[v >> 3 & 7], DNS_IN, (v & 64) != 0, (v & 128) != 0);
    world_ask(w, v & 4 ? 1 : 0, &p, msg, len);
}

static void ask_raw(struct world *w, struct input *in)
{
    uint8_t msg[256];
    struct peer p = take_peer(in);
    world_ask(w, 0, &p, msg, take_octets(in, msg, sizeof msg));
}

/* An answer with the right header and question, and records out of the input or out of a few names.
 */
static size_t make_answer(struct input *in, const struct world_sent *s, uint8_t *out, size_t cap)
{
    size_t end = 12;
    while (s->data[end] != 0) {
        end += s->data[end] + 1U;
    }
    end += 5;
    memcpy(out, s->data, end);
    unsigned v = take(in);
    out[2] |= 0x80 | (v & 1 ? 2 : 0);
    out[3] = (uint8_t)(v >> 1 & 7);
    memset(out + 6, 0, 6);
    if (v & 64) { /* raw records behind it */
        out[7] = (uint8_t)take(in);
        out[9] = (uint8_t)take(in);
        out[11] = (uint8_t)take(in);
        return end + take_octets(in, out + end, cap - end);
    }
    struct writer w = writer_of(out, cap);
    w.len = end;
    unsigned records = take(in) % 6;
    for (unsigned i = 0; i < records; i++) {
        unsigned kind = take(in);
        struct dns_name owner = name_at(take(in)), target = name_at(kind >> 3);
        if (kind & 1) {
            writer_be16(&w, 0xc00c);
        } else {
            writer_bytes(&w, owner.wire, owner.len);
        }
        static const uint16_t types[] = {DNS_A, DNS_CNAME, DNS_DNAME, DNS_SOA};
        uint16_t type = types[kind >> 1 & 3];
        writer_be16(&w, type);
        writer_be16(&w, DNS_IN);
        writer_be32(&w, take(in));
        if (type == DNS_A) {
            static const uint8_t addresses[4][4] = {
                {198, 51, 100, 1}, {10, 0, 0, 1}, {0, 0, 0, 0}, {127, 0, 0, 1}};
            writer_be16(&w, 4);
            writer_bytes(&w, addresses[kind >> 3 & 3], 4);
        } else {
            writer_be16(&w, (uint16_t)(target.len + (type == DNS_SOA ? 21 : 0)));
            writer_bytes(&w, target.wire, target.len);
            if (type == DNS_SOA) {
                static const uint8_t rest[21] = {[20] = 60};
                writer_bytes(&w, rest, sizeof rest);
            }
        }
    }
    FUZZ_CHECK(!w.bad);
    out[v & 32 ? 9 : 7] = (uint8_t)records;
    return w.len;
}

static void respond(struct world *w, struct input *in, const struct world_sent *s)
{
    uint8_t out[2048];
    unsigned v = take(in);
    size_t len = v & 1 ? make_answer(in, s, out, sizeof out) : take_octets(in, out, sizeof out);
    if (v & 2 && len > 2) {
        memcpy(out, s->data, 2);
    }
    if (v & 4 && len > 0) {
        out[take(in) % len] ^= (uint8_t)take(in);
    }
    for (unsigned times = v & 8 ? 40 : 1; times > 0; times--) {
        world_respond(w, s, out, len);
    }
}

static void check_answers(struct world *w)
{
    struct world_answer *a;
    while ((a = world_take_answer(w)) != NULL) {
        FUZZ_CHECK(a->len >= DNS_HEADER_OCTETS &&
                   a->len <= (a->peer.tcp ? DNS_TCP_MAX : DNS_UDP_MAX));
        FUZZ_CHECK((a->data[2] & DNS_QR >> 8) != 0);
        free(a);
    }
}

static void change(struct world *w, unsigned v)
{
    switch (v % 6) {
    case 0:
        w->draft.everybody.pause_until = w->draft.everybody.pause_until == 0 ? USEC_NEVER : 0;
        break;
    case 1:
        w->draft.upstreams[0].id++;
        break;
    case 2:
        w->draft.everybody.block_mode = (enum block_mode)(v / 6 % 5);
        break;
    case 3:
        w->draft.rebind_protection = !w->draft.rebind_protection;
        w->draft.dns64 =
            (struct ip_prefix){.addr = {{0x00, 0x64, 0xff, 0x9b}}, .bits = v / 6 % 2 ? 96 : 0};
        break;
    case 4:
        cache_flush(w->cache);
        return;
    default:
        w->draft.stale_s = w->draft.stale_s == 0 ? 3600 : 0;
        break;
    }
    world_apply(w);
}

/* Lists are compiled once. */
static const struct bl_image *image(void)
{
    static struct world lists;
    if (lists.snap == NULL) {
        world_open(&lists);
        world_add_list_line(&lists, 0, "||tracker.example^");
        world_add_list_line(&lists, 0, "ads.example");
        world_apply(&lists);
    }
    return lists.snap->image;
}

static void open_world(struct world *w)
{
    if (w->snap != NULL) {
        world_rewind(w);
        return;
    }
    /* Snapshots come and go: their memory stays with us. */
    (void)mallopt(M_MMAP_THRESHOLD, 1 << 26);
    (void)mallopt(M_TRIM_THRESHOLD, 1 << 28);
    world_open(w);
    w->draft.image = image();
    w->workers = 2;
    w->rc.pending_max = 16;
    w->rc.waiting_max = 16;
    w->rc.clients_max = 16;
    w->cc.entries = 256;
    world_add_local(w, "alias.lan CNAME www.example");
    world_add_local(w, "loop.lan CNAME loop.lan");
    world_add_local(w, "*.wild.lan MX 10 a.b.wild.lan");
    world_add_local(w, "a.b.wild.lan A 192.0.2.1");
    world_add_local(w, "nas.lan A 192.168.1.5");
    world_add_upstream(w, UPSTREAM_UDP, 0);
    world_add_upstream(w, UPSTREAM_UDP, 0);
    world_add_upstream(w, UPSTREAM_TLS, 0);
    world_apply(w);
}

static void check_end(struct world *w)
{
    const char *why = "";
    struct world_sent *s;
    bool idle = world_is_idle(w, &why);
    if (!idle) {
        fprintf(stderr, "%s\n", why);
    }
    FUZZ_CHECK(idle);
    check_answers(w);
    while ((s = world_take_sent(w)) != NULL) {
        free(s);
    }
    for (unsigned i = 0; i < w->workers; i++) {
        struct resolver *r = w->resolver[i];
        FUZZ_CHECK(r->pendings.slot_pool.used == 0 && r->pendings.waiter_pool.used == 0 &&
                   r->aliases.pool.used == 0);
        FUZZ_CHECK(r->pendings.waiting == 0 && r->pendings.active == 0 &&
                   r->pendings.tcp_waiters == 0);
        FUZZ_CHECK(r->wheel.count == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct world w;
    struct world_sent *sent[SENT_MAX] = {NULL};
    unsigned next = 0;
    struct input in = {data, len < 4096 ? len : 4096};
    open_world(&w);
    while (in.len > 0) {
        unsigned op = take(&in);
        struct world_sent *s = sent[(op >> 3) % SENT_MAX];
        switch (op & 7) {
        case 0:
        case 1:
            ask(&w, &in);
            break;
        case 2:
            ask_raw(&w, &in);
            break;
        case 3:
        case 4:
            if (s != NULL) {
                respond(&w, &in, s);
            }
            break;
        case 5:
            world_advance(&w, w.now + (usec_t)take(&in) * (1 + take(&in) % 32) * 1000);
            break;
        case 6:
            if (s != NULL) {
                world_fail(&w, s, (enum resolver_failure)(take(&in) % 5));
            }
            break;
        default:
            if (op & 8) {
                change(&w, op >> 4);
            } else {
                resolver_peer_gone(w.resolver[0], 1 + (op >> 4) % 4);
            }
            break;
        }
        check_answers(&w);
        for (struct world_sent *m = world_take_sent(&w); m != NULL; m = world_take_sent(&w)) {
            free(sent[next % SENT_MAX]);
            sent[next++ % SENT_MAX] = m;
        }
    }
    check_end(&w);
    for (unsigned i = 0; i < SENT_MAX; i++) {
        free(sent[i]);
    }
    return 0;
}
