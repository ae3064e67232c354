/*
 * One lane of a put: finds a node that takes the shard, sends the leaves as they are coded, then
 * the commit, and checks the receipt. A lane that fails before its first byte tries other
 * candidates; one that fails later leaves its shard to be completed afterwards.
 */
#include "storage/put_private.h"

#define OPEN_TRIES  4
/* For connection, handshake and answer on the other side of the world: five round trips. */
#define TRY_TIMEOUT MILLISECONDS(2000)

/* Who is gone without a word is noticed by his silence only: the next one shall have his turn. */
static int
open_in_time(struct lane *l, const struct contact *to, struct shard_go *go)
{
	struct env *env = l->put->env;
	uint64_t old = task_deadline(env, env_now(env) + TRY_TIMEOUT);
	const struct put *p = l->put;
	struct shard_put m = { .k = p->layout.k,
		.n = p->layout.n,
		.index = l->index,
		.chunk_bytes = p->layout.chunk_bytes,
		.lease_key = p->lease.key,
		.granted = p->lease.note.granted,
		.grant = p->lease.note.grant };
	int err = shard_stream_open(p->c, to, &m, go, &l->stream);

	task_deadline_restore(env, old);
	return err;
}

/* Opens, and gives up again what promises too little. */
static int
open_one(struct lane *l, const struct contact *to)
{
	struct put *p = l->put;
	struct shard_go go;
	int err = open_in_time(l, to, &go);

	if (err != ERR_OK) {
		refusals_note(&p->result->refusals, err);
		return err;
	}
	err = refusals_check(&p->result->refusals, &go, p->opts->term_s, p->opts->lock_s);
	if (err != ERR_OK) {
		stream_close(l->stream);
		l->stream = NULL;
	}
	return err;
}

static int
open_somewhere(struct lane *l)
{
	struct put *p = l->put;
	int err = ERR_PLACEMENT;

	for (int tries = 0; tries < OPEN_TRIES && !p->closed; tries++) {
		size_t candidate;
		int chosen = put_choose(p, &candidate);

		if (chosen != ERR_OK)
			return err;
		err = open_one(l, &p->candidates[candidate].contact);
		if (err == ERR_OK && !p->closed) {
			l->candidate = candidate;
			return ERR_OK;
		}
		/* It came in the same instant in which we stopped waiting for it. */
		if (err == ERR_OK)
			err = ERR_CANCELED;
		/* Not chosen again for this chunk: it has no room for us. */
		p->candidates[candidate].taken = false;
		p->candidates[candidate].free_bytes = 0;
		if (err == ERR_CANCELED)
			break;
		log_info(p->env, "a node did not take a shard: %s", err_text(err));
		/* It knows us, or us not, for the next chunk, too. */
		if (err == ERR_STRANGER || err == ERR_QUOTA)
			chunks_refused(p->c, &p->candidates[candidate].contact.pub);
		tries -= refusal_quick(err);
	}
	return err;
}

static int
send_leaves(struct lane *l)
{
	struct put *p = l->put;

	while (l->groups_sent < p->groups) {
		int err = ERR_OK;

		if (p->err != ERR_OK)
			return p->err;
		if (l->groups_sent < p->coded)
			err = stream_write(l->stream, put_leaves(p, l->groups_sent, l->index));
		else if ((err = put_wait(p, &l->waiter, 0)) == ERR_OK)
			continue;
		if (err != ERR_OK)
			return err;
		l->groups_sent++;
		l->moved_at = env_now(p->env);
		p->sent++;
		put_wake(p);
	}
	return ERR_OK;
}

static int
commit(struct lane *l)
{
	struct put *p = l->put;
	int err = ERR_OK;

	while (!p->commit_ready && err == ERR_OK)
		err = p->err != ERR_OK ? p->err : put_wait(p, &l->waiter, 0);
	if (err != ERR_OK)
		return err;
	return shard_stream_commit(p->c, l->stream, buf_bytes(&p->commit), &p->lease, l->index);
}

int
put_lane_task(void *arg)
{
	struct lane *l = arg;
	struct put *p = l->put;
	int err = open_somewhere(l);

	if (err == ERR_OK) {
		l->state = LANE_OPEN;
		l->moved_at = env_now(p->env);
		put_wake(p);
		err = send_leaves(l);
		if (err == ERR_OK)
			err = commit(l);
		if (err != ERR_OK) {
			p->candidates[l->candidate].taken = false;
			p->candidates[l->candidate].free_bytes = 0;
		}
	}
	stream_close(l->stream);
	l->stream = NULL;
	if (err == ERR_OK) {
		l->state = LANE_PLACED;
		p->result->have[l->index] = true;
		p->result->holders[l->index] = p->candidates[l->candidate].contact;
		p->result->placed++;
	} else {
		l->state = LANE_FAILED;
		if (err != ERR_CANCELED && err != ERR_PLACEMENT)
			log_info(p->env, "shard %u is not placed: %s", l->index, err_text(err));
	}
	p->sent++;
	put_wake(p);
	return err;
}
