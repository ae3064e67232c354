/* Shared by the files that put a file: what one put is about, its two ways. */
#ifndef OBJECT_FILE_PUT_PRIVATE_H
#define OBJECT_FILE_PUT_PRIVATE_H

#include "object/files_private.h"
#include "object/placing.h"

struct file_put {
	struct files *f;
	const struct file_put_opts *opts;
	struct placing placing;
	struct lease_signing signing;
	uint8_t inline_bytes[MANIFEST_INLINE_MAX];
};

/* The chunks of the source, and the segment of them, into m. */
SUSPENDS int file_put_known(struct file_put *p, struct manifest *m);
/* Or inline, if short; leased for the full term already. */
SUSPENDS int file_put_stream(struct file_put *p, struct manifest *m);

#endif
