/* The machine behind the API: fills the table that src/api/backend.h describes. */
#ifndef UNIKERNEL_API_BACKEND_H
#define UNIKERNEL_API_BACKEND_H

#include "base/attr.h"
#include "base/err.h"
#include "base/rng.h"
#include "base/time.h"

/* The API and its server on port 80, unless the configuration says http = off. ERR_MEMORY,
 * ERR_STATE. */
MUST_CHECK enum err api_backend_start(struct rng *rng);

/* After each collection of statistics, and about once a second. */
void api_backend_news(void);
void api_backend_tick(usec_t now);

#endif
