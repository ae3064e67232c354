/* Shared by the files behind files.h: the client's context, manifests in the network. */
#ifndef OBJECT_FILES_PRIVATE_H
#define OBJECT_FILES_PRIVATE_H

#include "object/aead_pool.h"
#include "object/files.h"
#include "object/manifest.h"

/* Sealed manifests of one level; beyond, an object has too many chunks for this program. */
#define MANIFEST_SEALED_MAX MIB(640)

struct files {
	struct files_opts opts;
	struct env *env;
	struct aead_pool aeads;
	uint64_t chunk_bytes; /* of full chunks; a multiple of BLOCK_SEALED */
};

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
	struct sign_key lease_key;
	struct pubkey lease_pub;
	struct placed_chunk *placed;
	size_t placed_count, placed_cap;
	uint64_t servers; /* in the network, when the code follows from it */
	uint64_t until;   /* of the full-term leases, unix seconds */
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
/* Seals m and stores it, in as many levels as it takes; fills the result's link. */
SUSPENDS int put_manifest(struct put_context *p, const struct manifest *m);
/* Adds a placed chunk to a manifest. */
int manifest_add_placed(struct manifest *m, const struct placed_chunk *c);

/* Fetches and opens what a link names, down to level 0; *top (may be NULL) gets the top chunk. */
SUSPENDS int manifest_fetch(struct files *f, const struct link *link, struct manifest *m,
    struct chunk_ref *top, struct file_missing *missing);
void ref_of_chunk(const struct manifest_chunk *c, struct chunk_ref *out);

#endif
