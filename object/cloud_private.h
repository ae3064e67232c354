/* Shared by the files behind cloud.h: the account's own map, and the buckets that are open. */
#ifndef OBJECT_CLOUD_PRIVATE_H
#define OBJECT_CLOUD_PRIVATE_H

#include "object/cloud.h"
#include "object/content_map.h"
#include "object/delegation.h"
#include "object/record_memory.h"
#include "overlay/base/task.h"

enum cloud_table {
	TABLE_ACCOUNT = 'a',
	TABLE_BUCKETS = 'b',
	TABLE_DELETED = 'd',
	TABLE_KEYS = 'k',
	TABLE_DELEGATES = 'w',
};

/* A register, what lies behind it, and the map on both. */
struct cloud_store {
	struct ground_bucket *ground;
	struct map *map; /* NULL: not open */
	/* What the map lets go of goes to its own trash; lent to it, so it has a place of its own.
	 */
	struct content_map *contents;
};

struct cloud {
	struct cloud_opts opts; /* the strings are ours */
	struct env *env;
	struct account account;
	struct delegation *delegation; /* instead of the account, which is zero then; NULL */
	char number[ACCOUNT_NUMBER_TEXT];
	char *cache_dir;
	struct bucket_seed seed; /* of the account's own bucket */
	struct hash bucket;
	struct semaphore starting;
	struct cloud_store own;
	/* Those of earlier epochs: whoever still works in one does so until the end. */
	struct cloud_store *retired;
	size_t retired_count;
	struct record_memory records;
	uint64_t believed_until; /* what is known of it needs no question until then */
	bool away, refreshing;   /* its anchors did not answer; they are asked */
	struct cloud_bucket *open;
	size_t open_count;
	struct timer unused;
	struct task_group background; /* refreshes, closes what is unused */
};

struct cloud_bucket {
	struct cloud *cloud;
	struct cloud_bucket *next;
	struct cloud_facts facts;
	struct bucket_seed seed;
	struct charter charter; /* as it was founded */
	struct cloud_store store;
	struct semaphore opening;
	struct cloud_bucket_extra extra;
	uint32_t users;
	uint64_t used_at;
	/* Deleted, or its register is to be found anew: not given to anybody any more. */
	bool outdated;
	bool live;         /* it was not closed … */
	uint64_t live_seq; /* … in the state of this seq */
};

/* ---- maps (cloud_store.c) ---- */
struct cloud_store_wish {
	const struct bucket_seed *seed;
	const struct bucket_location *location; /* NULL: anywhere */
	const struct charter *charter;          /* NULL: the account's own, which is found first */
};
/* ERR_NOT_FOUND: nobody knows the register; ERR_UNREACHABLE. *out is zeroed on errors. */
/* Where no quorum answers it is opened with what was kept of it here, if there is something. */
SUSPENDS int cloud_store_open(
    struct cloud *c, const struct cloud_store_wish *w, struct cloud_store *out);
SUSPENDS void cloud_store_close(struct cloud *c, struct cloud_store *s);
/* Whether this machine keeps something of it: then it was somewhere, whoever knows of it now. */
SUSPENDS bool cloud_store_seen(struct cloud *c, const struct hash *bucket);
/* Salt and secret are drawn, a charter is made for them and signed: nobody is told yet. */
SUSPENDS int cloud_store_draft(struct cloud *c, const struct bucket_seed *seed,
    const struct bucket_location *location, struct charter *out);
/* The same for a later epoch, which goes on from that head. */
SUSPENDS int cloud_store_draft_after(struct cloud *c, const struct cloud_store_wish *w,
    uint64_t epoch, const struct head *base, struct charter *out);

/* ---- the account's own map (cloud.c) ---- */
/* As CLOUD_BELIEVED says; ERR_STATE before cloud_start. */
SUSPENDS int cloud_view(struct cloud *c, enum map_fresh fresh, struct map_view **out);
SUSPENDS int cloud_update(struct cloud *c, map_fn *fn, void *arg);

struct cloud_key_text { /* of a table: letter and text */
	uint8_t b[1 + BUCKET_NAME_MAX + 1];
	size_t len;
};
struct cloud_key_text cloud_table_key(enum cloud_table t, const void *text, size_t len);
struct bytes cloud_key_bytes(const struct cloud_key_text *k);
/*
 * Each record of a table, in order, until each says something else than ERR_OK. Both are lent for
 * the call, which must not suspend; name without the letter.
 */
SUSPENDS int cloud_table_each(struct kv *kv, enum cloud_table t,
    int (*each)(void *arg, struct bytes name, struct bytes value), void *arg);
/* ERR_FULL: it has so many, or more. */
SUSPENDS int cloud_table_room(struct kv *kv, enum cloud_table t, size_t most);
/* Of the account's current state; with stale_ms as MAP_RECALL has it. */
SUSPENDS int cloud_table_list(struct cloud *c, enum cloud_table t, uint64_t *stale_ms,
    int (*each)(void *arg, struct bytes name, struct bytes value), void *arg);
/* Of a view for this alone; appends. ERR_NOT_FOUND. */
SUSPENDS int cloud_get(
    struct cloud *c, enum map_fresh fresh, const struct cloud_key_text *key, struct buf *value);

/* NULL: not delegated. */
const struct delegated_bucket *cloud_delegated(const struct cloud *c, const struct hash *bucket);
bool cloud_expired(const struct cloud *c);

/* ---- records of buckets (cloud_buckets.c) ---- */
SUSPENDS int cloud_record_get(
    struct cloud *c, struct kv *kv, const char *name, struct bucket_record *out);
int cloud_record_put(
    struct cloud *c, struct kv *txn, const char *name, const struct bucket_record *r);
/* The live one, believed as CLOUD_BELIEVED says; what is not known is asked for. */
SUSPENDS int cloud_record_find(struct cloud *c, const char *name, struct bucket_record *out);
/* The record of the bucket that was closed goes to the deleted ones. */
SUSPENDS int cloud_bucket_forget(struct cloud *c, const struct cloud_facts *facts);
void cloud_facts_of(const char *name, const struct bucket_record *r, struct cloud_facts *out);

/* ---- open buckets (cloud_open.c) ---- */
void cloud_open_start(struct cloud *c);
/* Nobody uses any more. */
SUSPENDS void cloud_open_stop(struct cloud *c);
/* Its register is elsewhere: who opens it next finds it. */
void cloud_open_outdate(struct cloud *c, const struct hash *bucket);
/* Says in the bucket that it is deleted, if empty agrees. ERR_NOT_FOUND: it said so before. */
SUSPENDS int cloud_bucket_end(struct cloud_bucket *b, int (*empty)(struct kv *txn));

#endif
