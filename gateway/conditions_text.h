/* Conditions of a request (object/conditions.h) from its headers. */
#ifndef GATEWAY_CONDITIONS_TEXT_H
#define GATEWAY_CONDITIONS_TEXT_H

#include "gateway/request.h"
#include "object/conditions.h"

/* If-Match … behind prefix ("" or "x-amz-copy-source-"); what is no date counts as not there. */
void conditions_of_headers(const struct request *r, const char *prefix, struct conditions *out);
/* Of a delete: If-Match, x-amz-if-match-last-modified-time, x-amz-if-match-size. */
void conditions_of_delete(const struct request *r, struct conditions *out);

/* If-Range (RFC 9110 13.1.5): whether a range is still one of what the client has begun with. By an
 * ETag that is not weak, with or without quotes, or by exactly the date of Last-Modified. NULL:
 * nothing is asked. */
bool range_applies(const char *if_range, const struct entry *e);
/* "bytes=0-9" of an object: S3_InvalidRange; *partial false: no range that counts (then it is all).
 */
int range_parse(const char *text, uint64_t size, uint64_t *from, uint64_t *len, bool *partial);
/* "bytes=0-9" of a copy's source, which must be exactly so and inside. S3_InvalidArgument. */
int range_parse_copy(const char *text, uint64_t size, uint64_t *from, uint64_t *len);

#endif
