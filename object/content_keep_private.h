/* Shared by the files that keep contents: the tour, its batches, the trash. */
#ifndef OBJECT_CONTENT_KEEP_PRIVATE_H
#define OBJECT_CONTENT_KEEP_PRIVATE_H

#include "object/content_keep.h"
#include "object/content_private.h"

#define TOUR_OVER  UINT8_MAX
/* Chunks that were looked at last: members of packs come in no order, but often near each other. */
#define RECENT_MAX 256

struct tour {
	uint64_t started_ms; /* 0: never */
	uint8_t table;       /* index into entries.tables; TOUR_OVER */
	uint8_t cursor[KV_KEY_MAX + 1];
	size_t cursor_len; /* 0: where the table begins */
};

struct content_keeper {
	struct content_keeper_opts opts;
	struct env *env;
	struct task_group tasks;
	struct semaphore touring, emptying;
	struct tour tour;
	uint64_t saved_at;
	bool hurry;
	struct hash recent[RECENT_MAX];
	size_t recent_next;
	struct content_keeper_sight sight;
};

uint64_t keeper_now_ms(const struct content_keeper *k); /* agreed time */

/* ---- a batch of entries (content_move.c) ---- */
struct keep_entry {
	struct buf key, value; /* value only of what moves */
	struct content content;
	bool moves;
	struct content fresh; /* where it lies then */
	uint64_t fresh_ms;
	bool written;
};

struct keep_batch {
	struct content_keeper *keeper;
	struct keep_entry *entries;
	size_t count, cap;
	size_t next_move;
	uint8_t next[KV_KEY_MAX + 2]; /* the cursor behind it */
	size_t next_len;
	bool last; /* of its table */
};

struct keep_batch *keep_batch_new(struct content_keeper *k);
void keep_batch_reset(struct keep_batch *b);
void keep_batch_free(struct keep_batch *b);
/* What a record names, if anything with chunks; and whether that lies in a pack that is mostly
 * dead.
 */
SUSPENDS int keep_batch_add(
    struct keep_batch *b, struct kv *kv, struct bytes key, struct bytes value);
/* Moves what should: written anew, then in one transaction named there and not here. */
SUSPENDS int keep_batch_move(struct keep_batch *b);

#endif
