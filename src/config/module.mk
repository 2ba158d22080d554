# Sources of src/config, written out.
config_SRCS :=
