/*
 * The list inside the program: conf/starter.txt as it was when the program was built.
 */
#ifndef SINKHOLE_HOST_STARTER_H
#define SINKHOLE_HOST_STARTER_H

#include <stddef.h>

extern const unsigned char list_starter[];
extern const size_t list_starter_len;

#endif
