# Sources of src/host, written out.
host_SRCS := \
    decode.c \
    fetch_curl.c \
    mailbox.c \
    publish.c \
    sockaddr.c \
    store.c \
    sys.c
host_CFLAGS := $(HOST_CFLAGS)
