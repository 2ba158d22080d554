# Sources of src/shared, written out.
shared_SRCS := \
    backend.c \
    decode.c \
    devices.c \
    house.c \
    preview_tally.c \
    regex_pcre2.c \
    regex_rules.c \
    text.c
shared_CFLAGS := $(HOST_CFLAGS)
