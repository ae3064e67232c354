/*
 * Chunks in the network, from the outside: put one, read parts of one, count its
 * live shards, fill up what is missing. Used by clients and, for repair, by nodes.
 * Sees ciphertext only: the layer above seals and opens inside the callbacks,
 * which run in workers and touch nothing but their own buffers.
 *
 *   put   source.fill → row of k leaves → code → leaf hashes → n streams → receipts
 *   get   k streams (fastest holders) → rows, rebuilt where a leaf is missing → sink.take
 */
#ifndef STORAGE_CHUNKS_H
#define STORAGE_CHUNKS_H

#include "dht/dht.h"
#include "storage/descriptor.h"
#include "storage/lease.h"
#include "storage/placement.h"
#include "storage/refusals.h"

#define PUT_STALL_TIMEOUT                                                                          \
	SECONDS(30) /* without progress, after s: the put returns with what it has */
/* Without progress and with fewer than k holders: long enough for a node to restart, and the whole
 * refusal stays under 30 s with the search for holders in it. */
#define GET_REFUSE_TIMEOUT  SECONDS(10)
/* Peers verify each other within a round trip or two of joining. */
#define CANDIDATES_PATIENCE SECONDS(2)
/* Bytes of one window of rows that is fetched, opened and delivered as one piece. */
#define WINDOW_BYTES        MIB(4)
#define WINDOWS_IN_FLIGHT   4

struct chunks;

struct chunks_opts {
	struct endpoint *endpoint; /* lent */
	struct dht *dht;           /* lent */
};
int chunks_new(const struct chunks_opts *opts, struct chunks **out);
void chunks_free(struct chunks *c); /* no operation is running */

struct endpoint *chunks_endpoint(struct chunks *c); /* lends */

/* A chunk as manifests name it. */
struct chunk_ref {
	struct hash id;
	struct code_params code;
	uint64_t bytes;
	/* Where it was put, by shard index: hints; all-zero prefix: unknown. */
	uint8_t hints[SHARDS_MAX][8];
};

/* ---- put ---- */
struct chunk_source {
	/* Writes ciphertext bytes [offset, offset + len) of the chunk to dst; in a worker, rows in
	 * any order. */
	int (*fill)(void *arg, uint64_t offset, uint8_t *dst, size_t len);
	void *arg;
};
struct lease_signer {
	/* Sets key and signature of l, and in its note the grant, if there is one; on the loop. */
	void (*sign)(void *arg, struct lease *l);
	void *arg;
};
struct chunk_put_opts {
	struct code_params code;
	uint64_t bytes; /* 1 … CHUNK_BYTES_MAX */
	struct chunk_source source;
	struct lease_signer signer;
	struct constraints constraints; /* repair_at is set from code */
	uint8_t want; /* receipts to wait for: 0 means n; s: returns once s are there */
	/* What it will be raised to: who does not promise so much is no holder. */
	uint64_t term_s, lock_s;
	/* May be NULL: bytes of the chunk that went out to the slowest counted holder; on the loop.
	 */
	void (*progress)(void *arg, uint64_t bytes);
	void *arg;
};
struct chunk_put_result {
	struct put_refusals refusals;
	struct chunk_ref ref;
	struct descriptor descriptor;
	uint8_t placed; /* shards with receipts */
	bool named;     /* all was coded: id and descriptor are known */
	/*
	 * Of what was coded so far, a hash per row; zero: not yet. What is read again must be the
	 * same: one key and nonce never seal two texts.
	 */
	struct hash rows[LEAVES_MAX];
	bool have[SHARDS_MAX];
	struct contact holders[SHARDS_MAX]; /* where have */
	struct placement_report report;
};
/*
 * ERR_OK with ≥ s receipts (see placed); ERR_PLACEMENT when fewer than s nodes fit or have room;
 * ERR_NO_NETWORK; ERR_UNREACHABLE when less than s receipts came. The result is large:
 * caller's heap. Upload leases run 48 h: chunk_raise before the chunk is named to anybody.
 */
SUSPENDS int chunk_put(
    struct chunks *c, const struct chunk_put_opts *opts, struct chunk_put_result *out);
/*
 * Goes on with what a chunk_put, successful or not, has left in *io: codes the source again and
 * places the shards that io->have lacks with nodes asked for anew. ERR_OK when opts->want are
 * there; otherwise the first obstacle, with *io updated as far as it went: see placed. ERR_INVALID
 * when the source does not give what it gave before; nothing of that is sent.
 */
SUSPENDS int chunk_complete(
    struct chunks *c, const struct chunk_put_opts *opts, struct chunk_put_result *io);
/* Memory that a put takes for so long beside what its source holds. */
int chunk_put_memory(const struct code_params *code, uint64_t bytes, uint64_t *memory);
/* Publishes the location record ourselves: for chunks to be found from their id alone at once. */
SUSPENDS int chunk_publish(struct chunks *c, const struct chunk_put_result *r);

/* ---- get ---- */
/* 1 MiB at a time: long writes cost a file system less. */
#define SINK_PIECES 16
struct chunk_sink {
	/*
	 * Takes ciphertext of the chunk from offset on, in pieces that lie one behind the other
	 * there; in a worker. Offsets are multiples of LEAF_BYTES, pieces are of that length but
	 * for the chunk's last, at most SINK_PIECES. All are taken or none: on ERR_AUTH or
	 * ERR_CORRUPT the liar is found, blamed and worked around, and they are given again; what
	 * was taken never is. Any other error ends the read with it.
	 */
	int (*take)(void *arg, uint64_t offset, const struct bytes *pieces, size_t count);
	void *arg;
	bool ordered; /* one call after the other, by offset; else in parallel, as they come */
	bool verify;  /* take cannot tell wrong bytes: check all by hash first (a round trip) */
};
/*
 * Reads what covers bytes [from, from + len): leaves at the edges are given whole, or their rows.
 * ERR_UNREACHABLE when fewer than k holders answer within GET_REFUSE_TIMEOUT, twice that when a
 * search has found others meanwhile: then missing, if not NULL, tells.
 */
struct chunk_missing {
	uint8_t answered, needed, placed; /* holders that answered, k, n */
};
SUSPENDS int chunk_get(struct chunks *c, const struct chunk_ref *ref, uint64_t from, uint64_t len,
    const struct chunk_sink *sink, struct chunk_missing *missing);
/* A chunk of which only the id is known (links): asks its holders for code and length. */
SUSPENDS int chunk_discover(
    struct chunks *c, const struct hash *id, struct chunk_ref *out, struct chunk_missing *missing);

/* ---- verify ---- */
struct shard_state {
	bool live;             /* the holder says that it has it */
	struct contact holder; /* where live, or where it should be; pub zero: unknown */
	uint64_t lease_until;  /* earliest of live ones' leases, unix seconds; 0: unknown */
};
SUSPENDS int chunk_survey(
    struct chunks *c, const struct chunk_ref *ref, struct shard_state *out, uint8_t *live);

/*
 * Candidates for placement (cached for some seconds). While fewer than want are known the network
 * is asked again for CANDIDATES_PATIENCE: who has just joined does not know everybody yet.
 */
SUSPENDS int chunks_candidates(
    struct chunks *c, size_t want, struct candidate *out, size_t cap, size_t *count);
/* Live storing servers, for choosing a code: counted while they are few, else estimated. */
SUSPENDS int chunks_servers(struct chunks *c, uint64_t *servers);

#endif
