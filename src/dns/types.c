/*
 * Record types and response codes as text. Types without a name here are TYPEnnn, RFC 3597 5.
 */
#include "base/strbuf.h"
#include "dns/msg.h"

struct type_row {
    uint16_t type;
    char name[12];
};

/* In the order of their numbers. */
static const struct type_row types[] = {
    {1, "A"},           {2, "NS"},       {3, "MD"},          {4, "MF"},        {5, "CNAME"},
    {6, "SOA"},         {7, "MB"},       {8, "MG"},          {9, "MR"},        {10, "NULL"},
    {11, "WKS"},        {12, "PTR"},     {13, "HINFO"},      {14, "MINFO"},    {15, "MX"},
    {16, "TXT"},        {17, "RP"},      {18, "AFSDB"},      {19, "X25"},      {20, "ISDN"},
    {21, "RT"},         {22, "NSAP"},    {23, "NSAP-PTR"},   {24, "SIG"},      {25, "KEY"},
    {26, "PX"},         {27, "GPOS"},    {28, "AAAA"},       {29, "LOC"},      {30, "NXT"},
    {31, "EID"},        {32, "NIMLOC"},  {33, "SRV"},        {34, "ATMA"},     {35, "NAPTR"},
    {36, "KX"},         {37, "CERT"},    {38, "A6"},         {39, "DNAME"},    {40, "SINK"},
    {41, "OPT"},        {42, "APL"},     {43, "DS"},         {44, "SSHFP"},    {45, "IPSECKEY"},
    {46, "RRSIG"},      {47, "NSEC"},    {48, "DNSKEY"},     {49, "DHCID"},    {50, "NSEC3"},
    {51, "NSEC3PARAM"}, {52, "TLSA"},    {53, "SMIMEA"},     {55, "HIP"},      {58, "TALINK"},
    {59, "CDS"},        {60, "CDNSKEY"}, {61, "OPENPGPKEY"}, {62, "CSYNC"},    {63, "ZONEMD"},
    {64, "SVCB"},       {65, "HTTPS"},   {66, "DSYNC"},      {99, "SPF"},      {104, "NID"},
    {105, "L32"},       {106, "L64"},    {107, "LP"},        {108, "EUI48"},   {109, "EUI64"},
    {128, "NXNAME"},    {249, "TKEY"},   {250, "TSIG"},      {251, "IXFR"},    {252, "AXFR"},
    {253, "MAILB"},     {254, "MAILA"},  {255, "ANY"},       {256, "URI"},     {257, "CAA"},
    {258, "AVC"},       {259, "DOA"},    {260, "AMTRELAY"},  {261, "RESINFO"}, {262, "WALLET"},
    {32768, "TA"},      {32769, "DLV"},
};

#define TYPE_TEXT 16 /* octets of out in dns_type_format */

const char *dns_type_format(uint16_t type, char out[TYPE_TEXT])
{
    struct strbuf s;
    strbuf_init(&s, out, TYPE_TEXT);
    for (size_t i = 0; i < ARRAY_LEN(types) && types[i].type <= type; i++) {
        if (types[i].type == type) {
            strbuf_str(&s, types[i].name);
            return out;
        }
    }
    strbuf_printf(&s, "TYPE%u", type);
    return out;
}

static bool equal_ignoring_case(struct span text, const char *name)
{
    if (text.len != strlen(name)) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        c = c >= 'a' && c <= 'z' ? (uint8_t)(c - 'a' + 'A') : c;
        if (c != (uint8_t)name[i]) {
            return false;
        }
    }
    return true;
}

/* "TYPE" and a decimal number of at most five digits. */
static enum err numbered_type_parse(struct span text, uint16_t *out)
{
    if (text.len < 5 || text.len > 9 || !equal_ignoring_case(span_of(text.ptr, 4), "TYPE")) {
        return ERR_FORMAT;
    }
    uint32_t v = 0;
    for (size_t i = 4; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return ERR_FORMAT;
        }
        v = v * 10 + (uint32_t)(text.ptr[i] - '0');
    }
    if (v > UINT16_MAX) {
        return ERR_RANGE;
    }
    *out = (uint16_t)v;
    return ERR_OK;
}

enum err dns_type_parse(struct span text, uint16_t *out)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (equal_ignoring_case(text, types[i].name)) {
            *out = types[i].type;
            return ERR_OK;
        }
    }
    return numbered_type_parse(text, out);
}

const char *dns_rcode_name(unsigned rcode)
{
    static const char *const names[] = {
        [0] = "NOERROR",  [1] = "FORMERR", [2] = "SERVFAIL",  [3] = "NXDOMAIN",
        [4] = "NOTIMP",   [5] = "REFUSED", [6] = "YXDOMAIN",  [7] = "YXRRSET",
        [8] = "NXRRSET",  [9] = "NOTAUTH", [10] = "NOTZONE",  [11] = "DSOTYPENI",
        [16] = "BADVERS", [17] = "BADKEY", [18] = "BADTIME",  [19] = "BADMODE",
        [20] = "BADNAME", [21] = "BADALG", [22] = "BADTRUNC", [23] = "BADCOOKIE",
    };
    return rcode < ARRAY_LEN(names) && names[rcode] != NULL ? names[rcode] : "UNKNOWN";
}
