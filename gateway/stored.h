/* A request's body as the content of an object or a part: written while it comes, checked at its
 * end. */
#ifndef GATEWAY_STORED_H
#define GATEWAY_STORED_H

#include "gateway/body.h"

struct stored {
	struct buf form; /* the content's packed form */
	uint64_t size;
	struct etag etag;
	struct checksum checksum;
};
void stored_init(struct stored *s);
void stored_fini(struct stored *s);

/* All of the body; nothing stays of what failed. */
SUSPENDS int stored_body(struct request *r, const struct body_opts *opts,
    const struct realm_write *write, struct stored *out);
/* Bytes from elsewhere: hashed, written anew. */
struct stored_source {
	SUSPENDS int (*next)(void *arg, struct bytes *lent); /* ERR_END */
	void *arg;
	uint64_t length; /* UINT64_MAX: unknown */
	enum sum_algo algo;
};
SUSPENDS int stored_from(struct request *r, const struct stored_source *source,
    const struct realm_write *write, struct stored *out);
/* A range of a content, in another bucket or under another key. */
struct stored_copy {
	struct realm_bucket *source;
	struct bytes form;
	uint64_t from, len;
	const struct key *customer; /* of the source; NULL */
	enum sum_algo algo;
};
SUSPENDS int stored_copy(struct request *r, const struct stored_copy *copy,
    const struct realm_write *write, struct stored *out);
/* What was stored is not named after all. */
SUSPENDS void stored_drop(struct request *r, struct stored *s);

/* ---- telling a checksum; nothing where there is none ---- */
/* Its value: parts are those of the object, and count where the checksum is composite. */
int reply_checksum(struct request *r, const struct checksum *c, unsigned parts);
/* … and x-amz-checksum-type, of what was stored. */
int reply_stored_checksum(struct request *r, const struct checksum *c);
void xml_put_checksum(struct xml *x, const struct checksum *c, unsigned parts); /* as there */
/* ChecksumAlgorithm and ChecksumType. */
void xml_put_checksum_kind(struct xml *x, const struct checksum *c);

#endif
