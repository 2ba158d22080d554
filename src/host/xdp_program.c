/*
 * The program, built here instruction by instruction, since it is a dozen comparisons and a call:
 *
 *     IPv4 without options, UDP, no fragment:  for each target: address and port equal? -> redirect
 *     IPv6 with UDP right behind its header:   likewise
 *     pass
 *     redirect: bpf_redirect_map(map, queue, XDP_PASS)
 *
 * Registers: 2 the packet, 3 its end, 4 and 5 to compare with, 6 the context. Jumps to `redirect`
 * and `pass` are set when those places are known.
 */
#include "host/xdp_program.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/span.h"

enum { LINES_MAX = 64 + XDP_TARGETS_MAX * 12, TO_PASS = 1, TO_REDIRECT = 2 };

struct assembly {
    struct bpf_insn line[LINES_MAX];
    uint8_t jump[LINES_MAX]; /* where it leads to, if that is not known yet */
    uint32_t count;
};

static long bpf(enum bpf_cmd command, union bpf_attr *attr)
{
    return syscall(SYS_bpf, command, attr, sizeof *attr);
}

static void put(struct assembly *a, struct bpf_insn line, uint8_t jump)
{
    if (a->count < LINES_MAX) {
        a->jump[a->count] = jump;
        a->line[a->count++] = line;
    }
}

/* dst = size octets at [src + off] */
static void load(struct assembly *a, uint8_t size, uint8_t dst, uint8_t src, int16_t off)
{
    put(a,
        (struct bpf_insn){.code = (uint8_t)(BPF_LDX | size | BPF_MEM),
                          .dst_reg = dst & 15U,
                          .src_reg = src & 15U,
                          .off = off},
        0);
}

static void move(struct assembly *a, uint8_t dst, int32_t value)
{
    put(a,
        (struct bpf_insn){.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = dst & 15U, .imm = value},
        0);
}

static void copy(struct assembly *a, uint8_t dst, uint8_t src)
{
    put(a,
        (struct bpf_insn){
            .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = dst & 15U, .src_reg = src & 15U},
        0);
}

/* Unless 32 bits of register 5 are `value`, skip `lines` lines, or go to a place. */
static void unless_equal(struct assembly *a, uint32_t value, int16_t lines, uint8_t place)
{
    put(a,
        (struct bpf_insn){
            .code = BPF_JMP32 | BPF_JNE | BPF_K, .dst_reg = 5, .off = lines, .imm = (int32_t)value},
        place);
}

static void go(struct assembly *a, uint8_t place)
{
    put(a, (struct bpf_insn){.code = BPF_JMP | BPF_JA}, place);
}

/* To `pass` if the packet has fewer octets. */
static void require_octets(struct assembly *a, int32_t octets)
{
    copy(a, 4, 2);
    put(a, (struct bpf_insn){.code = BPF_ALU64 /* BPF_ADD, BPF_K */, .dst_reg = 4, .imm = octets},
        0);
    put(a, (struct bpf_insn){.code = BPF_JMP | BPF_JGT | BPF_X, .dst_reg = 4, .src_reg = 3},
        TO_PASS);
}

/* Octets in the packet's order as the number that the program loads. */
static uint32_t as_loaded(const void *octets, size_t n)
{
    uint32_t v = 0;
    uint16_t h = 0;
    memcpy(n == 2 ? (void *)&h : (void *)&v, octets, n);
    return n == 2 ? h : v;
}

static uint32_t port_as_loaded(uint16_t port)
{
    uint8_t octets[2];
    be16_write(octets, port);
    return as_loaded(octets, 2);
}

static void is_field(struct assembly *a, uint8_t size, int16_t off, uint32_t value)
{
    load(a, size, 5, 2, off);
    unless_equal(a, value, 0, TO_PASS);
}

/* One target: `words` of its address at `addr`, its port at `port`; each comparison that fails
 * skips the rest. */
static void target(struct assembly *a, const uint8_t *address, int16_t words, int16_t addr,
                   int16_t port, uint16_t number)
{
    int16_t rest = (int16_t)(2 * words + 1);
    load(a, BPF_H, 5, 2, port);
    unless_equal(a, port_as_loaded(number), rest, 0);
    for (int16_t w = 0; w < words; w++) {
        rest = (int16_t)(rest - 2);
        load(a, BPF_W, 5, 2, (int16_t)(addr + 4 * w));
        unless_equal(a, as_loaded(address + 4 * w, 4), rest, 0);
    }
    go(a, TO_REDIRECT);
}

static void family(struct assembly *a, const struct ip_endpoint *targets, uint32_t count, bool v4)
{
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *b = targets[i].addr.b;
        if (ip_is_v4(&targets[i].addr) != v4) {
            continue;
        }
        if (v4) {
            target(a, b + 12, 1, 30, 36, targets[i].port);
        } else {
            target(a, b, 4, 38, 56, targets[i].port);
        }
    }
    go(a, TO_PASS);
}

static void assemble(struct assembly *a, int map, const struct ip_endpoint *targets, uint32_t count)
{
    static const uint8_t v4[2] = {0x08, 0}, v6[2] = {0x86, 0xdd}, fragment[2] = {0x3f, 0xff};
    a->count = 0;
    copy(a, 6, 1);
    load(a, BPF_W, 2, 1, 0);
    load(a, BPF_W, 3, 1, 4);
    require_octets(a, 42);
    load(a, BPF_H, 5, 2, 12);
    uint32_t branch = a->count;
    unless_equal(a, as_loaded(v4, 2), 0, 0);
    is_field(a, BPF_B, 14, 0x45);
    is_field(a, BPF_B, 23, 17);
    load(a, BPF_H, 5, 2, 20);
    put(a,
        (struct bpf_insn){.code = BPF_JMP | BPF_JSET | BPF_K,
                          .dst_reg = 5,
                          .imm = (int32_t)as_loaded(fragment, 2)},
        TO_PASS);
    family(a, targets, count, true);
    a->line[branch].off = (int16_t)(a->count - branch - 1);
    unless_equal(a, as_loaded(v6, 2), 0, TO_PASS);
    require_octets(a, 62);
    is_field(a, BPF_B, 20, 17);
    family(a, targets, count, false);
    uint32_t redirect = a->count;
    put(a,
        (struct bpf_insn){.code = BPF_DW /* BPF_LD, BPF_IMM */,
                          .dst_reg = 1,
                          .src_reg = BPF_PSEUDO_MAP_FD,
                          .imm = map},
        0);
    put(a, (struct bpf_insn){0}, 0);
    load(a, BPF_W, 2, 6, 16);
    move(a, 3, XDP_PASS);
    put(a, (struct bpf_insn){.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect_map}, 0);
    put(a, (struct bpf_insn){.code = BPF_JMP | BPF_EXIT}, 0);
    uint32_t pass = a->count;
    move(a, 0, XDP_PASS);
    put(a, (struct bpf_insn){.code = BPF_JMP | BPF_EXIT}, 0);
    for (uint32_t i = 0; i < a->count; i++) {
        if (a->jump[i] != 0) {
            a->line[i].off = (int16_t)((a->jump[i] == TO_PASS ? pass : redirect) - i - 1);
        }
    }
}

static int load_program(const struct assembly *a)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.prog_type = BPF_PROG_TYPE_XDP;
    attr.insns = (uint64_t)(uintptr_t)a->line;
    attr.insn_cnt = a->count;
    attr.license = (uint64_t)(uintptr_t) "";
    return (int)bpf(BPF_PROG_LOAD, &attr);
}

static int make_map(uint32_t queues)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.map_type = BPF_MAP_TYPE_XSKMAP;
    attr.key_size = attr.value_size = 4;
    attr.max_entries = queues;
    return (int)bpf(BPF_MAP_CREATE, &attr);
}

enum err xdp_program_start(struct xdp_program *p, unsigned interface, uint32_t queues,
                           const struct ip_endpoint *targets, uint32_t count)
{
    struct assembly a;
    union bpf_attr attr;
    *p = (struct xdp_program){.map = make_map(queues), .link = -1};
    if (p->map < 0) {
        return ERR_IO;
    }
    assemble(&a, p->map, targets, count < XDP_TARGETS_MAX ? count : XDP_TARGETS_MAX);
    int program = load_program(&a);
    if (program >= 0) {
        memset(&attr, 0, sizeof attr);
        attr.link_create.prog_fd = (uint32_t)program;
        attr.link_create.target_ifindex = interface;
        attr.link_create.attach_type = BPF_XDP;
        p->link = (int)bpf(BPF_LINK_CREATE, &attr);
    }
    if (p->link < 0) {
        int error = errno;
        if (program >= 0) {
            close(program);
        }
        xdp_program_stop(p);
        errno = error;
        return ERR_IO;
    }
    close(program); /* the link holds it */
    return ERR_OK;
}

enum err xdp_program_add(const struct xdp_program *p, uint32_t queue, int socket)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.map_fd = (uint32_t)p->map;
    attr.key = (uint64_t)(uintptr_t)&queue;
    attr.value = (uint64_t)(uintptr_t)&socket;
    return bpf(BPF_MAP_UPDATE_ELEM, &attr) == 0 ? ERR_OK : ERR_IO;
}

void xdp_program_stop(struct xdp_program *p)
{
    if (p->link >= 0) {
        close(p->link);
    }
    if (p->map >= 0) {
        close(p->map);
    }
    p->link = p->map = -1;
}
