/*
 * Passwords. What is stored are yescrypt hashes, whose cost is the library's default; the file is
 * small and is written whole at each change. App passwords are made here, never chosen, and name
 * the line that they belong to, so that a wrong one costs one hash at most.
 */
#include "host/password.h"

#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "host/store.h"
#include "host/sys.h"

enum {
    HASH_MAX = 256,
    LINE_MAX_OCTETS = 512,
    FILE_OCTETS_MAX = 64 * 1024,
    ID_DIGITS = 6,
    SECRET_CHARS = 28,
    ENTRIES_MAX = PASSWORD_KEYS_MAX + 2 /* the password, the secret of one-time passwords */
};

static const char file_name[] = "passwords";
static const char key_prefix[] = "shk-";

enum kind { KIND_PASSWORD, KIND_APP, KIND_READ, KIND_TOTP };

static const char *const kind_names[] = {"password", "app", "read", "totp"};
static const char totp_prefix[] = "$totp$"; /* in place of a hash: the secret in base32 */

#define TOTP_ID 1 /* ids of app passwords have six digits */

struct entry {
    enum kind kind;
    uint32_t id; /* 0: the password */
    int64_t created_unix;
    char name[64];
    char hash[HASH_MAX];
};

struct passwords {
    struct store *store;
    char *plain;                     /* out of plain_file; NULL: none */
    struct entry entry[ENTRIES_MAX]; /* [0] is the password */
    uint32_t count;
};

/* --- hashes ---------------------------------------------------------------------------------- */

static bool equal_in_constant_time(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b);
    volatile uint8_t diff = la != lb;
    for (size_t i = 0; i < la; i++) {
        diff = (uint8_t)(diff | (uint8_t)(a[i] ^ b[i < lb ? i : 0]));
    }
    return diff == 0;
}

/* Hash with a setting or a stored hash. "" on failure. */
static void hash_text(const char *text, const char *setting, char out[HASH_MAX])
{
    void *data = NULL;
    int size = 0;
    const char *hash = crypt_ra(text, setting, &data, &size);
    out[0] = '\0';
    if (hash && hash[0] == '$' && strlen(hash) < HASH_MAX) {
        memcpy(out, hash, strlen(hash) + 1);
    }
    if (data) {
        explicit_bzero(data, (size_t)size);
        free(data);
    }
}

static enum err make_hash(const char *text, char out[HASH_MAX])
{
    char random[32], setting[CRYPT_GENSALT_OUTPUT_SIZE];
    if (sys_entropy(random, sizeof random) != ERR_OK ||
        !crypt_gensalt_rn("$y$", 0, random, sizeof random, setting, sizeof setting)) {
        return ERR_IO;
    }
    hash_text(text, setting, out);
    return out[0] ? ERR_OK : ERR_UNSUPPORTED;
}

static bool matches(const char *text, const char *hash)
{
    char again[HASH_MAX];
    hash_text(text, hash, again);
    return again[0] && equal_in_constant_time(again, hash);
}

/* `len` characters out of 32 that are not taken for each other when they are read aloud or typed.
 */
static enum err make_text(char *out, size_t len)
{
    static const char alphabet[] = "abcdefghijkmnpqrstuvwxyz23456789";
    uint8_t random[64];
    if (len > sizeof random || sys_entropy(random, len) != ERR_OK) {
        return ERR_IO;
    }
    for (size_t i = 0; i < len; i++) {
        out[i] = alphabet[random[i] % 32];
    }
    out[len] = '\0';
    explicit_bzero(random, sizeof random);
    return ERR_OK;
}

/* --- the file -------------------------------------------------------------------------------- */

static bool good_name(const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || len >= sizeof((struct entry *)NULL)->name) {
        return false;
    }
    for (const char *p = name; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f || *p == ':') {
            return false;
        }
    }
    return true;
}

/* The next field of a line, up to a colon; the last one goes to the end. NULL: there is none. */
static char *next_field(char **line)
{
    char *field = *line;
    if (!field) {
        return NULL;
    }
    char *colon = strchr(field, ':');
    if (colon) {
        *colon++ = '\0';
    }
    *line = colon;
    return field;
}

static bool read_number(const char *text, uint64_t max, uint64_t *out)
{
    uint64_t v = 0;
    for (const char *p = text; *p; p++) {
        if (*p < '0' || *p > '9' || v > max) {
            return false;
        }
        v = v * 10 + (uint64_t)(*p - '0');
    }
    *out = v;
    return *text && v <= max;
}

static bool read_kind(const char *text, enum kind *out)
{
    for (int i = 0; i <= KIND_TOTP; i++) {
        if (strcmp(text, kind_names[i]) == 0) {
            *out = (enum kind)i;
            return true;
        }
    }
    return false;
}

static bool read_totp(const char *hash, uint8_t secret[TOTP_SECRET_OCTETS])
{
    size_t prefix = strlen(totp_prefix);
    return strncmp(hash, totp_prefix, prefix) == 0 &&
           totp_secret_parse(span_str(hash + prefix), secret) == ERR_OK;
}

/* KIND:ID:CREATED:NAME:HASH */
static bool read_entry(char *line, struct entry *out)
{
    const char *kind = next_field(&line), *id = next_field(&line), *created = next_field(&line),
               *name = next_field(&line), *hash = line;
    uint64_t id_value, created_value;
    if (!kind || !id || !created || !name || !hash || !read_kind(kind, &out->kind) ||
        !read_number(id, 999999, &id_value) ||
        !read_number(created, UINT32_MAX * UINT64_C(4), &created_value) || !good_name(name) ||
        hash[0] != '$' || strlen(hash) >= HASH_MAX || strchr(hash, ':')) {
        return false;
    }
    out->id = (uint32_t)id_value;
    out->created_unix = (int64_t)created_value;
    memcpy(out->name, name, strlen(name) + 1);
    memcpy(out->hash, hash, strlen(hash) + 1);
    uint8_t secret[TOTP_SECRET_OCTETS];
    return (out->kind == KIND_PASSWORD) == (out->id == 0) &&
           (out->kind != KIND_TOTP || read_totp(hash, secret));
}

static bool read_all(struct passwords *p, char *text)
{
    p->count = 0;
    while (*text) {
        char *end = strchr(text, '\n');
        if (!end || p->count == ENTRIES_MAX) {
            return false;
        }
        *end = '\0';
        if (!read_entry(text, &p->entry[p->count]) ||
            (p->entry[p->count].kind == KIND_PASSWORD) != (p->count == 0)) {
            return false;
        }
        p->count++;
        text = end + 1;
    }
    return p->count > 0;
}

static enum err save(const struct passwords *p)
{
    char text[ENTRIES_MAX * LINE_MAX_OCTETS];
    struct strbuf s;
    strbuf_init(&s, text, sizeof text);
    for (uint32_t i = 0; i < p->count; i++) {
        const struct entry *e = &p->entry[i];
        strbuf_printf(&s, "%s:%u:%lld:%s:%s\n", kind_names[e->kind], (unsigned)e->id,
                      (long long)e->created_unix, e->name, e->hash);
    }
    return s.truncated ? ERR_SPACE : store_write(p->store, file_name, span_of(text, s.len));
}

static enum err load(struct passwords *p)
{
    struct store_blob blob;
    enum err e = store_read(p->store, file_name, FILE_OCTETS_MAX, &blob);
    if (e != ERR_OK) {
        return e;
    }
    bool good = !memchr(blob.data, 0, blob.len) && read_all(p, (char *)blob.data);
    store_blob_free(&blob);
    return good ? ERR_OK : ERR_FORMAT;
}

/* --- opening --------------------------------------------------------------------------------- */

static enum err read_plain(struct passwords *p, const char *path)
{
    char line[PASSWORD_LEN_MAX + 2];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, line, sizeof line - 1) : -1;
    int error = errno;
    if (fd >= 0) {
        close(fd);
    }
    line[n > 0 ? n : 0] = '\0';
    line[strcspn(line, "\r\n")] = '\0';
    if (n < 0) {
        log_error(HTTP, "%s: cannot be read: %s", path, strerror(error));
        return ERR_IO;
    }
    if (line[0] == '\0') {
        log_error(HTTP, "%s: no password in its first line", path);
        return ERR_IO;
    }
    p->plain = strdup(line);
    explicit_bzero(line, sizeof line);
    return p->plain ? ERR_OK : ERR_MEMORY;
}

static enum err set_first(struct passwords *p, const char *text)
{
    struct entry e = {
        .kind = KIND_PASSWORD, .created_unix = sys_unix_us() / 1000000, .name = "password"};
    enum err err = make_hash(text, e.hash);
    if (err == ERR_OK) {
        p->entry[0] = e;
        p->count = p->count ? p->count : 1;
    }
    return err;
}

static enum err make_first(struct passwords *p, char made[PASSWORD_TEXT])
{
    enum err e = make_text(made, 20);
    p->count = 0;
    e = e == ERR_OK ? set_first(p, made) : e;
    if (e == ERR_OK && save(p) != ERR_OK) {
        log_warning(HTTP, "the password cannot be stored: it holds until the program ends");
    }
    return e;
}

/*
 * What was not understood is kept for the person to look at. A file that cannot be read now may
 * well be good: a new one must not take its place, so that is an error.
 */
static enum err load_or_set_aside(struct passwords *p)
{
    enum err e = load(p);
    if (e == ERR_FORMAT || e == ERR_LIMIT) {
        p->count = 0;
        log_warning(HTTP, "the file of passwords is damaged: it is kept as passwords" STORE_ASIDE);
        (void)!store_set_aside(p->store, file_name);
        return ERR_NOT_FOUND;
    }
    if (e != ERR_OK && e != ERR_NOT_FOUND) {
        log_error(HTTP, "the file of passwords cannot be read: %s",
                  e == ERR_IO ? strerror(errno) : err_text(e));
    }
    return e;
}

static enum err open_stored(struct passwords *p, char made[PASSWORD_TEXT])
{
    enum err e = load_or_set_aside(p);
    return e == ERR_NOT_FOUND ? make_first(p, made) : e;
}

enum err passwords_open(struct passwords **out, struct store *store, const char *plain_file,
                        char made[PASSWORD_TEXT])
{
    struct passwords *p = calloc(1, sizeof *p);
    made[0] = '\0';
    if (!p) {
        return ERR_MEMORY;
    }
    p->store = store;
    enum err e = ERR_OK;
    if (plain_file && plain_file[0]) {
        e = read_plain(p, plain_file);
        e = e == ERR_OK ? load_or_set_aside(p) : e;
        e = e == ERR_NOT_FOUND ? ERR_OK : e; /* no app passwords */
    } else {
        e = open_stored(p, made);
    }
    if (e != ERR_OK) {
        passwords_close(p);
        return e;
    }
    *out = p;
    return ERR_OK;
}

void passwords_close(struct passwords *p)
{
    if (!p) {
        return;
    }
    if (p->plain) {
        explicit_bzero(p->plain, strlen(p->plain));
        free(p->plain);
    }
    explicit_bzero(p, sizeof *p);
    free(p);
}

/* --- checking -------------------------------------------------------------------------------- */

static bool is_key(const struct entry *e)
{
    return e->kind == KIND_APP || e->kind == KIND_READ;
}

static struct entry *find_key(struct passwords *p, uint32_t id)
{
    for (uint32_t i = 0; i < p->count; i++) {
        if (is_key(&p->entry[i]) && p->entry[i].id == id) {
            return &p->entry[i];
        }
    }
    return NULL;
}

/* The entry that an app password names, or NULL. */
static struct entry *key_of(struct passwords *p, const char *text)
{
    char digits[ID_DIGITS + 1];
    uint64_t id;
    size_t prefix = strlen(key_prefix);
    if (strncmp(text, key_prefix, prefix) != 0 ||
        strlen(text) != prefix + ID_DIGITS + 1 + SECRET_CHARS || text[prefix + ID_DIGITS] != '-') {
        return NULL;
    }
    memcpy(digits, text + prefix, ID_DIGITS);
    digits[ID_DIGITS] = '\0';
    return read_number(digits, 999999, &id) ? find_key(p, (uint32_t)id) : NULL;
}

static enum api_credential check_text(struct passwords *p, const char *text)
{
    const struct entry *key = key_of(p, text);
    if (key && matches(text, key->hash)) {
        return key->kind == KIND_READ ? CREDENTIAL_READ_ONLY : CREDENTIAL_APP;
    }
    if (p->plain) {
        return equal_in_constant_time(text, p->plain) ? CREDENTIAL_PASSWORD : CREDENTIAL_WRONG;
    }
    return p->count > 0 && matches(text, p->entry[0].hash) ? CREDENTIAL_PASSWORD : CREDENTIAL_WRONG;
}

enum api_credential passwords_check(struct passwords *p, struct span password)
{
    char text[PASSWORD_LEN_MAX + 1];
    if (password.len == 0 || password.len > PASSWORD_LEN_MAX ||
        memchr(password.ptr, 0, password.len)) {
        return CREDENTIAL_WRONG;
    }
    memcpy(text, password.ptr, password.len);
    text[password.len] = '\0';
    enum api_credential c = check_text(p, text);
    explicit_bzero(text, sizeof text);
    return c;
}

/* --- changing -------------------------------------------------------------------------------- */

enum err passwords_set(struct passwords *p, struct span password)
{
    char text[PASSWORD_LEN_MAX + 1];
    if (p->plain) {
        return ERR_STATE;
    }
    if (password.len < PASSWORD_LEN_MIN || password.len > PASSWORD_LEN_MAX ||
        memchr(password.ptr, 0, password.len)) {
        return ERR_RANGE;
    }
    struct entry before = p->entry[0];
    memcpy(text, password.ptr, password.len);
    text[password.len] = '\0';
    enum err e = set_first(p, text);
    explicit_bzero(text, sizeof text);
    e = e == ERR_OK ? save(p) : e;
    if (e != ERR_OK) {
        p->entry[0] = before;
    }
    return e;
}

static enum err fill_key(struct passwords *p, struct entry *e, char secret[API_KEY_TEXT])
{
    char text[SECRET_CHARS + 1];
    uint32_t random;
    struct strbuf s;
    do {
        if (sys_entropy(&random, sizeof random) != ERR_OK) {
            return ERR_IO;
        }
        e->id = 100000 + random % 900000;
    } while (find_key(p, e->id));
    enum err err = make_text(text, SECRET_CHARS);
    strbuf_init(&s, secret, API_KEY_TEXT);
    strbuf_printf(&s, "%s%06u-%s", key_prefix, (unsigned)e->id, text);
    explicit_bzero(text, sizeof text);
    return err == ERR_OK ? make_hash(secret, e->hash) : err;
}

/* When the password is in a file of its own, the first line still wants one. */
static enum err want_first(struct passwords *p)
{
    char unused[PASSWORD_TEXT];
    if (p->count > 0) {
        return ERR_OK;
    }
    enum err e = make_text(unused, 20);
    e = e == ERR_OK ? set_first(p, unused) : e;
    explicit_bzero(unused, sizeof unused);
    return e;
}

static enum err add_entry(struct passwords *p, const struct entry *e)
{
    if (p->count == ENTRIES_MAX) {
        return ERR_LIMIT;
    }
    p->entry[p->count++] = *e;
    enum err err = save(p);
    p->count -= err != ERR_OK;
    return err;
}

static uint32_t count_keys(const struct passwords *p)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->count; i++) {
        n += is_key(&p->entry[i]);
    }
    return n;
}

enum err passwords_key_new(struct passwords *p, const char *name, bool read_only,
                           char secret[API_KEY_TEXT], uint32_t *id)
{
    struct entry e = {.kind = read_only ? KIND_READ : KIND_APP,
                      .created_unix = sys_unix_us() / 1000000};
    if (!good_name(name)) {
        return ERR_FORMAT;
    }
    enum err err = want_first(p);
    if (err == ERR_OK && count_keys(p) >= PASSWORD_KEYS_MAX) {
        err = ERR_LIMIT;
    }
    memcpy(e.name, name, strlen(name) + 1);
    err = err == ERR_OK ? fill_key(p, &e, secret) : err;
    err = err == ERR_OK ? add_entry(p, &e) : err;
    if (err == ERR_OK) {
        *id = e.id;
    }
    return err;
}

uint32_t passwords_key_list(const struct passwords *p, struct api_key_info *out, uint32_t max)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->count && n < max; i++) {
        const struct entry *e = &p->entry[i];
        if (is_key(e)) {
            out[n] = (struct api_key_info){
                .id = e->id, .read_only = e->kind == KIND_READ, .created_unix = e->created_unix};
            memcpy(out[n].name, e->name, strlen(e->name) + 1);
            n++;
        }
    }
    return n;
}

static enum err remove_entry(struct passwords *p, struct entry *e)
{
    struct passwords before = *p;
    memmove(e, e + 1, (size_t)(&p->entry[p->count] - (e + 1)) * sizeof *e);
    p->count--;
    enum err err = save(p);
    if (err != ERR_OK) {
        *p = before;
    }
    explicit_bzero(&before, sizeof before);
    return err;
}

enum err passwords_key_delete(struct passwords *p, uint32_t id)
{
    struct entry *e = find_key(p, id);
    return e ? remove_entry(p, e) : ERR_NOT_FOUND;
}

/* --- one-time passwords ---------------------------------------------------------------------- */

static struct entry *find_totp(struct passwords *p)
{
    for (uint32_t i = 0; i < p->count; i++) {
        if (p->entry[i].kind == KIND_TOTP) {
            return &p->entry[i];
        }
    }
    return NULL;
}

bool passwords_totp_get(struct passwords *p, uint8_t secret[TOTP_SECRET_OCTETS])
{
    const struct entry *e = find_totp(p);
    return e && read_totp(e->hash, secret);
}

enum err passwords_totp_set(struct passwords *p, const uint8_t *secret)
{
    struct entry e = {
        .kind = KIND_TOTP, .id = TOTP_ID, .created_unix = sys_unix_us() / 1000000, .name = "totp"};
    char text[TOTP_SECRET_TEXT];
    struct strbuf s;
    struct entry *old = find_totp(p);
    if (!secret) {
        return old ? remove_entry(p, old) : ERR_OK;
    }
    totp_secret_format(secret, text);
    strbuf_init(&s, e.hash, sizeof e.hash);
    strbuf_str(&s, totp_prefix);
    strbuf_str(&s, text);
    if (!old) {
        enum err err = want_first(p);
        return err == ERR_OK ? add_entry(p, &e) : err;
    }
    struct entry before = *old;
    *old = e;
    enum err err = save(p);
    *old = err == ERR_OK ? e : before;
    return err;
}
