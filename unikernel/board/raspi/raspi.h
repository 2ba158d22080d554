/* What the Pi boards share: firmware mailbox, cores that wait in a spin table, networks on USB. */
#ifndef UNIKERNEL_RASPI_H
#define UNIKERNEL_RASPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nic;

void raspi_early(uintptr_t firmware); /* console, other cores, boot arguments */
bool raspi_mac(uint8_t mac[6]);       /* the board's own address, from the firmware */
struct nic *raspi_usb_network(void);  /* the first network device on USB, started */

#endif
