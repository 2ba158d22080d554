/*
 * Log lines to standard error. Each line is one write, so lines of several threads do not mix.
 */
#include "host/logsink.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "host/progress.h"
#include "host/sys.h"

#define OUT_MAX (LOG_LINE_MAX * 6 + 512) /* each octet of the line as \u00XX, a live line */

static atomic_bool as_json;
static atomic_bool to_journal;
static pthread_mutex_t ring_lock = PTHREAD_MUTEX_INITIALIZER;
static struct log_ring ring;

/* Is standard error the stream that the service manager named? */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat st;
    char own[64];
    struct strbuf text;
    if (!stream || fstat(STDERR_FILENO, &st) != 0) {
        return false;
    }
    strbuf_init(&text, own, sizeof own);
    strbuf_printf(&text, "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
    return span_equal(span_str(stream), span_str(own));
}

static void put_time(struct strbuf *out, int64_t unix_us, bool utc)
{
    time_t seconds = (time_t)(unix_us / (int64_t)USEC_PER_SEC);
    struct tm tm;
    if (utc) {
        gmtime_r(&seconds, &tm);
    } else {
        localtime_r(&seconds, &tm);
    }
    strbuf_printf(out, "%04d-%02d-%02d%c%02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1,
                  tm.tm_mday, utc ? 'T' : ' ', tm.tm_hour, tm.tm_min, tm.tm_sec);
    if (utc) {
        strbuf_printf(out, ".%03dZ", (int)(unix_us / 1000 % 1000));
    }
}

void logsink_text(struct strbuf *out, bool journal, int64_t unix_us, enum log_area area,
                  enum log_level level, const char *line)
{
    static const char priority[LOG_LEVEL_COUNT] = {'3', '4', '6', '7'};
    if (journal) {
        strbuf_printf(out, "<%c>", priority[level]);
    } else {
        put_time(out, unix_us, false);
        strbuf_char(out, ' ');
    }
    if (level != LOG_LEVEL_INFO) {
        strbuf_printf(out, "%s: ", log_level_name(level));
    }
    strbuf_printf(out, "%s: %s\n", log_area_name(area), line);
}

static void put_json_string(struct strbuf *out, const char *text)
{
    strbuf_char(out, '"');
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p == '"' || *p == '\\') {
            strbuf_char(out, '\\');
            strbuf_char(out, (char)*p);
        } else if (*p < 0x20 || *p == 0x7f) {
            strbuf_printf(out, "\\u%04x", *p);
        } else {
            strbuf_char(out, (char)*p);
        }
    }
    strbuf_char(out, '"');
}

void logsink_json(struct strbuf *out, int64_t unix_us, enum log_area area, enum log_level level,
                  const char *line)
{
    strbuf_str(out, "{\"time\":\"");
    put_time(out, unix_us, true);
    strbuf_printf(out, "\",\"level\":\"%s\",\"area\":\"%s\",\"message\":", log_level_name(level),
                  log_area_name(area));
    put_json_string(out, line);
    strbuf_str(out, "}\n");
}

uint32_t logsink_lines(void *ctx, uint64_t after, struct log_ring_line *out, uint32_t max)
{
    (void)ctx;
    pthread_mutex_lock(&ring_lock);
    uint32_t n = log_ring_read(&ring, after, out, max);
    pthread_mutex_unlock(&ring_lock);
    return n;
}

static void write_line(enum log_area area, enum log_level level, const char *line)
{
    char storage[OUT_MAX];
    struct strbuf out;
    pthread_mutex_lock(&ring_lock);
    log_ring_add(&ring, sys_unix_us(), area, level, line);
    pthread_mutex_unlock(&ring_lock);
    strbuf_init(&out, storage, sizeof storage);
    progress_before(&out);
    if (atomic_load_explicit(&as_json, memory_order_relaxed)) {
        logsink_json(&out, sys_unix_us(), area, level, line);
    } else {
        logsink_text(&out, atomic_load_explicit(&to_journal, memory_order_relaxed), sys_unix_us(),
                     area, level, line);
    }
    progress_after(&out);
    ssize_t n = write(STDERR_FILENO, out.text, out.len);
    (void)n; /* there is nobody left to tell */
}

void logsink_open(bool json)
{
    atomic_store(&as_json, json);
    atomic_store(&to_journal, stderr_is_journal());
    log_set_sink(write_line);
}
