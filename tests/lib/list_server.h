/*
 * A small HTTP server for tests that misbehaves as told: one thread a connection, on loopback, at a
 * port of the system's choice.
 */
#ifndef SINKHOLE_TESTS_LIST_SERVER_H
#define SINKHOLE_TESTS_LIST_SERVER_H

#include <stddef.h>
#include <stdint.h>

enum page_kind {
    PAGE_WHOLE,       /* Content-Length and all of the body */
    PAGE_CHUNKED,     /* chunks of 1000 octets and the last one */
    PAGE_NO_LENGTH,   /* neither; the connection's end ends it */
    PAGE_SHORT,       /* Content-Length of the whole, half of the body */
    PAGE_CHUNK_CUT,   /* chunks, but the connection ends before the last one */
    PAGE_RESET,       /* half of the body, then a TCP reset */
    PAGE_HANG,        /* the request is read and nothing is answered */
    PAGE_HANG_BODY,   /* the header and half of the body, then nothing */
    PAGE_DRIP,        /* an octet of the body every 20 ms */
    PAGE_ENDLESS,     /* chunks of the body over and over */
    PAGE_HEADER_BOMB, /* header lines without end */
    PAGE_SILENT_CLOSE /* closes without a word */
};

struct page {
    enum page_kind kind;
    int status;       /* 0: 200 */
    const void *body; /* kept */
    size_t len;
    const char *headers;  /* further header lines with CR LF, or NULL; kept */
    const char *etag;     /* with quotes; answers 304 to If-None-Match of the same; or NULL; kept */
    const char *location; /* sent as Location; or NULL; kept */
};

struct list_server;

struct list_server *list_server_start(void); /* NULL: no socket */
void list_server_stop(struct list_server *s);

/* What is at a path from now on ("/a"). Pages are replaced, never removed; 64 at most. Unknown
 * paths are 404. */
void list_server_put(struct list_server *s, const char *path, const struct page *page);

/* Writes "http://127.0.0.1:PORT" and the path; returns out. */
char *list_server_url(const struct list_server *s, const char *path, char *out, size_t cap);
uint16_t list_server_port(const struct list_server *s);

/* Requests for a path so far, and among them those that were answered with 304. */
unsigned list_server_hits(struct list_server *s, const char *path);
unsigned list_server_not_modified(struct list_server *s, const char *path);

/* The last request's head as it came, NUL-terminated. */
void list_server_last_request(struct list_server *s, char *out, size_t cap);

#endif
