/* Sessions and passwords, as the routes of /api/auth and the dispatcher use them. */
#ifndef SINKHOLE_API_AUTH_H
#define SINKHOLE_API_AUTH_H

#include "api/api_int.h"

bool auth_password_exists(const struct api *a);

/* A new session for the request's sender; never fails, an old one goes. */
struct session *auth_open_session(struct call *c, enum api_credential credential);
void auth_close_session(struct session *s);

/* Ask the platform, unless this source has failed too often: then 429 is answered already
 * (c->res->status is set). */
enum api_credential auth_check_password(struct call *c, struct span password);

/* Is a one-time password asked for beside the password? */
bool auth_totp_enabled(const struct api *a);

/* The code in a request's body, as a number or as digits. false: there is none. */
bool auth_totp_code(const json_t *body, uint32_t *code);

/* After a good password: the code in the request's body, if one is asked for. false: answered
 * already. */
bool auth_check_totp(struct call *c);

/* Set-Cookie with the session's SID. */
void auth_send_cookie(struct call *c);

#endif
