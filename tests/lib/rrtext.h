/*
 * Messages out of text and back, by ldns: what tests say to the resolver and what they expect of it
 * passes through code that is not ours.
 */
#ifndef SINKHOLE_TESTS_RRTEXT_H
#define SINKHOLE_TESTS_RRTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ldns brings OpenSSL, whose type ERR_STATE is not our constant. */
#define ERR_STATE OPENSSL_ERR_STATE
#include <ldns/ldns.h>
#undef ERR_STATE

/* "TYPE rdata …" or "OWNER TYPE rdata …", with "ttl N" anywhere behind; owner and TTL as given
 * where the text has none. NULL if it cannot be read. */
ldns_rr *rrtext_parse(const char *text, const char *owner, uint32_t ttl_s);

/* A question as a client asks it. Returns the octets of it. */
struct rrtext_question {
    const char *name, *type, *klass;
    uint16_t id;
    bool rd, cd, edns, dnssec_ok;
    uint16_t udp_size;
    const uint8_t *options; /* raw EDNS options */
    size_t options_len;
};
size_t rrtext_question(const struct rrtext_question *q, uint8_t *out, size_t cap);

/* An answer to the question in msg: its ID, question and OPT, with rcode and records. Sections may
 * be NULL. */
size_t rrtext_reply(const uint8_t *msg, size_t len, unsigned rcode, const ldns_rr_list *answer,
                    const ldns_rr_list *authority, const ldns_rr_list *additional, uint8_t *out,
                    size_t cap);

/* First EDE of a message: its code and text; -1 if there is none. */
int rrtext_ede(const uint8_t *msg, size_t len, char text[256]);

#endif
