/*
 * A target of a rebuild: a node that fits the owner's rules and has room takes the shard as a put
 * would give it. One that breaks off leaves its shard missing; the others go on.
 */
#include <stdlib.h>

#include "storage/rebuild_private.h"

#define TARGET_OPEN_TIMEOUT  SECONDS(5)
#define TARGET_WRITE_TIMEOUT SECONDS(60)
#define TARGET_TRIES         4

static int
choose(struct target *t)
{
	struct rebuilding *w = t->w;

	return chunks_choose(w->r->chunks, w->r->candidates, w->r->candidates_count,
	    &w->constraints, &w->layout, &t->candidate);
}

/* Whether a node promises what the owner has been promised. */
static int
check_terms(const struct rebuilding *w, const struct shard_go *go)
{
	const struct lease *l = w->r->lease;
	uint64_t now = chunks_now_ms(w->r->chunks) / 1000;

	if (l->until > now && l->until - now > go->term_max_s + LEASE_CLOCK_SLACK_S)
		return ERR_REFUSED;
	if (l->lock_until > now && l->lock_until - now > go->lock_max_s + LEASE_CLOCK_SLACK_S)
		return ERR_UNSUPPORTED;
	return ERR_OK;
}

/* It is not chosen again for this chunk. */
static void
pass_over(struct target *t)
{
	struct candidate *c = &t->w->r->candidates[t->candidate];

	stream_close(t->lane.stream);
	t->lane.stream = NULL;
	c->taken = false;
	c->free_bytes = 0;
}

int
target_open_task(void *arg)
{
	struct target *t = arg;
	struct rebuilding *w = t->w;
	struct shard_put m = { .k = w->layout.k,
		.n = w->layout.n,
		.index = t->shard->index,
		.chunk_bytes = w->layout.chunk_bytes,
		.lease_key = w->r->lease->key,
		.granted = w->r->lease->note.granted,
		.grant = w->r->lease->note.grant };
	int err = ERR_PLACEMENT;

	for (int tries = 0; tries < TARGET_TRIES; tries++) {
		struct shard_go go;
		struct candidate *c;
		uint64_t old;

		if (choose(t) != ERR_OK)
			break;
		c = &w->r->candidates[t->candidate];
		old = task_deadline(w->env, env_now(w->env) + TARGET_OPEN_TIMEOUT);
		err = shard_stream_open(w->r->chunks, &c->contact, &m, &go, &t->lane.stream);
		task_deadline_restore(w->env, old);
		if (err == ERR_OK)
			err = check_terms(w, &go);
		if (err == ERR_OK) {
			t->shard->holder = c->contact;
			return ERR_OK;
		}
		pass_over(t);
		if (err == ERR_CANCELED)
			break;
		log_info(w->env, "a node did not take a shard: %s", err_text(err));
	}
	return err;
}

static void
break_off(struct target *t, int err)
{
	log_info(t->w->env, "rebuilt shard %u is not placed: %s", t->shard->index, err_text(err));
	pass_over(t);
	t->shard->failed = true;
}

int
target_write_task(void *arg)
{
	struct target *t = arg;
	struct rebuilding *w = t->w;
	size_t len = work_bytes(w, w->writing);
	uint64_t old = task_deadline(w->env, env_now(w->env) + TARGET_WRITE_TIMEOUT);
	int err = stream_write(t->lane.stream, bytes_of(t->lane.slot[w->writing % SLOTS], len));

	task_deadline_restore(w->env, old);
	if (err == ERR_OK)
		w->r->sent += len;
	else
		break_off(t, err);
	return err;
}

int
target_commit_task(void *arg)
{
	struct target *t = arg;
	struct rebuilding *w = t->w;
	const struct rebuild *r = w->r;
	struct buf message;
	uint64_t old = task_deadline(w->env, env_now(w->env) + TARGET_WRITE_TIMEOUT);
	int err;

	buf_init(&message, SHARD_COMMIT_BYTES_MAX + 4);
	err = shard_commit_message(r->descriptor, r->lease, r->chunks->net, &message);
	if (err == ERR_OK)
		err = shard_stream_commit(
		    r->chunks, t->lane.stream, buf_bytes(&message), r->lease, t->shard->index);
	buf_fini(&message);
	task_deadline_restore(w->env, old);
	if (err != ERR_OK) {
		break_off(t, err);
		return err;
	}
	t->shard->placed = true;
	w->r->placed++;
	return ERR_OK;
}
