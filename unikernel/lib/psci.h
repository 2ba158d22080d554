/* Power State Coordination Interface (Arm DEN 0022): how a virtual machine restarts or ends. */
#ifndef UNIKERNEL_PSCI_H
#define UNIKERNEL_PSCI_H

#include <stdbool.h>

#include "base/attr.h"

NORETURN void psci_end(bool power_off);

#endif
