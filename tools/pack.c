/*
 * Writes files that gzip has compressed into one C source with the table of src/api/assets.h.
 *
 * usage: pack OUT.c FILE.gz...
 *
 * A file's path on the server is its name without the folder and without .gz; index.html is "/". A
 * name with a hash in it (app-1A2B3C4D.js) never changes its content, so browsers may keep it. The
 * etag is an FNV-1a hash of the compressed octets: same sources, same compressor, same output.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILES_MAX = 64, NAME_CAP = 128, FILE_MAX = 4 << 20, HASH_LEN = 8, GZIP_MIN = 18 };

struct packed {
    char name[NAME_CAP]; /* without folder and .gz */
    const char *type;
    unsigned char *data;
    size_t len;
    uint32_t plain_len;
    uint64_t etag;
    bool immutable;
};

static const struct {
    const char *ext, *type;
} types[] = {
    {".html", "text/html; charset=utf-8"},        {".js", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},          {".svg", "image/svg+xml"},
    {".json", "application/json; charset=utf-8"}, {".txt", "text/plain; charset=utf-8"},
};

static void fail(const char *file, const char *what)
{
    fprintf(stderr, "pack: %s: %s\n", file, what);
    exit(1);
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n >= m && memcmp(s + n - m, end, m) == 0;
}

static const char *type_of(const char *name)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (ends_with(name, types[i].ext)) {
            return types[i].type;
        }
    }
    return NULL;
}

/* True for NAME-HHHHHHHH.EXT, as the bundler names what it has hashed. */
static bool has_hash(const char *name)
{
    const char *dash = strrchr(name, '-');

    if (dash == NULL || strlen(dash) < 1 + HASH_LEN + 2 || dash[1 + HASH_LEN] != '.') {
        return false;
    }
    for (int i = 1; i <= HASH_LEN; i++) {
        bool digit = dash[i] >= '0' && dash[i] <= '9', letter = dash[i] >= 'A' && dash[i] <= 'Z';

        if (!digit && !letter) {
            return false;
        }
    }
    return true;
}

static void read_file(const char *file, struct packed *p)
{
    FILE *f = fopen(file, "rb");

    if (f == NULL) {
        fail(file, "cannot open");
    }
    p->data = malloc(FILE_MAX);
    if (p->data == NULL) {
        fail(file, "out of memory");
    }
    p->len = fread(p->data, 1, FILE_MAX, f);
    if (ferror(f) || fgetc(f) != EOF) {
        fail(file, "cannot read, or larger than 4 MiB");
    }
    fclose(f);
    if (p->len < GZIP_MIN || p->data[0] != 0x1f || p->data[1] != 0x8b) {
        fail(file, "not gzip");
    }
}

static void load(const char *file, struct packed *p)
{
    const char *slash = strrchr(file, '/');
    const char *name = slash != NULL ? slash + 1 : file;
    size_t n = strlen(name);

    if (!ends_with(name, ".gz") || n - 3 >= NAME_CAP) {
        fail(file, "expected a short name that ends in .gz");
    }
    memcpy(p->name, name, n - 3);
    p->name[n - 3] = '\0';
    for (const char *c = p->name; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\' || *c < '!' || *c > '~') {
            fail(file, "odd character in the name");
        }
    }
    p->type = type_of(p->name);
    if (p->type == NULL) {
        fail(file, "no content type known for this ending");
    }
    read_file(file, p);
    const unsigned char *tail = p->data + p->len - 4; /* ISIZE, RFC 1952 2.3.1 */
    p->plain_len = (uint32_t)tail[0] | (uint32_t)tail[1] << 8 | (uint32_t)tail[2] << 16 |
                   (uint32_t)tail[3] << 24;
    p->etag = 0xcbf29ce484222325u;
    for (size_t i = 0; i < p->len; i++) {
        p->etag = (p->etag ^ p->data[i]) * 0x100000001b3u;
    }
    p->immutable = has_hash(p->name);
}

static void write_data(FILE *out, const struct packed *p, size_t index)
{
    fprintf(out, "\nstatic const unsigned char data_%zu[%zu] = {", index, p->len);
    for (size_t i = 0; i < p->len; i++) {
        fprintf(out, "%s%u,", i % 32 == 0 ? "\n" : "", (unsigned)p->data[i]);
    }
    fputs("\n};\n", out);
}

static void write_row(FILE *out, const struct packed *p, size_t index)
{
    bool index_page = strcmp(p->name, "index.html") == 0;

    fprintf(out, "    { \"/%s\", \"%s\", \"\\\"%016llx\\\"\", data_%zu, %zu, %lu, %s },\n",
            index_page ? "" : p->name, p->type, (unsigned long long)p->etag, index, p->len,
            (unsigned long)p->plain_len, p->immutable ? "true" : "false");
}

int main(int argc, char **argv)
{
    static struct packed files[FILES_MAX];
    size_t count = 0;

    if (argc < 3 || argc - 2 > FILES_MAX) {
        fputs("usage: pack OUT.c FILE.gz... (at most 64 files)\n", stderr);
        return 2;
    }
    for (int i = 2; i < argc; i++) {
        load(argv[i], &files[count++]);
    }

    FILE *out = fopen(argv[1], "w");
    if (out == NULL) {
        fail(argv[1], "cannot write");
    }
    fputs("/* Made by tools/pack.c from web/. */\n#include \"api/assets.h\"\n", out);
    for (size_t i = 0; i < count; i++) {
        write_data(out, &files[i], i);
    }
    fputs("\nconst struct web_asset web_assets[] = {\n", out);
    for (size_t i = 0; i < count; i++) {
        write_row(out, &files[i], i);
        free(files[i].data);
    }
    fprintf(out, "};\n\nconst size_t web_assets_count = %zu;\n", count);
    if (ferror(out) || fclose(out) != 0) {
        fail(argv[1], "cannot write");
    }
    return 0;
}
