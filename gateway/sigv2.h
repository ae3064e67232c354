/*
 * The older signature ("Signing and authenticating REST requests", S3 developer guide): HMAC-SHA-1
 * over method, a few headers and the resource, in the Authorization header ("AWS key:signature") or
 * in a presigned query. Old clients know no other; it covers neither the body nor, of the query,
 * more than some names, which is why newer ones do not use it. An operation whose name it does not
 * cover must be refused: it could have been made of another. Pure; compares in constant time.
 */
#ifndef GATEWAY_SIGV2_H
#define GATEWAY_SIGV2_H

#include "gateway/sigv4.h"

/* header: the Authorization header; NULL: it is in the query. S3_InvalidArgument,
 * S3_RequestTimeTooSkewed, S3_AccessDenied (no date, expired). */
int sigv2_parse(
    const struct sigv4_request *r, const char *header, uint64_t now_ms, struct sigv4 *out);
/* ERR_OK, and s->operation is known, or S3_SignatureDoesNotMatch. */
int sigv2_verify(const struct sigv4_request *r, struct sigv4 *s, const char *secret);
/* Of what was verified: whether this name in the query, and that there is none, is signed. */
bool sigv2_covers(const struct sigv4 *s, const char *name);
/* The same of any text, with the signature in base64. ERR_NOMEM. */
int sigv2_verify_text(const char *secret, struct bytes text, const char *signature);

#endif
