/* The small list inside the image, which stands in while no other is there. */
#ifndef UNIKERNEL_STARTER_H
#define UNIKERNEL_STARTER_H

#include <stddef.h>

extern const unsigned char starter_list[];
extern const size_t starter_list_len;

#endif
