/*
 * A map's world in memory: a head register and a store of chunks that several maps share, on the
 * simulated clock, with faults. What the register does is what the one in the network may do: races
 * are lost, proposals fail, end unknown and turn up later, after any number of others who did not
 * see them, the head forks.
 */
#ifndef TEST_UNIT_OBJECT_MAP_FIXTURE_H
#define TEST_UNIT_OBJECT_MAP_FIXTURE_H

#include "object/map.h"
#include "sim/sim.h"

/* Shared by all gateways. */
struct mem_head {
	struct map_head head;
	struct buf segments[TAIL_SEGMENTS_MAX];
};
struct mem_chunk {
	struct chunk_ref ref;
	struct buf data;
	bool published, discarded;
	struct mem_chunk *next;
};
struct mem_world {
	struct sim_world *sim;
	struct env *env;
	bool lent; /* these two */
	struct mem_head now;
	bool floats; /* a proposal of unknown fate: who asks and sees it decides */
	struct mem_head floating;
	const struct gateway *floating_of;
	struct mem_chunk *chunks;
	size_t chunks_count;
	uint64_t chunk_bytes;
	uint64_t random; /* state of the generator */
	/* Faults, in thousandths. */
	unsigned fail, unknown, unreachable, put_fails;
	unsigned fail_late; /* a commit, behind decide: nothing was sent */
	unsigned refused;   /* a proposal is in the air, and its commit goes on with decide */
	unsigned unseen;    /* what is in the air, by who asks: it stays there */
	bool forked;
	bool superseded; /* by a later epoch */
	bool strict;     /* what was discarded is not asked for */
	/* Called when a proposal was left in the air, in the task that commits; may suspend. */
	void (*on_unknown)(void *arg);
	void *on_unknown_arg;
	uint64_t head_latency, chunk_latency; /* ns, at most */
	uint64_t committed;                   /* heads so far */
};
struct gateway {
	struct mem_world *w;
	struct map_register reg;
	struct blob_store blobs;
	struct mem_head known;
	struct map *map;
	/* From this operation on it is dead; 0: never. The one itself may take effect or not. */
	uint64_t operations, dies_at;
	struct map_opts opts;
};

struct mem_world *mem_world_new(uint64_t seed);
/* Another register and store on a world that is there. */
struct mem_world *mem_world_on(struct sim_world *sim, struct env *env, uint64_t seed);
void mem_world_free(struct mem_world *w); /* all gateways are closed */
uint32_t mem_draw(struct mem_world *w, uint32_t bound);
/* Opens a map; NULL: the usual options of tests, small pages. */
struct gateway *gateway_open(struct mem_world *w, const struct map_opts *opts);
void gateway_close(struct gateway *g);
/* Register and store alone, for who opens a map on them. */
struct gateway *gateway_attach(struct mem_world *w);
void gateway_detach(struct gateway *g);
/* Runs fn as a task to its end. */
int mem_run(struct mem_world *w, int (*fn)(void *arg), void *arg);
/* What is in the air is chosen, or never will be. */
void mem_settle(struct mem_world *w, bool chosen);
struct mem_chunk *mem_chunk_find(struct mem_world *w, const struct hash *id);

/* ---- a naive model: a sorted array ---- */
struct model_entry {
	struct buf key, value;
};
struct model {
	struct model_entry *at;
	size_t count, cap;
};
void model_init(struct model *m);
void model_fini(struct model *m);
void model_put(struct model *m, struct bytes key, struct bytes value);
void model_del(struct model *m, struct bytes key);
struct model_entry *model_get(const struct model *m, struct bytes key);
size_t model_seek(const struct model *m, struct bytes from);
void model_copy(struct model *to, const struct model *from);
/* Every entry of kv, from the first one on, is the model's and the other way round; in a task. */
void model_check(const struct model *m, struct kv *kv);

#endif
