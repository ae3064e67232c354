/*
 * A source of known length: chunks are put some at a time, each reading and sealing its own part
 * of the source inside the workers that also code it. A source that got shorter meanwhile ends the
 * put with ERR_INVALID.
 */
#include <stdlib.h>

#include "object/block.h"
#include "object/file_put_private.h"

struct known_put {
	struct file_put *p;
	struct key key;
	uint64_t length;
	uint64_t chunk_blocks; /* of a full chunk */
	uint64_t chunks, next;
	size_t *slots; /* by chunk number */
	uint64_t done; /* sealed bytes that went out, of all chunks */
	int err;
};

struct known_chunk {
	struct known_put *put;
	uint64_t number;
	uint64_t done;             /* what of it the sum has */
	struct block_seen *blocks; /* chunk_blocks of them: it may be read again for more holders */
};

/* In a worker: reads the plaintext of each block to where it belongs and seals it in place. */
static int
fill_known(void *arg, uint64_t offset, uint8_t *dst, size_t len)
{
	const struct known_chunk *c = arg;
	const struct known_put *k = c->put;
	const struct file_source *source = &k->p->opts->source;
	struct block_seen *b = &c->blocks[offset / BLOCK_SEALED];
	uint64_t block = c->number * k->chunk_blocks + offset / BLOCK_SEALED;

	for (size_t at = 0; at < len; at += BLOCK_SEALED, block++, b++) {
		size_t sealed = MIN(len - at, (size_t)BLOCK_SEALED), got;
		size_t plain = sealed - CRYPTO_TAG_BYTES;
		int err = source->read(source->arg, block * BLOCK_PLAIN, dst + at, plain, &got);

		/* Shorter than it was when we began: what we would name is not what was asked. */
		if (err == ERR_OK && got != plain)
			err = ERR_INVALID;
		if (err == ERR_OK)
			err = placing_seal_block(
			    k->p->f, &k->key, k->length, block, dst + at, dst + at);
		if (err == ERR_OK)
			err = block_same(b, dst + at, sealed);
		if (err != ERR_OK)
			return err;
	}
	return ERR_OK;
}

static void
known_progress(void *arg, uint64_t bytes)
{
	struct known_chunk *c = arg;
	struct known_put *k = c->put;

	/* Less than before when a slow holder took the place of a lost one. */
	k->done = k->done - c->done + bytes;
	c->done = bytes;
	if (k->p->opts->progress != NULL)
		k->p->opts->progress(k->p->opts->arg, MIN(k->done, k->length), k->length);
}

static int
known_task(void *arg)
{
	struct known_put *k = arg;
	uint64_t sealed = block_sealed_bytes(k->length);
	uint64_t full = k->chunk_blocks * BLOCK_SEALED;
	int err = ERR_OK;

	while (err == ERR_OK && k->err == ERR_OK && k->next < k->chunks) {
		struct known_chunk c = { .put = k, .number = k->next++ };
		struct chunk_source source = { fill_known, &c };
		uint64_t bytes = MIN(full, sealed - c.number * full);

		c.blocks = calloc((size_t)k->chunk_blocks, sizeof(*c.blocks));
		err = c.blocks == NULL ? ERR_NOMEM
				       : placing_put(&k->p->placing, bytes, &source, known_progress,
					     &c, &k->slots[c.number]);
		free(c.blocks);
		if (err == ERR_OK)
			known_progress(&c, bytes);
	}
	if (err != ERR_OK && k->err == ERR_OK)
		k->err = err;
	return err;
}

static int
known_run(struct known_put *k)
{
	struct task_group group;
	size_t tasks = (size_t)MIN(k->chunks, CHUNKS_IN_FLIGHT);
	int err = ERR_OK;

	task_group_init(&group, k->p->f->env);
	for (size_t i = 0; i < tasks && err == ERR_OK; i++)
		err = task_spawn(&group, "put chunks", known_task, k);
	for (size_t left = tasks; left-- > 0 && err == ERR_OK && k->err == ERR_OK;)
		err = task_group_wait(&group, left);
	task_group_fini(&group);
	return err != ERR_OK ? err : k->err;
}

int
file_put_known(struct file_put *p, struct manifest *m)
{
	struct known_put k = { .p = p, .length = p->opts->source.length };
	struct manifest_segment s = { .plain_bytes = k.length };
	int err = ERR_OK;

	k.chunk_blocks = p->f->chunk_bytes / BLOCK_SEALED;
	k.chunks = (block_count(k.length) + k.chunk_blocks - 1) / k.chunk_blocks;
	if (k.chunks > MANIFEST_CHUNKS_MAX)
		return ERR_TOO_BIG;
	env_random(p->f->env, k.key.b, sizeof(k.key.b));
	k.slots = calloc((size_t)k.chunks, sizeof(*k.slots));
	if (k.slots == NULL)
		err = ERR_NOMEM;
	if (err == ERR_OK)
		err = known_run(&k);
	for (uint64_t i = 0; err == ERR_OK && i < k.chunks; i++)
		err = manifest_add_placed(m, &p->placing.placed[k.slots[i]]);
	if (err == ERR_OK) {
		s.key = k.key;
		s.chunks = (uint32_t)k.chunks;
		m->plain_bytes = k.length;
		err = manifest_add_segment(m, &s);
	}
	free(k.slots);
	crypto_wipe(&k, sizeof(k));
	crypto_wipe(&s, sizeof(s));
	return err;
}
