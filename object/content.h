/*
 * Where the bytes of an object of a bucket, or of a part of one, lie, as its entry says it
 * (layouts: doc/disk.md). The whole way:
 *
 *   write   content_write.h  bytes → blocks sealed under a fresh key → chunks (a chunk goes out
 *                            while the next fills), or a place in a pack (packs.h), or the bytes
 *                            themselves → struct content, leased for its full term
 *   commit  content_refs.h   inside the transaction that makes an entry name it: content_named();
 *                            content_ref() for a copy, content_unref() for what goes: what nothing
 *                            names any more goes to the trash
 *   read    content_read.h   struct content → windows, read ahead → bytes in order
 *   keep    content_keep.h   leases renewed, locked; trash carried out a day later
 *
 * A content that is finished and then not named goes to the trash by content_dropped().
 */
#ifndef OBJECT_CONTENT_H
#define OBJECT_CONTENT_H

#include "object/files.h"
#include "object/manifest.h"

/* Below this two chunks would cost more than the bytes in the entry. */
#define CONTENT_INLINE_MAX MANIFEST_INLINE_MAX
/* What may share a chunk with others: above it a chunk of its own costs little. */
#define CONTENT_PACKED_MAX MIB(1)
/* Packed form in an entry: 121 chunks at n = 12. A longer list is sealed and stored by itself. */
#define CONTENT_LIST_MAX   KIB(16)
/* The longest packed form: such a list, or one chunk of 255 shards. */
#define CONTENT_FORM_MAX   CONTENT_LIST_MAX

enum content_kind {
	CONTENT_EMPTY,
	CONTENT_INLINE, /* the bytes: list.inline_data */
	CONTENT_PACKED, /* from `at` on in the one chunk of list, sealed under key */
	CONTENT_CHUNKS, /* segments and chunks of list; of an object with parts one segment each */
	CONTENT_LISTED, /* list has the top chunk of a sealed manifest that is read by key */
};

struct content {
	enum content_kind kind;
	uint64_t bytes; /* plaintext */
	struct manifest list;
	struct key key;
	uint32_t at;
};

void content_init(struct content *c);                             /* empty */
void content_fini(struct content *c);                             /* frees and wipes */
int content_copy(const struct content *from, struct content *to); /* into an init'ed one */

/* Appends the packed form; ERR_TOO_BIG: longer than CONTENT_FORM_MAX. */
int content_pack(const struct content *c, struct buf *out);
/*
 * The reverse into an init'ed c, which the caller fini's in any case. ERR_INVALID (ranges, lengths
 * that do not add up, bytes left over), ERR_VERSION.
 */
int content_unpack(struct bytes form, struct content *c);

/* Sealed bytes of a packed content in its pack. */
uint64_t content_sealed_bytes(const struct content *c);

/*
 * Segments and chunks of CHUNKS or LISTED into an init'ed m; the chunks that hold the list itself
 * (the top one first) into above, which may be NULL. Empty ones have none; ERR_STATE for the
 * others.
 */
SUSPENDS int content_load(struct files *f, const struct content *c, struct manifest *m,
    struct manifest *above, struct file_missing *missing);

/*
 * Each chunk that c needs, of a listed one those of its list last and the top one behind all
 * others, so that what was broken off can be done again. ref is lent for the call, which may
 * suspend; its error ends the walk.
 */
struct content_each {
	SUSPENDS int (*chunk)(void *arg, const struct chunk_ref *ref);
	void *arg;
};
SUSPENDS int content_each_chunk(
    struct files *f, const struct content *c, const struct content_each *each);

#endif
