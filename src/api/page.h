/* The dashboard's files, and answers for paths that are no route. */
#ifndef SINKHOLE_API_PAGE_H
#define SINKHOLE_API_PAGE_H

#include "api/api_int.h"

void page_serve(struct call *c);

#endif
