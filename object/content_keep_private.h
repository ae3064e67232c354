/* Shared by the files that keep contents: the tour, its batches, the trash. */
#ifndef OBJECT_CONTENT_KEEP_PRIVATE_H
#define OBJECT_CONTENT_KEEP_PRIVATE_H

#include "object/bucket_contents.h"
#include "object/content_keep.h"
#include "object/content_private.h"

/* Chunks that were looked at last: members of packs come in no order, but often near each other. */
#define RECENT_MAX 256

struct tour {
	uint64_t started_ms; /* 0: never */
	bool over;
	uint8_t place[BUCKET_PLACE_MAX]; /* of bucket_contents() */
	size_t place_len;
};

struct looked_at {
	struct hash chunk;
	uint64_t lock_until_ms;
};

struct content_keeper {
	struct content_keeper_opts opts;
	struct env *env;
	struct task_group tasks;
	struct semaphore touring, emptying;
	struct tour tour;
	uint64_t saved_at;
	bool hurry;
	uint64_t lock_until_ms; /* of what is looked at; 0: not locked */
	struct looked_at recent[RECENT_MAX];
	size_t recent_next;
	struct content_keeper_sight sight;
};

uint64_t keeper_now_ms(const struct content_keeper *k); /* agreed time */

/* ---- a batch of entries (content_move.c) ---- */
struct keep_entry {
	struct buf key, form; /* only of what moves */
	struct content content;
	uint64_t locked_until_ms;
	bool moves;
	struct content fresh; /* where it lies then */
	uint64_t fresh_ms;
	bool written;
};

struct keep_batch {
	struct content_keeper *keeper;
	struct kv *view; /* while it is filled */
	struct keep_entry *entries;
	size_t count, cap;
	size_t next_move;
	struct buf place; /* behind it */
	bool last;
};

struct keep_batch *keep_batch_new(struct content_keeper *k);
void keep_batch_reset(struct keep_batch *b);
void keep_batch_free(struct keep_batch *b);
/* As bucket_contents() gives it, which lies in b->view; arg: the batch. */
SUSPENDS int keep_batch_add(void *arg, const struct bucket_content *c);
/* Moves what should: written anew, then in one transaction named there and not here. */
SUSPENDS int keep_batch_move(struct keep_batch *b);

#endif
