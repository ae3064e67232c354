/*
 * Whole files in the network: what `put`, `get`, `stat` and `verify` stand on.
 *
 *   put  read → blocks sealed under a fresh key → chunks (storage/chunks.h) → manifest → link
 *   get  link → manifest → chunks → blocks opened → written in place or in order
 *
 * Acknowledged means: file_put returned ERR_OK, every chunk and the manifest have ≥ s receipts
 * with the full-term lease, and the manifest's location is published.
 */
#ifndef OBJECT_FILES_H
#define OBJECT_FILES_H

#include "object/account.h"
#include "object/link.h"
#include "storage/chunks.h"

#define CHUNKS_IN_FLIGHT 2 /* one is coded while the other waits for its syncs */

struct files; /* a client's context */

struct files_opts {
	struct env *env;
	struct chunks *chunks; /* lent */
	struct dht *dht;       /* lent */
	struct network_id net;
	const struct account *account; /* lent; NULL: can only read */
	uint64_t chunk_bytes; /* of full chunks, a multiple of 64 KiB; 0: CHUNK_BYTES_MAX; small in
				 tests */
};
int files_new(const struct files_opts *opts, struct files **out);
void files_free(struct files *f);

/* ---- put ---- */
struct file_source {
	/*
	 * Reads up to len bytes at offset (known length) or the next ones (unknown); blocks; in a
	 * worker. known length: calls come in any order, from several workers, and a short read is
	 * an error (the file changed).
	 */
	int (*read)(void *arg, uint64_t offset, uint8_t *dst, size_t len, size_t *got);
	void *arg;
	bool length_known;
	uint64_t length;
};
struct file_put_opts {
	struct file_source source;
	const char *name;               /* base name to keep in the manifest; may be NULL */
	struct code_params code;        /* k = 0: by the size of the network */
	struct constraints constraints; /* repair_at is set from the code */
	uint64_t term_s;                /* lease term; 0: LEASE_TERM_S */
	uint64_t lock_s; /* nobody can delete it so long, its owner included; ≤ term; 0: no lock */
	bool wait_s;     /* return at s receipts, do not wait for all n */
	void (*progress)(
	    void *arg, uint64_t done, uint64_t total); /* total 0: unknown; loop; may be NULL */
	void *arg;
};
struct file_put_result {
	struct link link;       /* read link */
	uint64_t bytes, chunks; /* chunks: all that were placed, the manifest's included */
	struct code_params code;
	uint8_t placed_min;             /* over all chunks: shards with receipts of the worst one */
	struct placement_report report; /* of the worst chunk */
	struct put_refusals refusals;   /* of all chunks that were not placed as wanted */
};
/*
 * ERR_OK: acknowledged (placed_min may be < n: the caller warns). ERR_INVALID for a source that
 * changed while it was read. Nothing half-done is named: leases of an aborted put end after 48 h.
 */
SUSPENDS int file_put(
    struct files *f, const struct file_put_opts *opts, struct file_put_result *out);

/* ---- get ---- */
struct file_target {
	/* Writes at offset (relative to the start of the range); blocks; in a worker; several at
	 * once unless ordered. */
	int (*write)(void *arg, uint64_t offset, const uint8_t *src, size_t len);
	void *arg;
	bool ordered; /* a pipe: one after the other */
};
struct file_range {
	uint64_t from,
	    to; /* bytes from … to, both included, as HTTP has it; to = UINT64_MAX: to the end */
};
struct file_missing { /* of the chunk that could not be read */
	uint64_t chunk,
	    chunks; /* its number and how many there are; chunks 0: it was the manifest */
	struct chunk_missing holders;
};
struct file_get_opts {
	const struct link *link;
	const struct file_range *range; /* NULL: all */
	struct file_target target;
	void (*started)(void *arg, uint64_t bytes,
	    const char *name); /* length of what will be written; loop; may be NULL */
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *arg;
};
/* ERR_UNREACHABLE fills missing. ERR_INVALID: a range that begins behind the end, or a verify link.
 */
SUSPENDS int file_get(
    struct files *f, const struct file_get_opts *opts, struct file_missing *missing);

/* ---- how long it is kept ---- */
struct file_lease_opts {
	const struct link *link; /* a read link: it leads to the file's lease key */
	uint64_t until;          /* unix seconds; 0: deleted, which is final */
	uint64_t lock_until;     /* a lock can only be raised; 0: as it is */
	void (*progress)(void *arg, uint64_t done, uint64_t total); /* loop; may be NULL */
	void *arg;
};
struct file_lease_result {
	uint64_t chunks, unreached; /* told to somebody; no holder lives */
	uint64_t live, told;        /* holders, over all chunks */
	uint8_t told_least;         /* of the chunk that fewest have heard of */
	uint64_t unlocked;          /* holders that do not grant the lock, over all chunks */
	uint64_t locked_until;      /* of the chunk that is locked longest; unix seconds; 0: none */
};
/*
 * Prolongs or ends the leases of all chunks. ERR_UNREACHABLE: some chunk has no live holder (*out
 * tells; missing, when it was the manifest): the same call goes on later. ERR_NOT_FOUND: not put by
 * this account; ERR_STALE: it is deleted; ERR_STATE: no account, or no read link; ERR_LOCKED: until
 * out->locked_until; ERR_UNSUPPORTED: no holder of some chunk grants so long a lock.
 */
SUSPENDS int file_set_lease(struct files *f, const struct file_lease_opts *opts,
    struct file_lease_result *out, struct file_missing *missing);

/* ---- sight ---- */
struct file_info {
	bool readable; /* a read link: name and length are known */
	char name[1025];
	uint64_t bytes, stored_bytes; /* stored: all shards, as placed */
	uint64_t chunks;              /* all that lie on the peers */
	uint64_t parts;               /* of these the file's, not its manifest's */
	struct code_params code;
	uint64_t created_ms;
	struct link verify;
};
struct file_chunk_state {
	uint64_t number;                  /* UINT64_MAX: the manifest's, or of its lists */
	const struct chunk_ref *ref;      /* lends for the call */
	const struct shard_state *shards; /* n of them; NULL when not surveyed */
	uint8_t live;
};
/*
 * The manifest's facts, and if each is not NULL a survey of every chunk (the manifest's and
 * those of its lists first) without downloading any; each runs on the loop. *least gets the
 * smallest live − k (may be negative).
 */
SUSPENDS int file_survey(struct files *f, const struct link *link, struct file_info *info,
    void (*each)(void *arg, const struct file_chunk_state *s), void *arg, int *least,
    struct file_missing *missing);

#endif
