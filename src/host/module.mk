# Sources of src/host, written out.
host_SRCS := \
    store.c
host_CFLAGS := $(HOST_CFLAGS)
