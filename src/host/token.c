/*
 * See token.h.
 */
#include "host/token.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/sys.h"

enum { OCTETS = (TOKEN_TEXT - 1) / 2 };

enum err token_make(struct store *s, struct token *out)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t random[OCTETS];
    struct token t;
    memset(out, 0, sizeof *out);
    enum err e = sys_entropy(random, sizeof random);
    if (e != ERR_OK) {
        return e;
    }
    for (size_t i = 0; i < OCTETS; i++) {
        t.text[2 * i] = digits[random[i] >> 4];
        t.text[2 * i + 1] = digits[random[i] & 15];
    }
    t.text[TOKEN_TEXT - 1] = '\0';
    e = store_write(s, TOKEN_FILE, span_of(t.text, TOKEN_TEXT - 1));
    if (e == ERR_OK) {
        *out = t;
    }
    explicit_bzero(random, sizeof random);
    return e;
}

bool token_matches(const struct token *t, struct span password)
{
    unsigned differ = t->text[0] == '\0';
    if (password.len != TOKEN_TEXT - 1) {
        return false;
    }
    for (size_t i = 0; i < password.len; i++) {
        differ |= (unsigned)(password.ptr[i] ^ (uint8_t)t->text[i]);
    }
    return differ == 0;
}

enum err token_read(const char *state_dir, struct token *out)
{
    char path[4096], text[TOKEN_TEXT + 1];
    int n = snprintf(path, sizeof path, "%s/%s", state_dir, TOKEN_FILE);
    if (n < 0 || (size_t)n >= sizeof path) {
        return ERR_NOT_FOUND;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_IO;
    }
    ssize_t got = read(fd, text, sizeof text);
    close(fd);
    if (got != TOKEN_TEXT - 1 || strspn(text, "0123456789abcdef") < TOKEN_TEXT - 1) {
        return got < 0 ? ERR_IO : ERR_FORMAT;
    }
    memcpy(out->text, text, TOKEN_TEXT - 1);
    out->text[TOKEN_TEXT - 1] = '\0';
    return ERR_OK;
}
