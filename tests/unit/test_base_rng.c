/*
 * SipHash and ChaCha20 against published vectors and libsodium-free re-computation; the generator's
 * habits.
 */
#include "base/rng.c" /* to reach the block function */
#include "base/siphash.h"
#include "octets.h"
#include "unit.h"

/* The first rows of vectors_sip64 in the paper's reference: key 00..0f, input 00..(n-1). */
static void siphash24_gives_the_papers_vectors(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        uint64_t hash;
    } rows[] = {
        {0, UINT64_C(0x726fdb47dd0e0e31)},  {1, UINT64_C(0x74f839c593dc67fd)},
        {2, UINT64_C(0x0d6c8009d9a94f5a)},  {3, UINT64_C(0x85676696d7fb7e2d)},
        {7, UINT64_C(0xab0200f58b01d137)},  {8, UINT64_C(0x93f5f5799a932462)},
        {15, UINT64_C(0xa129ca6149be45e5)}, {16, UINT64_C(0x3f2acc7f57c29bdb)},
        {63, UINT64_C(0x958a324ceb064572)},
    };
    const struct siphash_key key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
    uint8_t input[64];
    for (size_t i = 0; i < sizeof input; i++) {
        input[i] = (uint8_t)i;
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t got = siphash24(key, input, rows[i].len);
        if (got != rows[i].hash) {
            fail_msg("length %zu: %016llx", rows[i].len, (unsigned long long)got);
        }
    }
}

static void siphash13_is_another_function_of_all_its_input(void **state)
{
    (void)state;
    const struct siphash_key key = {1, 2};
    uint8_t input[40] = {0};
    for (size_t len = 0; len < sizeof input; len++) {
        uint64_t h = siphash13(key, input, len);
        assert_true(h != siphash24(key, input, len));
        assert_true(h != siphash13(key, input, len + 1));
        assert_true(h != siphash13((struct siphash_key){1, 3}, input, len));
        for (size_t bit = 0; bit < len * 8; bit++) {
            input[bit / 8] ^= (uint8_t)(1U << bit % 8);
            assert_true(h != siphash13(key, input, len));
            input[bit / 8] ^= (uint8_t)(1U << bit % 8);
        }
    }
}

/* RFC 8439 2.3.2. */
static void chacha20_gives_the_rfcs_block(void **state)
{
    (void)state;
    uint32_t key[8], nonce[3];
    uint8_t octets[32], want[64], got[64];
    for (size_t i = 0; i < 32; i++) {
        octets[i] = (uint8_t)i;
    }
    for (size_t i = 0; i < 8; i++) {
        key[i] = le32_read(octets + 4 * i);
    }
    octets_of_hex("000000090000004a00000000", octets, sizeof octets);
    for (size_t i = 0; i < 3; i++) {
        nonce[i] = le32_read(octets + 4 * i);
    }
    octets_of_hex("10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e"
                  "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e",
                  want, sizeof want);
    chacha20_block(key, 1, nonce, got);
    assert_memory_equal(got, want, 64);
}

/* RFC 8439 A.1, vectors 1 and 2: key, nonce zero, counters 0 and 1: what a generator with a zero
 * seed starts from. */
static void generator_gives_the_stream_after_its_next_key(void **state)
{
    (void)state;
    uint8_t want[96], got[96];
    octets_of_hex("da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"
                  "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
                  "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f",
                  want, sizeof want);
    struct rng r;
    rng_init(&r, (uint8_t[RNG_SEED_OCTETS]){0});
    rng_bytes(&r, got, sizeof got);
    assert_memory_equal(got, want, sizeof want);
}

static void key_is_erased_at_once(void **state)
{
    (void)state;
    struct rng r;
    uint8_t first[32];
    octets_of_hex("76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7", first, 32);
    rng_init(&r, (uint8_t[RNG_SEED_OCTETS]){0});
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(r.key[i],
                         le32_read(first + 4 * i)); /* replaced by the stream's first octets */
    }
    assert_memory_equal(r.buf, (uint8_t[32]){0}, 32); /* which are not left behind */
}

static void given_octets_are_wiped(void **state)
{
    (void)state;
    struct rng r;
    uint8_t out[100];
    rng_init(&r, (uint8_t[RNG_SEED_OCTETS]){7});
    rng_bytes(&r, out, sizeof out);
    for (size_t i = 0; i < r.pos; i++) {
        assert_int_equal(r.buf[i], 0);
    }
}

static void pieces_and_whole_are_the_same_stream(void **state)
{
    (void)state;
    struct rng a, b;
    uint8_t whole[3000], pieces[3000];
    rng_init(&a, (uint8_t[RNG_SEED_OCTETS]){1});
    rng_init(&b, (uint8_t[RNG_SEED_OCTETS]){1});
    rng_bytes(&a, whole, sizeof whole);
    for (size_t i = 0, n = 1; i < sizeof pieces; i += n, n = n % 61 + 1) {
        n = n < sizeof pieces - i ? n : sizeof pieces - i;
        rng_bytes(&b, pieces + i, n);
    }
    assert_memory_equal(whole, pieces, sizeof whole);
}

static void stirring_changes_what_follows(void **state)
{
    (void)state;
    struct rng a, b, c;
    rng_init(&a, (uint8_t[RNG_SEED_OCTETS]){1});
    b = c = a;
    rng_stir(&b, "x", 1);
    rng_stir(&c, "y", 1);
    uint64_t x = rng_u64(&a), y = rng_u64(&b), z = rng_u64(&c);
    assert_true(x != y && y != z && x != z);
    uint8_t much[100] = {0};
    struct rng d = a, e = a;
    much[99] = 1;
    rng_stir(&d, much, 99);
    rng_stir(&e, much, 100);
    assert_true(rng_u64(&d) != rng_u64(&e));
}

static void below_stays_below_and_is_even(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, (uint8_t[RNG_SEED_OCTETS]){3});
    assert_int_equal(rng_below(&r, 1), 0);
    unsigned counts[7] = {0};
    for (unsigned i = 0; i < 70000; i++) {
        uint32_t v = rng_below(&r, 7);
        assert_true(v < 7);
        counts[v]++;
    }
    for (unsigned i = 0; i < 7; i++) {
        assert_in_range(counts[i], 9600, 10400); /* four standard deviations are 370 */
    }
    /* A bound of 3 * 2^30: without rejection a third of the values would come twice as often. */
    unsigned low = 0;
    for (unsigned i = 0; i < 30000; i++) {
        low += rng_below(&r, UINT32_C(3) << 30) < UINT32_C(1) << 30;
    }
    assert_in_range(low, 9600, 10400);
}

/* P1: identifiers and ports show no pattern. */
static void three_hundred_ids_are_nearly_all_different(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, (uint8_t[RNG_SEED_OCTETS]){9});
    static bool seen[65536];
    unsigned distinct = 0;
    for (int i = 0; i < 300; i++) {
        uint16_t v = rng_u16(&r);
        distinct += !seen[v];
        seen[v] = true;
    }
    assert_true(distinct >= 280);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siphash24_gives_the_papers_vectors),
        cmocka_unit_test(siphash13_is_another_function_of_all_its_input),
        cmocka_unit_test(chacha20_gives_the_rfcs_block),
        cmocka_unit_test(generator_gives_the_stream_after_its_next_key),
        cmocka_unit_test(key_is_erased_at_once),
        cmocka_unit_test(given_octets_are_wiped),
        cmocka_unit_test(pieces_and_whole_are_the_same_stream),
        cmocka_unit_test(stirring_changes_what_follows),
        cmocka_unit_test(below_stays_below_and_is_even),
        cmocka_unit_test(three_hundred_ids_are_nearly_all_different),
    };
    return UNIT_RUN(tests);
}
