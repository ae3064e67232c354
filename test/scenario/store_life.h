/*
 * Lives of one shard store on a simulated disk, for tests that cut them short: four writers put
 * shards, renew leases, drop, put again, set values and siblings, and a model keeps what was asked
 * and what was confirmed. After a cut everything confirmed must be there byte for byte, nothing
 * else may be served than what was put, and the store must take and keep new shards.
 *
 * Not checked: rot (test_recover, test_bit_flips), LMDB, which lives on real files only.
 */
#ifndef TEST_SCENARIO_STORE_LIFE_H
#define TEST_SCENARIO_STORE_LIFE_H

#include "sim/sim.h"
#include "storage/store.h"

#define WRITERS 4
#define CHUNKS  5 /* per writer */

/* ---- what the store has told, and what was asked ---- */

struct shard_model {
	bool asked_put, asked_drop; /* since the last confirmation */
	enum { NOTHING, THERE, GONE } confirmed;
};
struct number_model { /* lease generations, values, sequences: they only grow */
	uint64_t confirmed, asked;
};
struct model {
	struct shard_model shards[WRITERS][CHUNKS][2];
	struct number_model leases[WRITERS], values[WRITERS], siblings[WRITERS];
	char wrong[200]; /* the first broken promise; empty: none */
};

struct run {
	struct sim_world *world;
	struct env *env;
	struct sim_disk *disk;
	struct store *store;
	struct model model;
	uint64_t failures; /* operations that failed, for the fault runs */
	unsigned times;    /* compactions in a life */
	uint64_t nth;      /* what a life is about */
	uint64_t gained;   /* bytes that compaction brought back */
};

void make_chunks(void);
void free_chunks(void);
void run_init(struct run *r, uint64_t seed);
void run_fini(struct run *r);

/* ---- operations that keep the model ---- */
SUSPENDS void life_put(struct run *r, size_t w, size_t i, uint8_t index);
SUSPENDS void life_drop(struct run *r, size_t w, size_t i, uint8_t index);
/* Leases of the writer's own owner on its first chunk. */
SUSPENDS void life_renew(struct run *r, size_t w);
SUSPENDS void life_set_value(struct run *r, size_t w);
SUSPENDS void life_set_siblings(struct run *r, size_t w);

/* ---- what is done in a life: tasks, arg: struct run ---- */
int work_task(void *arg);     /* all writers at once */
int check_task(void *arg);    /* everything against the model */
int writable_task(void *arg); /* it must take new shards, and what was cut off can be put again */

/* ---- lives of the node ---- */
__attribute__((format(printf, 2, 3))) void wrong(struct model *m, const char *fmt, ...);
void node_up(struct run *r);
void node_down(struct run *r);
/* One life: opens, works, closes; the disk may die on the way. True when it was opened. */
bool live(struct run *r, int (*fn)(void *arg));
/* Opens after a cut; a store that cannot be opened is a loss. */
void life_after(struct run *r, int (*fn)(void *arg));
/* How many points the work has when nothing happens. */
uint64_t count_points(void);
/* Under tools that slow everything down every seventh point must do. */
uint64_t stride(void);

#endif
