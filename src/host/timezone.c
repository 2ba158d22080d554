#include "host/timezone.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

#define ZONES     "/usr/share/zoneinfo"
#define LOCALTIME "/etc/localtime"

enum { FOOTER_MAX = 256 };

/* The last line of a zone file of version 2 or more. */
static enum err read_footer(const char *path, struct tz *out)
{
    char end[FOOTER_MAX];
    char magic[5] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return ERR_NOT_FOUND;
    }
    off_t size = lseek(fd, 0, SEEK_END);
    off_t from = size > FOOTER_MAX ? size - FOOTER_MAX : 0;
    ssize_t head = pread(fd, magic, sizeof magic, 0);
    ssize_t n = size > 0 ? pread(fd, end, sizeof end, from) : -1;
    close(fd);
    if (head != (ssize_t)sizeof magic || n < 2 || memcmp(magic, "TZif", 4) != 0 || magic[4] < '2' ||
        end[n - 1] != '\n') {
        return ERR_FORMAT;
    }
    ssize_t begin = n - 1;
    while (begin > 0 && end[begin - 1] != '\n') {
        begin--;
    }
    return tz_parse(span_of(end + begin, (size_t)(n - 1 - begin)), out);
}

/* A name of zones that cannot lead out of their folder. */
static bool is_zone_name(const char *text)
{
    return text[0] != '/' && !strstr(text, "..") && strlen(text) < 128 &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/") ==
               strlen(text);
}

static enum err read_one(const char *setting, struct tz *out)
{
    char path[sizeof ZONES + 130];
    if (tz_parse(span_str(setting), out) == ERR_OK) {
        return ERR_OK;
    }
    if (!is_zone_name(setting)) {
        return ERR_FORMAT;
    }
    (void)snprintf(path, sizeof path, ZONES "/%s", setting);
    return read_footer(path, out);
}

void timezone_read(const char *setting, struct tz *out)
{
    const char *env = getenv("TZ");
    const char *told = setting[0] ? setting : env && env[0] ? env + (env[0] == ':') : NULL;
    enum err e = told ? read_one(told, out) : read_footer(LOCALTIME, out);
    if (e == ERR_OK) {
        return;
    }
    *out = (struct tz){0};
    if (told) {
        log_warning(MAIN,
                    "timezone: found \"%s\", expected a rule such as CET-1CEST,M3.5.0,M10.5.0/3 or "
                    "the name of a zone in " ZONES "; Greenwich time is used",
                    told);
    } else if (e != ERR_NOT_FOUND) {
        log_warning(MAIN, LOCALTIME " has no rule for the time to come; Greenwich time is used");
    }
}
