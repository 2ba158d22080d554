# Sources of src/resolver, written out.
resolver_SRCS :=
