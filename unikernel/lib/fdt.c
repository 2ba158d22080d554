/* A walk over the structure block, once per question: a tree has a few hundred nodes and is asked a
 * handful of times at start. */
#include "lib/fdt.h"

#include <string.h>

enum {
    FDT_MAGIC = (int)0xd00dfeed,
    FDT_BEGIN_NODE = 1,
    FDT_END_NODE = 2,
    FDT_PROP = 3,
    FDT_NOP = 4,
    FDT_HEADER = 40,
    FDT_DEPTH_MAX = 16
};

static bool inside(size_t off, size_t need, size_t len)
{
    return off <= len && len - off >= need;
}

bool fdt_open(const void *blob, size_t room, struct fdt *out)
{
    const uint8_t *b = blob;
    if (!b || room < FDT_HEADER || be32_read(b) != (uint32_t)FDT_MAGIC) {
        return false;
    }
    struct fdt f = {.blob = b,
                    .len = be32_read(b + 4),
                    .structs = be32_read(b + 8),
                    .strings = be32_read(b + 12),
                    .strings_len = be32_read(b + 32),
                    .structs_len = be32_read(b + 36)};
    if (f.len > room || f.len > FDT_MAX || !inside(f.structs, f.structs_len, f.len) ||
        !inside(f.strings, f.strings_len, f.len)) {
        return false;
    }
    *out = f;
    return true;
}

/* Does the node's name (len octets) match the first component of `path`? */
static bool component_matches(const char *path, const uint8_t *name, size_t len)
{
    size_t want = strcspn(path, "/");
    if (len < want || memcmp(path, name, want) != 0) {
        return false;
    }
    return len == want || (name[want] == '@' && memchr(path, '@', want) == NULL);
}

bool fdt_property(const struct fdt *fdt, const char *node, const char *name, struct span *out)
{
    const uint8_t *s = fdt->blob + fdt->structs;
    size_t pos = 0;
    unsigned depth = 0;   /* nodes open */
    unsigned matched = 0; /* how many of them lie on the path */
    const char *rest[FDT_DEPTH_MAX + 1] = {node};

    while (inside(pos, 4, fdt->structs_len)) {
        uint32_t token = be32_read(s + pos);
        pos += 4;
        if (token == FDT_BEGIN_NODE) {
            const uint8_t *end = memchr(s + pos, 0, fdt->structs_len - pos);
            if (!end || depth == FDT_DEPTH_MAX) {
                return false;
            }
            size_t len = (size_t)(end - (s + pos));
            if (depth == 0) {
                matched = 1;
            } else if (matched == depth && *rest[depth - 1] &&
                       component_matches(rest[depth - 1], s + pos, len)) {
                const char *p = rest[depth - 1] + strcspn(rest[depth - 1], "/");
                rest[depth] = *p == '/' ? p + 1 : p;
                matched++;
            }
            depth++;
            pos = (pos + len + 4) & ~(size_t)3;
        } else if (token == FDT_END_NODE) {
            if (depth == 0) {
                return false;
            }
            depth--;
            matched = matched > depth ? depth : matched;
        } else if (token == FDT_PROP) {
            if (!inside(pos, 8, fdt->structs_len)) {
                return false;
            }
            size_t len = be32_read(s + pos), at = be32_read(s + pos + 4);
            pos += 8;
            if (!inside(pos, len, fdt->structs_len) || at >= fdt->strings_len) {
                return false;
            }
            const char *label = (const char *)fdt->blob + fdt->strings + at;
            if (depth > 0 && matched == depth && *rest[depth - 1] == '\0' &&
                strncmp(label, name, fdt->strings_len - at) == 0) {
                *out = span_of(s + pos, len);
                return true;
            }
            pos = (pos + len + 3) & ~(size_t)3;
        } else if (token != FDT_NOP) {
            return false;
        }
    }
    return false;
}

bool fdt_number(struct span value, uint64_t *out)
{
    if (value.len == 4) {
        *out = be32_read(value.ptr);
        return true;
    }
    if (value.len == 8) {
        *out = (uint64_t)be32_read(value.ptr) << 32 | be32_read(value.ptr + 4);
        return true;
    }
    return false;
}
