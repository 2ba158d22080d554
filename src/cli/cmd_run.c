/*
 * sinkhole run: the daemon.
 */
#include <stdio.h>

#include "cli/cli.h"
#include "host/daemon.h"

int cmd_run(struct cli *cli)
{
    if (cli->word_count > 0) {
        return cli_usage(cli, "found \"%s\", expected options only", cli->words[0]);
    }
    struct daemon_start start = {
        .load = settings_load, .unload = settings_unload, .arg = &cli->settings};
    return daemon_run(&start);
}
