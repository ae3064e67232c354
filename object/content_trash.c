/*
 * The trash, carried out: the oldest records of a current view, as long as their time has come.
 * Their chunks' leases end, then one transaction forgets some records at once. What cannot be
 * reached is tried again, for a while.
 */
#include <stdlib.h>

#include "object/content_keep_private.h"
#include "object/leases.h"

#define ITEMS_AT_ONCE    32
/* Leases end by themselves some day: what was out of reach for so long is left to that. */
#define GIVE_UP_AFTER_MS (UINT64_C(7) * 24 * 3600 * 1000)

enum fate { FATE_DONE, FATE_LATER, FATE_DEFERRED };

struct emptying {
	struct content_keeper *keeper;
	struct trash_item items[ITEMS_AT_ONCE];
	enum fate fates[ITEMS_AT_ONCE];
	uint64_t since_ms[ITEMS_AT_ONCE]; /* deferred until then */
	size_t count;
	uint8_t from[TRASH_KEY_BYTES + 1];
	size_t from_len;
	bool last;
};

static uint64_t
wait_ms(const struct content_keeper *k)
{
	return k->opts.trash_wait_s * 1000;
}

static int
gather(void *arg, struct kv *kv)
{
	struct emptying *e = arg;
	uint64_t now_ms = keeper_now_ms(e->keeper);
	int err = ERR_OK;

	e->last = false;
	for (e->count = 0; e->count < ITEMS_AT_ONCE; e->count++) {
		struct trash_item *t = &e->items[e->count];

		err = content_trash_next(kv, bytes_of(e->from, e->from_len), t);
		e->last = err == ERR_NOT_FOUND ||
			  (err == ERR_OK && now_ms < t->since_ms + wait_ms(e->keeper));
		if (err != ERR_OK || e->last)
			break;
		memcpy(e->from, t->key, TRASH_KEY_BYTES);
		e->from[TRASH_KEY_BYTES] = 0;
		e->from_len = TRASH_KEY_BYTES + 1;
	}
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static SUSPENDS int
carry_out(struct emptying *e, size_t i)
{
	struct content_keeper *k = e->keeper;
	const struct trash_item *t = &e->items[i];
	struct leases_opts opts = { .files = k->opts.files, .signer = k->opts.signer };
	struct file_lease_result told;
	int err = content_set_lease(&opts, &t->content, &told);

	e->fates[i] = err == ERR_OK ? FATE_DONE : FATE_LATER;
	if (err == ERR_LOCKED) {
		e->fates[i] = FATE_DEFERRED;
		e->since_ms[i] = told.locked_until * 1000;
		k->sight.deferred++;
	} else if (err != ERR_OK && err != ERR_CANCELED) {
		log_info(k->env, "what was deleted is not told to its holders: %s", err_text(err));
		if (keeper_now_ms(k) > t->since_ms + wait_ms(k) + GIVE_UP_AFTER_MS) {
			e->fates[i] = FATE_DONE;
			k->sight.given_up++;
		}
	} else if (err == ERR_OK) {
		k->sight.trashed++;
	}
	return err == ERR_CANCELED ? err : ERR_OK;
}

static int
forget(void *arg, struct kv *txn)
{
	const struct emptying *e = arg;
	int err = ERR_OK;

	for (size_t i = 0; err == ERR_OK && i < e->count; i++) {
		if (e->fates[i] == FATE_DONE)
			err = content_trash_done(txn, &e->items[i]);
		else if (e->fates[i] == FATE_DEFERRED)
			err = content_trash_defer(txn, &e->items[i], e->since_ms[i]);
		/* Another process was there before. */
		if (err == ERR_NOT_FOUND)
			err = ERR_OK;
	}
	return err;
}

static SUSPENDS int
empty_some(struct emptying *e)
{
	struct content_state *state = &e->keeper->opts.state;
	bool any = false;
	int err = state->view(state->arg, gather, e);

	for (size_t i = 0; err == ERR_OK && i < e->count; i++) {
		err = carry_out(e, i);
		any |= e->fates[i] != FATE_LATER;
	}
	return err == ERR_OK && any ? state->update(state->arg, forget, e) : err;
}

int
content_keeper_trash(struct content_keeper *k)
{
	struct emptying *e = calloc(1, sizeof(*e));
	int err = e == NULL ? ERR_NOMEM : semaphore_acquire(k->env, &k->emptying);

	if (err == ERR_OK) {
		e->keeper = k;
		for (size_t i = 0; i < ITEMS_AT_ONCE; i++)
			trash_item_init(&e->items[i]);
		while (err == ERR_OK && !e->last)
			err = empty_some(e);
		for (size_t i = 0; i < ITEMS_AT_ONCE; i++)
			trash_item_fini(&e->items[i]);
		semaphore_release(&k->emptying);
	}
	free(e);
	return err;
}
