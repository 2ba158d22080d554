/* The embedded dashboard: what is in the table, and that it is what a browser can use. */
#include "api/assets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

static const struct web_asset *find(const char *path)
{
    return web_asset_find(path, strlen(path));
}

/* The content as text; caller frees with free(). */
static char *inflated(const struct web_asset *a)
{
    char *text = malloc(a->plain_len + 1u);
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)a->gzip_data,
                  .avail_in = (unsigned)a->gzip_len};

    assert_non_null(text);
    z.next_out = (unsigned char *)text;
    z.avail_out = a->plain_len;
    assert_int_equal(inflateInit2(&z, 16 + MAX_WBITS), Z_OK);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(z.total_out, a->plain_len);
    inflateEnd(&z);
    text[a->plain_len] = '\0';
    return text;
}

static void finds_page_and_its_other_name(void **state)
{
    (void)state;
    const struct web_asset *page = find("/");

    assert_non_null(page);
    assert_ptr_equal(find("/index.html"), page);
    assert_string_equal(page->content_type, "text/html; charset=utf-8");
    assert_false(page->immutable);
}

static void refuses_other_paths(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "", "//", "/index.htm", "/index.html/", "/../index.html", "index.html", "/app", "/app-"};

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        if (find(paths[i]) != NULL) {
            fail_msg("found %s", paths[i]);
        }
    }
    assert_null(web_asset_find("/\0", 2));
}

static void every_asset_is_whole_and_reachable(void **state)
{
    (void)state;
    for (size_t i = 0; i < web_assets_count; i++) {
        const struct web_asset *a = &web_assets[i];

        assert_ptr_equal(find(a->path), a);
        assert_int_equal(a->etag[0], '"');
        assert_int_equal(strlen(a->etag), 18);
        free(inflated(a));
    }
}

/* A page that names a file which is not there would be blank. */
static void page_names_only_hashed_files_that_exist(void **state)
{
    (void)state;
    char *html = inflated(find("/"));
    size_t seen = 0;

    for (char *p = html; (p = strstr(p, "\"/app-")) != NULL; seen++) {
        char *end = strchr(++p, '"');
        const struct web_asset *a = web_asset_find(p, (size_t)(end - p));

        assert_non_null(a);
        assert_true(a->immutable);
        p = end;
    }
    assert_int_equal(seen, 2); /* one script, one style sheet */
    free(html);
}

/* WEB_CSP would stop it, so the page must not have it. */
static void page_has_no_inline_script_or_style(void **state)
{
    (void)state;
    char *html = inflated(find("/"));

    assert_null(strstr(html, "<style"));
    assert_null(strstr(html, "style="));
    assert_null(strstr(html, "<script>"));
    assert_null(strstr(html, "onload="));
    assert_null(strstr(html, "http://"));
    assert_null(strstr(html, "https://"));
    free(html);
}

static void all_together_stay_small(void **state)
{
    (void)state;
    size_t total = 0;

    for (size_t i = 0; i < web_assets_count; i++) {
        total += web_assets[i].gzip_len;
    }
    assert_in_range(total, 1000, 100000);
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_page_and_its_other_name),
        cmocka_unit_test(refuses_other_paths),
        cmocka_unit_test(every_asset_is_whole_and_reachable),
        cmocka_unit_test(page_names_only_hashed_files_that_exist),
        cmocka_unit_test(page_has_no_inline_script_or_style),
        cmocka_unit_test(all_together_stay_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
