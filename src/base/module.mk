# Sources of src/base, written out.
base_SRCS :=
