/* Shared by the files behind files.h: the client's context, manifests in the network. */
#ifndef OBJECT_FILES_PRIVATE_H
#define OBJECT_FILES_PRIVATE_H

#include "object/aead_pool.h"
#include "object/files.h"
#include "object/lease_signing.h"
#include "object/list_cache.h"
#include "object/manifest.h"

/* Sealed manifests of one level; beyond, an object has too many chunks for this program. */
#define MANIFEST_SEALED_MAX MIB(640)

struct files {
	struct files_opts opts;
	struct env *env;
	struct aead_pool aeads;
	struct scratch_pool scratch;
	struct list_cache lists;
	uint64_t chunk_bytes; /* of full chunks; a multiple of BLOCK_SEALED */
};

struct placing;
/*
 * Seals m under new keys and stores it, in as many levels as it takes, leased for the full term.
 * The top chunk is the one that was placed last.
 */
SUSPENDS int manifest_store(
    struct placing *p, const struct manifest *m, struct manifest_keys *keys);

void manifest_keys_of(const struct key *read, struct manifest_keys *out); /* both of the read key */
/*
 * Fetches and opens what a link names, down to level 0; *top (may be NULL) gets the top chunk,
 * above (may be NULL) those of the lists between, upper ones first.
 */
SUSPENDS int manifest_fetch(struct files *f, const struct link *link, struct manifest *m,
    struct chunk_ref *top, struct manifest *above, struct file_missing *missing);
/* The same from the top chunk and its keys. */
SUSPENDS int manifest_fetch_at(struct files *f, const struct manifest_keys *keys,
    const struct chunk_ref *top, struct manifest *m, struct manifest *above,
    struct file_missing *missing);
/* The bytes of a whole chunk, checked by hash, appended to out; missing may be NULL. */
SUSPENDS int files_fetch_chunk(
    struct files *f, const struct chunk_ref *ref, struct buf *out, struct file_missing *missing);
void ref_of_chunk(const struct manifest_chunk *c, struct chunk_ref *out);

#endif
