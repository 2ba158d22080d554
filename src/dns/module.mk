# Sources of src/dns, written out.
dns_SRCS := name.c suffix.c
