/*
 * The descriptor names a chunk: chunk id = SHA-256(packed descriptor). Fixed layout
 * (doc/disk.md): "skerry/chunk/1", code u8, k u8, n u8, chunk length u64, n roots. No network
 * id: the same chunk has the same name everywhere.
 */
#ifndef STORAGE_DESCRIPTOR_H
#define STORAGE_DESCRIPTOR_H

#include "storage/layout.h"

#define DESCRIPTOR_CODE_CAUCHY 1
#define DESCRIPTOR_BYTES(n)    (14 + 3 + 8 + 32 * (size_t)(n))
#define DESCRIPTOR_BYTES_MAX   DESCRIPTOR_BYTES(SHARDS_MAX)

struct descriptor {
	uint8_t k, n;
	uint64_t chunk_bytes;
	struct hash roots[SHARDS_MAX]; /* n are used */
};

/* Writes DESCRIPTOR_BYTES(d->n) bytes; returns that length. */
size_t descriptor_pack(const struct descriptor *d, uint8_t *out);
/* ERR_VERSION (also another code), ERR_INVALID (any field out of range, trailing bytes). */
int descriptor_unpack(struct bytes in, struct descriptor *out);
void descriptor_id(const struct descriptor *d, struct hash *out);

#endif
