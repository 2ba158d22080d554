/*
 * The text of a configuration file: one "name = value" a line; [group NAME] begins a section. A #
 * starts a comment at the start of a line or after a blank, but not inside double quotes (records
 * hold quoted text). A value that is quoted as a whole loses its quotes, and \" and \\ in it stand
 * for " and \.
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

/* Is the value one quoted text: does the quote that it begins with end at its last octet? */
static bool is_quoted(struct span value)
{
    if (value.len < 2 || value.ptr[0] != '"') {
        return false;
    }
    for (size_t i = 1; i < value.len; i++) {
        if (value.ptr[i] == '"') {
            return i == value.len - 1;
        }
        i += value.ptr[i] == '\\';
    }
    return false;
}

/* What stands in the quotes of a quoted value, with the escapes taken off. len 0 and NULL: no room.
 */
static struct span without_quotes(struct arena *arena, struct span value)
{
    char *text = arena_alloc(arena, value.len, 1);
    size_t len = 0;
    for (size_t i = 1; text != NULL && i + 1 < value.len; i++) {
        i += value.ptr[i] == '\\';
        text[len++] = (char)value.ptr[i];
    }
    return span_of(text, len);
}

bool cfg_needs_quotes(struct span value)
{
    struct span read = cfg_trim(without_comment(value));
    return read.len != value.len || is_quoted(value);
}

/* `inside`: a section has begun in this text. */
static enum err apply_line(struct config *c, const char *file, uint32_t number, struct span line,
                           bool *inside, struct cfg_error *error)
{
    line = cfg_trim(without_comment(line));
    if (line.len == 0) {
        return ERR_OK;
    }
    if (line.ptr[0] == '[') {
        *inside = true;
        return cfg_group_open(c, file, number, line, error);
    }
    const uint8_t *equals = memchr(line.ptr, '=', line.len);
    if (equals == NULL || equals == line.ptr) {
        cfg_error_found(error, file, number, line, "name = value");
        return ERR_FORMAT;
    }
    size_t at = (size_t)(equals - line.ptr);
    struct span name = cfg_trim(span_of(line.ptr, at));
    struct span value = cfg_trim(span_of(equals + 1, line.len - at - 1));
    if (is_quoted(value)) {
        value = without_quotes(&c->arena, value);
    }
    return *inside ? cfg_group_line(c, file, number, name, value, error)
                   : cfg_apply_pair(c, CFG_FILE, file, number, name, value, error);
}

enum err cfg_apply_text(struct config *c, const char *file, struct span text,
                        struct cfg_error *error)
{
    static const uint8_t bom[] = {0xef, 0xbb, 0xbf};
    const char *name = arena_strdup(&c->arena, file, strlen(file));
    c->file = name != NULL ? name : c->file;
    bool inside = false;
    if (text.len >= sizeof bom && memcmp(text.ptr, bom, sizeof bom) == 0) {
        text = span_of(text.ptr + sizeof bom, text.len - sizeof bom);
    }
    for (uint32_t number = 1; text.len > 0; number++) {
        size_t len = line_length(text);
        enum err e = apply_line(c, file, number, span_of(text.ptr, len), &inside, error);
        if (e != ERR_OK) {
            return e;
        }
        len += len < text.len; /* the newline */
        text = span_of(text.ptr + len, text.len - len);
    }
    return ERR_OK;
}
