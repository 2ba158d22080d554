/*
 * The text of a configuration file: one "name = value" a line. A # starts a comment at the start of
 * a line or after a blank, but not inside double quotes (records hold quoted text). A value that is
 * quoted as a whole loses its quotes.
 */
#include "config/config_int.h"

static size_t line_length(struct span text)
{
    const uint8_t *end = text.len > 0 ? memchr(text.ptr, '\n', text.len) : NULL;
    return end != NULL ? (size_t)(end - text.ptr) : text.len;
}

static struct span without_comment(struct span line)
{
    bool quoted = false, blank = true;
    for (size_t i = 0; i < line.len; i++) {
        uint8_t c = line.ptr[i];
        if (c == '"') {
            quoted = !quoted;
        } else if (c == '\\' && quoted && i + 1 < line.len) {
            i++; /* \" does not end a quoted text */
        } else if (c == '#' && blank && !quoted) {
            return span_of(line.ptr, i);
        }
        blank = c == ' ' || c == '\t';
    }
    return line;
}

static struct span without_quotes(struct span value)
{
    if (value.len >= 2 && value.ptr[0] == '"' &&
        memchr(value.ptr + 1, '"', value.len - 1) == value.ptr + value.len - 1) {
        return span_of(value.ptr + 1, value.len - 2);
    }
    return value;
}

static enum err apply_line(struct config *c, const char *file, uint32_t number, struct span line,
                           struct cfg_error *error)
{
    line = cfg_trim(without_comment(line));
    if (line.len == 0) {
        return ERR_OK;
    }
    if (line.ptr[0] == '[') {
        cfg_error_found(error, file, number, line,
                        "name = value ([group] sections are not supported yet)");
        return ERR_UNSUPPORTED;
    }
    const uint8_t *equals = memchr(line.ptr, '=', line.len);
    if (equals == NULL || equals == line.ptr) {
        cfg_error_found(error, file, number, line, "name = value");
        return ERR_FORMAT;
    }
    size_t at = (size_t)(equals - line.ptr);
    struct span name = cfg_trim(span_of(line.ptr, at));
    struct span value = without_quotes(cfg_trim(span_of(equals + 1, line.len - at - 1)));
    return cfg_apply_pair(c, CFG_FILE, file, number, name, value, error);
}

enum err cfg_apply_text(struct config *c, const char *file, struct span text,
                        struct cfg_error *error)
{
    static const uint8_t bom[] = {0xef, 0xbb, 0xbf};
    if (text.len >= sizeof bom && memcmp(text.ptr, bom, sizeof bom) == 0) {
        text = span_of(text.ptr + sizeof bom, text.len - sizeof bom);
    }
    for (uint32_t number = 1; text.len > 0; number++) {
        size_t len = line_length(text);
        enum err e = apply_line(c, file, number, span_of(text.ptr, len), error);
        if (e != ERR_OK) {
            return e;
        }
        len += len < text.len; /* the newline */
        text = span_of(text.ptr + len, text.len - len);
    }
    return ERR_OK;
}
