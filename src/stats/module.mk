# Sources of src/stats, written out.
stats_SRCS := names.c worker.c
