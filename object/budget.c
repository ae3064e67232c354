/*
 * Two queues, each in its own pot. Memory that was given back stays at hand while its bytes are
 * free, so that all there is, in use or not, never exceeds the budget.
 */
#include "object/budget.h"

#include <stdlib.h>

#include "overlay/base/crypto.h"

struct budget_waiter {      /* on the stack of the task that waits */
	struct wait handed; /* woken: its bytes are taken */
	uint64_t bytes;
	struct budget_waiter *prev, *next;
};

void
budget_init(struct memory_budget *b, struct env *env, uint64_t bytes)
{
	uint64_t total = bytes == 0 ? BUDGET_BYTES_DEFAULT : bytes;

	memset(b, 0, sizeof(*b));
	b->env = env;
	b->small.bytes = b->small.free = total / BUDGET_SMALL_PART;
	b->large.bytes = b->large.free = total - b->small.bytes;
}

/* ---- spare memory ---- */

static void
spare_drop(struct memory_budget *b, size_t i)
{
	struct budget_spare *s = &b->spares[i];

	crypto_wipe(s->data, s->bytes); /* it held somebody's plaintext */
	free(s->data);
	b->spare_bytes -= s->bytes;
	b->spares_count--;
	memmove(s, s + 1, (b->spares_count - i) * sizeof(*s));
}

void
budget_fini(struct memory_budget *b)
{
	must(b->small.free == b->small.bytes && b->large.free == b->large.bytes);
	while (b->spares_count > 0)
		spare_drop(b, 0);
}

/* One that is long enough and not longer than all that was taken. */
static bool
spare_use(struct memory_budget *b, size_t bytes, struct budget_share *out)
{
	for (size_t i = 0; i < b->spares_count; i++) {
		struct budget_spare *s = &b->spares[i];

		if (s->bytes < bytes || s->bytes > MAX(bytes, out->bytes))
			continue;
		out->data = s->data;
		out->data_bytes = s->bytes;
		b->spare_bytes -= s->bytes;
		b->spares_count--;
		memmove(s, s + 1, (b->spares_count - i) * sizeof(*s));
		return true;
	}
	return false;
}

static void
spare_keep(struct memory_budget *b, uint8_t *data, size_t bytes)
{
	if (b->spares_count == BUDGET_SPARES_MAX)
		spare_drop(b, 0);
	b->spares[b->spares_count++] = (struct budget_spare){ data, bytes };
	b->spare_bytes += bytes;
}

/* Spares lie in what nobody has taken; the oldest go first. */
static void
spares_fit(struct memory_budget *b)
{
	while (b->spares_count > 0 && b->spare_bytes > b->small.free + b->large.free)
		spare_drop(b, 0);
}

/* ---- taking ---- */

static uint64_t
charge(const struct budget_pot *pot, uint64_t bytes)
{
	return MIN(bytes, pot->bytes);
}

static struct budget_pot *
pot_for(struct memory_budget *b, const struct budget_need *need)
{
	bool small =
	    need->kind == BUDGET_SMALL ||
	    (need->kind == BUDGET_BY_SIZE && need->data_bytes + need->beside <= BUDGET_SMALL_BYTES);

	return small ? &b->small : &b->large;
}

static int
fill_share(struct memory_budget *b, struct budget_pot *pot, uint64_t bytes, size_t data_bytes,
    struct budget_share *out)
{
	struct budget_share s = { .of = b, .pot = pot, .bytes = bytes };

	spares_fit(b);
	if (data_bytes > 0 && !spare_use(b, data_bytes, &s)) {
		s.data = malloc(data_bytes);
		s.data_bytes = data_bytes;
		if (s.data == NULL) {
			s.data_bytes = 0;
			budget_give(&s);
			return ERR_NOMEM;
		}
	}
	*out = s;
	return ERR_OK;
}

static void
unlink_waiter(struct budget_pot *pot, struct budget_waiter *w)
{
	if (w->prev != NULL)
		w->prev->next = w->next;
	else
		pot->head = w->next;
	if (w->next != NULL)
		w->next->prev = w->prev;
	else
		pot->tail = w->prev;
}

/* The first in the queue, and those behind it, as far as it goes. */
static void
serve(struct budget_pot *pot)
{
	struct budget_waiter *w;

	while ((w = pot->head) != NULL && w->bytes <= pot->free) {
		pot->free -= w->bytes;
		unlink_waiter(pot, w);
		wait_wake(&w->handed, ERR_OK);
	}
}

static int
wait_turn(struct memory_budget *b, struct budget_pot *pot, uint64_t bytes)
{
	struct budget_waiter w = { .bytes = bytes, .prev = pot->tail };
	int err;

	wait_init(&w.handed);
	if (pot->tail != NULL)
		pot->tail->next = &w;
	else
		pot->head = &w;
	pot->tail = &w;
	err = wait_for(b->env, &w.handed, 0);
	if (err != ERR_OK) {
		unlink_waiter(pot, &w);
		serve(pot); /* less may be enough for those behind */
	}
	return err;
}

int
budget_take(struct memory_budget *b, const struct budget_need *need, struct budget_share *out)
{
	struct budget_pot *pot = pot_for(b, need);
	uint64_t bytes = charge(pot, need->data_bytes + need->beside);
	int err = ERR_OK;

	if (pot->head != NULL || pot->free < bytes)
		err = wait_turn(b, pot, bytes);
	else
		pot->free -= bytes;
	return err != ERR_OK ? err : fill_share(b, pot, bytes, need->data_bytes, out);
}

bool
budget_try(struct memory_budget *b, const struct budget_need *need, struct budget_share *out)
{
	struct budget_pot *pot = pot_for(b, need);
	uint64_t bytes = charge(pot, need->data_bytes + need->beside);

	if (pot->head != NULL || pot->free < bytes)
		return false;
	pot->free -= bytes;
	return fill_share(b, pot, bytes, need->data_bytes, out) == ERR_OK;
}

void
budget_lower(struct budget_share *share)
{
	if (share->bytes <= share->data_bytes)
		return;
	share->pot->free += share->bytes - share->data_bytes;
	share->bytes = share->data_bytes;
	serve(share->pot);
}

void
budget_give(struct budget_share *share)
{
	struct memory_budget *b = share->of;

	if (b == NULL)
		return;
	if (share->data != NULL)
		spare_keep(b, share->data, share->data_bytes);
	share->pot->free += share->bytes;
	serve(share->pot);
	spares_fit(b);
	memset(share, 0, sizeof(*share));
}
