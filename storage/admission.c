/*
 * Two sets of sums: what holds, and what the running tour has counted so far. A shard with leases
 * of several listed owners counts for each of them, since each may be the last to let it go; one
 * without any counts for strangers, and for the network that brought it.
 */
#include "storage/admission.h"

#include <stdlib.h>

#include "overlay/base/err.h"

struct network_sum {
	uint64_t group, bytes;
};

struct sums {
	uint64_t owner[OWNERS_MAX];
	uint64_t strangers;
	struct network_sum networks[NETWORKS_MAX];
	size_t networks_count;
};

struct admission {
	struct admission_opts opts;
	struct owner_quota owners[OWNERS_MAX];
	struct sums held, counting;
	bool counted; /* at least once */
	bool runs;    /* a tour counts */
};

int
admission_new(const struct admission_opts *opts, struct admission **out)
{
	struct admission *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return ERR_NOMEM;
	must(opts->owners_count <= OWNERS_MAX);
	a->opts = *opts;
	for (size_t i = 0; i < opts->owners_count; i++)
		a->owners[i] = opts->owners[i];
	a->opts.owners = a->owners;
	*out = a;
	return ERR_OK;
}

void
admission_free(struct admission *a)
{
	free(a);
}

/* ---- who ---- */

static size_t
find_owner(const struct admission *a, const struct pubkey *owner)
{
	size_t i = 0;

	while (i < a->opts.owners_count && !pubkey_equal(&a->owners[i].owner, owner))
		i++;
	return i;
}

/* The listed owner who vouches; owners_count: nobody. What was opened once is remembered. */
static size_t
who_vouches(const struct admission *a, const struct admission_ask *ask)
{
	size_t known = find_owner(a, &ask->note->owner);

	if (known < a->opts.owners_count || !ask->note->granted)
		return known;
	for (size_t i = 0; i < a->opts.owners_count; i++) {
		if (grant_opens(
			&ask->note->grant, a->opts.net, &a->owners[i].owner, ask->lease_key))
			return i;
	}
	return a->opts.owners_count;
}

static uint64_t
strangers_max(const struct admission *a)
{
	return a->opts.capacity / 100 * STRANGERS_PERCENT;
}

/* Beyond the table all that is new shares its last place. */
static uint64_t
of_network(const struct sums *s, uint64_t group)
{
	for (size_t i = 0; i < s->networks_count; i++) {
		if (s->networks[i].group == group)
			return s->networks[i].bytes;
	}
	return s->networks_count < NETWORKS_MAX ? 0 : s->networks[NETWORKS_MAX - 1].bytes;
}

static bool
over(uint64_t used, uint64_t more, uint64_t most)
{
	return more > 0 && (used > most || more > most - used);
}

static int
admit_stranger(const struct admission *a, const struct admission_ask *ask, struct admitted *out)
{
	uint64_t most = strangers_max(a), group = ask->note->group;

	if (a->opts.accept != ACCEPT_ANYONE)
		return ERR_STRANGER;
	if (group == 0)
		group = ask->group;
	if (over(a->held.strangers, ask->bytes, most) ||
	    over(of_network(&a->held, group), ask->bytes, most / STRANGERS_NETWORK_DIV))
		return ERR_QUOTA;
	out->note.owner = (struct pubkey){ { 0 } };
	out->note.group = group;
	out->term_max_s = STRANGERS_TERM_S;
	out->lock_max_s = 0;
	return ERR_OK;
}

int
admission_admit(const struct admission *a, const struct admission_ask *ask, struct admitted *out)
{
	struct admitted r = { .note = *ask->note,
		.term_max_s = LEASE_AHEAD_MAX_S,
		.lock_max_s = a->opts.lock_max_s };
	size_t who;
	int err = ERR_OK;

	if (a->opts.accept == ACCEPT_ALL) {
		*out = r;
		return ERR_OK;
	}
	if (a->opts.accept == ACCEPT_NONE && ask->bytes > 0)
		return ERR_REFUSED;
	if (!a->counted && ask->bytes > 0)
		return ERR_BUSY;
	who = who_vouches(a, ask);
	if (who == a->opts.owners_count)
		err = admit_stranger(a, ask, &r);
	else if (a->owners[who].bytes != 0 &&
		 over(a->held.owner[who], ask->bytes, a->owners[who].bytes))
		err = ERR_QUOTA;
	else
		r.note.owner = a->owners[who].owner;
	if (err == ERR_OK)
		*out = r;
	return err;
}

/* ---- counting ---- */

static void
add_network(struct sums *s, uint64_t group, uint64_t bytes)
{
	size_t i = 0;

	while (i < s->networks_count && s->networks[i].group != group)
		i++;
	if (i == s->networks_count && i < NETWORKS_MAX)
		s->networks[s->networks_count++] = (struct network_sum){ .group = group };
	s->networks[MIN(i, (size_t)NETWORKS_MAX - 1)].bytes += bytes;
}

static void
add_stranger(struct sums *s, uint64_t group, uint64_t bytes)
{
	s->strangers += bytes;
	add_network(s, group, bytes);
}

void
admission_count_begin(struct admission *a)
{
	memset(&a->counting, 0, sizeof(a->counting));
	a->runs = true;
}

/* An owner may have several leases on a chunk, which is kept once. */
static bool
counted_before(const struct lease *leases, size_t i, uint64_t now_s)
{
	for (size_t j = 0; j < i; j++) {
		if (leases[j].until >= now_s &&
		    pubkey_equal(&leases[j].note.owner, &leases[i].note.owner))
			return true;
	}
	return false;
}

void
admission_count(
    struct admission *a, const struct lease *leases, size_t count, uint64_t now_s, uint64_t bytes)
{
	bool owned = false;
	uint64_t group = 0;

	for (size_t i = 0; i < count; i++) {
		size_t who = find_owner(a, &leases[i].note.owner);

		if (leases[i].until < now_s)
			continue;
		if (who < a->opts.owners_count && !counted_before(leases, i, now_s))
			a->counting.owner[who] += bytes;
		owned |= who < a->opts.owners_count;
		group = leases[i].note.group != 0 ? leases[i].note.group : group;
	}
	if (!owned)
		add_stranger(&a->counting, group, bytes);
}

void
admission_count_end(struct admission *a)
{
	if (!a->runs)
		return;
	a->held = a->counting;
	a->counted = true;
	a->runs = false;
}

void
admission_added(struct admission *a, const struct lease_note *note, uint64_t bytes)
{
	size_t who = find_owner(a, &note->owner);
	struct sums *both[] = { &a->held, a->runs ? &a->counting : NULL };

	/* The running tour may count it, too: until its next one that is too much, not too little.
	 */
	for (size_t i = 0; i < ARRAY_LEN(both) && both[i] != NULL; i++) {
		if (who < a->opts.owners_count)
			both[i]->owner[who] += bytes;
		else
			add_stranger(both[i], note->group, bytes);
	}
}

/* ---- sight ---- */

void
admission_status(const struct admission *a, struct admission_status *out)
{
	*out = (struct admission_status){ .accept = a->opts.accept,
		.owners = a->opts.owners_count,
		.strangers_bytes = a->held.strangers,
		.strangers_max = a->opts.accept == ACCEPT_ANYONE ? strangers_max(a) : 0 };
}

uint64_t
admission_used(const struct admission *a, size_t owner)
{
	return owner < a->opts.owners_count ? a->held.owner[owner] : 0;
}
