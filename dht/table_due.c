/*
 * Who is due for a test first. The few that are due first are kept by themselves, those of them
 * that are heard of or go leave, and only when fewer than two are left is the whole table looked
 * at: a node tests a contact every few seconds and has hundreds, each of them elsewhere in memory.
 */
#include "dht/table_private.h"

/* The last one takes its place: there is no order. */
static void
drop(struct due *d, size_t i)
{
	d->count--;
	d->due_s[i] = d->due_s[d->count];
	d->tops[i] = d->tops[d->count];
}

static size_t
latest(const struct due *d)
{
	size_t at = 0;

	for (size_t i = 1; i < d->count; i++)
		if (d->due_s[i] > d->due_s[at])
			at = i;
	return at;
}

void
table_due_add(struct table *t, uint64_t top, uint32_t due_s)
{
	struct due *d = &t->due;

	if (due_s >= d->bound_s)
		return;
	if (d->count == TABLE_DUE) {
		size_t last = latest(d);

		d->bound_s = MAX(d->due_s[last], due_s);
		if (due_s >= d->due_s[last])
			return;
		drop(d, last);
	}
	d->due_s[d->count] = due_s;
	d->tops[d->count++] = top;
}

void
table_due_forget(struct table *t, uint64_t top, uint32_t due_s)
{
	struct due *d = &t->due;

	for (size_t i = 0; due_s <= d->bound_s && i < d->count; i++)
		if (d->tops[i] == top) {
			drop(d, i);
			return;
		}
}

/* All that are due later than the bound, or as late, are left out. */
static void
look(struct table *t)
{
	t->due.count = 0;
	t->due.bound_s = UINT32_MAX;
	for (size_t i = 0; i < t->buckets_count; i++) {
		const struct list *l = &t->buckets[i].live;

		for (size_t j = 0; j < l->count; j++)
			table_due_add(t, l->tops[j], table_due_s(t, &list_states(l)[j]));
	}
}

static const struct entry *
entry_of(const struct table *t, uint64_t top)
{
	const struct list *l = &table_bucket_of(t, top)->live;
	size_t i = 0;

	while (i < l->count && l->tops[i] != top)
		i++;
	must(i < l->count); /* who leaves is forgotten here */
	return &list_entries(l)[i];
}

static size_t
first_of(const struct due *d)
{
	size_t first = 0;

	for (size_t i = 1; i < d->count; i++)
		if (d->due_s[i] < d->due_s[first])
			first = i;
	return first;
}

void
table_expect_stalest(const struct table *t, unsigned step)
{
	const struct due *d = &t->due;

	if (step == 0)
		prefetch_all(d->due_s, sizeof(*d) - offsetof(struct due, due_s));
	else if (d->count > 0)
		table_expect(t, d->tops[first_of(d)], step - 1);
}

bool
table_stalest(struct table *t, uint64_t min_age, uint64_t doubted_age, struct contact *out,
    uint64_t *due, uint64_t *next)
{
	struct due *d = &t->due;
	uint32_t quiet_s = (uint32_t)(min_age / SECONDS(1));
	uint32_t doubted_s = (uint32_t)(doubted_age / SECONDS(1));
	uint32_t second_s = UINT32_MAX;
	struct addr addr;
	size_t first;

	if (d->quiet_s != quiet_s || d->doubted_s != doubted_s ||
	    (d->count < 2 && d->bound_s < UINT32_MAX)) {
		d->quiet_s = quiet_s;
		d->doubted_s = doubted_s;
		look(t);
	}
	if (d->count == 0)
		return false;
	first = first_of(d);
	for (size_t i = 0; i < d->count; i++)
		if (i != first)
			second_s = MIN(second_s, d->due_s[i]);
	const struct entry *e = entry_of(t, d->tops[first]);

	addr = entry_addr(e);
	contact_init(out, (const struct pubkey *)e->pub, &addr);
	/* table_seconds() counts from 1, and what happens within a second is of that second. */
	*due = (d->due_s[first] - 1) * SECONDS(1);
	*next = second_s == UINT32_MAX ? UINT64_MAX : (second_s - 1) * SECONDS(1);
	return true;
}
