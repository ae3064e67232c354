/*
 * The bytes that a request brings, as they come: taken out of their chunks, hashed in workers,
 * counted, and in the end compared with all that the client said of them (length, Content-MD5,
 * payload hash, additional checksum in header or trailer). What body_next() gave is not to be
 * believed before body_finish() said ERR_OK.
 */
#ifndef GATEWAY_BODY_H
#define GATEWAY_BODY_H

#include "gateway/request.h"
#include "gateway/sum.h"

struct body;

struct body_opts {
	uint64_t bytes_max; /* S3_EntityTooLarge */
	/* S3_MissingContentLength, where nothing says how long it is or where it ends */
	bool length_needed;
	bool etag;         /* MD5 even where nobody asks for it */
	enum sum_algo sum; /* computed where the client gives none; SUM_NONE */
	bool no_sums;      /* x-amz-checksum-* is of something else */
};
/* Reads the headers. S3_InvalidDigest, S3_InvalidRequest (two checksums, a wrong one) … gives */
int body_open(struct request *r, const struct body_opts *opts, struct body **out);
void body_free(struct body *b);
/* Of the payload; UINT64_MAX: not said. */
uint64_t body_length(const struct body *b);
/* The algorithm that the client uses, or says it will. */
enum sum_algo body_sum_algo(const struct body *b);
/* The next payload bytes, lent until the next call; ERR_END. */
SUSPENDS int body_next(struct body *b, struct bytes *lent);
/* After ERR_END: S3_BadDigest, S3_XAmzContentSHA256Mismatch, S3_IncompleteBody. */
int body_finish(struct body *b);
/* After body_finish(). */
const uint8_t *body_md5(const struct body *b);
const uint8_t *body_sum(const struct body *b); /* with body_sum_algo() ≠ none */
uint64_t body_seen(const struct body *b);

#endif
