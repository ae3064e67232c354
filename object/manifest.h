/*
 * The manifest of a stored object, sealed in two parts (layouts: doc/disk.md):
 *
 *   outer (verify key)  the chunks that hold the object: id, code, length, holder hints
 *   inner (read key)    name, length, time, segments {key, length, chunks}, or the bytes
 *                       themselves when there are at most MANIFEST_INLINE_MAX
 *
 * Each part is compressed, then sealed with XChaCha20-Poly1305 under a random nonce. The sealed
 * manifest is a chunk of its own; one that is longer than a chunk is cut into several, which
 * a small manifest of the next level lists (its inner part is empty: the parts are sealed
 * already). Pure, but it compresses: pack and unpack run in workers.
 */
#ifndef OBJECT_MANIFEST_H
#define OBJECT_MANIFEST_H

#include "overlay/base/buf.h"
#include "overlay/base/crypto.h"
#include "storage/layout.h"

#define MANIFEST_INLINE_MAX   KIB(4) /* below this two chunks would cost more than the bytes */
#define MANIFEST_LEVEL_MAX    3
#define MANIFEST_CHUNKS_MAX   1048576 /* 64 TiB in 64 MiB chunks; S3's largest object is 48.8 */
#define MANIFEST_SEGMENTS_MAX 10000   /* S3's limit of parts */
#define MANIFEST_NAME_MAX     1024
/* Unsealed, of one part: a million chunks of the widest shipped code. */
#define MANIFEST_BYTES_MAX    MIB(640)

struct manifest_chunk {
	struct hash id;
	struct code_params code;
	uint32_t bytes;
	uint8_t (*hints)[8]; /* code.n of them, owned */
};

struct manifest_segment {
	struct key key;
	uint64_t plain_bytes;
	uint32_t first_chunk; /* of chunks */
	uint32_t chunks;
};

struct manifest {
	uint8_t level; /* 0: an object; L > 0: the chunks hold the sealed manifest of level L − 1 */
	struct manifest_chunk *chunks;
	size_t chunks_count, chunks_cap;
	/* inner: known only with the read key, and empty above level 0 */
	bool opened;
	uint64_t plain_bytes;
	uint64_t created_ms;
	uint8_t file_id[32]; /* derives the lease key */
	char name[MANIFEST_NAME_MAX + 1];
	struct buf inline_data;
	struct manifest_segment *segments;
	size_t segments_count, segments_cap;
};

void manifest_init(struct manifest *m);
void manifest_fini(struct manifest *m); /* frees and wipes */
/* Copies id, code, bytes and hints (n of them). */
int manifest_add_chunk(struct manifest *m, const struct hash *id, const struct code_params *code,
    uint32_t bytes, const uint8_t (*hints)[8]);
int manifest_add_segment(struct manifest *m, const struct manifest_segment *s);
/* Adds the chunks of another manifest. */
int manifest_add_copies(struct manifest *to, const struct manifest *from);
/* The same, and its segments, behind those that are there. */
int manifest_append(struct manifest *to, const struct manifest *from);

/* A base name or nothing: no slash, neither "." nor "..", at most MANIFEST_NAME_MAX. */
bool manifest_name_valid(const char *name);

struct manifest_keys {
	struct key read; /* zero when only verifying */
	struct key verify;
	bool can_read;
};
/* Appends the sealed form. nonces: two, random. ERR_TOO_BIG: more than anybody would open. */
int manifest_seal(const struct manifest *m, struct network_id net, const struct manifest_keys *keys,
    const uint8_t nonces[2][CRYPTO_XNONCE_BYTES], struct buf *out);
/*
 * The reverse into an init'ed m: ERR_AUTH (wrong key or altered), ERR_VERSION, ERR_INVALID (ranges,
 * lengths that do not add up, trailing bytes), ERR_WRONG_NETWORK (in a part: ERR_AUTH comes first),
 * ERR_CORRUPT (wrongly compressed), ERR_TOO_BIG (unfolds beyond all proportion). The inner part is
 * opened when keys->can_read. m is fini'ed by the caller in any case.
 */
int manifest_open(struct bytes sealed, struct network_id net, const struct manifest_keys *keys,
    struct manifest *m);

#endif
