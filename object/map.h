/*
 * A bucket's state: an ordered map that lives on the peers, encrypted; linearizable by the head
 * register ([12] of the architecture; formats: doc/disk.md).
 *
 *   snapshot  sorted pages of about 1 MiB, a chunk each, listed by a chunk that the root names; the
 *             root is a chunk, too, its id is in the head
 *   log       what was written since: older records in chunks that the root names, the newest (at
 *             most 256 KiB, 96 commits) with the anchors
 *   overlay   the log in memory, ordered, in versions, so that a view stays what it was
 *   cache     pages fetched before, as sealed, in a directory that may be deleted; the hottest ones
 *             unpacked in memory
 *
 *   update → queue → one commit of all that wait: each function on the newest state, one after the
 *            other → records → head moves once → overlay
 *   tail half full → its records become a log chunk, a new root names it (in the background)
 *   dirty for long, or overlay large → checkpoint: pages whose range changed are written anew
 *
 * Any number of these, on any machines, on one register. Loop thread.
 */
#ifndef OBJECT_MAP_H
#define OBJECT_MAP_H

#include "object/blob_store.h"
#include "object/kv.h"
#include "object/map_register.h"

/* Of all writes of a transaction, packed; compressed they must fit MAP_SEGMENT_MAX. */
#define MAP_TXN_BYTES_MAX MIB(1)
/* Of a commit, sealed: two must fit the tail, or rolling could not go on beside writing. */
#define MAP_SEGMENT_MAX   KIB(120)
#define MAP_RESULT_MAX    256

struct map;
struct map_view;

/*
 * Takes note of chunks that nothing names any more: their leases are to end, a day later or so. For
 * what checkpoints have replaced, this is three checkpoints after (meant: content_trash_chunks, of
 * content_refs.h). Again with the same ones until
 * it says ERR_OK, and then perhaps once more: what takes note must bear that. May call map_update.
 */
struct map_discard {
	SUSPENDS int (*fn)(void *arg, const struct chunk_ref *refs, size_t count);
	void *arg;
};

struct map_opts {
	struct env *env;
	struct map_register *reg; /* lent */
	struct blob_store *blobs; /* lent */
	struct network_id net;
	struct hash bucket;
	const struct key *secret;   /* the bucket's; what seals is derived, nothing is kept of it */
	struct map_discard discard; /* fn NULL: leases end by themselves */
	const char *cache_dir;      /* made when missing; copied; NULL: none */
	uint64_t cache_bytes;       /* of that directory; 0: MAP_CACHE_BYTES */
	uint64_t memory_bytes;      /* of unpacked pages; 0: MAP_MEMORY_BYTES */
	uint64_t overlay_bytes;     /* a checkpoint is due; 0: MAP_OVERLAY_BYTES */
	uint64_t page_bytes;        /* of a page, unpacked; 0: MAP_PAGE_BYTES; small in tests */
	uint64_t
	    checkpoint_after; /* dirty for so long; 0: MAP_CHECKPOINT_AFTER; UINT64_MAX: never */
};
#define MAP_CACHE_BYTES      GIB(1)
#define MAP_MEMORY_BYTES     MIB(64)
#define MAP_OVERLAY_BYTES    MIB(32)
#define MAP_PAGE_BYTES       MIB(1)
/* At most ([12]); drawn from 5 to 7.5 minutes by who wrote last, from 7.5 on by other gateways. */
#define MAP_CHECKPOINT_AFTER MINUTES(10)

/* Asks nobody yet: the first view or update does. */
SUSPENDS int map_open(const struct map_opts *opts, struct map **out);
/* Ends what goes on, without a checkpoint. All views are released, no call is running. */
SUSPENDS void map_close(struct map *m);

/* As long as what is known of an account is believed (cloud.c). */
#define MAP_RECENT_AGE SECONDS(5)
enum map_fresh {
	MAP_CURRENT, /* as committed at some moment after the call */
	MAP_ANY,     /* what is known; only when nothing is, the register is asked */
	MAP_RECENT,  /* as MAP_ANY, where it was current within the last MAP_RECENT_AGE */
	/*
	 * As MAP_CURRENT; where no quorum answers in time, what was committed when one did, as far
	 * as it is known here or was kept in the cache directory: map_view_stale_ms() tells.
	 */
	MAP_RECALL,
};
/*
 * ERR_UNREACHABLE: no quorum answers, or a part of the log is not to be had; ERR_CORRUPT, ERR_AUTH:
 * forked, or not sealed with this secret; ERR_STALE: the owner has begun another epoch (as
 * head_client_read): find the register anew, open another map.
 */
SUSPENDS int map_view(struct map *m, enum map_fresh fresh, struct map_view **out);
struct kv *map_view_kv(struct map_view *v);
uint64_t map_view_seq(const struct map_view *v);
/* 0: as asked for. Else no quorum answered, and this was the committed state at that time (Unix
 * milliseconds), or later. */
uint64_t map_view_stale_ms(const struct map_view *v);
void map_view_release(struct map_view *v); /* NULL: nothing */

/*
 * fn runs on the newest state, in a task of the map's, perhaps several times; only the last run
 * counts, and its writes are all committed or none. It may suspend in kv_get and kv_seek, for long
 * it should not: others wait.
 *
 * ERR_OK: committed (or fn wrote nothing, and what it saw was current). fn's own error: nothing
 * written; what it saw was current. ERR_UNKNOWN: it may have been written or not. ERR_UNREACHABLE,
 * ERR_BUSY, ERR_TOO_BIG, ERR_CORRUPT, ERR_STATE (read only), ERR_PERMISSION (no writer any more),
 * ERR_STALE (as of map_view), ERR_CANCELED: nothing was written.
 */
typedef int map_fn(void *arg, struct kv *txn);
SUSPENDS int map_update(struct map *m, map_fn *fn, void *arg);
/*
 * The same with a result, at most MAP_RESULT_MAX bytes, that fn sets by map_txn_result: it is kept
 * with the transaction, and told also where an earlier run turns out to have been committed.
 */
SUSPENDS int map_update_result(struct map *m, map_fn *fn, void *arg, struct buf *result);
int map_txn_result(struct kv *txn, struct bytes result);

/*
 * Whether the head that is known was moved by this map: of several gateways the one that wrote last
 * looks after the bucket.
 */
bool map_leads(const struct map *m);

/* Now; ERR_OK also when there is nothing to do. */
SUSPENDS int map_checkpoint(struct map *m);
/* Every chunk of the state and of the snapshots that are kept, for leases. An error of each ends
 * it. */
SUSPENDS int map_each_chunk(
    struct map *m, int (*each)(void *arg, const struct chunk_ref *ref), void *arg);

struct map_sight {
	bool loaded; /* something is known */
	bool stale;  /* the register did not answer when it was asked last */
	bool forked;
	uint64_t epoch, seq;
	uint64_t snapshot_seq, checkpoints;                /* of the snapshot */
	uint64_t pages, page_plain_bytes, page_bytes;      /* in it; unpacked, as sealed */
	uint64_t overlay_entries, overlay_bytes;           /* memory of what is not in it yet */
	uint64_t log_chunks, tail_segments, tail_bytes;    /* where the log lies */
	uint64_t cached_pages, cached_bytes, cached_files; /* in memory; of the directory */
	uint64_t views;
	uint64_t retired; /* chunks that wait for their time to be discarded */
	/* Since it was opened: */
	uint64_t commits, transactions, reruns, unknown;
	uint64_t written_records, written_logs, written_roots, written_pages,
	    written_lists; /* bytes */
	uint64_t fetched_pages, fetched_bytes;
	uint64_t rolls, own_checkpoints, failed_checkpoints;
};
void map_sight(const struct map *m, struct map_sight *out);

#endif
