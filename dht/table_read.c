/*
 * Reading the routing table and choosing what its upkeep needs. Only lends; nothing can fail.
 */
#include "dht/table.h"

#include "dht/table_private.h"

static void
view_of(const struct list *l, size_t i, struct table_view *v)
{
	const struct state *s = &list_states(l)[i];
	const struct entry *e = &list_entries(l)[i];

	*v = (struct table_view){ .pub = (const struct pubkey *)e->pub,
		.top = l->tops[i],
		.addr = entry_addr(e),
		.rtt = s->rtt * RTT_UNIT,
		.strikes = s->strikes };
}

struct ranked {
	uint64_t rank;
	const struct list *list;
	size_t at;
};

/* Kept sorted by rank; the largest falls off at cap. */
struct ranking {
	struct ranked at[TABLE_VIEWS_MAX];
	size_t count, cap;
};

/* Asked first: who is too far is not looked at. */
static bool
ranking_takes(const struct ranking *r, uint64_t rank)
{
	return r->count < r->cap || (r->cap > 0 && rank < r->at[r->cap - 1].rank);
}

static void
ranking_add(struct ranking *r, uint64_t rank, const struct list *l, size_t at)
{
	size_t i = r->count;

	if (!ranking_takes(r, rank))
		return;
	if (r->count == r->cap)
		i--;
	else
		r->count++;
	for (; i > 0 && r->at[i - 1].rank > rank; i--)
		r->at[i] = r->at[i - 1];
	r->at[i] = (struct ranked){ .rank = rank, .list = l, .at = at };
}

static size_t
ranking_views(const struct ranking *r, struct table_view *out)
{
	for (size_t i = 0; i < r->count; i++)
		prefetch(&list_entries(r->at[i].list)[r->at[i].at]);
	for (size_t i = 0; i < r->count; i++)
		view_of(r->at[i].list, r->at[i].at, &out[i]);
	return r->count;
}

size_t
table_near(const struct table *t, const struct id *target, uint8_t max_strikes,
    struct table_view *out, size_t cap)
{
	uint64_t mask = id_top(target);
	size_t own = MIN(top_shared_bits(t->self_top, mask), t->buckets_count - 1u);
	size_t count = 0;
	struct ranking r;

	cap = MIN(cap, TABLE_VIEWS_MAX);
	/*
	 * Contacts of the target's bucket are nearest; all deeper buckets share the same
	 * bits with it and come next, together; then each shallower bucket on its own.
	 */
	for (size_t pass = 0; pass <= own + 1 && count < cap; pass++) {
		size_t first = pass == 1 ? own + 1 : own - (pass == 0 ? 0 : pass - 1);
		size_t last = pass == 1 ? t->buckets_count - 1u : first;

		r.count = 0;
		r.cap = cap - count;
		for (size_t i = first; i <= last; i++) {
			const struct list *l = &t->buckets[i].live;

			for (size_t j = 0; j < l->count; j++)
				if (ranking_takes(&r, l->tops[j] ^ mask) &&
				    list_states(l)[j].strikes < max_strikes)
					ranking_add(&r, l->tops[j] ^ mask, l, j);
		}
		count += ranking_views(&r, out + count);
	}
	return count;
}

size_t
table_range(const struct table *t, const struct id *prefix, unsigned bits, const struct id *after,
    struct table_view *out, size_t cap)
{
	uint64_t want = id_top(prefix), from = after == NULL ? 0 : id_top(after);
	uint64_t mask = bits == 0 ? 0 : bits >= 64 ? UINT64_MAX : ~(UINT64_MAX >> bits);
	struct ranking r;
	size_t found = 0;

	r.count = 0;
	r.cap = MIN(cap, TABLE_VIEWS_MAX);
	for (size_t i = 0; i < t->buckets_count; i++) {
		const struct list *l = &t->buckets[i].live;

		for (size_t j = 0; j < l->count; j++) {
			uint64_t top = l->tops[j];

			if (((top ^ want) & mask) != 0 || (after != NULL && top <= from) ||
			    list_states(l)[j].strikes >= TABLE_STRIKES_SILENT)
				continue;
			found++;
			ranking_add(&r, top, l, j);
		}
	}
	(void)ranking_views(&r, out);
	return found;
}

void
table_contact(const struct table_view *v, struct contact *out)
{
	contact_init(out, v->pub, &v->addr);
}

size_t
table_count(const struct table *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->buckets_count; i++)
		n += t->buckets[i].live.count;
	return n;
}

bool
table_answers(const struct table *t)
{
	for (size_t i = 0; i < t->buckets_count; i++)
		for (size_t j = 0; j < t->buckets[i].live.count; j++)
			if (list_states(&t->buckets[i].live)[j].strikes < TABLE_STRIKES_SILENT)
				return true;
	return false;
}

size_t
table_spares(const struct table *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->buckets_count; i++)
		n += t->buckets[i].spare.count;
	return n;
}

size_t
table_buckets(const struct table *t)
{
	return t->buckets_count;
}

size_t
table_bytes(const struct table *t)
{
	size_t n = sizeof(*t) + t->buckets_cap * sizeof(*t->buckets);

	for (size_t i = 0; i < t->buckets_count; i++)
		n += (t->buckets[i].live.cap + t->buckets[i].spare.cap) *
		     (sizeof(uint64_t) + sizeof(struct state) + sizeof(struct entry));
	return n;
}

uint64_t
table_size_guess(const struct table *t)
{
	size_t first = t->buckets_count - 1u, members = 0;

	for (; first > 0; first--)
		if (t->buckets[first - 1].live.count >= table_bucket_max(t, &t->buckets[first - 1]))
			break;
	for (size_t i = first; i < t->buckets_count; i++)
		members += t->buckets[i].live.count;
	return (uint64_t)members << first;
}

bool
table_holds_all(const struct table *t)
{
	return !t->turned_away;
}

/* ---- upkeep ---- */

bool
table_idle_bucket(const struct table *t, uint64_t idle, bool poor_only, uint64_t now,
    const struct id *random, struct id *target)
{
	for (size_t i = 0; i < t->buckets_count; i++) {
		const struct bucket *b = &t->buckets[i];
		struct id edge = t->self;

		if (table_seconds(now) - b->touched_s < idle / SECONDS(1))
			continue;
		if (poor_only && b->live.count + b->spare.count >= TABLE_BUCKET + TABLE_SPARES / 2)
			continue;
		/* i shared bits, then one that differs; the last bucket takes all that follows. */
		edge.b[i / 8] ^= (uint8_t)(0x80 >> i % 8);
		if (i + 1u < t->buckets_count)
			id_with_prefix(target, &edge, (unsigned)i + 1, random);
		else
			id_with_prefix(target, &t->self, (unsigned)i, random);
		return true;
	}
	return false;
}

bool
table_close(const struct table *t, const struct contact *c)
{
	return table_bucket_of(t, id_top(&c->id)) + 2 >= t->buckets + t->buckets_count;
}

void
table_touch(struct table *t, const struct id *target, uint64_t now)
{
	table_bucket_of(t, id_top(target))->touched_s = table_seconds(now);
}

/* ---- hints ---- */

void
table_hot(const struct table *t, struct env *env)
{
	env_hot(env, t, offsetof(struct table, due.due_s));
}

void
table_expect(const struct table *t, uint64_t top, unsigned step)
{
	const struct bucket *b = table_bucket_of(t, top);
	const struct list *l = &b->live;

	if (step == 0) {
		prefetch(b);
	} else if (step == 1) {
		prefetch_all(l->tops, l->count * sizeof(*l->tops));
		prefetch(b->spare.tops);
	}
	for (size_t i = 0; step == 2 && i < l->count; i++)
		if (l->tops[i] == top) {
			prefetch(&list_states(l)[i]);
			prefetch_all(&list_entries(l)[i], sizeof(struct entry));
		}
}
