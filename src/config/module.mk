# Sources of src/config, written out.
config_SRCS := catalogs.c config.c table.c scalar.c snapshot_fill.c item.c file.c print.c schedule.c group.c lease.c
