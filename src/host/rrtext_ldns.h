/*
 * Records and zones as text (RFC 1035 5.1, RFC 3597): the program's one door to ldns. For people
 * and files of the operator, not for packets.
 */
#ifndef SINKHOLE_HOST_RRTEXT_LDNS_H
#define SINKHOLE_HOST_RRTEXT_LDNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "base/strbuf.h"
#include "dns/name.h"

#define RRTEXT_ERROR_MAX 160

/* A record of a zone file. */
struct rrtext_record {
    struct dns_name owner; /* lower case */
    uint16_t type;
    uint16_t klass;
    uint32_t ttl_s;
    uint32_t line;     /* where it ended in the text, from 1 */
    struct span rdata; /* wire format, names uncompressed; borrowed for the call */
};

/* False ends the reading. */
typedef bool rrtext_visit(void *ctx, const struct rrtext_record *record);

/* What could not be read. */
struct rrtext_errors {
    uint32_t count;
    uint32_t line;               /* of the first one */
    char text[RRTEXT_ERROR_MAX]; /* about the first one: "line 7: Syntax error, could not parse the
                                    RR's TTL" */
};

/*
 * Read a zone file: $ORIGIN and $TTL, owners left out, parentheses; $INCLUDE is an error. `origin`
 * ("." or a name in presentation format) completes relative names until the text says another.
 * Lines that cannot be read are counted and skipped. ERR_FORMAT: `origin` is no name; ERR_MEMORY.
 * Cost: about a microsecond a record.
 */
MUST_CHECK enum err rrtext_zone(struct span text, const char *origin, uint32_t default_ttl_s,
                                rrtext_visit *visit, void *ctx, struct rrtext_errors *errors);

/*
 * One record out of one line, "nas.home.arpa 300 IN A 192.168.1.9"; TTL and class may be left out.
 * rdata goes to `buf`, *out borrows it. ERR_FORMAT, with `problem` (RRTEXT_ERROR_MAX octets, may be
 * NULL) saying why; ERR_SPACE: buf is too small; ERR_MEMORY.
 */
MUST_CHECK enum err rrtext_record(const char *line, uint32_t default_ttl_s, void *buf, size_t cap,
                                  struct rrtext_record *out, char *problem);

/*
 * A record of a message as one line without line end, "ads.example. 60 IN A 0.0.0.0". *pos: in,
 * offset of the record; out, behind it. ERR_FORMAT: the message is broken there.
 */
MUST_CHECK enum err rrtext_format(const uint8_t *msg, size_t len, size_t *pos, struct strbuf *out);

/*
 * A whole message for people, as the query command prints it: a status line, EDNS with its extended
 * error, and the records by section, a line each. ERR_SHORT, ERR_FORMAT: it is broken; what could
 * be read is in `out`.
 */
MUST_CHECK enum err rrtext_message(const uint8_t *msg, size_t len, struct strbuf *out);

#endif
