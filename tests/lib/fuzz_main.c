/*
 * Runs a fuzz target without a fuzzer: replays each file named on the command line (folders are
 * read in name order), and then a fixed number of mutations of each, made from a fixed seed, so
 * that every run does the same. Prints TAP.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { INPUT_MAX = 1 << 20, MUTATIONS = 200 };

static uint64_t random_state = UINT64_C(0x9e3779b97f4a7c15);

static uint32_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32);
}

/* A heap copy of exactly len octets, so that the sanitizer sees every read past the end. */
static void run_exact(const uint8_t *data, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);
    if (!copy) {
        abort();
    }
    memcpy(copy, data, len);
    LLVMFuzzerTestOneInput(copy, len);
    free(copy);
}

static void mutate_and_run(const uint8_t *seed, size_t len)
{
    uint8_t *buf = malloc(len + 64);
    if (!buf) {
        abort();
    }
    for (int i = 0; i < MUTATIONS; i++) {
        size_t n = len;
        memcpy(buf, seed, len);
        for (uint32_t k = next_random() % 4 + 1; k > 0 && n > 0; k--) {
            size_t at = next_random() % n;
            switch (next_random() % 4) {
            case 0:
                buf[at] = (uint8_t)next_random();
                break;
            case 1:
                buf[at] ^= (uint8_t)(1U << next_random() % 8);
                break;
            case 2:
                n = at;
                break;
            default:
                buf[at] = (next_random() & 1) ? 0xff : 0;
                break;
            }
        }
        run_exact(buf, n);
    }
    free(buf);
}

static void run_file(const char *path, int *count)
{
    static uint8_t data[INPUT_MAX];
    FILE *f = fopen(path, "rb");
    if (!f) {
        printf("not ok %d - cannot read %s\n", ++*count, path);
        return;
    }
    size_t len = fread(data, 1, sizeof data, f);
    fclose(f);
    run_exact(data, len);
    mutate_and_run(data, len);
    printf("ok %d - %s\n", ++*count, path);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    int count = 0;
    for (int i = 1; i < argc; i++) {
        struct stat st;
        if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode)) {
            struct dirent **names;
            int n = scandir(argv[i], &names, NULL, alphasort);
            for (int k = 0; k < n; k++) {
                if (names[k]->d_name[0] != '.') {
                    char path[4096];
                    snprintf(path, sizeof path, "%s/%s", argv[i], names[k]->d_name);
                    run_file(path, &count);
                }
                free(names[k]);
            }
            if (n >= 0) {
                free(names);
            }
        } else {
            run_file(argv[i], &count);
        }
    }
    run_exact((const uint8_t *)"", 0);
    printf("ok %d - empty input\n1..%d\n", count + 1, count + 1);
    return 0;
}
