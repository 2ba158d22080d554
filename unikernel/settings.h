/*
 * The image's configuration: defaults, then `sinkhole.conf` of the card, then what was set on the
 * page, then the kernel command line (sinkhole.NAME=VALUE, repeated for several values; in "quotes"
 * if it holds blanks). A setting that cannot be used is told on the console and left at its
 * default: a wrong line must not take a house's DNS away.
 */
#ifndef UNIKERNEL_SETTINGS_H
#define UNIKERNEL_SETTINGS_H

#include "api/rules.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "config/config.h"
#include "net/net.h"

/* file: text of sinkhole.conf, len 0 if there is none. cmdline: NUL-terminated. *memory is what to
 * free when the configuration is no longer used. ERR_MEMORY. */
MUST_CHECK enum err settings_load(struct span file, const char *cmdline, const struct rules *rules,
                                  void **memory, struct config **out);

/*
 * The network's settings, which are the image's alone: sinkhole.address=ADDR/BITS with
 * sinkhole.gateway=ADDR and sinkhole.nameserver=ADDR instead of DHCP; sinkhole.probe=off takes an
 * offered address without asking the network whether somebody has it (a second less, for tests).
 * sinkhole.ntp=NAME is the time server unless DHCP names one (default pool.ntp.org), "off" asks
 * none. sinkhole.password=TEXT sets the password of the page and the API.
 */
void settings_network(const char *cmdline, struct net_config *out);

/* The value of a word of the command line that is no option of the daemon, NUL-terminated; NULL if
 * it is absent or does not fit. */
const char *settings_boot_value(const char *cmdline, const char *name, char *value, size_t cap);

#endif
