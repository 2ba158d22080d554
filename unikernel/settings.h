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
#include "config/config.h"
#include "net/net.h"

/*
 * Once, first: the text of sinkhole.conf (len 0: there is none) and the kernel command line, both
 * kept for ever. Settings that the image has and the daemon has not are taken out of them, from the
 * file as `NAME = VALUE`, from the command line as sinkhole.NAME=VALUE, which wins:
 *
 *   address = ADDR/BITS, gateway = ADDR, nameserver = ADDR    instead of DHCP
 *   ntp = NAME, NAME:PORT or off   the time server unless DHCP names one (default pool.ntp.org)
 *   probe = off       take an offered address without asking the network whether somebody has it
 *   password = TEXT   of the page and the API
 *   totp = off        forget the secret of one-time passwords: for who has lost the telephone
 *   audible = on      signs at the 3.5 mm jack
 */
void settings_start(uint8_t *conf, size_t len, const char *cmdline);

/* Everything together as a configuration. *memory is what to free when it is no longer used.
 * ERR_MEMORY. */
MUST_CHECK enum err settings_load(const struct rules *rules, void **memory, struct config **out);

void settings_network(struct net_config *out);
const char *settings_password(void); /* NULL: none is set */
bool settings_audible(void);
bool settings_forget_totp(void);

#endif
