/* Plain files of other programs, read whole: hosts files, leases. */
#ifndef SINKHOLE_HOST_TEXTFILE_H
#define SINKHOLE_HOST_TEXTFILE_H

#include <stddef.h>

struct textfile {
    char *data; /* NULL: empty, or it could not be read */
    size_t len;
};

/* Nothing, with a warning that begins with `what`, if it is no plain file or has more than `max`
 * octets, which is whole MiB. */
void textfile_read(const char *what, const char *path, size_t max, struct textfile *out);
void textfile_free(struct textfile *f);

#endif
