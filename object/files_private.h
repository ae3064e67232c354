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
	struct scratch_pool scratch;
	uint64_t chunk_bytes; /* of full chunks; a multiple of BLOCK_SEALED */
};

/* The lease key of a file, and the account's word for it. */
struct lease_signing {
	struct network_id net;
	struct sign_key key; /* to be wiped */
	struct pubkey pub;
	struct grant grant;
};
void lease_signing_init(struct lease_signing *s, const struct files *f, const uint8_t file_id[32]);
/* As struct lease_signer wants it; arg: the signing. */
void lease_signing_sign(void *arg, struct lease *l);

struct put_context;
/* Seals m and stores it, in as many levels as it takes; fills the result's link. */
SUSPENDS int put_manifest(struct put_context *p, const struct manifest *m);

/*
 * Fetches and opens what a link names, down to level 0; *top (may be NULL) gets the top chunk,
 * above (may be NULL) those of the lists between, upper ones first.
 */
SUSPENDS int manifest_fetch(struct files *f, const struct link *link, struct manifest *m,
    struct chunk_ref *top, struct manifest *above, struct file_missing *missing);
void ref_of_chunk(const struct manifest_chunk *c, struct chunk_ref *out);

#endif
