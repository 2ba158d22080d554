# Sources of src/config, written out.
config_SRCS := config.c table.c scalar.c item.c file.c print.c
