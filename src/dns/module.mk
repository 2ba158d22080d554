# Sources of src/dns, written out.
dns_SRCS := name.c suffix.c edns.c msg.c rdata.c types.c build.c ttl.c
