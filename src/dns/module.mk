# Sources of src/dns, written out.
dns_SRCS := name.c msg.c edns.c build.c ttl.c suffix.c
