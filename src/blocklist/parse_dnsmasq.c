/*
 * dnsmasq configuration: local=/a/b/, server=/a/ without a server and address=/a/ with no, a null
 * or a loopback address block names and all below. Everything else configures forwarding or other
 * things.
 */
#include "blocklist/parse_int.h"

/* word= at the start of a line. */
bool bl_looks_dnsmasq(struct text line)
{
    const uint8_t *p = line.p;
    while (p < line.end && ((*p >= 'a' && *p <= 'z') || *p == '-' || (*p >= '0' && *p <= '9'))) {
        p++;
    }
    return p > line.p && p < line.end && *p == '=';
}

/* Does what stands behind the names mean that they are answered from nowhere? For address= also
 * "#", null for both families; for server= that means the usual servers. */
static bool blocks(struct text to, bool is_address)
{
    struct text rest = to;
    struct text word = text_word(&rest);
    struct text comment = text_trim(rest);
    if (comment.p < comment.end && *comment.p != '#') {
        return false;
    }
    if (word.p == word.end) {
        return true;
    }
    return is_address && (text_is(word, "#") || bl_address(word) == ADDRESS_NULL);
}

void bl_line_dnsmasq(struct bl_parser *p, struct text line)
{
    struct text names;
    bool is_address = text_starts(line, "address=/", &names);
    if (!is_address && !text_starts(line, "server=/", &names) &&
        !text_starts(line, "local=/", &names)) {
        bl_reject(p, BL_REASON_FORWARD, line);
        return;
    }
    const uint8_t *last = names.end;
    while (last > names.p && last[-1] != '/') {
        last--;
    }
    if (last == names.p) { /* no second slash */
        bl_reject(p, BL_REASON_FORWARD, line);
        return;
    }
    if (!blocks((struct text){last, line.end}, is_address)) {
        bl_reject(p, BL_REASON_FORWARD, line);
        return;
    }
    names.end = last - 1;
    while (names.p <= names.end) {
        const uint8_t *slash = text_find(names, '/');
        struct text name = text_trim((struct text){names.p, slash ? slash : names.end});
        if (!text_starts(name, "*.", &name)) {
            text_starts(name, ".", &name);
        }
        bl_take(p, name, BL_BOTH, BL_RANK_BLOCK, NAME_SINGLE_OK, BL_FORMAT_DNSMASQ);
        if (!slash) {
            break;
        }
        names.p = slash + 1;
    }
}
