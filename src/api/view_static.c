/* What does not change, or hardly: the OpenAPI document, and two words for whoever watches over the
 * service. */
#include "api/routes.h"

static const uint8_t openapi[] = {
#include "openapi.inc"
};

void view_docs(struct call *c)
{
    reply_static(c, 200, "application/json; charset=utf-8", openapi, sizeof openapi);
}

void view_healthz(struct call *c)
{
    static const char text[] = "ok\n";
    reply_static(c, 200, "text/plain; charset=utf-8", text, sizeof text - 1);
}

void view_readyz(struct call *c)
{
    static const char yes[] = "ready\n", no[] = "not ready\n";
    struct api_gauges g = {0};
    c->api->be->gauges(c->api->be->ctx, &g);
    if (g.ready) {
        reply_static(c, 200, "text/plain; charset=utf-8", yes, sizeof yes - 1);
    } else {
        reply_static(c, 503, "text/plain; charset=utf-8", no, sizeof no - 1);
    }
}
