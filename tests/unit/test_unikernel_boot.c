/* What firmware hands over: device trees and ATAGs, whole and broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../unikernel/lib/boot_args.c"
#include "../../unikernel/lib/fdt.c"

/* A device tree under construction: structure and strings grow apart and are joined at the end. */
struct tree {
    uint8_t structs[2048], strings[512], blob[4096];
    size_t structs_len, strings_len, blob_len;
};

static void put32(struct tree *t, uint32_t v)
{
    be32_write(t->structs + t->structs_len, v);
    t->structs_len += 4;
}

static void put_padded(struct tree *t, const void *data, size_t len)
{
    memcpy(t->structs + t->structs_len, data, len);
    t->structs_len = (t->structs_len + len + 3) & ~(size_t)3;
}

static void begin(struct tree *t, const char *name)
{
    put32(t, FDT_BEGIN_NODE);
    put_padded(t, name, strlen(name) + 1);
}

static void end(struct tree *t)
{
    put32(t, FDT_END_NODE);
}

static void property(struct tree *t, const char *name, const void *value, size_t len)
{
    put32(t, FDT_PROP);
    put32(t, (uint32_t)len);
    put32(t, (uint32_t)t->strings_len);
    memcpy(t->strings + t->strings_len, name, strlen(name) + 1);
    t->strings_len += strlen(name) + 1;
    put_padded(t, value, len);
}

static void finish(struct tree *t)
{
    put32(t, 9);
    size_t at = FDT_HEADER;
    memcpy(t->blob + at, t->structs, t->structs_len);
    memcpy(t->blob + at + t->structs_len, t->strings, t->strings_len);
    t->blob_len = at + t->structs_len + t->strings_len;
    const uint32_t header[10] = {(uint32_t)FDT_MAGIC,
                                 (uint32_t)t->blob_len,
                                 (uint32_t)at,
                                 (uint32_t)(at + t->structs_len),
                                 0,
                                 17,
                                 16,
                                 0,
                                 (uint32_t)t->strings_len,
                                 (uint32_t)t->structs_len};
    for (int i = 0; i < 10; i++) {
        be32_write(t->blob + 4 * i, header[i]);
    }
}

static struct tree *example(void)
{
    static struct tree t;
    static const uint8_t reg[16] = {0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0};
    static const uint8_t start[4] = {0x48, 0, 0, 0}, stop[8] = {0, 0, 0, 0, 0x48, 0, 0x10, 0};
    static const uint8_t seed[32] = {1, 2, 3};
    memset(&t, 0, sizeof t);
    begin(&t, "");
    property(&t, "compatible", "test", 5);
    begin(&t, "memory@40000000");
    property(&t, "reg", reg, sizeof reg);
    end(&t);
    begin(&t, "chosenfew");
    property(&t, "bootargs", "wrong", 6);
    end(&t);
    begin(&t, "chosen");
    property(&t, "bootargs", "sinkhole.upstream=192.0.2.1", 28);
    property(&t, "linux,initrd-start", start, sizeof start);
    property(&t, "linux,initrd-end", stop, sizeof stop);
    property(&t, "rng-seed", seed, sizeof seed);
    begin(&t, "inner");
    property(&t, "deep", "x", 2);
    end(&t);
    end(&t);
    end(&t);
    finish(&t);
    return &t;
}

static void reads_a_device_tree(void **state)
{
    (void)state;
    struct tree *t = example();
    struct fdt fdt;
    struct boot_args a = {0};
    assert_true(fdt_open(t->blob, t->blob_len, &fdt));
    boot_args_from_fdt(&fdt, &a);
    assert_int_equal(a.ram_octets, 0x20000000);
    assert_string_equal(a.cmdline, "sinkhole.upstream=192.0.2.1");
    assert_int_equal((uintptr_t)a.initrd.ptr, 0x48000000);
    assert_int_equal(a.initrd.len, 0x1000);
    assert_int_equal(a.seed_len, 32);
    assert_int_equal(a.seed[2], 3);
}

static void finds_properties_by_path_only(void **state)
{
    (void)state;
    struct tree *t = example();
    struct fdt fdt;
    struct span v;
    assert_true(fdt_open(t->blob, t->blob_len, &fdt));
    assert_true(fdt_property(&fdt, "", "compatible", &v));
    assert_true(fdt_property(&fdt, "chosen/inner", "deep", &v));
    assert_false(fdt_property(&fdt, "chosen", "deep", &v));
    assert_false(fdt_property(&fdt, "inner", "deep", &v));
    assert_true(fdt_property(&fdt, "memory@40000000", "reg", &v));
    assert_false(fdt_property(&fdt, "memory@4", "reg", &v));
    assert_false(fdt_property(&fdt, "chos", "bootargs", &v));
}

static void any_cut_or_flipped_octet_is_harmless(void **state)
{
    (void)state;
    struct tree *t = example();
    struct fdt fdt;
    for (size_t cut = 0; cut < t->blob_len; cut++) {
        uint8_t *exact = malloc(cut + 1);
        memcpy(exact, t->blob, cut);
        assert_false(fdt_open(exact, cut, &fdt));
        free(exact);
    }
    for (size_t at = 0; at < t->blob_len; at++) {
        for (unsigned flip = 1; flip < 256; flip += 37) {
            struct boot_args a = {0};
            uint8_t *copy = malloc(t->blob_len);
            memcpy(copy, t->blob, t->blob_len);
            copy[at] ^= (uint8_t)flip;
            if (fdt_open(copy, t->blob_len, &fdt)) {
                boot_args_from_fdt(&fdt, &a); /* the sanitizer watches the bounds */
                assert_true(a.cmdline_len < BOOT_CMDLINE_MAX && a.seed_len <= BOOT_SEED_MAX);
            }
            free(copy);
        }
    }
}

static void reads_atags(void **state)
{
    (void)state;
    uint32_t tags[32] = {5, ATAG_CORE,    0,          0,    0, 4,           ATAG_MEM, 0x3c000000, 0,
                         4, ATAG_INITRD2, 0x08000000, 4096, 5, ATAG_CMDLINE};
    memcpy(tags + 15, "a=1 b=2", 8);
    struct boot_args a = {0};
    boot_args_from_atags(tags, 32, &a);
    assert_int_equal(a.ram_octets, 0x3c000000);
    assert_int_equal((uintptr_t)a.initrd.ptr, 0x08000000);
    assert_int_equal(a.initrd.len, 4096);
    assert_string_equal(a.cmdline, "a=1 b=2");

    struct boot_args none = {0};
    tags[5] = 0; /* a tag of no length must end the walk */
    boot_args_from_atags(tags, 32, &none);
    assert_int_equal(none.ram_octets, 0);
    tags[5] = 4000; /* … and so must one that runs past the end */
    boot_args_from_atags(tags, 32, &none);
    assert_int_equal(none.ram_octets, 0);
}

static void cuts_a_command_line_that_is_too_long(void **state)
{
    (void)state;
    static char text[BOOT_CMDLINE_MAX + 100];
    struct boot_args a = {0};
    memset(text, 'x', sizeof text);
    set_cmdline(&a, text, sizeof text);
    assert_int_equal(a.cmdline_len, BOOT_CMDLINE_MAX - 1);
    assert_int_equal(strlen(a.cmdline), BOOT_CMDLINE_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_device_tree),
        cmocka_unit_test(finds_properties_by_path_only),
        cmocka_unit_test(any_cut_or_flipped_octet_is_harmless),
        cmocka_unit_test(reads_atags),
        cmocka_unit_test(cuts_a_command_line_that_is_too_long),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("unikernel_boot", tests, NULL, NULL);
}
