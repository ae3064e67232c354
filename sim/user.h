/*
 * A user of a simulated network: a client process with its own account, which puts and gets
 * objects. An object's bytes follow from its seed, so whatever comes back can be checked. All
 * SUSPENDS calls run on tasks of the user's env.
 */
#ifndef SIM_USER_H
#define SIM_USER_H

#include "object/files.h"
#include "sim/fleet.h"

/* Full chunks of its objects: small, so that small objects have several. */
#define USER_CHUNK_BYTES KIB(256)
/* Every so many bytes an object's plaintext says this, for the search of what leaks. */
#define USER_MARK        "plaintext of a simulated user"

struct user;

/* What the user knows of something that it has put, and what the simulation knows beside. */
struct object {
	uint64_t seed, bytes;
	struct link link;
	struct code_params code; /* of all its chunks */
	struct object_chunk {
		struct hash id;
		uint8_t k, r, n;
		uint64_t bytes;
	} * chunks; /* the manifest's first; NULL: nobody could look it up yet */
	size_t chunks_count;
	bool lost; /* told already */
	bool watched, replaced;
};
void object_fini(struct object *o);

struct user *user_new(struct fleet *f, uint32_t number); /* gives; joins: runs the world */
void user_free(struct user *u); /* its tasks have ended; runs the world; NULL accepted */
struct env *user_env(struct user *u);
struct task_group *user_work(struct user *u); /* for tasks on it; shut down by user_free */
struct node *user_node(struct user *u);
const struct account *user_account(const struct user *u);

/* o->seed and o->bytes are set; on ERR_OK link and code are, too: acknowledged. result may be NULL.
 */
SUSPENDS int user_put(struct user *u, struct object *o, struct file_put_result *result);
/* Reads it whole; *wrong: some byte was not what had been put. */
SUSPENDS int user_get(struct user *u, const struct object *o, bool *wrong);
/* Which chunks it has: by its manifest. */
SUSPENDS int user_look(struct user *u, struct object *o);

/* The byte at an offset of the object with this seed. */
uint8_t object_byte(uint64_t seed, uint64_t offset);

#endif
