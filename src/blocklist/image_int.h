/*
 * Inner views of an image, for the files of this folder.
 */
#ifndef SINKHOLE_BLOCKLIST_IMAGE_INT_H
#define SINKHOLE_BLOCKLIST_IMAGE_INT_H

#include "blocklist/image.h"

/* The (list, effect) pairs of a class: two octets each. count 0 for a class that is not there. */
struct bl_sources {
    const uint8_t *pairs;
    uint32_t count;
};
struct bl_sources bl_image_class(const struct bl_image *image, uint32_t class_id);

/* Bits of a line number of this list. */
unsigned bl_image_line_width(const struct bl_image *image, unsigned list);

#endif
