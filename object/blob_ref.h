/*
 * A chunk's ref as metadata keeps it in great numbers: with as many hints as it has shards, where
 * struct chunk_ref has room for all that are possible. Layout: doc/disk.md. Pure.
 */
#ifndef OBJECT_BLOB_REF_H
#define OBJECT_BLOB_REF_H

#include "overlay/base/buf.h"
#include "overlay/base/pack.h"
#include "storage/chunks.h"

struct blob_ref {
	struct hash id;
	struct code_params code;
	uint32_t bytes;
	uint8_t *hints; /* code.n of 8 bytes, owned */
};

/* Gives; ERR_NOMEM. */
int blob_ref_init(struct blob_ref *r, const struct chunk_ref *from);
int blob_ref_copy(struct blob_ref *r, const struct blob_ref *from);
void blob_ref_fini(struct blob_ref *r);
void blob_ref_chunk(const struct blob_ref *r, struct chunk_ref *out);

/* As it lies in metadata of all kinds, manifests and contents, too. */
void blob_ref_write(struct packer *p, const struct blob_ref *r);
/* Into *out all but the hints, which are lent. ERR_INVALID: cut, or no chunk. */
int blob_ref_read(struct unpacker *u, struct blob_ref *out, struct bytes *hints);
int blob_ref_pack(const struct blob_ref *r, struct buf *out); /* appends */
/* Gives. ERR_INVALID: cut, or no chunk; ERR_NOMEM. */
int blob_ref_unpack(struct unpacker *u, struct blob_ref *out);
#define BLOB_REF_BYTES(n) (32 + 3 + 4 + 8 * (size_t)(n))

#endif
