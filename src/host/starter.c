/*
 * The octets of conf/starter.txt; starter.inc is made by the build.
 */
#include "host/starter.h"

const unsigned char list_starter[] = {
#include "starter.inc"
};

const size_t list_starter_len = sizeof list_starter;
