/*
 * Multipart uploads. Parts are records of their own; a completed object goes on naming them, so
 * that completing 10,000 parts writes a few hundred bytes. Parts that no object uses are swept
 * behind, a few in each transaction.
 *
 * Completing needs the network for long lists of chunks, which a transaction must not wait for:
 *
 *	upload_plan(view, …)      checks the request and says which parts there are
 *	                          (the caller joins their contents, combines checksums)
 *	upload_complete(txn, …)   ERR_STALE if a part has changed since: plan again
 */
#ifndef OBJECT_UPLOAD_H
#define OBJECT_UPLOAD_H

#include "object/bucket.h"

#define PART_NUMBER_MAX 10000
#define PART_BITS_BYTES ((PART_NUMBER_MAX + 8) / 8)
#define PART_BYTES_MAX  GIB(5)
#define PART_BYTES_MIN  MIB(5) /* but for the last */

struct upload {
	struct version id;
	struct account_id initiator;
	uint64_t created_ms;
	struct entry
	    entry; /* the object's attributes; no content. Lends. checksum: what is wanted */
};

/* Kept forms; both lend from in. ERR_VERSION, ERR_CORRUPT. The id is the record's key's. */
int upload_pack(const struct upload *u, struct buf *out);
int upload_unpack(struct bytes in, struct upload *out);

/* The upload's 32 digits. ERR_INVALID, which S3 calls NoSuchUpload. */
int upload_id_parse(struct bytes text, struct version *out);

/* Sets u->id and created_ms. The same refusals as bucket_put() for what the entry says. */
SUSPENDS int upload_create(struct bucket_txn *t, struct bytes key, struct upload *u);
/* REFUSAL_NO_SUCH_UPLOAD. Lends from value. */
SUSPENDS int upload_get(struct kv *kv, struct bytes key, const struct version *id,
    struct buf *value, struct upload *out);

struct part {
	uint16_t number;
	uint64_t size, modified_ms;
	struct etag etag; /* .parts 0 */
	struct checksum checksum;
	struct bytes content; /* lent */
};
int part_pack(const struct part *p, struct buf *out);
int part_unpack(struct bytes in, struct part *out);

/* Over an older one of the number. The content's first reference is the part's. modified_ms is set.
 * REFUSAL_NO_SUCH_UPLOAD, _ARGUMENT (number), _TOO_LARGE, _PART_CHECKSUM (another algorithm). */
SUSPENDS int upload_put_part(
    struct bucket_txn *t, struct bytes key, const struct version *id, struct part *p);
/* Gives up to max parts with a number above after. REFUSAL_NO_SUCH_UPLOAD. */
SUSPENDS int upload_parts(struct kv *kv, struct bytes key, const struct version *id, uint16_t after,
    uint32_t max, int (*each)(void *arg, const struct part *p), void *arg, bool *truncated);

/* ---- completing ---- */
struct upload_part_named { /* as the request says */
	uint16_t number;
	struct bytes etag;
	struct checksum checksum; /* .algorithm CHECKSUM_NONE: none was given */
};
struct upload_plan {
	uint64_t changes;    /* of the upload's parts until then */
	struct hash request; /* of the request alone: the same one may come again */
	struct etag etag;
	uint64_t size;
	uint32_t parts_count;
	/* The same request was completed before: this is its result, nothing is left to do. */
	bool repeated;
	struct bucket_done done;
	struct checksum checksum;      /* of the object, if repeated */
	uint8_t used[PART_BITS_BYTES]; /* bit n: part n */
};
/*
 * Gives every part used, in order, with its content. REFUSAL_NO_SUCH_UPLOAD, _PART_ORDER, _PART,
 * _PART_SMALL, _PART_CHECKSUM, _TOO_LARGE.
 */
SUSPENDS int upload_plan(struct kv *kv, struct bytes key, const struct version *id,
    const struct upload_part_named *named, size_t named_count,
    int (*each)(void *arg, const struct part *p), void *arg, struct upload_plan *out);
/*
 * content: the parts' contents joined; it takes over their references. checksum: of the object,
 * combined by the caller. ERR_STALE: plan again. REFUSAL_PRECONDITION and the like as bucket_put().
 */
SUSPENDS int upload_complete(struct bucket_txn *t, struct bytes key, const struct version *id,
    const struct conditions *c, const struct upload_plan *plan, struct bytes content,
    const struct checksum *checksum, struct bucket_done *done);
/* REFUSAL_NO_SUCH_UPLOAD. Its parts are swept behind. */
SUSPENDS int upload_abort(struct bucket_txn *t, struct bytes key, const struct version *id);

/* ---- the parts of a completed object ---- */
/* REFUSAL_PART_NUMBER. An object not put in parts has part 1, all of it, and
 * upload_object_parts() gives none. No part has a content: it is the object's. */
SUSPENDS int upload_object_part(
    struct kv *kv, const struct entry *e, uint16_t number, uint64_t *offset, struct part *out);
SUSPENDS int upload_object_parts(struct kv *kv, const struct entry *e, uint16_t after, uint32_t max,
    int (*each)(void *arg, const struct part *p), void *arg, bool *truncated);

/* ---- sweeping: call in transactions of its own while *more ---- */
#define SWEEP_PARTS_MAX 256 /* records taken away in one transaction; the tail is small */
#define UPLOAD_REPEAT_MS                                                                           \
	86400000 /* so long a completion may be repeated: clients retry for hours */
SUSPENDS int upload_sweep(struct bucket_txn *t, bool *more);

#endif
