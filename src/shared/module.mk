# Sources of src/shared, written out.
shared_SRCS := \
    backend.c \
    decode.c \
    text.c
shared_CFLAGS := $(HOST_CFLAGS)
