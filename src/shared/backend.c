/* Answers for the API that need the core alone, and memory for a moment. */
#include "shared/backend.h"

#include <stdlib.h>

#include "config/config.h"
#include "resolver/local.h"

enum err backend_check_setting(void *ctx, const char *name, const char *value, struct strbuf *why)
{
    struct cfg_error error = {""};
    struct config *c = NULL;
    void *mem = malloc(cfg_memory());
    enum err e = mem ? cfg_init(&c, mem, cfg_memory()) : ERR_MEMORY;
    (void)ctx;
    if (e == ERR_OK) {
        e = cfg_apply_pair(c, CFG_RULES, name, 0, span_str(name), span_str(value), &error);
    }
    e = e == ERR_OK ? cfg_finish(c, &error) : e;
    strbuf_str(why, error.text);
    free(mem);
    return e;
}

size_t backend_name_client(const struct snapshot *s, const struct ip_addr *client,
                           char out[DNS_NAME_TEXT])
{
    struct dns_name name;
    return s->local && local_name_of(s->local, client, &name) ? dns_name_format(&name, out) : 0;
}

enum err backend_explain(struct explain_source *src, struct policy_source *from,
                         const struct dns_name *name, int64_t at_unix, struct api_verdict *out)
{
    struct policy_plan plan;
    if (at_unix != 0) {
        from->now += (usec_t)(at_unix - from->now_unix) * USEC_PER_SEC; /* ends of rules, pauses */
        from->now_unix = at_unix;
    }
    size_t len = policy_plan_memory(from);
    void *mem = malloc(len);
    enum err e = mem ? policy_plan_make(&plan, from, mem, len) : ERR_MEMORY;
    if (e == ERR_OK) {
        src->plan = &plan;
        src->now = from->now;
        src->now_unix = from->now_unix;
        explain_name(src, name, out);
    }
    free(mem);
    return e;
}

void backend_tell_domain(struct api_system *out, const struct dns_name *domain)
{
    char name[DNS_NAME_TEXT];
    struct strbuf text;
    if (domain) {
        dns_name_format(domain, name);
        strbuf_init(&text, out->domain, sizeof out->domain);
        strbuf_str(&text, name);
    }
}

void backend_tell_image(struct api_gauges *out, const struct bl_image *image)
{
    if (image) {
        out->rules_in_image = image->rule_count;
        out->image_octets = image->total;
        out->image_built_unix = (int64_t)image->built_unix;
    }
}
