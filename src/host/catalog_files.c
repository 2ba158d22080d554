/*
 * A catalog points into its text, so texts are held as long as it.
 */
#include "host/catalog_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "config/catalogs.h"

struct held {
    struct catalogs catalogs; /* first */
    uint8_t *services, *safe_search;
};

static enum err complain(struct cfg_error *error, const char *file, const char *why)
{
    struct strbuf line;
    strbuf_init(&line, error->text, sizeof error->text);
    strbuf_printf(&line, "%s: %s", file, why);
    return ERR_IO;
}

static enum err read_all(int fd, const char *file, uint8_t **data, struct catalog_text *out,
                         struct cfg_error *error)
{
    struct stat st;
    size_t len = 0;
    ssize_t n = 1;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > CATALOG_FILE_MAX) {
        return complain(error, file, "cannot be used: expected a plain file of at most 1 MiB");
    }
    *data = malloc((size_t)st.st_size + 1);
    if (!*data) {
        return ERR_MEMORY;
    }
    while (n > 0 && len < (size_t)st.st_size) {
        n = read(fd, *data + len, (size_t)st.st_size - len);
        len += n > 0 ? (size_t)n : 0;
    }
    *out = (struct catalog_text){.file = file, .text = span_of(*data, len)};
    return n < 0 ? complain(error, file, strerror(errno)) : ERR_OK;
}

/* "": none is named. */
static enum err read_file(const char *file, uint8_t **data, struct catalog_text *out,
                          struct cfg_error *error)
{
    *out = (struct catalog_text){.file = NULL};
    if (file[0] == '\0') {
        return ERR_OK;
    }
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return complain(error, file, strerror(errno));
    }
    enum err e = read_all(fd, file, data, out, error);
    close(fd);
    return e;
}

static void held_free(struct held *h)
{
    if (h) {
        free(h->services);
        free(h->safe_search);
        free(h);
    }
}

enum err catalog_files_load(struct config *c, struct cfg_error *error)
{
    struct catalog_text services, safe_search;
    struct held *h = calloc(1, sizeof *h);
    enum err e = h ? read_file(c->services_file, &h->services, &services, error) : ERR_MEMORY;
    e = e == ERR_OK ? read_file(c->safe_search_file, &h->safe_search, &safe_search, error) : e;
    e = e == ERR_OK ? catalogs_read(&h->catalogs, &services, &safe_search, error) : e;
    e = e == ERR_OK ? catalogs_check(&h->catalogs, c, error) : e;
    if (e != ERR_OK) {
        if (e == ERR_MEMORY) {
            (void)complain(error, "services", "no memory");
        }
        held_free(h);
        return e;
    }
    catalog_files_free(c);
    c->catalogs = &h->catalogs;
    return ERR_OK;
}

void catalog_files_free(struct config *c)
{
    if (c) {
        held_free((struct held *)(uintptr_t)c->catalogs);
        c->catalogs = NULL;
    }
}
