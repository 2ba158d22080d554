/*
 * The published lists that tests read when they are there.
 */
#include "shared_data.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

static void data_path(char *out, size_t cap, const char *path)
{
    const char *shared = getenv("SINKHOLE_SHARED");
    snprintf(out, cap, "%s/data/%s", shared && *shared ? shared : "../shared", path);
}

bool shared_data_present(void)
{
    char path[512];
    data_path(path, sizeof path, "expected/manifest.tsv");
    return access(path, R_OK) == 0;
}

char *shared_data_read(const char *path, size_t *len)
{
    char full[512];
    data_path(full, sizeof full, path);
    gzFile f = gzopen(full, "rb");
    size_t cap = 1 << 20, used = 0;
    char *text = f ? malloc(cap) : NULL;
    int n = 1;
    while (text && n > 0) {
        if (cap - used < 65536) {
            cap *= 2;
            char *more = realloc(text, cap);
            if (!more) {
                free(text);
            }
            text = more;
        }
        n = text ? gzread(f, text + used, 32768) : -1;
        used += n > 0 ? (size_t)n : 0;
    }
    if (f) {
        gzclose(f);
    }
    if (text) {
        memset(text + used, 0, 16);
        *len = used;
    }
    return text;
}

char *shared_data_line(char **text)
{
    char *line = *text;
    if (*line == '\0') {
        return NULL;
    }
    char *end = strchr(line, '\n');
    if (end) {
        *end = '\0';
        *text = end + 1;
    } else {
        *text = line + strlen(line);
    }
    return line;
}

size_t shared_data_fields(char *line, char **field, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < max; i++) {
        field[i] = NULL;
    }
    while (line && n < max) {
        field[n++] = line;
        line = strchr(line, '\t');
        if (line) {
            *line++ = '\0';
        }
    }
    return n;
}

void shared_data_sha256(char *const *line, size_t count, char hex[65])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char md[32] = {0};
    if (!ctx || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1) {
        abort();
    }
    for (size_t i = 0; i < count; i++) {
        EVP_DigestUpdate(ctx, line[i], strlen(line[i]));
        EVP_DigestUpdate(ctx, "\n", 1);
    }
    EVP_DigestFinal_ex(ctx, md, NULL);
    EVP_MD_CTX_free(ctx);
    for (unsigned i = 0; i < 32; i++) {
        snprintf(hex + 2 * i, 3, "%02x", md[i]);
    }
}
