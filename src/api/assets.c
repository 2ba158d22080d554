/* Finds the dashboard's files by path. The table itself is generated from web/ by tools/pack.c. */
#include "api/assets.h"

#include <string.h>

static const char index_path[] = "/index.html";

const struct web_asset *web_asset_find(const char *path, size_t len)
{
    if (len == sizeof index_path - 1 && memcmp(path, index_path, len) == 0) {
        len = 1;
    }
    for (size_t i = 0; i < web_assets_count; i++) {
        const struct web_asset *a = &web_assets[i];

        if (strlen(a->path) == len && memcmp(a->path, path, len) == 0) {
            return a;
        }
    }
    return NULL;
}
