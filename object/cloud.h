/*
 * One account in the network: its buckets by name and its access keys, all kept in a bucket of its
 * own whose keys follow from the seed, so that the phrase and one peer lead to everything ([12]
 * Account; tables: doc/disk.md).
 *
 *   start   the account's register is found, or founded → its map
 *   create  a record with a signed charter, state "founding" → anchors are told → the bucket's
 * first transaction → the record says "live". Whatever breaks off, the next create goes on. open
 * record → register → map, leases, placement; stays open some minutes after its last use delete the
 * bucket says of itself that it is closed, if it is empty → the record goes to the trash, from
 * where duties (object/duties.h) let go of what it had
 *
 * Any number of these on any machines for one account. Loop thread. What the network is to it, and
 * what a bucket's map stands on, is behind object/ground.h, so tests have it in memory.
 */
#ifndef OBJECT_CLOUD_H
#define OBJECT_CLOUD_H

#include "object/access_key.h"
#include "object/bucket_record.h"
#include "object/ground.h"
#include "object/map.h"

/* So long a bucket's record and an access key are believed without asking the account's anchors:
 * what is revoked works so much longer. What is new works at once. */
#define CLOUD_BELIEVED    SECONDS(5)
/* Open at once; beyond, those longest unused are closed first. */
#define CLOUD_OPEN_MAX    64
#define CLOUD_OPEN_UNUSED MINUTES(10)
#define CLOUD_NAME_MAX    64 /* of the account, for people */
#define CLOUD_BUCKETS_MAX 1000
#define CLOUD_KEYS_MAX    1000

struct cloud;
struct cloud_bucket;
struct delegation;

struct cloud_opts {
	struct env *env;
	struct network_id net;
	const struct account *account; /* copied, wiped at the end; NULL: there is only a … */
	const struct delegation *delegation; /* … copied; its buckets are all there are: nothing is
					      * made, deleted or listed besides (ERR_PERMISSION) */
	struct ground *ground;               /* lent */
	struct files
	    *files; /* lent: what maps let go of goes to their trash; NULL: ends by itself */
	const char *cache_dir; /* a directory for each bucket in it; copied; NULL: none */
	uint64_t cache_bytes, memory_bytes; /* of each bucket's map, as map_opts */
	uint64_t checkpoint_after;          /* the same */
};
/* Asks nobody yet. */
int cloud_new(const struct cloud_opts *opts, struct cloud **out);
/* No call is running, all buckets are given back. NULL accepted. */
SUSPENDS void cloud_free(struct cloud *c);

/*
 * Before anything else. CLOUD_FIND: ERR_NOT_FOUND when this network knows no bucket of the account.
 * CLOUD_FOUND: then it begins here, unless the cache directory says that it had begun.
 * ERR_UNREACHABLE: it exists, but its anchors do not answer, and what was kept of it here is of no
 * use.
 * Once ERR_OK, later calls do nothing.
 */
enum cloud_start { CLOUD_FIND, CLOUD_FOUND };
SUSPENDS int cloud_start(struct cloud *c, enum cloud_start how);

/* ---- whose ---- */
/* 64 hexadecimal digits, S3's canonical user id; lent. */
const char *cloud_number(const struct cloud *c);
/* For people; "skerry" until it is set. */
SUSPENDS int cloud_name(struct cloud *c, char out[CLOUD_NAME_MAX + 1]);
SUSPENDS int cloud_set_name(struct cloud *c, const char *name);

/* ---- buckets by name ---- */
struct cloud_facts {
	char name[BUCKET_NAME_MAX + 1];
	struct hash id;
	uint64_t created_ms;
	struct bucket_location location;
};
/* Those that live, in the order of names, as they were at some moment after the call; with stale_ms
 * as MAP_RECALL has it. facts is lent for the call, which must not suspend; its error ends the
 * walk.
 */
SUSPENDS int cloud_buckets(struct cloud *c, uint64_t *stale_ms,
    int (*each)(void *arg, const struct cloud_facts *facts), void *arg);
/* ERR_NOT_FOUND. Believed as CLOUD_BELIEVED says. */
SUSPENDS int cloud_bucket_facts(struct cloud *c, const char *name, struct cloud_facts *out);

struct cloud_create {
	const char *name;
	const char *location; /* object/bucket_location.h; NULL: anywhere */
	/* The bucket's first transaction, before anybody can see it: may run more than once, also
	 * on what an earlier one wrote. NULL: none. */
	map_fn *first;
	void *arg;
};
/*
 * ERR_OK: it is there. ERR_EXISTS: it was before; ERR_INVALID: the name, or the location (see
 * bucket_name_valid, bucket_location_parse); ERR_FULL; ERR_PLACEMENT: too few nodes would be
 * anchors.
 */
SUSPENDS int cloud_bucket_create(struct cloud *c, const struct cloud_create *w);
/*
 * empty: run in the bucket's last transaction, tells whether it may go (object/bucket.h has
 * bucket_empty); its error is the result, and nothing has happened. ERR_NOT_FOUND: no such bucket.
 */
SUSPENDS int cloud_bucket_delete(struct cloud *c, const char *name, int (*empty)(struct kv *txn));

/* ---- one bucket ---- */
/* ERR_NOT_FOUND; ERR_UNREACHABLE. Each open one is given back; may be asked for many times. */
SUSPENDS int cloud_bucket_open(struct cloud *c, const char *name, struct cloud_bucket **out);
void cloud_bucket_close(struct cloud_bucket *b); /* NULL accepted */

/* All lent until it is given back. */
const struct cloud_facts *cloud_bucket_of(const struct cloud_bucket *b);
struct map *cloud_bucket_map(struct cloud_bucket *b);
struct ground_bucket *cloud_bucket_ground(struct cloud_bucket *b);
/* Who signs leases of what is stored in it; vouched for by the account. */
struct lease_signer cloud_bucket_signer(struct cloud_bucket *b);
/* A place for what belongs to the open bucket and is made by a layer above (its packs); freed by
 * the function when the bucket is closed for good. */
struct cloud_bucket_extra {
	void *data;
	SUSPENDS void (*free)(void *data);
};
struct cloud_bucket_extra *cloud_bucket_extra(struct cloud_bucket *b);

/*
 * As map_view and map_update_result, but ERR_NOT_FOUND once the bucket was deleted, by whomever:
 * inside the transaction, so nothing is written into a bucket that is gone. Nobody writes in
 * another way. result may be NULL. The map has table CLOUD_TABLE_CLOSED for this. ERR_STALE is the
 * function's own word; a later epoch, which the next who opens the bucket finds, is ERR_BUSY.
 */
#define CLOUD_TABLE_CLOSED 'x'
SUSPENDS int cloud_bucket_view(struct cloud_bucket *b, enum map_fresh fresh, struct map_view **out);
SUSPENDS int cloud_bucket_update(struct cloud_bucket *b, map_fn *fn, void *arg, struct buf *result);

/* ---- access keys ---- */
/* Draws id and secret of *io, whose other fields are set, and keeps it. ERR_INVALID, ERR_FULL. */
SUSPENDS int cloud_key_create(struct cloud *c, struct access_key *io);
/* ERR_NOT_FOUND: none, revoked, or expired. Believed as CLOUD_BELIEVED says. */
SUSPENDS int cloud_key_find(struct cloud *c, const char *id, struct access_key *out);
SUSPENDS int cloud_key_revoke(struct cloud *c, const char *id); /* ERR_NOT_FOUND */
/* All of them, in the order of ids; as cloud_buckets. */
SUSPENDS int cloud_keys(struct cloud *c, uint64_t *stale_ms,
    int (*each)(void *arg, const struct access_key *key), void *arg);

#endif
