/*
 * What the gateway needs of the world behind it: accounts with their access keys, and buckets by
 * name, of one account or of several that share one name space. Tables of functions, so that the
 * operations run on the network's buckets (object/cloud.h, one for each account) and, in tests, on
 * some that are kept in memory.
 *
 * Contents pass as their packed form (object/content.h): what an entry keeps.
 */
#ifndef GATEWAY_REALM_H
#define GATEWAY_REALM_H

#include "object/access_key.h"
#include "object/bucket.h"

#define REALM_NAME_MAX   (64 + 1)
#define REALM_BUCKET_MAX 64 /* with NUL */
#define REALM_FORM_MAX   ENTRY_CONTENT_BYTES_MAX

struct realm_account {
	struct account_id id; /* "": nobody has signed */
	char name[REALM_NAME_MAX];
};

struct realm_key { /* with a secret */
	struct access_key key;
	struct realm_account account;
};

struct realm;
struct realm_bucket;
struct realm_writer;
struct realm_reader;
struct realm_spare;

struct realm_write {
	uint64_t bytes; /* UINT64_MAX: unknown */
	bool part;      /* will be joined with others */
	bool locked;    /* will be under retention or hold: with no others in one chunk */
	const struct key *customer; /* SSE-C; NULL */
};

enum realm_fresh {
	REALM_CURRENT, /* the state as of a moment after the call */
	REALM_KNOWN,   /* as this gateway knows it, some seconds old at most: nobody is asked */
};

struct realm_bucket_ops {
	/* REALM_CURRENT may be an older one where no quorum answers and b->recalls: then
	 * b->stale_ms says of when. Released before any other call but reading. */
	SUSPENDS int (*view)(struct realm_bucket *b, enum realm_fresh fresh, struct kv **out);
	void (*view_release)(struct realm_bucket *b, struct kv *view);
	/*
	 * As map_update_result(): ERR_OK, fn's own error, ERR_UNKNOWN. result (may be NULL) is what
	 * fn set by txn_result in the run that counts.
	 */
	SUSPENDS int (*update)(struct realm_bucket *b, int (*fn)(void *arg, struct kv *txn),
	    void *arg, struct buf *result);
	int (*txn_result)(struct kv *txn, struct bytes result);
	/* ---- contents ---- */
	SUSPENDS int (*writer_new)(
	    struct realm_bucket *b, const struct realm_write *w, struct realm_writer **out);
	SUSPENDS int (*write)(struct realm_writer *w, struct bytes data); /* copies */
	SUSPENDS int (*finish)(struct realm_writer *w, struct buf *form); /* appends */
	SUSPENDS void (*writer_free)(struct realm_writer *w);
	/* What was finished and will not be named. */
	SUSPENDS void (*drop)(struct realm_bucket *b, struct bytes form);
	SUSPENDS int (*join)(struct realm_bucket *b, const struct bytes *forms, size_t count,
	    struct buf *form, struct realm_spare **spare);
	/* In the transaction that names what was joined: what it took the place of. */
	SUSPENDS int (*joined)(struct realm_spare *s, struct kv *txn, uint64_t now_ms);
	void (*spare_free)(struct realm_spare *s); /* NULL is accepted */
	SUSPENDS int (*reader_new)(struct realm_bucket *b, struct bytes form, uint64_t from,
	    uint64_t len, const struct key *customer, struct realm_reader **out);
	SUSPENDS int (*read)(struct realm_reader *r, struct bytes *lent); /* ERR_END */
	SUSPENDS void (*reader_free)(struct realm_reader *r);
	/* Whether of several gateways this one looks after the bucket (map_leads): asked after a
	 * view. NULL: always. */
	bool (*leads)(struct realm_bucket *b);
	void (*release)(struct realm_bucket *b);
};

struct realm_bucket {
	const struct realm_bucket_ops *ops;
	char name[REALM_BUCKET_MAX];
	struct realm_account owner;
	uint64_t created_ms;
	const struct content_refs *refs;
	bool recalls;      /* set by the user: he only reads, and says that it may be old */
	uint64_t stale_ms; /* of the oldest view so far that was no current one; 0: none */
};

/* The older of two such times. */
static inline uint64_t
realm_staler(uint64_t a_ms, uint64_t b_ms)
{
	return a_ms == 0 || b_ms == 0 ? MAX(a_ms, b_ms) : MIN(a_ms, b_ms);
}

/* How long ago that was, as answers say it: a second begun is one. */
static inline uint64_t
realm_stale_seconds(uint64_t stale_ms, uint64_t now_ms)
{
	return now_ms > stale_ms ? (now_ms - stale_ms + 999) / 1000 : 0;
}

struct realm_listed {
	const char *name;
	const char *region;
	uint64_t created_ms;
};

struct realm_ops {
	/* ERR_NOT_FOUND. */
	SUSPENDS int (*key)(struct realm *c, const char *access, struct realm_key *out);
	SUSPENDS int (*account)(struct realm *c, const char *id, struct realm_account *out);
	/* By display name or address: as ACL grants name people. */
	SUSPENDS int (*account_named)(struct realm *c, const char *name, struct realm_account *out);
	/* ERR_NOT_FOUND. gives: release */
	SUSPENDS int (*bucket)(struct realm *c, const char *name, struct realm_bucket **out);
	/* fn writes its first state; region is one that region_known() knows, or "".
	 * ERR_EXISTS: the name is taken, by whomever. gives */
	SUSPENDS int (*create)(struct realm *c, const struct realm_account *owner, const char *name,
	    const char *region, int (*fn)(void *arg, struct kv *txn), void *arg,
	    struct realm_bucket **out);
	/* It was found empty, and fn says so again in the last transaction. */
	SUSPENDS int (*remove)(struct realm *c, struct realm_bucket *b);
	/* In order of names; owner NULL: of all accounts, one after the other. stale_ms as of a
	 * bucket that recalls; NULL: only what is current. */
	SUSPENDS int (*list)(struct realm *c, const struct account_id *owner, uint64_t *stale_ms,
	    int (*each)(void *arg, const struct realm_listed *b), void *arg);
	/* A placement policy that has this name as location. */
	bool (*region_known)(struct realm *c, const char *region);
};

struct realm {
	const struct realm_ops *ops;
};

#endif
