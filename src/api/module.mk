# Sources of src/api, written out.
api_SRCS := assets.c
