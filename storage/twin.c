/*
 * Two nodes with the same shard: one was away and came back when its place had been filled. After
 * DUPLICATE_AFTER the one with the higher hash drops its copy, once the other has shown that it
 * really has it: all hashes, and one leaf that it could not foresee.
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
	struct hash root, leaf;
	struct chunks *chunks;
	int err = keeper_chunks(p->k, &chunks);

	if (err == ERR_OK)
		err = shard_hashes(chunks, &p->to, p->chunk, p->index, rows, p->leaves);
	if (err == ERR_OK)
		err = merkle_root(&root, p->leaves, rows, p->layout.shard_bytes);
	if (err == ERR_OK && !hash_equal(&root, &p->descriptor.roots[p->index]))
		err = ERR_CORRUPT;
	if (err == ERR_OK)
		err = fetch_leaf(p, chunks, row);
	if (err != ERR_OK)
		return err;
	merkle_leaf(&leaf, p->leaf, layout_leaf_bytes(&p->layout, row));
	return hash_equal(&leaf, &p->leaves[row]) ? ERR_OK : ERR_CORRUPT;
}

static SUSPENDS int
probe_in_time(
    struct keeper *k, const struct chunk_facts *f, uint8_t index, const struct contact *twin)
{
	struct probe *p = calloc(1, sizeof(*p));
	uint64_t old;
	int err = p == NULL ? ERR_NOMEM : ERR_OK;

	if (err == ERR_OK) {
		p->k = k;
		p->chunk = &f->chunk;
		p->index = index;
		p->to = *twin;
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
		endpoint_blame(k->opts.endpoint, twin, "wrong bytes of a shard");
	free(p);
	/* It had told that it holds the shard. */
	if (err == ERR_OK || err == ERR_CORRUPT || err == ERR_NOT_FOUND) {
		int kept = auditor_note_read(k->auditor, &twin->pub, err == ERR_OK);

		err = err == ERR_OK ? kept : err;
	}
	return err;
}

static SUSPENDS int
hand_over(struct keeper *k, const struct chunk_facts *f, const struct pubkey *node)
{
	const struct neighbour *one = neighbours_find(k->neighbours, node);
	struct contact to;
	int err;

	if (one == NULL || one->contact.addr.family == ADDR_NONE || one->silent_at != 0)
		return ERR_OK;
	to = one->contact;
	err = keeper_hand_over(k, f, &to);
	/* Who could not be told hears it from the next one who returns. */
	return err == ERR_CANCELED ? err : ERR_OK;
}

int
keeper_introduce(
    struct keeper *k, const struct chunk_facts *f, uint8_t index, const struct pubkey *node)
{
	bool ours = false, others = false;
	int err = ERR_OK;

	for (size_t i = 0; i < f->count; i++)
		ours |= f->indices[i] == index;
	/* One is enough to say it: who has it himself, else the first in rank. */
	if (!ours && (f->count == 0 || keeper_our_rank(k, f, keeper_short_grace(k)) > 0))
		return ERR_OK;
	for (size_t i = 0; err == ERR_OK && i < f->siblings.count; i++) {
		const struct sibling *s = &f->siblings.at[i];

		if (s->index != index || pubkey_equal(&s->node, node) ||
		    keeper_is_self(k, &s->node))
			continue;
		others = true;
		err = hand_over(k, f, &s->node);
	}
	return err == ERR_OK && (others || ours) ? hand_over(k, f, node) : err;
}

int
keeper_settle_twin(struct keeper *k, const struct chunk_facts *f, uint8_t index)
{
	const struct held *h = ledger_find(k->ledger, &f->chunk, index);
	const struct neighbour *one;
	struct contact twin;
	int err;

	if (h == NULL || h->twin_at == 0 ||
	    env_now(k->env) - h->twin_at < keeper_time(k, DUPLICATE_AFTER))
		return ERR_OK;
	one = neighbours_find(k->neighbours, &h->twin);
	if (one == NULL)
		return ERR_OK;
	twin = one->contact;
	err = probe_in_time(k, f, index, &twin);
	if (err == ERR_OK)
		err = keeper_let_go(k, f, index);
	if (err == ERR_OK)
		k->status.duplicates_dropped++;
	/* It stays until the other one can show its own. */
	return err == ERR_CANCELED ? err : ERR_OK;
}
