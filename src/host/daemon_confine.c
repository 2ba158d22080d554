/*
 * Which files the daemon may open once it serves: its state, to write; to read, the folders of the
 * files that the configuration names (folders, as editors and package managers replace files by
 * renaming), /etc, certificates, /proc and /sys. A reload that names a file in another folder is
 * told "Permission denied", and a restart takes it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/require.h"
#include "host/confine.h"
#include "host/daemon_int.h"
#include "host/netconf.h"

/* Beside what is configured. In /run: what writes resolv.conf. */
static const char *const readable[] = {
    "/etc",
    "/proc",
    "/sys",
    "/dev/null",
    "/dev/urandom",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager",
    "/usr/lib/ssl",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/usr/share/zoneinfo",
    "/usr/share/dns",
};

#define MORE_MAX 10 /* paths besides the lists above and the configuration's */

struct paths {
    struct confine_path *item;
    char **made; /* strings of ours, NULL-terminated */
    size_t count, made_count, room;
    enum err error;
};

static void add(struct paths *p, const char *path, bool write)
{
    if (path && path[0] != '\0') {
        REQUIRE(p->count < p->room);
        p->item[p->count++] = (struct confine_path){.path = path, .write = write};
    }
}

/* The folder of a file; for a file in the root, the file alone. Takes `path`, which was made with
 * malloc; NULL is passed over. */
static void add_parent(struct paths *p, char *path)
{
    if (!path) {
        return;
    }
    REQUIRE(p->made_count < p->room);
    p->made[p->made_count++] = path;
    char *slash = strrchr(path, '/');
    if (!slash) {
        add(p, ".", false);
        return;
    }
    if (slash != path) {
        *slash = '\0';
    }
    add(p, path, false);
}

/* The folder in which a file is named and, where that is a link, the one in which it is. */
static void add_folder(struct paths *p, const char *file)
{
    if (!file || file[0] == '\0') {
        return;
    }
    char *copy = strdup(file);
    p->error = copy ? p->error : ERR_MEMORY;
    add_parent(p, copy);
    add_parent(p, realpath(file, NULL));
}

static void add_list(struct paths *p, const char *text, struct list_spec *spec)
{
    if (list_spec_parse(text, true, spec, NULL) == ERR_OK && spec->url[0] == '/') {
        add_folder(p, spec->url);
    }
}

static void add_configured(struct paths *p, const struct config *c, struct list_spec *spec)
{
    add(p, c->state_dir, true);
    add_folder(p, c->file);
    add_folder(p, c->password_file);
    add_folder(p, c->services_file);
    add_folder(p, c->safe_search_file);
    for (uint32_t i = 0; i < c->hosts_file.count; i++) {
        add_folder(p, c->hosts_file.item[i]);
    }
    for (uint32_t i = 0; i < c->lease_file.count; i++) {
        add_folder(p, c->lease_file.item[i]);
    }
    for (uint32_t i = 0; i < c->list.count; i++) {
        add_list(p, c->list.item[i], spec);
    }
    for (uint32_t i = 0; i < c->allow_list.count; i++) {
        add_list(p, c->allow_list.item[i], spec);
    }
    for (uint32_t i = 0; i < c->groups.value_count; i++) {
        const struct cfg_group_value *v = &c->groups.value[i];
        if (v->key == CFG_GROUP_LIST || v->key == CFG_GROUP_ALLOW_LIST) {
            add_list(p, v->text, spec);
        }
    }
    /* What OpenSSL and libcurl look at. */
    add_folder(p, getenv("SSL_CERT_FILE"));
    /* Kept elsewhere by services that write them. */
    add_folder(p, NETCONF_RESOLV);
    add_folder(p, "/etc/hosts");
    add(p, getenv("SSL_CERT_DIR"), false);
}

static enum err restrict_to(const struct config *c, enum confine_state *out)
{
    size_t room = ARRAY_LEN(readable) +
                  2 * ((size_t)c->hosts_file.count + c->lease_file.count + c->list.count +
                       c->allow_list.count + c->groups.value_count + MORE_MAX);
    struct paths p = {.item = calloc(room, sizeof(struct confine_path)),
                      .made = calloc(room, sizeof(char *)),
                      .room = room};
    struct list_spec *spec = malloc(sizeof *spec);
    p.error = p.item && p.made && spec ? ERR_OK : ERR_MEMORY;
    if (p.error == ERR_OK) {
        for (size_t i = 0; i < ARRAY_LEN(readable); i++) {
            add(&p, readable[i], false);
        }
        add_configured(&p, c, spec);
    }
    enum err e = p.error == ERR_OK ? confine_files(p.item, p.count, out) : p.error;
    for (size_t i = 0; p.made && i < p.made_count; i++) {
        free(p.made[i]);
    }
    free(p.made);
    free(p.item);
    free(spec);
    return e;
}

enum err daemon_confine_files(struct daemon *d)
{
    enum confine_state state;
    if (!d->first->sandbox) {
        log_warning(MAIN, "sandbox off: the process may open any file and make any system call "
                          "that its user may");
        return ERR_OK;
    }
    enum err e = restrict_to(d->first, &state);
    if (e != ERR_OK) {
        log_error(MAIN, "sandbox: files cannot be restricted: %s; --sandbox off starts without",
                  e == ERR_IO ? strerror(errno) : err_text(e));
    } else {
        log_info(MAIN, "sandbox: files (Landlock) %s", confine_state_text(state));
    }
    return e;
}

enum err daemon_confine_calls(struct daemon *d)
{
    enum confine_state state;
    if (!d->first->sandbox) {
        return ERR_OK;
    }
    enum err e = confine_calls(&state);
    if (e != ERR_OK) {
        log_error(MAIN,
                  "sandbox: system calls cannot be restricted: %s; --sandbox off starts without",
                  strerror(errno));
    } else {
        log_info(MAIN, "sandbox: system calls (seccomp) %s", confine_state_text(state));
    }
    return e;
}
