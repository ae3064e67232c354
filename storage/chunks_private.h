/*
 * Shared by the files behind chunks.h: coders made once, reused buffers, candidates, and
 * the holders of a chunk as they are found. Not for anybody else.
 */
#ifndef STORAGE_CHUNKS_PRIVATE_H
#define STORAGE_CHUNKS_PRIVATE_H

#include "storage/chunks.h"
#include "storage/code.h"
#include "storage/merkle.h"
#include "storage/messages.h"

/* Peers' free space and round trips change slowly against a put. */
#define CANDIDATES_FRESH  SECONDS(20)
/* Buffers kept for the next use: two puts' rings, or a get's windows. */
#define SPARE_BUFFERS_MAX 64
/* A node that took nothing of ours is not asked again for so long. */
#define REFUSED_FOR       MINUTES(5)

/* Who said no, and until when that counts. */
struct refused {
	struct pubkey node;
	uint64_t until;
};

struct coding {
	struct coding *next;
	uint8_t k, n;
	struct coder *coder;
};

struct spare {
	uint8_t *data;
	size_t bytes;
};

struct chunks {
	struct chunks_opts opts;
	struct env *env;
	struct network_id net;
	struct coding *codings;
	struct spare spares[SPARE_BUFFERS_MAX];
	size_t spares_count;
	struct candidate *candidates;
	size_t candidates_count;
	uint64_t candidates_at; /* 0: none yet */
	struct semaphore gathering;
	struct refused refused[CANDIDATES_MAX];
	size_t refused_next; /* the oldest gives way */
	uint64_t column_ns;  /* smoothed time of one column of a window; 0: unknown */
};

/* The coder for k of n, made at first use, lent for the life of c. */
int chunks_coder(struct chunks *c, uint8_t k, uint8_t n, const struct coder **out);
/* Page-aligned, contents undefined; back with chunks_buffer_put, same length. NULL: no memory. */
uint8_t *chunks_buffer(struct chunks *c, size_t bytes);
void chunks_buffer_put(struct chunks *c, uint8_t *data, size_t bytes);
uint64_t chunks_now_ms(const struct chunks *c); /* agreed time */
/* One more of them for a shard of the chunk; marks it taken. ERR_PLACEMENT. */
int chunks_choose(struct chunks *c, struct candidate *of, size_t count,
    const struct constraints *rules, const struct layout *layout, size_t *chosen);
void chunks_candidates_stale(struct chunks *c); /* ask anew next time */
/* It will be no candidate for a while. */
void chunks_refused(struct chunks *c, const struct pubkey *node);

/* ---- holders of one chunk (holders.c) ---- */
enum holder_state {
	HOLDER_UNKNOWN, /* nobody known for this index */
	HOLDER_KNOWN,   /* somebody should have it */
	HOLDER_FAILED,  /* did not answer, or said that it has not; may be asked again */
	HOLDER_BAD,     /* gave wrong bytes: never again for this read */
};
struct holder_slot {
	enum holder_state state;
	struct contact contact;
	uint32_t answered; /* requests it has answered well */
	bool failing;      /* has not answered since it failed: gives way to any other */
	uint8_t evasions;  /* times it sent bytes and would not prove them */
};
struct holders {
	struct chunks *c;
	const struct chunk_ref *ref; /* lent */
	uint8_t need;
	struct semaphore searching;
	uint32_t searches; /* ended so far */
	uint64_t searched_at;
	struct descriptor *descriptor; /* once fetched */
	struct holder_slot at[SHARDS_MAX];
};
/* need: how many known holders are enough: k to read, n to count. gives */
int holders_new(struct chunks *c, const struct chunk_ref *ref, uint8_t need, struct holders **out);
void holders_free(struct holders *h);
/* Hints to contacts, in parallel, until enough are known; the others stay unknown. */
SUSPENDS int holders_resolve(struct holders *h);
/*
 * The way back in: location records, the siblings that live holders know, and finally the nodes
 * around. Failed ones are made known again. At most once a second; ERR_OK even when nothing new was
 * found.
 */
SUSPENDS int holders_search(struct holders *h);
/* The holder of index, if it still is `who`, did not answer. */
void holders_failed(struct holders *h, uint8_t index, const struct contact *who);
/* The descriptor, from any holder, checked against the chunk id; lent. */
SUSPENDS int holders_descriptor(struct holders *h, const struct descriptor **out);
/* Distinct indices whose holder answered something well. */
uint8_t holders_answered(const struct holders *h);

/* ---- one question to each holder (survey.c) ---- */
struct asks;
struct asking {
	struct asks *asks;
	uint8_t index;
};
struct asks {
	struct chunks *c;
	int (*ask)(struct asks *a, uint8_t index);
	void *arg;
	struct asking at[SHARDS_MAX]; /* private */
};
/* One task for each of n indices; waits for all, but not longer than one that lives takes. */
SUSPENDS int chunks_ask_all(struct asks *a, uint8_t n);

/* ---- one shard to one node (shard_stream.c) ---- */
/* Until the node has said that it has room, and what it promises. gives *out */
SUSPENDS int shard_stream_open(struct chunks *c, const struct contact *to,
    const struct shard_put *m, struct shard_go *go, struct stream **out);
/* Leaves or hashes (METHOD_SHARD_GET, _HASHES) of a range, to be read from *out. gives */
SUSPENDS int shard_range_open(struct chunks *c, const struct contact *from, uint16_t method,
    const struct shard_range *range, struct stream **out);
/* The hashes of all rows leaves of a shard; out has room for them. Nothing is checked. */
SUSPENDS int shard_hashes(struct chunks *c, const struct contact *from, const struct hash *chunk,
    uint8_t index, uint32_t rows, struct hash *out);
/* u32 length and packed commit, as the stream wants it behind the leaves. */
int shard_commit_message(
    const struct descriptor *d, const struct lease *l, struct network_id net, struct buf *out);
/* Behind the last leaf: ERR_OK with the node's receipt, which was checked; a forged one is blamed.
 */
SUSPENDS int shard_stream_commit(struct chunks *c, struct stream *st, struct bytes message,
    const struct lease *lease, uint8_t index);

/* One request over a session to whoever: reply reset and filled with the tail. */
SUSPENDS int storage_ask(struct chunks *c, const struct contact *to, uint16_t method,
    struct bytes head, struct buf *reply);
SUSPENDS int storage_ask_have(
    struct chunks *c, const struct contact *to, const struct hash *chunk, struct chunk_have *out);

#endif
