/*
 * The whole engine in memory, for benches: one worker, 100 000 blocked names, an upstream that is a
 * function. Everything is the same in each run. What fails ends the program.
 */
#ifndef SINKHOLE_BENCH_ENGINE_H
#define SINKHOLE_BENCH_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "resolver/resolver.h"
#include "stats/stats.h"

enum { ENGINE_NAMES = 4096, ENGINE_SLOT = 1232 };

/* Queries, one a name. */
struct packets {
    uint8_t data[ENGINE_NAMES][128];
    size_t len[ENGINE_NAMES];
};

struct engine {
    struct resolver *r;
    struct stats_worker *stats;
    struct packets *packets; /* that a body asks */
    usec_t now;
    uint32_t serial;
    uint8_t buf[ENGINE_SLOT], out[ENGINE_SLOT];
};

void engine_start(struct engine *b);

enum { ENGINE_EXPRESSIONS = 100 };

/* The i-th expression: of the shapes that people publish, and fits no name here. */
void engine_expression(char *out, size_t cap, unsigned i);

/* 50 groups, 1000 clients in one to three of them each, 10 000 own rules, so many of which are
 * expressions (at most ENGINE_EXPRESSIONS); among the clients the 200 that ask. */
void engine_add_policy(struct engine *b, unsigned expressions);

/* Names that begin with `kind`, three letters: those with "ads" are blocked. */
void engine_packets(struct packets *p, const char *kind, bool edns);

/* One query from one of 200 clients; an answer is copied to b->out. */
enum resolver_outcome engine_ask(struct engine *b, const uint8_t *data, size_t len, uint32_t i);

/* Take the resolver's output; answer what goes upstream with an address (alias 0), through a CNAME
 * (1), or not at all (-1). Returns the number of answers to clients. */
unsigned engine_take(struct engine *b, int alias);

/* Have all of `p` in the cache. */
void engine_fill_cache(struct engine *b, struct packets *p, int alias);

/* The collector's part, without its cost. */
void engine_empty_ring(struct engine *b);

uint64_t engine_random(void);
_Noreturn void engine_die(const char *what);

#endif
