/*
 * Chunks, leases and puts for tests of the store, on any environment. Contents follow from seeds,
 * so a test can tell what a shard must hold without keeping it.
 */
#ifndef TEST_UNIT_STORAGE_STORE_FIXTURE_H
#define TEST_UNIT_STORAGE_STORE_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "storage/store.h"

static const struct network_id fx_net = { { 1, 2, 3, 4 } };

/* A small generator: tests must not depend on the environment's randomness. */
static inline uint64_t
fx_random(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static inline void
fx_fill(uint64_t seed, uint8_t *out, size_t len)
{
	uint64_t state = seed, word;

	for (size_t i = 0; i < len; i += sizeof(word)) {
		word = fx_random(&state);
		memcpy(out + i, &word, MIN(sizeof(word), len - i));
	}
}

struct fx_chunk {
	uint64_t seed;
	struct layout layout;
	struct descriptor *descriptor;
	struct hash id;
	uint8_t **shards; /* aligned, whole blocks */
};

static inline void
fx_chunk_init(struct fx_chunk *c, uint64_t seed, uint8_t k, uint8_t n, uint64_t bytes)
{
	struct hash *leaves = malloc(LEAVES_MAX * sizeof(*leaves));

	c->seed = seed;
	must(leaves != NULL && layout_make(k, n, bytes, &c->layout) == ERR_OK);
	c->descriptor = calloc(1, sizeof(*c->descriptor));
	c->shards = calloc(n, sizeof(*c->shards));
	must(c->descriptor != NULL && c->shards != NULL);
	c->descriptor->k = k;
	c->descriptor->n = n;
	c->descriptor->chunk_bytes = bytes;
	for (uint8_t i = 0; i < n; i++) {
		size_t len = c->layout.shard_bytes, whole = (len + 4095) / 4096 * 4096;

		c->shards[i] = aligned_alloc(DISK_ALIGN, whole);
		must(c->shards[i] != NULL);
		fx_fill(seed * 1000 + i, c->shards[i], len);
		for (uint32_t row = 0; row < c->layout.rows; row++)
			merkle_leaf(&leaves[row], c->shards[i] + (size_t)row * LEAF_BYTES,
			    layout_leaf_bytes(&c->layout, row));
		must(merkle_root(&c->descriptor->roots[i], leaves, c->layout.rows, len) == ERR_OK);
	}
	descriptor_id(c->descriptor, &c->id);
	free(leaves);
}

static inline void
fx_chunk_fini(struct fx_chunk *c)
{
	for (uint8_t i = 0; i < c->layout.n; i++)
		free(c->shards[i]);
	free(c->shards);
	free(c->descriptor);
}

/* The lease of owner number `owner` with a generation. */
static inline void
fx_lease_until(
    struct lease *l, uint64_t owner, const struct hash *chunk, uint64_t generation, uint64_t until)
{
	struct key seed;
	struct sign_key key;
	struct pubkey pub;

	fx_fill(owner + 77, seed.b, sizeof(seed.b));
	crypto_sign_key_from_seed(&seed, &key, &pub);
	*l = (struct lease){ .chunk = *chunk,
		.generation = generation,
		.until = until,
		.constraints.repair_at = 2 };
	lease_sign(l, fx_net, &key, &pub);
}

static inline void
fx_lease(struct lease *l, uint64_t owner, const struct hash *chunk, uint64_t generation)
{
	fx_lease_until(l, owner, chunk, generation, 2000000000 + generation);
}

/* Stores a shard, `step` leaves at a time. */
static inline SUSPENDS int
fx_put_until(struct store *s, const struct fx_chunk *c, uint8_t index, uint64_t generation,
    uint32_t step, uint64_t until)
{
	struct shard_writer *w;
	struct lease lease;
	int err = shard_begin(s, &c->layout, index, &w);

	if (err != ERR_OK)
		return err;
	for (uint32_t row = 0; row < c->layout.rows; row += step) {
		uint32_t count = MIN(step, c->layout.rows - row);

		err = shard_append(w, c->shards[index] + (size_t)row * LEAF_BYTES, count);
		if (err != ERR_OK) {
			shard_abort(w);
			return err;
		}
	}
	fx_lease_until(&lease, 0, &c->id, generation, until);
	return shard_commit(w, c->descriptor, &lease);
}

static inline SUSPENDS int
fx_put(struct store *s, const struct fx_chunk *c, uint8_t index, uint64_t generation, uint32_t step)
{
	return fx_put_until(s, c, index, generation, step, 2000000000 + generation);
}

/* Reads a shard and compares: ERR_CORRUPT when it is not what was put. */
static inline SUSPENDS int
fx_check(struct store *s, const struct fx_chunk *c, uint8_t index)
{
	size_t whole = (c->layout.shard_bytes + 4095) / 4096 * 4096, len;
	uint8_t *got = aligned_alloc(DISK_ALIGN, whole);
	int err;

	must(got != NULL);
	err = store_read(s, &c->id, index, 0, c->layout.rows, got, &len);
	if (err == ERR_OK &&
	    (len != c->layout.shard_bytes || memcmp(got, c->shards[index], len) != 0))
		err = ERR_CORRUPT;
	free(got);
	return err;
}

/* The highest generation of an owner's lease for the chunk; 0: none. */
static inline SUSPENDS uint64_t
fx_generation(struct store *s, const struct hash *chunk, uint64_t owner)
{
	struct lease mine, *found = malloc(64 * sizeof(*found));
	uint64_t generation = 0;
	size_t count;

	must(found != NULL);
	fx_lease(&mine, owner, chunk, 1);
	must(store_leases(s, chunk, found, 64, &count) == ERR_OK);
	for (size_t i = 0; i < count; i++) {
		if (pubkey_equal(&found[i].key, &mine.key))
			generation = found[i].generation;
	}
	free(found);
	return generation;
}

/* ---- a store on real files ---- */

static inline int
fx_remove_name(void *arg, const char *name)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/%s", (const char *)arg, name);
	unlink(path);
	return ERR_OK;
}

/* As if it had been lost. */
static inline void
fx_remove_index(const char *dir)
{
	char index[128];

	snprintf(index, sizeof(index), "%s/index", dir);
	disk_list(disk_real(), index, fx_remove_name, index);
	rmdir(index);
}

/* With all that is in it; 0, or what rmdir() gives. */
static inline int
fx_remove_store(const char *dir)
{
	fx_remove_index(dir);
	disk_list(disk_real(), dir, fx_remove_name, (void *)(uintptr_t)dir);
	return rmdir(dir);
}

#endif
