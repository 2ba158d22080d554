/*
 * The API over a platform that is made up: two lists, an upstream, a machine, passwords in the
 * clear, rules kept in memory. Requests go in as texts, answers come back whole (streams are read
 * to their end) and, if they are JSON, parsed.
 */
#ifndef SINKHOLE_TESTS_API_FIXTURE_H
#define SINKHOLE_TESTS_API_FIXTURE_H

#include <jansson.h>

#include "api/api.h"
#include "api/backend.h"
#include "api/policy_groups.h"
#include "api/rules.h"
#include "stats_fixture.h"

#define FIXTURE_PASSWORD  "correct horse"
#define FIXTURE_APP       "shk-123456-app"
#define FIXTURE_READ      "shk-654321-read"
#define FIXTURE_BLOCK_URL "https://lists.example/ads.txt"
#define FIXTURE_ALLOW_URL "https://lists.example/fine.txt"

struct api_fixture {
    struct stats_fixture stats;
    struct api *api;
    void *api_mem;
    struct api_config config;
    struct api_backend backend;
    struct rules rules;
    struct config *settings; /* of a configuration file */
    void *settings_mem;
    struct snapshot snapshot;

    /* What the platform answers and was told; tests may change it. */
    bool no_password;
    char password[64];
    uint32_t password_checks;
    struct api_list list[3];
    uint32_t list_count;
    struct api_gauges gauges;
    struct api_system system;
    struct policy_address device[8];
    uint32_t devices;
    char client_name[300];    /* of every client; "" none */
    enum err apply_result;    /* of rules_apply */
    uint32_t applied;         /* how often it was called */
    unsigned applied_parts;   /* the last time */
    char applied_text[16384]; /* the document, the last time */
    bool updating;
    uint32_t updates, flushes, reloads, list_updates, list_confirms, list_refusals;
    struct api_held *held; /* of list[0]; NULL: nothing is held back */
    struct api_verdict verdict;
    usec_t clock; /* grows by 1 ms with each look */
    struct api_key_info key[4];
    uint32_t key_count;

    bool totp;
    enum err totp_error; /* what keeping the secret comes to */
    uint8_t totp_secret[20];
    struct api_preview preview;

    /* A session, after api_log_in. */
    char sid[32], csrf[32];
};

/* The fixture is large: keep it on the heap or static. Ends the program if something fails. */
void api_fixture_open(struct api_fixture *f);
void api_fixture_close(struct api_fixture *f);

/* cmocka's setup and teardown; *state is a struct api_fixture, logged in. */
int api_fixture_setup(void **state);
int api_fixture_teardown(void **state);

struct answer {
    int status;
    struct api_response response; /* its headers; body and stream are gone */
    char *text;                   /* the body, NUL-terminated; "" if none */
    size_t len;
    json_t *json;    /* NULL: none */
    uint32_t pieces; /* of a stream */
    bool unfinished; /* the stream waits for something */
};

/* A request by its fields. Absent ones are "" or 0. */
struct ask {
    const char *method; /* NULL: GET */
    const char *target; /* path and query */
    const char *body;
    const char *host, *origin, *site, *sid, *ftl_sid, *csrf, *authorization, *cookie, *content_type,
        *agent, *match;
    const char *peer; /* NULL: 192.0.2.10 */
};
struct answer api_ask(struct api_fixture *f, const struct ask *ask);

/* As a logged-in client (X-FTL-SID). */
struct answer api_get(struct api_fixture *f, const char *target);
struct answer api_send(struct api_fixture *f, const char *method, const char *target,
                       const char *body);

/* Opens a stream without reading it. */
struct api_response api_open_stream(struct api_fixture *f, const char *target);

void answer_free(struct answer *a);
const char *answer_header(const struct answer *a, const char *name); /* "" if there is none */

void api_log_in(struct api_fixture *f);

/* The value at "queries.types.A" or "history.3.total"; NULL if there is none. */
const json_t *json_at_path(const json_t *root, const char *path);

#endif
