# Sources of src/host, written out.
host_SRCS :=
