/*
 * Places for bulk. A list of at most a few dozen holders is walked to count those of one network;
 * whoever leaves wakes all that wait, and each looks anew. Fails only by waiting too long,
 * cancellation, or want of memory for a buffer.
 */
#include "storage/transfers.h"

#include <stdlib.h>

#include "overlay/limits.h"

struct transfer_waiter {
	LIST_ENTRY(transfer_waiter) link;
	struct wait wait;
};

struct transfers {
	struct env *env;
	struct pool *buffers;
	size_t max, live;
	LIST_HEAD(, transfer) all;
	LIST_HEAD(, transfer_waiter) waiting;
};

struct transfers *
transfers_new(struct env *env, size_t buffer_bytes, size_t max)
{
	struct transfers *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->env = env;
	t->max = max;
	t->buffers = pool_new(env, buffer_bytes, max);
	if (t->buffers == NULL) {
		free(t);
		return NULL;
	}
	LIST_INIT(&t->all);
	LIST_INIT(&t->waiting);
	return t;
}

void
transfers_free(struct transfers *t)
{
	if (t == NULL)
		return;
	must(t->live == 0 && LIST_EMPTY(&t->waiting));
	pool_free(t->buffers);
	free(t);
}

static bool
may_begin(const struct transfers *t, uint64_t group)
{
	const struct transfer *x;
	size_t own = 0;

	LIST_FOREACH(x, &t->all, link)
	own += x->group == group;
	return limits_share(own, t->live, t->max);
}

/* Until somebody left, or it is time to look around. */
static SUSPENDS int
wait_turn(struct transfers *t)
{
	struct transfer_waiter me;
	int err;

	wait_init(&me.wait);
	LIST_INSERT_HEAD(&t->waiting, &me, link);
	err = wait_for(t->env, &me.wait, TRANSFER_LOOK);
	LIST_REMOVE(&me, link);
	return err == ERR_TIMEOUT ? ERR_OK : err;
}

SUSPENDS int
transfer_begin(struct transfers *t, const struct stream *st, struct transfer *out)
{
	uint64_t deadline = env_now(t->env) + TRANSFER_WAIT;
	int err;

	out->group = addr_group(&stream_peer(st)->addr);
	while (!may_begin(t, out->group)) {
		err = wait_turn(t);
		if (err == ERR_OK && !stream_lives(st))
			err = ERR_CLOSED;
		if (err == ERR_OK && env_now(t->env) >= deadline)
			err = ERR_BUSY;
		if (err != ERR_OK)
			return err;
	}
	err = pool_get(t->buffers, &out->buffer); /* never waits: as many buffers as places */
	if (err != ERR_OK)
		return err;
	LIST_INSERT_HEAD(&t->all, out, link);
	t->live++;
	return ERR_OK;
}

void
transfer_end(struct transfers *t, struct transfer *x)
{
	struct transfer_waiter *w;

	LIST_REMOVE(x, link);
	t->live--;
	pool_put(t->buffers, x->buffer);
	LIST_FOREACH(w, &t->waiting, link)
	wait_wake(&w->wait, ERR_OK);
}

uint64_t
transfers_patience(const struct transfers *t)
{
	return t->live > t->max / 2 ? TRANSFER_STALL_CROWDED : TRANSFER_STALL;
}

size_t
transfers_live(const struct transfers *t)
{
	return t->live;
}
