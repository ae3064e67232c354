/*
 * The body form "aws-chunked": chunks of hexadecimal length, each with a signature or without, then
 * trailers. Fed with what arrived, gives the payload within it. What it gave is not to be believed
 * before chunked_done(). Pure; hashes what is signed, so it may run in a worker.
 *
 *   1000;chunk-signature=…CRLF 4096 bytes CRLF … 0;chunk-signature=…CRLF [name:value CRLF]… CRLF
 *
 * A trailer may also end in LF CRLF, as AWS's description has it and minio-go sends it.
 */
#ifndef GATEWAY_CHUNKED_H
#define GATEWAY_CHUNKED_H

#include "gateway/sigv4.h"

#define CHUNKED_LINE_MAX     512 /* a length and a signature; a trailer */
#define CHUNKED_TRAILERS_MAX 4   /* one checksum, and room */

struct chunked_trailer {
	char name[64], value[CHUNKED_LINE_MAX];
};
struct chunked;

/* chain: copied; NULL where chunks are not signed. decoded_length: what the payload must be in all,
 * UINT64_MAX: not said. NULL: no memory. gives */
struct chunked *chunked_new(
    enum sigv4_payload kind, const struct sigv4_chain *chain, uint64_t decoded_length);
void chunked_free(struct chunked *c);
/*
 * Takes some of *in from its front; *payload is lent from it, perhaps empty. Call until *in is
 * empty. S3_InvalidRequest (form), S3_SignatureDoesNotMatch, S3_IncompleteBody (more or less than
 * said).
 */
int chunked_take(struct chunked *c, struct bytes *in, struct bytes *payload);
/* ERR_OK: all is there and as signed; S3_IncompleteBody else. */
int chunked_done(const struct chunked *c);
const struct chunked_trailer *chunked_trailers(const struct chunked *c, size_t *count);

#endif
