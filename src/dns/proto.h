/*
 * Numbers from the IANA registries "Domain Name System (DNS) Parameters", as far as the program
 * names them.
 */
#ifndef SINKHOLE_DNS_PROTO_H
#define SINKHOLE_DNS_PROTO_H

#define DNS_HEADER_OCTETS 12
#define DNS_UDP_MIN       512  /* without EDNS, RFC 1035 2.3.4 */
#define DNS_UDP_MAX       1232 /* what we advertise and send, DNS Flag Day 2020 */
#define DNS_TCP_MAX       65535

enum dns_flag { /* header octets 2..3 as a big-endian number */
                DNS_QR = 0x8000,
                DNS_OPCODE_MASK = 0x7800,
                DNS_AA = 0x0400,
                DNS_TC = 0x0200,
                DNS_RD = 0x0100,
                DNS_RA = 0x0080,
                DNS_AD = 0x0020,
                DNS_CD = 0x0010,
                DNS_RCODE_MASK = 0x000f
};

enum dns_opcode {
    DNS_OPCODE_QUERY = 0,
    DNS_OPCODE_STATUS = 2,
    DNS_OPCODE_NOTIFY = 4,
    DNS_OPCODE_UPDATE = 5
};

enum dns_rcode {
    DNS_NOERROR = 0,
    DNS_FORMERR = 1,
    DNS_SERVFAIL = 2,
    DNS_NXDOMAIN = 3,
    DNS_NOTIMP = 4,
    DNS_REFUSED = 5,
    DNS_BADVERS = 16,
    DNS_BADCOOKIE = 23
};

enum dns_class { DNS_IN = 1, DNS_CH = 3, DNS_CLASS_NONE = 254, DNS_CLASS_ANY = 255 };

enum dns_type {
    DNS_A = 1,
    DNS_NS = 2,
    DNS_CNAME = 5,
    DNS_SOA = 6,
    DNS_MB = 7,
    DNS_MG = 8,
    DNS_MR = 9,
    DNS_NULL = 10,
    DNS_PTR = 12,
    DNS_HINFO = 13,
    DNS_MINFO = 14,
    DNS_MX = 15,
    DNS_TXT = 16,
    DNS_RP = 17,
    DNS_AFSDB = 18,
    DNS_SIG = 24,
    DNS_PX = 26,
    DNS_AAAA = 28,
    DNS_NXT = 30,
    DNS_SRV = 33,
    DNS_NAPTR = 35,
    DNS_KX = 36,
    DNS_DNAME = 39,
    DNS_OPT = 41,
    DNS_DS = 43,
    DNS_RRSIG = 46,
    DNS_NSEC = 47,
    DNS_DNSKEY = 48,
    DNS_NSEC3 = 50,
    DNS_SVCB = 64,
    DNS_HTTPS = 65,
    DNS_TKEY = 249,
    DNS_TSIG = 250,
    DNS_IXFR = 251,
    DNS_AXFR = 252,
    DNS_MAILB = 253,
    DNS_MAILA = 254,
    DNS_ANY = 255
};

enum dns_edns_option {
    DNS_OPT_NSID = 3,
    DNS_OPT_ECS = 8,
    DNS_OPT_COOKIE = 10,
    DNS_OPT_KEEPALIVE = 11,
    DNS_OPT_PADDING = 12,
    DNS_OPT_EDE = 15,
    /* Of routers that tell who asks, in numbers for private use; dnsmasq's names of them. */
    DNS_OPT_MAC = 65001,       /* --add-mac: six octets */
    DNS_OPT_DEVICE_ID = 65073, /* --add-mac=text, =base64 */
    DNS_OPT_CPE_ID = 65074     /* --add-cpe-id: any text */
};

#define DNS_EDNS_DO 0x8000 /* in the OPT record's flags, RFC 3225 */

enum dns_ede { /* Extended DNS Errors, RFC 8914 */
               DNS_EDE_NONE = -1,
               DNS_EDE_OTHER = 0,
               DNS_EDE_STALE_ANSWER = 3,
               DNS_EDE_FORGED_ANSWER = 4,
               DNS_EDE_NOT_READY = 14,
               DNS_EDE_BLOCKED = 15,
               DNS_EDE_CENSORED = 16,
               DNS_EDE_FILTERED = 17,
               DNS_EDE_PROHIBITED = 18,
               DNS_EDE_STALE_NXDOMAIN = 19,
               DNS_EDE_NOT_AUTHORITATIVE = 20,
               DNS_EDE_NOT_SUPPORTED = 21,
               DNS_EDE_NO_REACHABLE = 22,
               DNS_EDE_NETWORK_ERROR = 23
};

#endif
