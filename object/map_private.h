/*
 * Shared by the files behind map.h.
 *
 *	map, map_state, map_follow	its work; the committed state as far as it is known
 *	map_read	views and transactions as struct kv: writes over overlay over pages
 *	map_blobs, map_cache	chunks in and out, by way of the cache
 *	map_commit, map_roots, map_checkpoint, map_merge	commits; rolling; new snapshots
 */
#ifndef OBJECT_MAP_PRIVATE_H
#define OBJECT_MAP_PRIVATE_H

#include "object/cache_dir.h"
#include "object/map.h"
#include "object/map_ids.h"
#include "object/map_log.h"
#include "object/map_overlay.h"
#include "object/map_page.h"
#include "object/map_root.h"

/* Pages of the last so many checkpoints are kept ([12] *Deleting*). */
#define MAP_SNAPSHOTS_KEPT 3
/* One history of the log; an epoch (a recovery) begins another. Shared by views. */
struct map_era {
	size_t refs;
	struct overlay overlay;
};
struct map_snapshot {
	size_t refs;
	struct map_list list; /* its seq and checkpoint are the snapshot's */
};
struct cached_page;

struct map_view {
	struct kv kv;
	struct map *m;
	struct map_era *era;
	struct map_snapshot *snapshot;
	uint64_t seq;
	uint64_t stale_ms; /* no quorum answered: its state was current then; 0: as asked for */
	bool inside;       /* a commit's or a checkpoint's: never another snapshot */
	struct cached_page *page; /* the one read last stays */
	size_t page_number;
	struct map_view *next, *prev;
};

/* A root that is on its way to the head, with what it names that is new here. */
struct map_pending {
	struct hash base; /* the root that it follows: another one in the head makes it void */
	struct map_root root;
	struct blob_ref ref;
	struct map_snapshot *snapshot; /* NULL: the same */
	uint64_t covers;               /* leading segments of the tail up to this seq */
	struct wait done;              /* ERR_OK: committed; ERR_STALE: void */
};

/* What runs in a task of the map's own. */
enum map_work {
	MAP_WORK_COMMIT,
	MAP_WORK_ROLL,
	MAP_WORK_CHECKPOINT,
	MAP_WORK_KEEP,
	MAP_WORK_ASK,
	MAP_WORKS
};

struct map_waiter {
	struct wait wait;
	struct map_waiter *next;
};

struct map {
	struct map_opts opts;
	struct env *env;
	struct sealing sealing;
	struct cache_dir cache_dir;
	/* pages in memory, the one used last first: map_cache.c */
	struct cached_page *pages, *pages_end;
	size_t pages_count, ahead; /* ahead: being fetched before anybody asks */
	uint64_t pages_bytes;

	/* ---- the committed state as far as it is known ---- */
	bool loaded, stale, forked, away;
	uint64_t away_at; /* away: no quorum had answered the last question, until then */
	uint64_t current_ms, current_at; /* wall clock, loop's: committed then at the earliest */
	uint64_t others_at;              /* another one's head was met then, */
	struct hash others_due; /* and that one rolls: its tail was half full, behind this root */
	uint64_t epoch, seq;
	uint64_t record_seq;                       /* of the newest record */
	struct hash head_id, root_id, own_head_id; /* own: that this map committed last */
	struct map_root root;
	struct blob_ref root_ref; /* hints NULL: there is none */
	struct map_snapshot *snapshot;
	struct map_era *era;
	struct map_ids ids;
	uint64_t ids_from; /* ids has all behind this seq */
	uint64_t old_bytes_next, kept_ms;
	struct map_view *views;
	size_t views_count;
	struct semaphore following;

	/* ---- writing ---- */
	struct map_request *queue, **queue_end;
	size_t queue_count;
	bool kicked;
	struct semaphore rooting; /* one new root at a time */
	struct map_pending *pending;
	struct blob_ref *orphans; /* put, and named by no head */
	size_t orphans_count;
	struct map_waiter *waiters; /* for a root at hand, or rolling and checkpoints to end */
	struct semaphore checkpoints;
	struct timer checkpoint_timer, starter, keep_timer;
	uint64_t checkpoint_failures, failed_at, retry_pause; /* in a row; the last by itself */
	struct hash kept_id; /* of the head in the cache directory; kept_ms: its current_ms there */
	struct task_group tasks;
	bool working[MAP_WORKS]; /* a task for it runs, or is about to */
	bool wanted[MAP_WORKS];  /* about to */
	int work_err[MAP_WORKS]; /* how the last one ended */
	struct map_sight counts; /* what is counted since it was opened */
};
/* ---- map.c ---- */
/* Unless it runs already. By a timer, so that it does not inherit a caller's deadline. */
void map_start(struct map *m, enum map_work w);

/* ---- map_state.c ---- */
int map_state_init(struct map *m);
void map_state_fini(struct map *m);
int map_era_begin(struct map *m); /* ERR_NOMEM */
void map_snapshot_release(struct map_snapshot *s);
int map_view_new(struct map *m, struct map_view **out); /* of what is known */
bool map_dirty(const struct map *m);
/* Applies the records of a segment; those that are known already change nothing. */
SUSPENDS int map_apply(struct map *m, uint64_t seq, struct bytes segment);
/* Takes over: root, ref and snapshot (NULL: as before) are the map's now. */
void map_install(struct map *m, const struct hash *id, struct map_root *root, struct blob_ref *ref,
    struct map_snapshot *snapshot);
void map_prune(struct map *m);

/* ---- map_read.c ---- */
/* writes: of the commit that is being made, over the view; NULL: none. */
SUSPENDS int map_layers_get(
    struct map_view *v, const struct overlay *writes, struct bytes key, struct buf *value);
SUSPENDS int map_layers_seek(struct map_view *v, const struct overlay *writes, struct bytes from,
    struct buf *key, struct buf *value);
extern const struct kv_ops map_view_ops;

/* ---- map_commit.c ---- */
void map_kick(struct map *m); /* a root waits to be committed */
int map_committer(void *map);
/* ---- map_checkpoint.c, map_merge.c ---- */
uint64_t map_log_memory(const struct map *m); /* that a checkpoint frees */
void map_checkpoint_fire(void *map);          /* the timer's */
int map_checkpointer(void *map);
void map_checkpoint_arm(struct map *m); /* the timer where dirty, at once where it is due */
/*
 * Pages of the view's state, into an empty list; kept[i]: page i of its snapshot is one of them.
 * Where it fails, what was put is orphaned.
 */
SUSPENDS int map_merge(struct map_view *v, struct map_list *out, bool *kept);

#endif
