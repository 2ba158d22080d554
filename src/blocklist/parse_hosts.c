/*
 * Lines of hosts files: an address and names. Only a null or loopback address means that the names
 * are to be blocked.
 */
#include "blocklist/parse_int.h"

void bl_line_hosts(struct bl_parser *p, struct text line)
{
    line = text_uncomment(line);
    struct text rest = line;
    enum address sink = bl_address(text_word(&rest));
    struct text name = text_word(&rest);
    if (sink == ADDRESS_NOT) {
        bl_reject(p, BL_REASON_OTHER_DATA, line);
        return;
    }
    if (name.p == name.end) {
        bl_reject(p, BL_REASON_ADDRESS, line);
        return;
    }
    if (sink == ADDRESS_OTHER) {
        bl_reject(p, BL_REASON_NOT_SINK, line);
        return;
    }
    for (; name.p < name.end; name = text_word(&rest)) {
        if (bl_address(name) == ADDRESS_NOT) {
            bl_take(p, name, BL_EXACT, BL_RANK_BLOCK, 0, BL_FORMAT_HOSTS);
        } else {
            bl_reject(p, BL_REASON_ADDRESS, line); /* "0.0.0.0 0.0.0.0" heads many files */
        }
    }
}
