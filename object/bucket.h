/*
 * S3's objects and versions as functions over an ordered map (object/kv.h); nothing here knows the
 * network. Times and random bytes are the caller's. Whatever changes the bucket runs inside a
 * transaction and may run again on a newer state; what it returns then counts: ERR_OK, a refusal
 * (object/refusal.h), or ERR_*. Only ERR_OK leaves something written.
 *
 *	struct bucket_txn t = { .kv = txn, .refs = refs, .now_ms = now, .random = ... };
 *	err = bucket_put(&t, key, &conditions, &entry, &done);
 *
 * Listing: object/listing.h; parts: object/upload.h; what is set for a bucket: object/settings.h.
 * Source of the rules: Amazon S3 API reference and user guide (versioning, object lock).
 *
 * Tables, by the first byte of a key; details in doc/disk.md: 'b' settings, 'c' documents,
 * 'v' versions of objects, 'z' where a null version is that is not the latest; 'u' uploads, 'p'
 * parts, 'w' how often they have changed, 'd' what is to be swept, 'k' and 'q' results that may be
 * asked for again. 'r', 't' and 'h' are object/content_refs.h's and content_keep.h's, 'n' is
 * object/map.h's, 'x' object/cloud.h's.
 */
#ifndef OBJECT_BUCKET_H
#define OBJECT_BUCKET_H

#include "object/acl.h"
#include "object/conditions.h"
#include "object/entry.h"
#include "object/kv.h"
#include "object/refusal.h"

/* Who counts the references of contents: object/content.h in the product. */
struct content_refs {
	/* Something names a content that was just written; NULL: no need to know. */
	int (*named)(
	    void *arg, struct kv *txn, struct bytes content, uint64_t written_ms, uint64_t now_ms);
	/* One more, or one fewer, entry names it. */
	int (*ref)(void *arg, struct kv *txn, struct bytes content);
	int (*unref)(void *arg, struct kv *txn, struct bytes content, uint64_t now_ms);
	void *arg;
};

struct bucket_txn {
	struct kv *kv;
	const struct content_refs *refs;
	uint64_t now_ms;     /* Unix time */
	uint64_t written_ms; /* when the content to be named was finished; 0: just now */
	uint8_t random[8];   /* fresh for each new version or upload */
};

/* What is said of a write in the answer. */
struct bucket_done {
	bool versioned; /* x-amz-version-id is sent: the bucket is or was versioned */
	bool null, marker;
	struct version version;
	bool existed; /* delete: something was there */
};
/* As the result of a transaction whose fate was unknown (map_txn_result). ERR_CORRUPT. */
#define BUCKET_DONE_BYTES (1 + VERSION_BYTES)
void bucket_done_pack(const struct bucket_done *d, uint8_t out[BUCKET_DONE_BYTES]);
int bucket_done_unpack(struct bytes in, struct bucket_done *out);

/*
 * Writes a version. e->content's first reference is the entry's: on any failure the caller lets
 * the content go. version, null, modified_ms, and the bucket's default retention are set in e.
 * REFUSAL_PRECONDITION, _NO_SUCH_KEY (If-Match), _NO_LOCK (a lock where the bucket has none),
 * _PAST, _KEY, _KEY_LONG, _TAG, _TAGS_MANY, _METADATA.
 */
SUSPENDS int bucket_put(struct bucket_txn *t, struct bytes key, const struct conditions *c,
    struct entry *e, struct bucket_done *done);
/*
 * The same for a copy inside the bucket: e->content is shared with the source, which the
 * transaction has read, so one more reference is counted.
 */
SUSPENDS int bucket_put_shared(struct bucket_txn *t, struct bytes key, const struct conditions *c,
    struct entry *e, struct bucket_done *done);

/*
 * Finds a version. A delete marker is found, too: bucket_readable() says what a reader is told.
 * REFUSAL_NO_SUCH_KEY, REFUSAL_NO_SUCH_VERSION. out lends from value.
 */
SUSPENDS int bucket_get(struct kv *kv, struct bytes key, const struct version_ref *which,
    struct buf *value, struct entry *out);
/* ERR_OK, or of a marker REFUSAL_NO_SUCH_KEY (asked as the latest), REFUSAL_MARKER (by its id). */
int bucket_readable(const struct entry *e, const struct version_ref *which);

struct bucket_delete {
	struct version_ref which;
	struct conditions conditions;
	bool bypass_governance; /* asked for, and permitted */
	struct bytes owner; /* account id: whose a delete marker is; none: the bucket's owner's */
};
/*
 * As S3 does: the latest of a bucket without versioning goes, else a delete marker is put (the
 * null version is replaced while suspended); a version that is named goes for good.
 * REFUSAL_LOCKED, _PRECONDITION, _NO_SUCH_KEY (If-Match).
 */
SUSPENDS int bucket_delete(struct bucket_txn *t, struct bytes key, const struct bucket_delete *d,
    struct bucket_done *done);

/* ---- changes of a version in its place; done says which. REFUSAL_NO_SUCH_KEY, _NO_SUCH_VERSION,
 * _MARKER. ---- */
SUSPENDS int bucket_set_tags(struct bucket_txn *t, struct bytes key,
    const struct version_ref *which, struct bytes tags, struct bucket_done *done);
SUSPENDS int bucket_set_acl(struct bucket_txn *t, struct bytes key, const struct version_ref *which,
    struct bytes acl, struct bucket_done *done);
/* REFUSAL_NO_LOCK, _PAST, _LOCKED (shortened or loosened without right to bypass). mode LOCK_NONE
 * takes it away. */
SUSPENDS int bucket_set_retention(struct bucket_txn *t, struct bytes key,
    const struct version_ref *which, enum lock_mode mode, uint64_t until_ms, bool bypass,
    struct bucket_done *done);
SUSPENDS int bucket_set_hold(struct bucket_txn *t, struct bytes key,
    const struct version_ref *which, bool hold, struct bucket_done *done);

/* Whether the bucket may be deleted: ERR_OK, REFUSAL_NOT_EMPTY (versions and markers count; uploads
 * do not, S3 lets them go with the bucket). */
SUSPENDS int bucket_empty(struct kv *kv);

#endif
