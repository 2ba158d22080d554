/* Passwords: hashes in a fixed table, saved as they lie. */
#include "passwords.h"

#include <stddef.h>
#include <string.h>

#include "mbedtls/md.h"
#include "mbedtls/pkcs5.h"
#include "mbedtls/platform_util.h"
#include "mbedtls/sha256.h"

#include "base/strbuf.h"

enum {
    VERSION = 1,
    SALT = 16,
    HASH = 32,
    ITERATIONS = 20000, /* about 0.1 s of a Pi 3, in which nothing else is done */
    SECRET_CHARS = 28,
    LEN_MIN = 8,
    LEN_MAX = 1024
};

static const char key_prefix[] = "shk-";

struct key {
    uint32_t id; /* 0: free */
    uint8_t read_only;
    uint8_t unused[3];
    int64_t created_unix;
    uint8_t hash[HASH];
    char name[64];
};

static struct saved {
    uint32_t version, iterations;
    uint8_t salt[SALT], hash[HASH];
    uint32_t next_id, unused;
    struct key key[PASSWORD_KEYS_MAX];
    /* What was saved before there were one-time passwords ends here. */
    uint8_t has_totp, totp[TOTP_SECRET_OCTETS], spare[3];
} store;

_Static_assert(sizeof store <= PASSWORD_SAVED_MAX, "fits");
_Static_assert(sizeof store == offsetof(struct saved, has_totp) + 24, "nothing is left undefined");

static struct rng *random_source;

static bool equal(const uint8_t *a, const uint8_t *b, size_t len)
{
    volatile uint8_t differ = 0;
    for (size_t i = 0; i < len; i++) {
        differ = (uint8_t)(differ | (a[i] ^ b[i]));
    }
    return differ == 0;
}

static bool slow_hash(struct span password, uint8_t out[HASH])
{
    mbedtls_md_context_t md;
    mbedtls_md_init(&md);
    bool ok = mbedtls_md_setup(&md, mbedtls_md_info_from_type(MBEDTLS_MD_SHA512), 1) == 0 &&
              mbedtls_pkcs5_pbkdf2_hmac(&md, password.ptr, password.len, store.salt, SALT,
                                        store.iterations, HASH, out) == 0;
    mbedtls_md_free(&md);
    return ok;
}

static void random_text(char *out, size_t chars)
{
    /* 32 characters that are not mistaken for each other: five bits each. */
    static const char alphabet[] = "abcdefghijkmnpqrstuvwxyz23456789";
    for (size_t i = 0; i < chars; i++) {
        out[i] = alphabet[rng_u32(random_source) % 32];
    }
    out[chars] = '\0';
}

static enum err set(struct span password, uint32_t iterations)
{
    uint8_t hash[HASH];
    if (password.len < LEN_MIN || password.len > LEN_MAX) {
        return ERR_RANGE;
    }
    rng_bytes(random_source, store.salt, SALT);
    store.iterations = iterations;
    if (!slow_hash(password, hash)) {
        return ERR_MEMORY;
    }
    memcpy(store.hash, hash, HASH);
    return ERR_OK;
}

enum err passwords_set(struct span password)
{
    return set(password, ITERATIONS);
}

void passwords_start(struct rng *rng, struct span saved, const char *fixed,
                     char made[PASSWORD_CHARS + 1])
{
    random_source = rng;
    made[0] = '\0';
    if (saved.len == sizeof store || saved.len == offsetof(struct saved, has_totp)) {
        memcpy(&store, saved.ptr, saved.len);
    }
    if (store.version != VERSION || store.iterations == 0 || store.iterations > 10 * ITERATIONS) {
        memset(&store, 0, sizeof store);
    }
    bool known = store.version == VERSION;
    store.version = VERSION;
    for (uint32_t i = 0; i < PASSWORD_KEYS_MAX; i++) {
        store.key[i].name[sizeof store.key[i].name - 1] = '\0';
    }
    /* One that stands in plain text on the command line gains nothing by a slow hash. */
    if (fixed && set(span_str(fixed), 1) == ERR_OK) {
        return;
    }
    if (!known) {
        random_text(made, PASSWORD_CHARS);
        /* A hundred random bits: nobody tries them all, however fast a try is. */
        if (set(span_str(made), 1) != ERR_OK) {
            made[0] = '\0'; /* nobody gets in: better than everybody */
        }
    }
}

void passwords_save(uint8_t out[PASSWORD_SAVED_MAX], uint32_t *len)
{
    memcpy(out, &store, sizeof store);
    *len = sizeof store;
}

/* ---- app passwords: "shk-ID-SECRET" ---- */

static bool key_matches(struct span password, const struct key *k)
{
    uint8_t hash[HASH];
    return mbedtls_sha256_ret(password.ptr, password.len, hash, 0) == 0 &&
           equal(hash, k->hash, HASH);
}

enum api_credential passwords_check(struct span password)
{
    uint8_t hash[HASH];
    size_t prefix = sizeof key_prefix - 1;
    if (password.len > LEN_MAX) {
        return CREDENTIAL_WRONG;
    }
    if (password.len > prefix && memcmp(password.ptr, key_prefix, prefix) == 0) {
        for (uint32_t i = 0; i < PASSWORD_KEYS_MAX; i++) {
            if (store.key[i].id != 0 && key_matches(password, &store.key[i])) {
                return store.key[i].read_only ? CREDENTIAL_READ_ONLY : CREDENTIAL_APP;
            }
        }
    }
    bool right = slow_hash(password, hash) && equal(hash, store.hash, HASH);
    mbedtls_platform_zeroize(hash, sizeof hash);
    return right ? CREDENTIAL_PASSWORD : CREDENTIAL_WRONG;
}

enum err passwords_key_new(const char *name, bool read_only, int64_t now_unix,
                           char secret[API_KEY_TEXT], uint32_t *id)
{
    struct key *k = store.key;
    char random[SECRET_CHARS + 1];
    struct strbuf text;
    while (k < store.key + PASSWORD_KEYS_MAX && k->id != 0) {
        k++;
    }
    if (k == store.key + PASSWORD_KEYS_MAX) {
        return ERR_LIMIT;
    }
    random_text(random, SECRET_CHARS);
    strbuf_init(&text, secret, API_KEY_TEXT);
    strbuf_printf(&text, "%s%u-%s", key_prefix, (unsigned)(store.next_id + 1), random);
    memset(k, 0, sizeof *k);
    if (mbedtls_sha256_ret((const uint8_t *)text.text, text.len, k->hash, 0) != 0) {
        return ERR_MEMORY;
    }
    k->id = ++store.next_id;
    k->read_only = read_only;
    k->created_unix = now_unix;
    strbuf_init(&text, k->name, sizeof k->name);
    strbuf_str(&text, name);
    *id = k->id;
    return ERR_OK;
}

uint32_t passwords_key_list(struct api_key_info *out, uint32_t max)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < PASSWORD_KEYS_MAX && n < max; i++) {
        const struct key *k = &store.key[i];
        if (k->id != 0) {
            out[n] = (struct api_key_info){
                .id = k->id, .read_only = k->read_only != 0, .created_unix = k->created_unix};
            memcpy(out[n++].name, k->name, sizeof k->name);
        }
    }
    return n;
}

enum err passwords_key_delete(uint32_t id)
{
    for (uint32_t i = 0; i < PASSWORD_KEYS_MAX; i++) {
        if (id != 0 && store.key[i].id == id) {
            memset(&store.key[i], 0, sizeof store.key[i]);
            return ERR_OK;
        }
    }
    return ERR_NOT_FOUND;
}

/* ---- one-time passwords ---- */

bool passwords_totp_get(uint8_t secret[TOTP_SECRET_OCTETS])
{
    if (store.has_totp) {
        memcpy(secret, store.totp, sizeof store.totp);
    }
    return store.has_totp != 0;
}

void passwords_totp_set(const uint8_t secret[TOTP_SECRET_OCTETS])
{
    store.has_totp = secret != NULL;
    memset(store.totp, 0, sizeof store.totp);
    if (secret) {
        memcpy(store.totp, secret, sizeof store.totp);
    }
}
