/*
 * AWS Signature Version 4 for S3 ("Authenticating Requests", S3 API reference): in the
 * Authorization header, in a presigned query, and chained over the chunks of a body. Pure; compares
 * in constant time.
 */
#ifndef GATEWAY_SIGV4_H
#define GATEWAY_SIGV4_H

#include "gateway/target.h"
#include "gateway/web.h"
#include "overlay/base/crypto.h"

#define SIGV4_SKEW_MS     (15 * 60 * 1000) /* AWS: 15 minutes */
#define SIGV4_EXPIRES_MAX 604800           /* seconds: a week */
#define SIGV4_ACCESS_MAX  128
#define SIGV4_SECRET_MAX  128
#define SIGV4_SCOPE_MAX   160 /* "20130524/region/s3/aws4_request" */

enum sigv4_payload {
	PAYLOAD_UNSIGNED,
	PAYLOAD_HASH,             /* of the whole body */
	PAYLOAD_CHUNKED,          /* STREAMING-AWS4-HMAC-SHA256-PAYLOAD */
	PAYLOAD_CHUNKED_TRAILER,  /* … and signed trailers */
	PAYLOAD_UNSIGNED_TRAILER, /* STREAMING-UNSIGNED-PAYLOAD-TRAILER */
};

struct sigv4 {                         /* what a request says of its signature */
	bool anonymous, presigned, v2; /* v2: the older one (sigv2.h) */
	char access_key[SIGV4_ACCESS_MAX + 1];
	char scope[SIGV4_SCOPE_MAX];
	char region[64];
	char amz_date[32];
	char signature[65];
	const char *signed_headers; /* "host;x-amz-date": lent by the request */
	const char *payload_text;   /* what stands for the body in the signature */
	enum sigv4_payload payload;
	struct hash payload_hash; /* PAYLOAD_HASH */
	uint64_t expires_s;       /* presigned */
	const char *operation;    /* v2: a name of the query signed in the path: lent; NULL */
};

struct sigv4_request { /* lends all */
	const char *method;
	const struct target *target;
	const struct web_header *headers;
	size_t headers_count;
};

/* The first of this name; NULL: none. */
const char *sigv4_header(const struct sigv4_request *r, const char *name);

/*
 * Reads and checks all but the signature: S3_AuthorizationHeaderMalformed,
 * S3_AuthorizationQueryParametersError, S3_RequestTimeTooSkewed, S3_AccessDenied (expired, nothing
 * signed that must be), S3_SignatureDoesNotMatch (it could not), S3_XAmzContentSHA256Mismatch (no
 * hash).
 * Nothing about signatures in it: anonymous.
 */
int sigv4_parse(const struct sigv4_request *r, uint64_t now_ms, struct sigv4 *out);

/* The signing key of a scope's day, region and service. */
void sigv4_key(struct key *out, const char *secret, const char *scope);
/* ERR_OK, or S3_SignatureDoesNotMatch. */
int sigv4_verify(const struct sigv4_request *r, const struct sigv4 *s, const struct key *key);
/* What a client writes: of s only scope, amz_date, signed_headers and payload_text count.
 * ERR_TOO_BIG. */
int sigv4_sign(
    const struct sigv4_request *r, const struct sigv4 *s, const struct key *key, char out[65]);
/* Of any text, with the signature in hex: ERR_OK, or S3_SignatureDoesNotMatch. */
int sigv4_verify_text(const struct key *key, const char *text, const char *signature);
/* The canonical request, for tests and for messages of what did not match. */
int sigv4_canonical(const struct sigv4_request *r, const struct sigv4 *s, struct buf *out);

/* ---- chunks of a body, each signed with the signature before it ---- */
struct sigv4_chain {
	struct key key;
	char scope[SIGV4_SCOPE_MAX];
	char amz_date[32];
	char previous[65];
};
void sigv4_chain_init(struct sigv4_chain *c, const struct sigv4 *s, const struct key *key);
/* hash of the chunk's bytes; ERR_OK and the chain goes on, or S3_SignatureDoesNotMatch. */
int sigv4_chain_chunk(struct sigv4_chain *c, const struct hash *hash, const char *signature);
/* hash of "name:value\n" of each trailer. */
int sigv4_chain_trailer(struct sigv4_chain *c, const struct hash *hash, const char *signature);
void sigv4_chain_wipe(struct sigv4_chain *c);

#endif
