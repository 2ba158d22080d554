# Sources of src/cli, written out.
cli_SRCS :=
