/*
 * Text of records through ldns. What ldns reads from files or answers goes through memory streams
 * and its own bounds; nothing that clients send reaches it.
 */
/* ldns brings in OpenSSL, which has a type of the name of one of our error numbers. */
#define ERR_STATE openssl_err_state
#include <ldns/ldns.h>
#undef ERR_STATE

#include "host/rrtext_ldns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "dns/msg.h"

/* rdata of a record in wire format, into a buffer that ldns grows. */
static enum err rdata_wire(const ldns_rr *rr, ldns_buffer *buf)
{
    ldns_buffer_clear(buf);
    for (size_t i = 0; i < ldns_rr_rd_count(rr); i++) {
        if (ldns_rdf2buffer_wire(buf, ldns_rr_rdf(rr, i)) != LDNS_STATUS_OK) {
            return ERR_MEMORY;
        }
    }
    return ldns_buffer_status_ok(buf) ? ERR_OK : ERR_MEMORY;
}

static enum err owner_of(const ldns_rr *rr, struct dns_name *out)
{
    const ldns_rdf *owner = ldns_rr_owner(rr);
    size_t pos = 0;
    return owner ? dns_name_read(ldns_rdf_data(owner), ldns_rdf_size(owner), &pos, out)
                 : ERR_FORMAT;
}

static enum err record_of(const ldns_rr *rr, ldns_buffer *buf, uint32_t line,
                          struct rrtext_record *out)
{
    enum err e = owner_of(rr, &out->owner);
    if (e == ERR_OK) {
        e = rdata_wire(rr, buf);
    }
    if (e == ERR_OK) {
        out->type = (uint16_t)ldns_rr_get_type(rr);
        out->klass = (uint16_t)ldns_rr_get_class(rr);
        out->ttl_s = ldns_rr_ttl(rr);
        out->line = line;
        out->rdata = span_of(ldns_buffer_begin(buf), ldns_buffer_position(buf));
    }
    return e;
}

static void note_error(struct rrtext_errors *errors, int line, const char *text)
{
    if (errors->count++ == 0) {
        errors->line = line > 0 ? (uint32_t)line : 0;
        (void)snprintf(errors->text, sizeof errors->text, "line %d: %s", line, text);
    }
}

/* The reading proper: `f` is the text as a stream. */
static enum err zone_from(FILE *f, ldns_rdf **origin, uint32_t ttl, rrtext_visit *visit, void *ctx,
                          struct rrtext_errors *errors)
{
    ldns_rdf *previous = NULL;
    ldns_buffer *buf = ldns_buffer_new(512);
    enum err e = buf ? ERR_OK : ERR_MEMORY;
    int line = 1;
    bool more = true;
    while (e == ERR_OK && more && !feof(f)) {
        ldns_rr *rr = NULL;
        struct rrtext_record record;
        ldns_status s = ldns_rr_new_frm_fp_l(&rr, f, &ttl, origin, &previous, &line);
        if (s == LDNS_STATUS_MEM_ERR) {
            e = ERR_MEMORY;
        } else if (s == LDNS_STATUS_OK && rr) {
            if (record_of(rr, buf, (uint32_t)line, &record) == ERR_OK) {
                more = visit(ctx, &record);
            } else {
                note_error(errors, line, "a record that has no wire format");
            }
        } else if (s != LDNS_STATUS_SYNTAX_EMPTY && s != LDNS_STATUS_SYNTAX_TTL &&
                   s != LDNS_STATUS_SYNTAX_ORIGIN) {
            note_error(errors, line, ldns_get_errorstr_by_id(s));
        }
        if (s == LDNS_STATUS_OK) {
            ldns_rr_free(rr);
        }
    }
    ldns_rdf_deep_free(previous);
    ldns_buffer_free(buf);
    return e;
}

enum err rrtext_zone(struct span text, const char *origin, uint32_t default_ttl_s,
                     rrtext_visit *visit, void *ctx, struct rrtext_errors *errors)
{
    *errors = (struct rrtext_errors){0};
    if (text.len == 0) {
        return ERR_OK;
    }
    ldns_rdf *name = ldns_dname_new_frm_str(origin);
    if (!name) {
        return ERR_FORMAT;
    }
    FILE *f = fmemopen((void *)(uintptr_t)text.ptr, text.len, "r");
    enum err e = ERR_MEMORY;
    if (f) {
        e = zone_from(f, &name, default_ttl_s, visit, ctx, errors);
        (void)fclose(f);
    }
    ldns_rdf_deep_free(name);
    return e;
}

enum err rrtext_record(const char *line, uint32_t default_ttl_s, void *buf, size_t cap,
                       struct rrtext_record *out, char *problem)
{
    ldns_rr *rr = NULL;
    ldns_status s = ldns_rr_new_frm_str(&rr, line, default_ttl_s, NULL, NULL);
    if (s != LDNS_STATUS_OK || !rr) {
        if (problem) {
            (void)snprintf(problem, RRTEXT_ERROR_MAX, "%s", ldns_get_errorstr_by_id(s));
        }
        return s == LDNS_STATUS_MEM_ERR ? ERR_MEMORY : ERR_FORMAT;
    }
    ldns_buffer *wire = ldns_buffer_new(512);
    struct rrtext_record record;
    enum err e = wire ? record_of(rr, wire, 1, &record) : ERR_MEMORY;
    if (e == ERR_OK && record.rdata.len > cap) {
        e = ERR_SPACE;
    }
    if (e == ERR_OK) {
        if (record.rdata.len > 0) {
            memcpy(buf, record.rdata.ptr, record.rdata.len);
        }
        record.rdata.ptr = buf;
        *out = record;
    } else if (problem) {
        (void)snprintf(problem, RRTEXT_ERROR_MAX, "%s", err_text(e));
    }
    ldns_buffer_free(wire);
    ldns_rr_free(rr);
    return e;
}

enum err rrtext_format(const uint8_t *msg, size_t len, size_t *pos, struct strbuf *out)
{
    ldns_rr *rr = NULL;
    size_t next = *pos;
    if (ldns_wire2rr(&rr, msg, len, &next, LDNS_SECTION_ANSWER) != LDNS_STATUS_OK) {
        return ERR_FORMAT;
    }
    char *text = ldns_rr2str(rr);
    ldns_rr_free(rr);
    if (!text) {
        return ERR_MEMORY;
    }
    /* ldns separates by tabs and ends the line; comments behind a ';' are about keys and not wanted
     * here. */
    for (const char *c = text; *c && *c != '\n'; c++) {
        strbuf_char(out, *c == '\t' ? ' ' : *c);
    }
    free(text);
    *pos = next;
    return ERR_OK;
}

/* The message */

static void format_flags(struct strbuf *out, uint16_t flags)
{
    static const struct {
        uint16_t bit;
        const char *name;
    } names[] = {{DNS_QR, "qr"}, {DNS_AA, "aa"}, {DNS_TC, "tc"}, {DNS_RD, "rd"},
                 {DNS_RA, "ra"}, {DNS_AD, "ad"}, {DNS_CD, "cd"}};
    strbuf_str(out, " flags");
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (flags & names[i].bit) {
            strbuf_printf(out, " %s", names[i].name);
        }
    }
}

/* The EDE option's text as it is in the packet; RFC 8914 2. */
static void format_ede(struct strbuf *out, const uint8_t *rdata, size_t len)
{
    for (size_t pos = 0; len - pos >= 4;) {
        uint16_t code = be16_read(rdata + pos), octets = be16_read(rdata + pos + 2);
        pos += 4;
        if (octets > len - pos) {
            return;
        }
        if (code == 15 && octets >= 2) {
            strbuf_printf(out, ";; extended error %u", be16_read(rdata + pos));
            if (octets > 2) {
                strbuf_str(out, ": ");
                strbuf_escaped(out, span_of(rdata + pos + 2, octets - 2U));
            }
            strbuf_char(out, '\n');
        }
        pos += octets;
    }
}

static void format_opt(struct strbuf *out, const uint8_t *msg, const struct dns_record *rr)
{
    strbuf_printf(out, ";; EDNS version %u, UDP size %u%s\n", rr->ttl >> 16 & 0xff, rr->klass,
                  rr->ttl & 0x8000 ? ", DO" : "");
    format_ede(out, msg + rr->rdata, rr->rdlen);
}

/* The rcode with the upper bits that an OPT holds. */
static unsigned full_rcode(const uint8_t *msg, size_t len)
{
    struct dns_walk walk;
    struct dns_record rr;
    unsigned rcode = msg[3] & 0x0f;
    if (dns_walk_begin(msg, len, &walk) == ERR_OK) {
        while (dns_walk_next(&walk, &rr)) {
            if (rr.type == DNS_OPT) {
                rcode |= (rr.ttl >> 24) << 4;
            }
        }
    }
    return rcode;
}

static enum err format_questions(const uint8_t *msg, size_t len, struct strbuf *out)
{
    size_t pos = DNS_HEADER_OCTETS;
    for (unsigned left = be16_read(msg + 4); left > 0; left--) {
        struct dns_name name;
        char text[DNS_NAME_TEXT], type[16];
        enum err e = dns_name_read(msg, len, &pos, &name);
        if (e != ERR_OK || len - pos < 4) {
            return e != ERR_OK ? e : ERR_SHORT;
        }
        size_t n = dns_name_format(&name, text);
        strbuf_printf(out, ";%s%s ", text, n == 1 && text[0] == '.' ? "" : ".");
        uint16_t klass = be16_read(msg + pos + 2);
        if (klass == DNS_IN || klass == DNS_CH) {
            strbuf_printf(out, "%s %s\n", klass == DNS_IN ? "IN" : "CH",
                          dns_type_format(be16_read(msg + pos), type));
        } else {
            strbuf_printf(out, "CLASS%u %s\n", klass, dns_type_format(be16_read(msg + pos), type));
        }
        pos += 4;
    }
    return ERR_OK;
}

enum err rrtext_message(const uint8_t *msg, size_t len, struct strbuf *out)
{
    static const char *const sections[] = {"answer", "authority", "additional"};
    struct dns_walk walk;
    struct dns_record rr;
    int section = -1;
    if (len < DNS_HEADER_OCTETS) {
        return ERR_SHORT;
    }
    uint16_t flags = be16_read(msg + 2);
    unsigned rcode = full_rcode(msg, len);
    strbuf_printf(out, ";; %s (%u), id %u,", dns_rcode_name(rcode), rcode, be16_read(msg));
    format_flags(out, flags);
    strbuf_printf(out, "; %u answer, %u authority, %u additional\n", be16_read(msg + 6),
                  be16_read(msg + 8), be16_read(msg + 10));
    enum err e = format_questions(msg, len, out);
    if (e == ERR_OK) {
        e = dns_walk_begin(msg, len, &walk);
    }
    if (e != ERR_OK) {
        return e;
    }
    for (size_t pos = walk.pos; e == ERR_OK && dns_walk_next(&walk, &rr); pos = walk.pos) {
        if (rr.type == DNS_OPT) {
            format_opt(out, msg, &rr);
            continue;
        }
        if (rr.section != section) {
            section = rr.section;
            strbuf_printf(out, ";; %s\n", sections[section]);
        }
        e = rrtext_format(msg, len, &pos, out);
        strbuf_char(out, '\n');
    }
    return e == ERR_OK && walk.bad ? ERR_FORMAT : e;
}
