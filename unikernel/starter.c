/* The octets of conf/starter.txt; starter.inc is made by the build. */
#include "starter.h"

const unsigned char starter_list[] = {
#include "starter.inc"
};

const size_t starter_list_len = sizeof starter_list;
