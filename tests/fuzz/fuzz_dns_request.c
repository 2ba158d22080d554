/*
 * Any octets as a request: each gets a verdict, and whatever we would send back is well formed,
 * within its limit and holds nothing of the input but its question.
 */
#include <string.h>

#include "dns/build.h"
#include "dns/suffix.h"
#include "fuzz.h"

static uint8_t buf[DNS_TCP_MAX + 1024];

static void check_header(const struct dns_request *request, const uint8_t *data, size_t len)
{
    FUZZ_CHECK(dns_msg_check(buf, len) == ERR_OK);
    FUZZ_CHECK(be16_read(buf) == request->id);
    FUZZ_CHECK((be16_read(buf + 2) & DNS_QR) != 0);
    FUZZ_CHECK(((be16_read(buf + 2) ^ be16_read(data + 2)) & (DNS_OPCODE_MASK | DNS_RD | DNS_CD)) ==
               0);
    FUZZ_CHECK(be16_read(buf + 4) == (request->question_len > 0));
    FUZZ_CHECK(memcmp(buf + 12, data + 12, request->question_len) == 0);
    FUZZ_CHECK(be16_read(buf + 10) == request->edns.present);
}

static void check_error(const struct dns_request *request, const uint8_t *data, size_t len)
{
    memcpy(buf, data, len < sizeof buf ? len : sizeof buf);
    size_t n = dns_build_error(buf, sizeof buf, request, DNS_BADVERS, DNS_EDE_OTHER, "why");
    FUZZ_CHECK(n <= DNS_UDP_MIN);
    check_header(request, data, n);
}

static void check_blocked(const struct dns_request *request, const uint8_t *data, size_t len)
{
    memcpy(buf, data, len < sizeof buf ? len : sizeof buf);
    size_t limit = dns_build_limit(request, len % 2);
    struct dns_build b;
    dns_build_begin(&b, buf, sizeof buf, limit, request, DNS_NOERROR);
    for (size_t i = len % 64; i > 0; i--) {
        dns_build_aaaa(&b, 60, (const uint8_t[16]){0});
    }
    dns_build_soa(&b, 60);
    size_t n = dns_build_end(&b, &(struct dns_edns_reply){.ede = DNS_EDE_BLOCKED,
                                                          .ede_text = "list",
                                                          .cookie = request->edns.cookie,
                                                          .cookie_len = request->edns.cookie_len,
                                                          .keepalive = -1});
    FUZZ_CHECK(n <= limit);
    check_header(request, data, n);
}

static void check_question(const struct dns_request *request, const uint8_t *data)
{
    /* The name as the client wrote it, asked anew, is the same name. */
    const struct dns_name *name = &request->qname;
    FUZZ_CHECK(request->question_len == name->len + 4);
    size_t n = dns_build_query(buf, sizeof buf, 1, DNS_RD, data + 12, name->len, request->qtype,
                               request->qclass, true, request->edns.dnssec_ok);
    struct dns_request again;
    FUZZ_CHECK(dns_request_parse(buf, n, &again) == DNS_REQUEST_OK);
    FUZZ_CHECK(dns_name_equal(name, &again.qname));
    struct dns_name read;
    size_t pos = 12;
    FUZZ_CHECK(dns_name_read(buf, n, &pos, &read) == ERR_OK && dns_name_equal(&read, name));
    FUZZ_CHECK(memcmp(read.off, name->off, name->labels + 1U) == 0);
    struct dns_suffixes a, b;
    dns_suffixes_make(name, &a);
    dns_suffixes_make(&again.qname, &b);
    FUZZ_CHECK(memcmp(a.hash, b.hash, (name->labels + 1U) * sizeof a.hash[0]) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct dns_request request;
    enum dns_request_status status = dns_request_parse(data, len, &request);
    if (status == DNS_REQUEST_DROP) {
        FUZZ_CHECK(len < 12 || (data[2] & 0x80) != 0);
        return 0;
    }
    FUZZ_CHECK(12 + (size_t)request.question_len <= len);
    check_error(&request, data, len);
    if (status == DNS_REQUEST_OK) {
        FUZZ_CHECK(dns_msg_check(data, len) == ERR_OK ||
                   be16_read(data + 6) + be16_read(data + 8) + be16_read(data + 10) > 0);
        check_blocked(&request, data, len);
    }
    if (status == DNS_REQUEST_OK || status == DNS_REQUEST_BADVERS) {
        check_question(&request, data);
    }
    return 0;
}
