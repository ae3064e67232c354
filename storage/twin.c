/*
 * Two nodes with the same shard: one was away and came back when its place had been filled. After
 * DUPLICATE_AFTER the one with the higher hash drops its copy, once the other has shown that it
 * really has it: all hashes, and one leaf that it could not foresee.
 */
#include <stdlib.h>

#include "storage/auditor.h"
#include "storage/chunks_private.h"

/* Until one of two has dropped its copy; a word that got lost costs no day. */
#define INTRODUCE_AGAIN HOURS(3)

/* Whether it can be told something now; NULL: nobody, or he is silent. */
static const struct neighbour *
within_earshot(const struct keeper *k, const struct pubkey *node)
{
	const struct neighbour *one = neighbours_find(k->neighbours, node);

	if (one == NULL || one->contact.addr.family == ADDR_NONE || one->silent_at != 0)
		return NULL;
	return one;
}

static SUSPENDS int
hand_over(struct keeper *k, const struct chunk_facts *f, const struct pubkey *node)
{
	const struct neighbour *one = within_earshot(k, node);
	struct contact to;
	int err;

	if (one == NULL)
		return ERR_OK;
	to = one->contact;
	err = keeper_hand_over(k, f, &to);
	/* Who could not be told is told again. */
	return err == ERR_CANCELED ? err : ERR_OK;
}

/* Of how many the list says that they hold it. */
static size_t
holders_of(const struct chunk_facts *f, uint8_t index)
{
	size_t count = 0;

	for (size_t i = 0; i < f->siblings.count; i++)
		count += f->siblings.at[i].index == index;
	return count;
}

/*
 * Whether we are the first in rank of the live holders of other shards than index: those who hold
 * that one are who may not know each other, and cannot do it. Nor are others who have a twin asked
 * to, because they may not know of this pair either; unless all have.
 */
static bool
first_beside(const struct keeper *k, const struct chunk_facts *f, uint8_t index)
{
	bool alone = f->count > 0 && holders_of(f, f->indices[0]) < 2;
	struct hash ours;

	holder_rank(&f->chunk, &endpoint_identity(k->opts.endpoint)->pub, &ours);
	for (size_t i = 0; i < f->siblings.count; i++) {
		const struct sibling *s = &f->siblings.at[i];
		const struct neighbour *one = neighbours_find(k->neighbours, &s->node);
		bool other_alone = holders_of(f, s->index) < 2;

		if (s->index == index || one == NULL || keeper_is_self(k, &s->node) ||
		    !keeper_counts_on(k, one, keeper_short_grace(k)))
			continue;
		if (other_alone != alone ? other_alone : holder_before(&f->chunk, &s->node, &ours))
			return false;
	}
	return f->count > 0;
}

int
keeper_introduce(
    struct keeper *k, const struct chunk_facts *f, uint8_t index, const struct pubkey *node)
{
	bool ours = facts_has(f, index), others = false;
	int err = ERR_OK;

	/* One is enough to say it: who has it himself, else the first in rank. */
	if (!ours && !first_beside(k, f, index))
		return ERR_OK;
	for (size_t i = 0; err == ERR_OK && i < f->siblings.count; i++) {
		const struct sibling *s = &f->siblings.at[i];

		if (s->index != index || pubkey_equal(&s->node, node) ||
		    keeper_is_self(k, &s->node) || within_earshot(k, &s->node) == NULL)
			continue;
		others = true;
		err = hand_over(k, f, &s->node);
	}
	return err == ERR_OK && (others || ours) ? hand_over(k, f, node) : err;
}

/*
 * Another sibling with the same index behind this one in the list; SIZE_MAX: none. Both are to hear
 * of each other now: the list also has those who are gone and were replaced.
 */
static size_t
next_twin(const struct keeper *k, const struct chunk_facts *f, size_t of)
{
	const struct sibling *s = &f->siblings.at[of];

	if (keeper_is_self(k, &s->node) || within_earshot(k, &s->node) == NULL)
		return SIZE_MAX;
	for (size_t i = of + 1; i < f->siblings.count; i++) {
		const struct sibling *t = &f->siblings.at[i];

		if (t->index == s->index && !keeper_is_self(k, &t->node) &&
		    within_earshot(k, &t->node) != NULL)
			return i;
	}
	return SIZE_MAX;
}

int
keeper_introduce_again(struct keeper *k, const struct chunk_facts *f)
{
	struct held *h = ledger_find(k->ledger, &f->chunk, f->indices[0]);
	uint64_t now = env_now(k->env);
	int err = ERR_OK;

	if (h == NULL || now - h->introduced_at < keeper_time(k, INTRODUCE_AGAIN))
		return ERR_OK;
	for (size_t i = 0; err == ERR_OK && i < f->siblings.count; i++) {
		size_t twin = next_twin(k, f, i);

		if (twin == SIZE_MAX || !first_beside(k, f, f->siblings.at[i].index))
			continue;
		h = ledger_find(k->ledger, &f->chunk, f->indices[0]);
		if (h != NULL)
			h->introduced_at = now;
		err = hand_over(k, f, &f->siblings.at[i].node);
		if (err == ERR_OK)
			err = hand_over(k, f, &f->siblings.at[twin].node);
	}
	return err;
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
	err = auditor_probe(k, f, index, &twin);
	/* It had told that it holds the shard. */
	if (err == ERR_OK || err == ERR_CORRUPT || err == ERR_NOT_FOUND) {
		int kept = auditor_note_read(k->auditor, &twin.pub, err == ERR_OK);

		err = err == ERR_OK ? kept : err;
	}
	if (err == ERR_OK)
		err = keeper_let_go(k, f, index);
	if (err == ERR_OK)
		k->status.duplicates_dropped++;
	/* It stays until the other one can show its own. */
	return err == ERR_CANCELED ? err : ERR_OK;
}
