/*
 * A vocabulary for stories about whole networks: storing nodes and a client on the
 * simulated environment, files put and got through the product's own code. A failed
 * expectation prints the seed. Everything must() or ck_assert inside: stories read straight.
 * SKERRY_LOG=info (or debug …) in the environment prints what all nodes log.
 */
#ifndef TEST_SCENARIO_WORLD_H
#define TEST_SCENARIO_WORLD_H

#include "object/files.h"
#include "sim/sim.h"
#include "storage/node.h"

#define WORLD_NODES_MAX 64
#define WORLD_FILES_MAX 32

struct world;

struct world_opts {
	uint64_t seed;
	size_t nodes;
	struct code_params code;
	uint64_t chunk_bytes;   /* of full chunks; 0: 256 KiB, so that small files have several */
	uint64_t segment_bytes; /* of the stores; 0: 8 MiB */
	bool regions;           /* distances of a planet instead of one room */
	struct sim_faults faults;
	uint64_t lock_max_s; /* that nodes grant; 0: none */
	/* Whose data nodes take; the first so many do not know the client's account. */
	enum accept accept;
	size_t unknown_to;
	uint64_t quota_bytes;    /* of the account; 0: none */
	uint64_t capacity_bytes; /* 0: 1 GiB */
	uint64_t upload_bytes_s, download_bytes_s;
	size_t neighbours_max; /* that a node watches; 0: as documented */
};

struct world *world_new(const struct world_opts *opts);
/* Stops everything, checks that nothing is left over, frees. */
void world_free(struct world *w);
struct sim_world *world_sim(struct world *w);

/* ---- nodes ---- */
size_t world_add(struct world *w);             /* one more, which then joins; its number */
void world_kill(struct world *w, size_t node); /* for good, until world_restart */
void world_restart(
    struct world *w, size_t node); /* same identity and disk; also a stopped or killed one */
/* Its power fails (also when it is dead already): of what was not synced its disk keeps a subset
 * chosen by seed; then it starts again. */
void world_power_loss(struct world *w, size_t node, uint64_t seed);
/* It goes on with another disk under the same identity: a new one where disk is NULL (takes). The
 * old one: gives. */
struct sim_disk *world_swap_disk(struct world *w, size_t node, struct sim_disk *disk);
void world_lose_disk(struct world *w, size_t node); /* the same, and the old one is gone */
/* From now on it gives wrong bytes of all that it holds, without knowing; it holds something. */
void world_spoil(struct world *w, size_t node);
struct node *world_peer(struct world *w, size_t node); /* NULL: dead and cleared away */
bool world_alive(struct world *w, size_t node);
struct sim_disk *world_disk(struct world *w, size_t node);
struct env *world_env(struct world *w, size_t node);
/* A fresh client process: knows the bootstraps only. */
void world_new_client(struct world *w);

struct node *world_client(struct world *w);
struct env *world_client_env(struct world *w);
struct contact world_contact(const struct world *w, size_t node);
size_t world_node_of(const struct world *w, const struct pubkey *key); /* SIZE_MAX: nobody's */
/* One more client process beside that, with the name's key; ended before the world is. */
struct node *world_client_start(struct world *w, uint8_t name, struct env **env);
void world_client_stop(struct world *w, struct env *env, struct node *client);
/* Runs fn(arg) as a task of the client. */
int world_run(struct world *w, int (*fn)(void *arg), void *arg);

/* ---- files ---- */
struct world_put_opts {
	const char *name;
	uint64_t bytes;
	bool stream; /* length unknown to the product */
	bool wait_s;
	uint64_t lock_s, term_s; /* 0: none, the usual one */
	bool changes;            /* what is read a second time is not what it was */
	struct constraints constraints;
};
/* The result of file_put; on ERR_OK the file is expected to be there from now on. */
int world_put(struct world *w, const struct world_put_opts *opts, struct file_put_result *out);
/* Must succeed. */
void world_put_ok(struct world *w, const char *name, uint64_t bytes);
/* Runs while a put does: e.g. kills a node when so many bytes are out. NULL: none. */
void world_during_put(
    struct world *w, void (*progress)(void *arg, uint64_t done, uint64_t total), void *arg);
/* From now on each put and get has so much time (ns); 0: all it wants. */
void world_hurry(struct world *w, uint64_t time);
/* Gets it and compares every byte; ERR_OK, or what file_get said. */
int world_get(struct world *w, const char *name, struct file_missing *missing);
int world_get_range(struct world *w, const char *name, uint64_t from, uint64_t to);
int world_get_ordered(struct world *w, const char *name);
int world_delete(struct world *w, const char *name); /* what file_set_lease said */
/* Unix seconds; until 0: a deletion; lock_until 0: as it is. */
int world_keep(struct world *w, const char *name, uint64_t until, uint64_t lock_until,
    struct file_lease_result *out);
/* Counts live shards of all chunks by a verify link; *least is the smallest live − k. */
int world_survey(struct world *w, const char *name, struct file_info *info, int *least);
/* The smallest live − k, by a survey that must succeed. */
int world_margin(struct world *w, const char *name);
/* Whether that comes to be want within the time: a look every 20 s, the first after 20 s. */
bool world_reaches(struct world *w, const char *name, int want, uint64_t time);
/* Which node holds shard index of the file's chunk number (UINT64_MAX: its manifest); SIZE_MAX:
 * none live. */
size_t world_holder(struct world *w, const char *name, uint64_t chunk, uint8_t index);
/* Sends a node a lease and a note as they are, by whomever they are signed; in a task of the
 * client. What the node said. */
struct lease_update;
SUSPENDS int world_send_lease(struct world *w, size_t node, const struct lease_update *u);

/* ---- what nodes say of themselves ---- */
struct keeper *world_keeper(struct world *w, size_t node);
struct keeper_status world_keeper_status(struct world *w, size_t node);
struct store_status world_store_status(struct world *w, size_t node);
uint64_t world_shards(struct world *w, size_t node);
/* Of all that live. */
uint64_t world_shards_of_all(struct world *w);
uint64_t world_rebuilt(struct world *w);  /* shards, by each since it started */
uint64_t world_unix_s(struct node *peer); /* agreed time, as this one has it */
/* Whether a node counts another one among the holders of a chunk. */
bool world_sibling(
    struct world *w, size_t node, const struct hash *chunk, const struct pubkey *other);
uint32_t world_blames(struct world *w, size_t node); /* as the client counts them */

#endif
