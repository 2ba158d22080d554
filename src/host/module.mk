# Sources of src/host, written out.
host_SRCS := \
    decode.c \
    fetch_curl.c \
    listen.c \
    mailbox.c \
    outbound.c \
    outstream.c \
    publish.c \
    sockaddr.c \
    store.c \
    sys.c \
    tcp.c \
    ticketmap.c \
    tls.c \
    udp.c \
    worker.c
host_CFLAGS := $(HOST_CFLAGS)
