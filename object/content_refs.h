/*
 * Which chunks of a bucket are still named: counts, and what is to be un-leased, in the bucket's
 * state itself, so that they change in the same transaction as the entries. All of these run inside
 * one; times are unix ms, given by the caller. Formats: doc/disk.md.
 *
 *   'r' ‖ chunk id        references; a chunk without a record has exactly one, but packs, which
 *                         have one from their first member on
 *   't' ‖ time ‖ what     trash: chunks that nothing names since then
 *
 * Every place of the state that names a content counts: content_named() once for what was just
 * written, content_ref() for each further place (a copy inside the bucket), content_unref() for
 * each that goes. What moves from one place to another in one transaction is neither. What is
 * joined (content_join) moves from the parts to the object. ref and unref: only of a content that
 * this very transaction has read from where it is named.
 */
#ifndef OBJECT_CONTENT_REFS_H
#define OBJECT_CONTENT_REFS_H

#include "object/content.h"

#define CONTENT_TABLE_REFS  'r'
#define CONTENT_TABLE_TRASH 't'

struct kv;

/* Behind that time a content that was written may have gone (content_dropped): ERR_STALE. */
#define CONTENT_NAMED_WITHIN_S (6 * 3600)
/* From the commit that listed it to the end of its leases: slow readers, other gateways. */
#define CONTENT_TRASH_WAIT_S   (24 * 3600)

/* written_ms: when it was finished. */
SUSPENDS int content_named(
    struct kv *txn, const struct content *c, uint64_t written_ms, uint64_t now_ms);
SUSPENDS int content_ref(struct kv *txn, const struct content *c);
SUSPENDS int content_unref(struct kv *txn, const struct content *c, uint64_t now_ms);
/*
 * It was written and will not be named: the transaction that was to name it has failed for good. Of
 * unknown fate (ERR_UNKNOWN) only in a transaction that has seen that its place does not name it.
 */
SUSPENDS int content_dropped(struct kv *txn, const struct content *c, uint64_t now_ms);
/* How often its chunks are named, the most of any; 0: a pack that nobody names. */
SUSPENDS int content_references(struct kv *kv, const struct content *c, uint64_t *count);

/* The same of packed forms, as object/bucket.h asks for them; arg is not used. */
SUSPENDS int content_form_named(
    void *arg, struct kv *txn, struct bytes form, uint64_t written_ms, uint64_t now_ms);
SUSPENDS int content_form_ref(void *arg, struct kv *txn, struct bytes form);
SUSPENDS int content_form_unref(void *arg, struct kv *txn, struct bytes form, uint64_t now_ms);

/* Chunks that are no content's: old pages, lists of joined parts. Twice the same does no harm.
 */
SUSPENDS int content_trash_chunks(struct kv *txn, const struct manifest *chunks, uint64_t now_ms);

/*
 * A pack's room: what lives in it, of how many bytes; a member that is named twice counts twice.
 * ERR_NOT_FOUND: not known as a pack.
 */
struct pack_room {
	uint32_t members;
	uint64_t live, bytes;
};
SUSPENDS int content_pack_room(struct kv *kv, const struct hash *chunk, struct pack_room *out);

/* ---- the trash ---- */
#define TRASH_KEY_BYTES (1 + 8 + 16) /* table, since_ms, first of the first chunk's id */
struct trash_item {
	uint8_t key[TRASH_KEY_BYTES];
	uint64_t since_ms;
	bool pack;
	struct content content; /* CHUNKS without segments, or LISTED: what is to be un-leased */
};
void trash_item_init(struct trash_item *t);
void trash_item_fini(struct trash_item *t);
/* The oldest whose key is ≥ from; ERR_NOT_FOUND: none. *out is init'ed, and replaced. */
SUSPENDS int content_trash_next(struct kv *kv, struct bytes from, struct trash_item *out);
/* It was carried out. ERR_NOT_FOUND: by somebody else, or a pack was named again.
 */
SUSPENDS int content_trash_done(struct kv *txn, const struct trash_item *t);
/* It waits until since_ms: of chunks that are locked. */
SUSPENDS int content_trash_defer(struct kv *txn, const struct trash_item *t, uint64_t since_ms);

#endif
