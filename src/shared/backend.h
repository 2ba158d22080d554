/* What every platform answers alike for the API; see api/backend.h. */
#ifndef SINKHOLE_SHARED_BACKEND_H
#define SINKHOLE_SHARED_BACKEND_H

#include "api/backend.h"
#include "api/explain.h"
#include "api/policy_plan.h"
#include "base/attr.h"
#include "base/strbuf.h"
#include "blocklist/image.h"

/* For setting_check: tries the value on a configuration of defaults that is thrown away. ctx is not
 * used. What is wrong is told in `why`; ERR_MEMORY, else as cfg_apply_pair and cfg_finish. */
MUST_CHECK enum err backend_check_setting(void *ctx, const char *name, const char *value,
                                          struct strbuf *why);

/* The name of a client in the local records; 0 if it has none. */
size_t backend_name_client(const struct snapshot *s, const struct ip_addr *client,
                           char out[DNS_NAME_TEXT]);

/*
 * The verdict on a name at a moment (0: now) by a plan that is made for it. Of `src` plan, now and
 * now_unix are filled in; `from` is of now, and so borrowed. ERR_MEMORY, or as policy_plan_make.
 */
MUST_CHECK enum err backend_explain(struct explain_source *src, struct policy_source *from,
                                    const struct dns_name *name, int64_t at_unix,
                                    struct api_verdict *out);

/* The local domain and what the image holds; `domain` NULL, `image` NULL: none. */
void backend_tell_domain(struct api_system *out, const struct dns_name *domain);
void backend_tell_image(struct api_gauges *out, const struct bl_image *image);

#endif
