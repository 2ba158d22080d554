/*
 * Which URLs are fetched at all (hardening L1). libcurl takes them apart, so that what is checked
 * is what is fetched.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "host/fetch_curl_int.h"

bool fetch_address_is_local(const struct ip_addr *a)
{
    return ip_is_loopback(a) || ip_is_link_local(a) || ip_is_unspecified(a);
}

/* Is the host a name or a literal of this machine or this link? "[::1]", "127.0.0.1", "localhost",
 * "x.localhost". */
static bool is_local_host(const char *host)
{
    struct ip_addr a;
    size_t len = strlen(host);
    const char *start = host;
    if (len >= 2 && host[0] == '[') {
        start++;
        len -= 2;
    }
    size_t plain = strcspn(start, "%"); /* a scope */
    if (ip_parse(span_of(start, plain < len ? plain : len), &a) == ERR_OK) {
        return fetch_address_is_local(&a);
    }
    while (len > 0 && start[len - 1] == '.') {
        len--;
    }
    static const char name[] = "localhost";
    size_t name_len = sizeof name - 1;
    return len >= name_len && strncasecmp(start + len - name_len, name, name_len) == 0 &&
           (len == name_len || start[len - name_len - 1] == '.');
}

const char *fetch_url_check(const char *url, struct url_parts *out)
{
    size_t len = strlen(url);
    if (len == 0) {
        return "the URL is empty";
    }
    if (len >= FETCH_URL_MAX) {
        return "the URL is too long";
    }
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)url[i] <= ' ' || (unsigned char)url[i] >= 0x7f) {
            return "the URL holds a blank, a control octet or a letter outside ASCII";
        }
    }
    const char *slashes = strstr(url, "://");
    if (!slashes || slashes[3] == '/') { /* libcurl would take three slashes for two */
        return "not a URL, or one without a host";
    }
    const char *problem = NULL;
    char *scheme = NULL, *host = NULL, *user = NULL, *password = NULL;
    CURLU *u = curl_url();
    if (!u) {
        return FETCH_NO_MEMORY;
    }
    CURLUcode rc = curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME);
    if (rc == CURLUE_OUT_OF_MEMORY) {
        problem = FETCH_NO_MEMORY;
    } else if (rc != CURLUE_OK || curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK) {
        problem = "not a URL";
    } else if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0) {
        problem = "only http:// and https:// URLs are fetched";
    } else if (curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK || host[0] == '\0') {
        problem = "the URL has no host";
    } else if (curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_OK ||
               curl_url_get(u, CURLUPART_PASSWORD, &password, 0) == CURLUE_OK) {
        problem = "a URL with a user name or password is not fetched";
    } else {
        out->https = strcmp(scheme, "https") == 0;
        out->local = is_local_host(host);
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(user);
    curl_free(password);
    curl_url_cleanup(u);
    return problem;
}

const char *fetch_url_problem(const char *url, char *text)
{
    struct url_parts parts;
    const char *problem = fetch_url_check(url, &parts);
    if (!problem) {
        return NULL;
    }
    (void)snprintf(text, FETCH_ERROR_MAX, "%s", problem);
    return text;
}

bool fetch_url_is_local(const char *url)
{
    struct url_parts parts = {0};
    const char *problem = fetch_url_check(url, &parts);
    return problem ? strcmp(problem, FETCH_NO_MEMORY) == 0 : parts.local;
}
