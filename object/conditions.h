/*
 * The conditions of a request (RFC 9110 §13 as S3 reads it): If-Match & co. Pure. Dates are whole
 * seconds, as in Last-Modified.
 */
#ifndef OBJECT_CONDITIONS_H
#define OBJECT_CONDITIONS_H

#include "object/entry.h"

struct conditions {
	struct bytes if_match, if_none_match; /* header values as they came; data NULL: none */
	bool has_modified_since, has_unmodified_since;
	uint64_t modified_since_s, unmodified_since_s;
	/* of deletes: x-amz-if-match-last-modified-time and x-amz-if-match-size */
	bool has_modified, has_size;
	uint64_t modified_s, size;
};

/* An ETag in a header value: "*", or a list, with quotes or without, weak ones as strong. */
bool conditions_names(struct bytes header, const struct etag *etag);
/* GET, HEAD: ERR_OK, REFUSAL_NOT_MODIFIED, REFUSAL_PRECONDITION. */
int conditions_read(const struct conditions *c, const struct entry *e);
/* The source of a copy, where nothing is "not modified": ERR_OK, REFUSAL_PRECONDITION. */
int conditions_copy(const struct conditions *c, const struct entry *e);
/* Before a write; e is the latest version, NULL or a marker: there is no object.
 * REFUSAL_PRECONDITION, REFUSAL_NO_SUCH_KEY (If-Match with an ETag, and no object). */
int conditions_write(const struct conditions *c, const struct entry *e);
/* Before a delete of e: REFUSAL_PRECONDITION. What is not there (NULL) needs no more deleting, and
 * who sends a delete again must not fail for the first that came through. A marker is there, but
 * has no ETag: only "*" names it. */
int conditions_delete(const struct conditions *c, const struct entry *e);

#endif
