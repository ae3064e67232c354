/*
 * Reading the routing table and choosing what its upkeep needs. Only lends; nothing can fail.
 */
#include "dht/table.h"

#include "dht/table_private.h"

static void
view_of(uint64_t top, const struct entry *e, struct table_view *v)
{
	*v = (struct table_view){ .pub = (const struct pubkey *)e->pub,
		.top = top,
		.addr = entry_addr(e),
		.rtt = e->rtt * RTT_UNIT,
		.strikes = e->strikes };
}

struct ranked {
	uint64_t rank;
	const struct entry *entry;
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
ranking_add(struct ranking *r, uint64_t rank, const struct entry *e)
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
	r->at[i] = (struct ranked){ .rank = rank, .entry = e };
}

/* mask: what turned tops into ranks. */
static size_t
ranking_views(const struct ranking *r, uint64_t mask, struct table_view *out)
{
	for (size_t i = 0; i < r->count; i++)
		view_of(r->at[i].rank ^ mask, r->at[i].entry, &out[i]);
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
		for (size_t i = first; i <= last; i++)
			for (size_t j = 0; j < t->buckets[i].live.count; j++) {
				const struct entry *e = &t->buckets[i].live.at[j];
				uint64_t rank = t->buckets[i].live.tops[j] ^ mask;

				if (ranking_takes(&r, rank) && e->strikes < max_strikes)
					ranking_add(&r, rank, e);
			}
		count += ranking_views(&r, mask, out + count);
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
	for (size_t i = 0; i < t->buckets_count; i++)
		for (size_t j = 0; j < t->buckets[i].live.count; j++) {
			const struct entry *e = &t->buckets[i].live.at[j];
			uint64_t top = t->buckets[i].live.tops[j];

			if (((top ^ want) & mask) != 0 || (after != NULL && top <= from) ||
			    e->strikes >= TABLE_STRIKES_SILENT)
				continue;
			found++;
			ranking_add(&r, top, e);
		}
	(void)ranking_views(&r, 0, out);
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
			if (t->buckets[i].live.at[j].strikes < TABLE_STRIKES_SILENT)
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
		     (sizeof(struct entry) + sizeof(uint64_t));
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

/* The two that are due first, as far as they have been looked for. */
struct stalest {
	uint32_t min_s, doubted_s; /* after checked_s, without strikes and with */
	uint32_t first_s, second_s;
	const struct entry *first;
	uint64_t first_top;
};

static uint32_t
later_s(uint32_t checked_s, uint32_t by_s)
{
	return checked_s > UINT32_MAX - by_s ? UINT32_MAX : checked_s + by_s;
}

static void
stalest_take(struct stalest *s, const struct entry *e, uint64_t top)
{
	uint32_t due_s = later_s(e->checked_s, e->strikes > 0 ? s->doubted_s : s->min_s);

	if (due_s >= s->second_s)
		return;
	if (due_s >= s->first_s) {
		s->second_s = due_s;
		return;
	}
	s->second_s = s->first_s;
	s->first_s = due_s;
	s->first = e;
	s->first_top = top;
}

/* What it is bounded by is what it has, afterwards. */
static void
stalest_look(struct stalest *s, struct bucket *b)
{
	if (MIN(later_s(b->quiet_s, s->min_s), later_s(b->doubted_s, s->doubted_s)) >= s->second_s)
		return;
	b->quiet_s = b->doubted_s = UINT32_MAX;
	for (size_t i = 0; i < b->live.count; i++) {
		table_bound(b, &b->live.at[i]);
		stalest_take(s, &b->live.at[i], b->live.tops[i]);
	}
}

bool
table_stalest(struct table *t, uint64_t min_age, uint64_t doubted_age, struct contact *out,
    uint64_t *due, uint64_t *next)
{
	struct stalest s = { .min_s = (uint32_t)(min_age / SECONDS(1)),
		.doubted_s = (uint32_t)(doubted_age / SECONDS(1)),
		.first_s = UINT32_MAX,
		.second_s = UINT32_MAX };
	struct table_view v;

	for (size_t i = 0; i < t->buckets_count; i++)
		stalest_look(&s, &t->buckets[i]);
	if (s.first == NULL)
		return false;
	view_of(s.first_top, s.first, &v);
	table_contact(&v, out);
	/* table_seconds() counts from 1, and what happens within a second is of that second. */
	*due = (s.first_s - 1) * SECONDS(1);
	*next = s.second_s == UINT32_MAX ? UINT64_MAX : (s.second_s - 1) * SECONDS(1);
	return true;
}

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
