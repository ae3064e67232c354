/*
 * Sealing of a bucket's pages, logs and roots: compressed, then XChaCha20-Poly1305 under a random
 * nonce. What a sealed string is for, whose, and where it belongs is bound to it, so none passes
 * for another (layout: doc/disk.md). Pure, but it compresses: longer input belongs in workers.
 */
#ifndef OBJECT_SEALING_H
#define OBJECT_SEALING_H

#include "overlay/base/buf.h"
#include "overlay/base/crypto.h"

enum sealing_kind {
	SEALING_RECORDS, /* position: the seq that they are committed with; others: 0 */
	SEALING_LOG,
	SEALING_PAGE,
	SEALING_LIST,
	SEALING_IDS,
	SEALING_ROOT,
	SEALING_KEPT, /* on the reader's own disk */
	SEALING_KINDS,
};

struct sealing {
	struct network_id net;
	struct hash bucket;
	struct key keys[SEALING_KINDS];
};

void sealing_init(
    struct sealing *s, struct network_id net, const struct hash *bucket, const struct key *secret);
void sealing_wipe(struct sealing *s);

/* Before what zstd makes of the text: version, nonce; and behind: the tag. */
#define SEALING_OVERHEAD (1 + CRYPTO_XNONCE_BYTES + CRYPTO_TAG_BYTES)
struct sealing_text {
	enum sealing_kind kind;
	uint64_t position;
	struct bytes in; /* lent */
};
/* Appends the sealed form to out. nonce: random. ERR_TOO_BIG: out has no room. */
int sealing_seal(const struct sealing *s, const struct sealing_text *text,
    const uint8_t nonce[CRYPTO_XNONCE_BYTES], struct buf *out);
/*
 * The reverse, appended to out, whose room is the limit. ERR_INVALID: too short; ERR_VERSION;
 * ERR_AUTH: altered, another kind, place or bucket; ERR_TOO_BIG, ERR_CORRUPT: unfolds too far, or
 * wrongly.
 */
int sealing_open(const struct sealing *s, const struct sealing_text *sealed, struct buf *out);

#endif
