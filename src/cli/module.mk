# Sources of src/cli, written out.
cli_SRCS := main.c args.c help.c settings.c http_client.c remote.c offline.c document.c \
    cmd_run.c cmd_check.c cmd_stats.c cmd_update.c cmd_log.c cmd_rules.c cmd_own.c cmd_backup.c cmd_config.c cmd_query.c cmd_compile.c
cli_CFLAGS := $(HOST_CFLAGS)
