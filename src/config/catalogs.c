/*
 * services.inc and safe_search.inc are made by the build.
 */
#include "config/catalogs.h"

#include <string.h>

#include "resolver/safe.h"

static const uint8_t services_text[] = {
#include "services.inc"
};

static const uint8_t safe_search_text[] = {
#include "safe_search.inc"
};

enum { YOUTUBE_STRICT, YOUTUBE_MODERATE, YOUTUBE_OFF }; /* words of safe-search-youtube */

static enum err read_one(struct catalog *out, const struct catalog_text *text, struct span builtin,
                         const char *name, bool title_is_name, struct cfg_error *error)
{
    char problem[256];
    struct strbuf what, line;
    const char *file = text->file ? text->file : name;
    strbuf_init(&what, problem, sizeof problem);
    enum err e = catalog_read(out, text->file ? text->text : builtin, title_is_name, &what);
    if (e != ERR_OK) {
        strbuf_init(&line, error->text, sizeof error->text);
        strbuf_printf(&line, "%s:%s", file, problem);
    }
    return e;
}

enum err catalogs_read(struct catalogs *out, const struct catalog_text *services,
                       const struct catalog_text *safe_search, struct cfg_error *error)
{
    enum err e = read_one(&out->services, services, span_of(services_text, sizeof services_text),
                          "services.conf", false, error);
    return e == ERR_OK ? read_one(&out->safe_search, safe_search,
                                  span_of(safe_search_text, sizeof safe_search_text),
                                  "safe-search.conf", true, error)
                       : e;
}

enum err catalogs_check(const struct catalogs *c, const struct config *config,
                        struct cfg_error *error)
{
    for (uint32_t i = 0; i < config->block_service.count; i++) {
        struct span id = span_str(config->block_service.item[i]);
        if (!catalog_find(&c->services, id)) {
            struct strbuf line;
            strbuf_init(&line, error->text, sizeof error->text);
            strbuf_printf(&line,
                          "block-service: found \"%s\", expected the name of a service (sinkhole "
                          "config services lists them)",
                          config->block_service.item[i]);
            return ERR_FORMAT;
        }
    }
    return ERR_OK;
}

bool catalogs_blocked(const struct config *config, struct span id)
{
    for (uint32_t i = 0; i < config->block_service.count; i++) {
        if (span_equal(id, span_str(config->block_service.item[i]))) {
            return true;
        }
    }
    return false;
}

uint8_t catalogs_safe_bits(const struct config *config)
{
    uint8_t youtube = config->safe_search_youtube == YOUTUBE_STRICT     ? SAFE_YOUTUBE_STRICT
                      : config->safe_search_youtube == YOUTUBE_MODERATE ? SAFE_YOUTUBE_MODERATE
                                                                        : 0;
    return (uint8_t)(SAFE_SEARCH | youtube);
}
