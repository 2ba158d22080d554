/*
 * The configuration: one row an option in options.def gives parsing, range check, printing, documentation and defaults on
 * both platforms. Sources, later ones win (repeatable options of a later source replace those of an earlier one): defaults, file,
 * environment (SINKHOLE_NAME), command line. The core reads no files: text comes as a span with a name for messages.
 */
#ifndef SINKHOLE_CONFIG_CONFIG_H
#define SINKHOLE_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/ip.h"
#include "base/span.h"
#include "base/strbuf.h"

enum cfg_source { CFG_DEFAULT, CFG_FILE, CFG_ENVIRONMENT, CFG_ARGUMENT };

/* A repeatable text option. Strings live in the configuration's arena. */
#define CFG_REPEAT_MAX 256
struct cfg_texts {
    const char *text[CFG_REPEAT_MAX];
    uint32_t line[CFG_REPEAT_MAX];   /* line in its file, 0 elsewhere */
    uint32_t count;
};

/* One error, ready to print: "FILE:LINE: found X, expected Y". */
struct cfg_error {
    char text[512];
};

struct config;

#endif
