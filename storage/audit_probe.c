/*
 * A look at somebody's shard by the way that readers take: all hashes, and one leaf that could not
 * be foreseen. It proves nothing to others, and knows no budget: for who holds the same shard as we
 * do, and for who never has time for an audit.
 */
#include <stdlib.h>

#include "storage/auditor.h"
#include "storage/chunks_private.h"

#define PROBE_TIMEOUT SECONDS(20)

struct probe {
	struct keeper *k;
	const struct hash *chunk;
	uint8_t index;
	struct contact to;
	struct descriptor descriptor;
	struct layout layout;
	struct hash leaves[LEAVES_MAX];
	uint8_t leaf[LEAF_BYTES];
};

static SUSPENDS int
fetch_leaf(struct probe *p, struct chunks *chunks, uint32_t row)
{
	struct shard_range range = {
		.chunk = *p->chunk, .index = p->index, .first = row, .count = 1
	};
	struct stream *st;
	int err = shard_range_open(chunks, &p->to, METHOD_SHARD_GET, &range, &st);

	if (err != ERR_OK)
		return err;
	err = stream_read(st, p->leaf, layout_leaf_bytes(&p->layout, row));
	stream_close(st);
	return err;
}

static SUSPENDS int
probe(struct probe *p)
{
	uint32_t rows = p->layout.rows;
	uint32_t row = (uint32_t)env_random_below(p->k->env, rows);
	struct hash leaf;
	struct chunks *chunks;
	int err = keeper_chunks(p->k, &chunks);

	if (err == ERR_OK)
		err = shard_hashes(chunks, &p->to, p->chunk, p->index, rows, p->leaves);
	if (err == ERR_OK)
		err = merkle_check(
		    &p->descriptor.roots[p->index], p->leaves, rows, p->layout.shard_bytes);
	if (err == ERR_OK)
		err = fetch_leaf(p, chunks, row);
	if (err != ERR_OK)
		return err;
	merkle_leaf(&leaf, p->leaf, layout_leaf_bytes(&p->layout, row));
	return hash_equal(&leaf, &p->leaves[row]) ? ERR_OK : ERR_CORRUPT;
}

int
auditor_probe(
    struct keeper *k, const struct chunk_facts *f, uint8_t index, const struct contact *who)
{
	struct probe *p = calloc(1, sizeof(*p));
	uint64_t old;
	int err = p == NULL ? ERR_NOMEM : ERR_OK;

	if (err == ERR_OK) {
		p->k = k;
		p->chunk = &f->chunk;
		p->index = index;
		p->to = *who;
		err = store_descriptor(k->opts.store, &f->chunk, &p->descriptor);
	}
	if (err == ERR_OK)
		err = layout_make(f->k, f->n, f->chunk_bytes, &p->layout);
	if (err == ERR_OK) {
		old = task_deadline(k->env, env_now(k->env) + PROBE_TIMEOUT);
		err = probe(p);
		task_deadline_restore(k->env, old);
	}
	if (err == ERR_CORRUPT)
		endpoint_blame(k->opts.endpoint, who, "wrong bytes of a shard");
	free(p);
	return err;
}
