/*
 * Candidates live in slots that never move, because requests under way point at them; order
 * lists the slots by distance. A slot is reused only when its candidate was never asked or
 * has failed. All walks are over ≤ LOOKUP_CANDIDATES_MAX entries; nothing can fail.
 */
#include "dht/lookup.h"

#include "dht/distance.h"
#include "overlay/base/err.h"

void
lookup_init(struct lookup_state *s, const struct lookup_plan *plan, uint64_t now)
{
	must(plan->want > 0 && plan->want <= LOOKUP_CANDIDATES_MAX / 2);
	must(plan->paths > 0 && plan->paths <= LOOKUP_PATHS_MAX && plan->alpha > 0);
	s->target = plan->target;
	s->self = plan->self;
	s->want = plan->want;
	s->paths = plan->paths;
	s->alpha = plan->alpha;
	s->first_only = plan->first_only;
	s->exact = plan->exact;
	s->hasty = plan->hasty;
	s->ip_limits = plan->ip_limits;
	s->started = now;
	s->asked = s->failed = 0;
	s->count = 0;
	s->seeds = 0;
	memset(s->of_path, 0, sizeof(s->of_path));
	memset(s->places, 0, sizeof(s->places));
}

/* ---- who is known ---- */

#define NEXT(place) (((place) + 1) % LOOKUP_PLACES)

static_assert(LOOKUP_CANDIDATES_MAX < UINT8_MAX, "a place holds 1 + slot");
static_assert(LOOKUP_PLACES >= 2 * LOOKUP_CANDIDATES_MAX, "a search ends at a free place");

/*
 * Where the search for a key begins. Who grinds keys for one place makes it as long as all
 * candidates are, which is what it would be without an index.
 */
static size_t
home_of(const struct pubkey *pub)
{
	uint16_t first;

	memcpy(&first, pub->b, sizeof(first));
	return first % LOOKUP_PLACES;
}

/* The place of a key, or the free one where it would be. */
static size_t
place_of(const struct lookup_state *s, const struct pubkey *pub)
{
	size_t at = home_of(pub);

	while (s->places[at] != 0 && !pubkey_equal(&s->at[s->places[at] - 1].contact.pub, pub))
		at = NEXT(at);
	return at;
}

bool
lookup_known(const struct lookup_state *s, const struct pubkey *pub)
{
	return s->places[place_of(s, pub)] != 0;
}

/* What lies behind the gap moves into it, where its search would else end too early. */
static void
forget(struct lookup_state *s, const struct pubkey *pub)
{
	size_t gap = place_of(s, pub);

	must(s->places[gap] != 0);
	for (size_t i = NEXT(gap); s->places[i] != 0; i = NEXT(i)) {
		size_t home = home_of(&s->at[s->places[i] - 1].contact.pub);

		if ((i - home) % LOOKUP_PLACES < (i - gap) % LOOKUP_PLACES)
			continue;
		s->places[gap] = s->places[i];
		gap = i;
	}
	s->places[gap] = 0;
}

/* ---- candidates ---- */

static bool
network_full(const struct lookup_state *s, const struct contact *c)
{
	uint64_t network = addr_group(&c->addr);
	size_t n = 0;

	for (size_t i = 0; i < s->count; i++)
		n += s->at[i].network == network;
	return n >= LOOKUP_PER_NETWORK;
}

/*
 * A slot for a candidate at distance top: a new one, or that of a farther useless one of
 * its path. Paths have equal shares, so that one full of inventions displaces only its own.
 */
static bool
slot_free(struct lookup_state *s, uint64_t top, unsigned path, size_t *slot)
{
	if (s->of_path[path] < LOOKUP_CANDIDATES_MAX / s->paths) {
		*slot = s->count;
		return true;
	}
	for (size_t i = s->count; i-- > 0 && s->at[s->order[i]].top > top;) {
		const struct candidate *c = &s->at[s->order[i]];

		if (c->path != path || (c->state != CANDIDATE_NEW && c->state != CANDIDATE_FAILED))
			continue;
		*slot = s->order[i];
		forget(s, &c->contact.pub);
		s->of_path[path]--;
		s->count--;
		memmove(&s->order[i], &s->order[i + 1], (s->count - i) * sizeof(*s->order));
		return true;
	}
	return false;
}

static bool
nearer(const struct lookup_state *s, const struct candidate *a, uint64_t top, const struct id *id)
{
	return a->top < top ||
	       (a->top == top && id_compare_distance(&s->target, &a->contact.id, id) < 0);
}

/* How many are nearer. */
static size_t
rank_of(const struct lookup_state *s, uint64_t top, const struct id *id)
{
	size_t from = 0, to = s->count;

	while (from < to) {
		size_t middle = (from + to) / 2;

		if (nearer(s, &s->at[s->order[middle]], top, id))
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static void
insert(struct lookup_state *s, const struct contact *c, unsigned path, bool suspect)
{
	uint64_t top = id_distance_top(&s->target, &c->id);
	size_t slot, rank;

	if (id_equal(&c->id, &s->self) || lookup_known(s, &c->pub) ||
	    !slot_free(s, top, path, &slot))
		return;
	s->at[slot] = (struct candidate){ .contact = *c,
		.top = top,
		.network = addr_group(&c->addr),
		.state = CANDIDATE_NEW,
		.path = (uint8_t)path,
		.suspect = suspect };
	s->places[place_of(s, &c->pub)] = (uint8_t)(slot + 1);
	s->of_path[path]++;
	rank = rank_of(s, top, &c->id);
	memmove(&s->order[rank + 1], &s->order[rank], (s->count - rank) * sizeof(*s->order));
	s->order[rank] = (uint16_t)slot;
	s->count++;
}

void
lookup_seed(struct lookup_state *s, const struct contact *c, bool suspect)
{
	insert(s, c, s->seeds++ % s->paths, suspect);
}

void
lookup_learn(struct lookup_state *s, size_t from, const struct contact *c, bool suspect)
{
	must(from < LOOKUP_CANDIDATES_MAX);
	if (s->ip_limits && network_full(s, c))
		return;
	insert(s, c, s->at[from].path, suspect);
}

/* Still expected to answer: others behind it need not be asked in its stead. */
static bool
holds_place(const struct candidate *c)
{
	return c->state == CANDIDATE_NEW || c->state == CANDIDATE_ASKED ||
	       c->state == CANDIDATE_ANSWERED;
}

static bool
settled(const struct lookup_state *s)
{
	size_t answered = 0;

	for (size_t i = 0; i < s->count && answered < LOOKUP_SETTLED; i++) {
		const struct candidate *c = &s->at[s->order[i]];

		if (c->state == CANDIDATE_NEW || c->state == CANDIDATE_ASKED)
			return false;
		answered += c->state == CANDIDATE_ANSWERED;
	}
	return answered == LOOKUP_SETTLED;
}

bool
lookup_matters(const struct lookup_state *s, size_t slot)
{
	size_t nearer = 0;

	for (size_t i = 0; i < s->count && s->order[i] != slot && nearer < s->want; i++)
		nearer += s->at[s->order[i]].state != CANDIDATE_FAILED;
	return nearer < s->want;
}

/* Few at a time as long as each answer leads on; all that are wanted when they no longer do. */
static bool
path_next(const struct lookup_state *s, unsigned path, size_t most, size_t *slot)
{
	size_t rank = 0, path_rank = 0, asked = 0;

	for (size_t i = 0; i < s->count; i++) {
		const struct candidate *c = &s->at[s->order[i]];

		if (!holds_place(c))
			continue;
		rank++;
		if (c->path != path)
			continue;
		path_rank++;
		/*
		 * Beyond the wanted nearest of all nobody is asked, except at the very top of a
		 * path: it must go on although another one lists nearer inventions.
		 */
		if (path_rank > s->want || (rank > s->want && path_rank > s->alpha))
			return false;
		if (c->state == CANDIDATE_ASKED && ++asked == most)
			return false;
		if (c->state == CANDIDATE_NEW) {
			*slot = s->order[i];
			return true;
		}
	}
	return false;
}

bool
lookup_next(struct lookup_state *s, uint64_t now, size_t *slot)
{
	size_t most = settled(s) ? s->want : s->alpha;

	for (unsigned path = 0; path < s->paths; path++) {
		struct candidate *c;

		if (!path_next(s, path, most, slot))
			continue;
		c = &s->at[*slot];
		c->state = c->suspect ? CANDIDATE_SLOW : CANDIDATE_ASKED;
		c->asked_at = now;
		s->asked++;
		return true;
	}
	return false;
}

void
lookup_slow(struct lookup_state *s, size_t slot)
{
	must(slot < LOOKUP_CANDIDATES_MAX);
	if (s->at[slot].state == CANDIDATE_ASKED)
		s->at[slot].state = CANDIDATE_SLOW;
}

void
lookup_answered(struct lookup_state *s, size_t slot, uint64_t now)
{
	must(slot < LOOKUP_CANDIDATES_MAX);
	s->at[slot].state = CANDIDATE_ANSWERED;
	s->at[slot].answered_at = now;
}

void
lookup_failed(struct lookup_state *s, size_t slot)
{
	must(slot < LOOKUP_CANDIDATES_MAX);
	if (s->at[slot].state == CANDIDATE_ANSWERED)
		return;
	s->at[slot].state = CANDIDATE_FAILED;
	s->failed++;
}

static uint64_t
presumed_dead_at(const struct candidate *c)
{
	return c->asked_at + (c->suspect ? LOOKUP_SUSPECT_DEAD : LOOKUP_PRESUMED_DEAD);
}

bool
lookup_done(const struct lookup_state *s, uint64_t now)
{
	size_t answered = 0, want = s->first_only ? 1 : s->want;
	const struct candidate *nearest = s->count == 0 ? NULL : &s->at[s->order[0]];

	if (s->exact && nearest != NULL && nearest->top == 0 &&
	    nearest->state == CANDIDATE_ANSWERED)
		return true;
	for (size_t i = 0; i < s->count && answered < want; i++) {
		const struct candidate *c = &s->at[s->order[i]];

		if (c->state == CANDIDATE_ANSWERED)
			answered++;
		else if (c->state == CANDIDATE_NEW || c->state == CANDIDATE_ASKED)
			return false;
		else if (c->state == CANDIDATE_SLOW && now < presumed_dead_at(c) &&
			 !s->first_only && !s->hasty)
			return false;
	}
	if (answered >= want || answered == 0)
		/* With nobody yet, slow ones are all there is: wait for them to fail. */
		return answered > 0 || lookup_wakeup(s, 0) == 0;
	return true;
}

uint64_t
lookup_wakeup(const struct lookup_state *s, uint64_t now)
{
	uint64_t first = 0;

	for (size_t i = 0; i < s->count; i++) {
		const struct candidate *c = &s->at[i];
		uint64_t at;

		if (c->state != CANDIDATE_SLOW)
			continue;
		at = presumed_dead_at(c);
		if (at > now && (first == 0 || at < first))
			first = at;
	}
	return first;
}

size_t
lookup_closest(const struct lookup_state *s, struct contact *out, size_t cap)
{
	size_t n = 0;

	for (size_t i = 0; i < s->count && n < cap; i++)
		if (s->at[s->order[i]].state == CANDIDATE_ANSWERED)
			out[n++] = s->at[s->order[i]].contact;
	return n;
}

uint64_t
lookup_first_after(const struct lookup_state *s)
{
	uint64_t first = 0;
	size_t n = 0;

	for (size_t i = 0; i < s->count && n < s->want; i++) {
		const struct candidate *c = &s->at[s->order[i]];

		if (c->state != CANDIDATE_ANSWERED)
			continue;
		n++;
		if (first == 0 || c->answered_at < first)
			first = c->answered_at;
	}
	return first == 0 ? 0 : first - s->started;
}

const struct contact *
lookup_contact(const struct lookup_state *s, size_t slot)
{
	must(slot < LOOKUP_CANDIDATES_MAX);
	return &s->at[slot].contact;
}
