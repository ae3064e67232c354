/* Shared by the files that put: what one put is about, its chunks and leases, its two ways. */
#ifndef OBJECT_FILE_PUT_PRIVATE_H
#define OBJECT_FILE_PUT_PRIVATE_H

#include "object/files_private.h"

/* A chunk that was put, as little of it as its leases need. */
struct placed_chunk {
	struct chunk_ref ref;
	uint8_t placed;
	struct contact *holders; /* code.n, by index; pub zero: none */
};

/* Everything one put shares: what seals, what signs, what was placed. */
struct put_context {
	struct files *f;
	const struct file_put_opts *opts;
	struct file_put_result *result;
	struct lease_signing signing;
	struct placed_chunk *placed;
	size_t placed_count, placed_cap;
	uint64_t servers;    /* in the network, when the code follows from it */
	uint64_t until;      /* of the full-term leases, unix seconds */
	uint64_t lock_until; /* the same; 0: no lock */
	uint8_t inline_bytes[MANIFEST_INLINE_MAX];
};

SUSPENDS int put_context_init(struct put_context *p, struct files *f,
    const struct file_put_opts *opts, const uint8_t file_id[32], struct file_put_result *result);
void put_context_fini(struct put_context *p);
/*
 * Puts one chunk of bytes from source and, unless the caller waits for s only, completes it to n.
 * The chunk's place in p->placed is *slot (given in order of ending). progress as chunk_put's.
 */
SUSPENDS int put_one_chunk(struct put_context *p, uint64_t bytes, const struct chunk_source *source,
    void (*progress)(void *arg, uint64_t bytes), void *arg, size_t *slot);
/* Raises all chunks from slot `from` on to the full term. */
SUSPENDS int put_raise_all(struct put_context *p, size_t from);
/* Adds a placed chunk to a manifest. */
int manifest_add_placed(struct manifest *m, const struct placed_chunk *c);
/* Seals block number block of a segment of length bytes in place; in a worker. */
int put_seal_block(
    struct files *f, const struct key *k, uint64_t length, uint64_t block, uint8_t *dst);

/* The chunks of the source, and the segment of them, into m. */
SUSPENDS int file_put_known(struct put_context *p, struct manifest *m);
SUSPENDS int file_put_stream(struct put_context *p, struct manifest *m); /* or inline, if short */

#endif
