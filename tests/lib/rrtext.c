#include "rrtext.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns/edns.h"
#include "dns/msg.h"

static bool is_type(const char *word)
{
    return strncmp(word, "TYPE", 4) == 0 || ldns_get_rr_type_by_name(word) != 0;
}

ldns_rr *rrtext_parse(const char *text, const char *owner, uint32_t ttl_s)
{
    char copy[2048], line[4096], rdata[2048] = "";
    char *save = NULL;
    char name[1100];
    snprintf(copy, sizeof copy, "%s", text);
    snprintf(name, sizeof name, "%s", owner);
    char *word = strtok_r(copy, " ", &save);
    if (word == NULL) {
        return NULL;
    }
    const char *klass = "IN";
    if (strcmp(word, "CH") == 0) {
        klass = word;
        word = strtok_r(NULL, " ", &save);
    }
    const char *type = word;
    if (word == NULL) {
        return NULL;
    }
    if (!is_type(word)) {
        snprintf(name, sizeof name, "%s", word);
        type = strtok_r(NULL, " ", &save);
    }
    if (type == NULL) {
        return NULL;
    }
    while ((word = strtok_r(NULL, " ", &save)) != NULL) {
        if (strcmp(word, "ttl") == 0) {
            word = strtok_r(NULL, " ", &save);
            ttl_s = word != NULL ? (uint32_t)strtoul(word, NULL, 10) : ttl_s;
            continue;
        }
        strncat(rdata, " ", sizeof rdata - strlen(rdata) - 1);
        strncat(rdata, word, sizeof rdata - strlen(rdata) - 1);
    }
    snprintf(line, sizeof line, "%s %u %s %s%s", name, ttl_s, klass, type, rdata);
    ldns_rr *rr = NULL;
    return ldns_rr_new_frm_str(&rr, line, 0, NULL, NULL) == LDNS_STATUS_OK ? rr : NULL;
}

static size_t copy_packet(ldns_pkt *pkt, uint8_t *out, size_t cap)
{
    uint8_t *wire = NULL;
    size_t len = 0;
    if (ldns_pkt2wire(&wire, pkt, &len) != LDNS_STATUS_OK || len > cap) {
        fprintf(stderr, "rrtext: cannot make a packet\n");
        abort();
    }
    memcpy(out, wire, len);
    free(wire);
    return len;
}

/* By hand: ldns would leave out what some tests want to be wrong. */
size_t rrtext_question(const struct rrtext_question *q, uint8_t *out, size_t cap)
{
    ldns_rdf *name = ldns_dname_new_frm_str(q->name);
    uint16_t type = 0;
    if (name == NULL || dns_type_parse(span_str(q->type), &type) != ERR_OK) {
        fprintf(stderr, "rrtext: cannot ask %s %s\n", q->name, q->type);
        abort();
    }
    struct writer w = writer_of(out, cap);
    writer_be16(&w, q->id);
    writer_be16(&w, (uint16_t)((q->rd ? DNS_RD : 0) | (q->cd ? DNS_CD : 0)));
    writer_be16(&w, 1);
    writer_be16(&w, 0);
    writer_be16(&w, 0);
    writer_be16(&w, q->edns ? 1 : 0);
    writer_bytes(&w, ldns_rdf_data(name), ldns_rdf_size(name));
    writer_be16(&w, type);
    writer_be16(&w, strcmp(q->klass, "CH") == 0    ? DNS_CH
                    : strcmp(q->klass, "ANY") == 0 ? DNS_CLASS_ANY
                                                   : DNS_IN);
    if (q->edns) {
        writer_u8(&w, 0);
        writer_be16(&w, DNS_OPT);
        writer_be16(&w, q->udp_size);
        writer_be32(&w, q->dnssec_ok ? DNS_EDNS_DO : 0);
        writer_be16(&w, (uint16_t)q->options_len);
        writer_bytes(&w, q->options, q->options_len);
    }
    ldns_rdf_deep_free(name);
    return w.len;
}

static void push(ldns_pkt *pkt, ldns_pkt_section section, const ldns_rr_list *list)
{
    for (size_t i = 0; list != NULL && i < ldns_rr_list_rr_count(list); i++) {
        ldns_pkt_push_rr(pkt, section, ldns_rr_clone(ldns_rr_list_rr(list, i)));
    }
}

size_t rrtext_reply(const uint8_t *msg, size_t len, unsigned rcode, const ldns_rr_list *answer,
                    const ldns_rr_list *authority, const ldns_rr_list *additional, uint8_t *out,
                    size_t cap)
{
    ldns_pkt *pkt = NULL;
    if (ldns_wire2pkt(&pkt, msg, len) != LDNS_STATUS_OK) {
        fprintf(stderr, "rrtext: a question to an upstream that ldns cannot read\n");
        abort();
    }
    ldns_pkt_set_qr(pkt, true);
    ldns_pkt_set_ra(pkt, true);
    ldns_pkt_set_rcode(pkt, (uint8_t)rcode);
    push(pkt, LDNS_SECTION_ANSWER, answer);
    push(pkt, LDNS_SECTION_AUTHORITY, authority);
    push(pkt, LDNS_SECTION_ADDITIONAL, additional);
    size_t n = copy_packet(pkt, out, cap);
    ldns_pkt_free(pkt);
    return n;
}

int rrtext_ede(const uint8_t *msg, size_t len, char text[256])
{
    struct dns_walk walk;
    struct dns_record rr;
    text[0] = '\0';
    if (dns_walk_begin(msg, len, &walk) != ERR_OK) {
        return -1;
    }
    while (dns_walk_next(&walk, &rr)) {
        struct reader r = reader_of(msg + rr.rdata, rr.type == DNS_OPT ? rr.rdlen : 0);
        while (reader_left(&r) >= 4 && !r.bad) {
            unsigned code = reader_be16(&r), size = reader_be16(&r);
            const uint8_t *data = reader_take(&r, size);
            if (code == DNS_OPT_EDE && data != NULL && size >= 2) {
                memcpy(text, data + 2, size - 2 < 255 ? size - 2 : 255);
                text[size - 2 < 255 ? size - 2 : 255] = '\0';
                return be16_read(data);
            }
        }
    }
    return -1;
}
