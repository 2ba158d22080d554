/*
 * The checksum of rules.json: its last field, "checksum", is the CRC-32 of all that stands before
 * that field. The file stays JSON that a person can read, copy and edit; one that was edited is
 * taken, and told from one that is as it was saved.
 */
#ifndef SINKHOLE_HOST_RULES_FILE_H
#define SINKHOLE_HOST_RULES_FILE_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "shared/text.h"

#define RULES_FILE "rules.json"

enum rules_seal {
    RULES_SEAL_NONE, /* of a version that wrote none, or taken out by a person */
    RULES_SEAL_GOOD,
    RULES_SEAL_BROKEN /* an octet is not what was saved, or a person was there */
};

/* Puts the field at the end of a document as rules_print gives it. ERR_MEMORY: nothing changed;
 * ERR_FORMAT: it does not end as an object. */
MUST_CHECK enum err rules_file_seal(struct text *t);

enum rules_seal rules_file_check(struct span text);

#endif
