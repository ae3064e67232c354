/*
 * Wrong bytes came out of a window: which column is to blame? The sink cannot tell, because a wrong
 * parity leaf spoils every rebuilt one. So each column's holder is asked for the hashes of all its
 * leaves; they must lead to the root in the descriptor, and the leaves that it sent must have them.
 */
#include <stdlib.h>

#include "storage/get_private.h"

/* So often may a holder's proof fail to come before it is taken for a liar that hides. */
#define EVASIONS_MAX   3
/* At most 32 KiB of hashes from somebody who has just sent their leaves. */
#define HASHES_TIMEOUT SECONDS(5)

struct check_job {
	const struct window *window;
	const struct column *column;
	const struct hash *hashes;
	const struct hash *root;
};

/* In a worker: ERR_CORRUPT when the hashes or the leaves are not the shard's. */
static int
check_column(void *arg)
{
	const struct check_job *job = arg;
	const struct window *w = job->window;
	const struct layout *l = &w->get->layout;
	struct hash leaf;
	int err = merkle_check(job->root, job->hashes, l->rows, l->shard_bytes);

	for (uint32_t r = 0; err == ERR_OK && r < w->rows; r++) {
		merkle_leaf(&leaf, job->column->data + (size_t)r * LEAF_BYTES,
		    layout_leaf_bytes(l, w->first_row + r));
		if (!hash_equal(&leaf, &job->hashes[w->first_row + r]))
			err = ERR_CORRUPT;
	}
	return err;
}

/* Takes a column out: its holder lied (blamed, never asked again) or does not help to find out. */
static void
drop_column(struct window *w, uint8_t index, bool lied)
{
	struct holders *h = w->get->holders;
	struct column *col = &w->columns[index];
	struct holder_slot *slot = &h->at[index];
	bool present = pubkey_equal(&slot->contact.pub, &col->from.pub);

	col->state = COLUMN_FAILED;
	if (lied)
		endpoint_blame(w->get->c->opts.endpoint, &col->from, "wrong bytes of a shard");
	if (present && (lied || ++slot->evasions >= EVASIONS_MAX))
		slot->state = HOLDER_BAD;
	else
		holders_failed(h, index, &col->from);
}

int
window_check(struct window *w, size_t *dropped)
{
	struct get *g = w->get;
	const struct descriptor *d;
	struct hash *hashes = malloc(g->layout.rows * sizeof(*hashes));
	int err = hashes == NULL ? ERR_NOMEM : holders_descriptor(g->holders, &d);

	*dropped = 0;
	/* The reference may lie as well: then nothing in it can be believed. */
	if (err == ERR_OK &&
	    (d->k != g->layout.k || d->n != g->layout.n || d->chunk_bytes != g->ref->bytes))
		err = ERR_CORRUPT;
	for (uint8_t i = 0; err == ERR_OK && i < g->layout.n; i++) {
		struct check_job job = { w, &w->columns[i], hashes, &d->roots[i] };

		if (w->columns[i].state != COLUMN_DONE)
			continue;

		uint64_t old = task_deadline(g->env, env_now(g->env) + HASHES_TIMEOUT);

		err =
		    shard_hashes(g->c, &w->columns[i].from, &g->ref->id, i, g->layout.rows, hashes);
		task_deadline_restore(g->env, old);
		if (err == ERR_CANCELED)
			break;
		if (err != ERR_OK) {
			drop_column(w, i, false);
			(*dropped)++;
			err = ERR_OK;
			continue;
		}
		err = env_offload(g->env, WORK_CPU, check_column, &job, w->bytes);
		if (err == ERR_CORRUPT) {
			drop_column(w, i, true);
			(*dropped)++;
			err = ERR_OK;
		}
	}
	free(hashes);
	return err;
}
