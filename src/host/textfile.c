#include "host/textfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

void textfile_read(const char *what, const char *path, size_t max, struct textfile *out)
{
    struct stat st;
    *out = (struct textfile){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        log_warning(RESOLVER, "%s %s cannot be read: %s", what, path,
                    fd < 0 ? strerror(errno) : "not a plain file");
    } else if ((size_t)st.st_size > max) {
        log_warning(RESOLVER, "%s %s has more than %zu MiB: left out", what, path, max >> 20);
    } else if (st.st_size > 0 && (out->data = malloc((size_t)st.st_size)) != NULL) {
        ssize_t n = read(fd, out->data, (size_t)st.st_size);
        out->len = n > 0 ? (size_t)n : 0;
    }
    if (fd >= 0) {
        close(fd);
    }
}

void textfile_free(struct textfile *f)
{
    free(f->data);
    *f = (struct textfile){0};
}
