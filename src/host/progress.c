/*
 * The live line. It never ends in a line feed, so the next one overwrites it; "erase to the end of
 * the line" (ECMA-48 EL) is what every terminal has.
 */
#include "host/progress.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_OCTETS 120
#define ERASE           "\r\033[K"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int terminal = -1;
static char shown[LINE_MAX_OCTETS]; /* "" when there is no live line */

void progress_open(int fd)
{
    pthread_mutex_lock(&lock);
    terminal = fd >= 0 && isatty(fd) ? fd : -1;
    shown[0] = '\0';
    pthread_mutex_unlock(&lock);
}

void progress_text(const struct lists_progress *p, struct strbuf *out)
{
    uint64_t tenths = p->octets / 104858; /* of a MiB */
    strbuf_printf(out, "lists %u of %u", p->done, p->total);
    if (p->octets > 0) {
        strbuf_printf(out, ", %llu.%llu MB", (unsigned long long)(tenths / 10),
                      (unsigned long long)(tenths % 10));
    }
    if (p->failed > 0) {
        strbuf_printf(out, ", %u failed", p->failed);
    }
    if (p->building) {
        strbuf_str(out, ", compiling");
    } else if (p->rules > 0) {
        strbuf_printf(out, ", %llu rules in force", (unsigned long long)p->rules);
    }
}

void progress_lists(const struct lists_progress *p)
{
    char storage[LINE_MAX_OCTETS + 16], text[LINE_MAX_OCTETS] = "";
    struct strbuf line, s;
    strbuf_init(&s, text, sizeof text);
    if (p->running || p->building) {
        progress_text(p, &s);
    }
    pthread_mutex_lock(&lock);
    if (terminal >= 0 && strcmp(text, shown) != 0) {
        memcpy(shown, text, sizeof shown);
        strbuf_init(&line, storage, sizeof storage);
        strbuf_printf(&line, "%s%s", ERASE, shown);
        ssize_t n = write(terminal, line.text, line.len);
        (void)n; /* a terminal that is gone */
    }
    pthread_mutex_unlock(&lock);
}

void progress_before(struct strbuf *out)
{
    pthread_mutex_lock(&lock);
    if (shown[0]) {
        strbuf_str(out, ERASE);
    }
    pthread_mutex_unlock(&lock);
}

void progress_after(struct strbuf *out)
{
    pthread_mutex_lock(&lock);
    strbuf_str(out, shown);
    pthread_mutex_unlock(&lock);
}
